/**
 * The rule of the rooms (docs/design.md): a file imports from lines above its own or from its own room. A pure
 * function over texts, so that its test can show it a made-up tree as well as the real one.
 */

import { posix } from 'node:path'
import { importsOf } from './source.ts'

/** From below to above; a room is a folder, or some files at the top of src. */
const LINES: readonly (readonly Room[])[] = [
  [{ name: 'base', files: ['invariant.ts', 'errors.ts', 'check-node.ts'] }],
  [{ name: 'ports' }, { name: 'lib', beside: ['ports'] }],
  [{ name: 'task' }],
  [{ name: 'wire' }, { name: 'ring' }],
  [{ name: 'membership' }],
  [{ name: 'replication' }, { name: 'lease' }],
  [{ name: 'store' }],
  [{ name: 'schedule' }, { name: 'work', beside: ['schedule'] }],
  [{ name: 'mesh' }],
  [{ name: 'engine', files: ['engine.ts', 'config.ts', 'engine-ports.ts', 'guarded-clock.ts'] }],
  [{ name: 'adapters' }],
  [
    { name: 'http' },
    { name: 'api', beside: ['http'] },
    { name: 'dashboard', beside: ['http'] },
    { name: 'cli', beside: ['api', 'http'] },
  ],
  [{ name: 'index', files: ['index.ts'] }],
]

interface Room {
  readonly name: string
  /** Given for files at the top of src; otherwise the room is the folder of its name. */
  readonly files?: readonly string[]
  /** Rooms on its own line that it may import from; never both ways. */
  readonly beside?: readonly string[]
}

interface Place {
  readonly room: Room
  readonly line: number
}

/** What a tree of sources does against the rules, a sentence each. Paths as `src/task/task.ts`. */
export function importViolations(
  sources: ReadonlyMap<string, string>,
  dependencies: readonly string[],
): string[] {
  const violations: string[] = []
  const edges = new Map<string, string[]>()
  const importers = new Map<string, string[]>(dependencies.map(name => [name, []]))

  for (const [path, source] of sources) {
    const place = placeOf(path)
    if (place === undefined) violations.push(`${path} stands in no room`)
    const targets: string[] = []
    edges.set(path, targets)
    for (const specifier of new Set(importsOf(source).map(({ specifier }) => specifier))) {
      if (specifier.startsWith('node:')) continue
      if (specifier.startsWith('.')) {
        const target = posix.join(posix.dirname(path), specifier)
        targets.push(target)
        if (!sources.has(target)) {
          violations.push(
            `${path} imports ${target}, which is ${inSrc(target) ? 'not there' : 'outside of src'}`,
          )
        } else {
          const why = place && wrongWay(place, placeOf(target))
          if (why !== undefined) violations.push(`${path} imports ${target}: ${why}`)
        }
      } else {
        const name = packageOf(specifier)
        const by = importers.get(name)
        if (by?.includes(path)) continue
        if (by !== undefined) by.push(path)
        else violations.push(`${path} imports ${specifier}, which is not in the dependencies`)
      }
    }
  }

  for (const [name, paths] of importers) {
    if (paths.length === 0)
      violations.push(`the dependency ${name} is not imported: remove it from package.json`)
    if (paths.length > 1)
      violations.push(`the dependency ${name} is imported in more than one file: ${paths.join(', ')}`)
  }
  for (const cycle of cyclesOf(edges)) violations.push(`an import cycle: ${cycle.join(' -> ')}`)
  return violations
}

/**
 * What the kit for users' tests (`testing/`) does against its rule: it and what it needs of sim/ are packed, so they import
 * nothing but each other, src and Node; and nobody imports it. What src may do is said above.
 */
export function kitViolations(sources: ReadonlyMap<string, string>): string[] {
  const violations: string[] = []
  const edges = new Map<string, string[]>()
  const waiting = [...sources.keys()].filter(path => path.startsWith('testing/'))
  // Cycles are looked for within testing/ alone: those in sim/network, of hosts and their ends, are older.
  for (let path = waiting.shift(); path !== undefined; path = waiting.shift()) {
    if (edges.has(path)) continue
    const targets: string[] = []
    edges.set(path, targets)
    for (const specifier of new Set(importsOf(sources.get(path) ?? '').map(each => each.specifier))) {
      if (specifier.startsWith('node:')) continue
      const target = posix.join(posix.dirname(path), specifier)
      if (!specifier.startsWith('.')) violations.push(`${path} imports ${specifier}: users may not have it`)
      else if (!sources.has(target)) violations.push(`${path} imports ${target}, which is not packed`)
      else if (target.startsWith('testing/')) targets.push(target)
      else if (!inSrc(target)) waiting.push(target)
    }
  }
  for (const [path, source] of sources) {
    if (path.startsWith('testing/')) continue
    for (const { specifier } of importsOf(source)) {
      const target = posix.join(posix.dirname(path), specifier)
      if (target.startsWith('testing/')) violations.push(`${path} imports ${target}: nobody imports testing`)
    }
  }
  for (const cycle of cyclesOf(edges)) violations.push(`an import cycle: ${cycle.join(' -> ')}`)
  return violations
}

function inSrc(path: string): boolean {
  return path.startsWith('src/')
}

function wrongWay(from: Place, to: Place | undefined): string | undefined {
  if (to === undefined || to.room === from.room || to.line < from.line) return undefined
  if (to.room.name === 'index') return 'nobody in src imports index.ts'
  if (to.line > from.line) return `${from.room.name} stands below ${to.room.name}`
  if (from.room.beside?.includes(to.room.name)) return undefined
  return `${from.room.name} and ${to.room.name} stand side by side`
}

function placeOf(path: string): Place | undefined {
  const [, first, ...rest] = path.split('/')
  for (const [line, rooms] of LINES.entries()) {
    for (const room of rooms) {
      const here =
        room.files === undefined ? first === room.name && rest.length > 0 : room.files.includes(first!)
      if (inSrc(path) && here) return { room, line }
    }
  }
  return undefined
}

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}

/** One cycle through each edge that closes one, found depth first; types count, as a cycle of types is one of ideas. */
function cyclesOf(edges: ReadonlyMap<string, readonly string[]>): string[][] {
  const cycles: string[][] = []
  const done = new Set<string>()
  const path: string[] = []
  const visit = (file: string) => {
    const open = path.indexOf(file)
    if (open !== -1) {
      cycles.push([...path.slice(open), file])
      return
    }
    if (done.has(file)) return
    path.push(file)
    for (const target of edges.get(file) ?? []) visit(target)
    path.pop()
    done.add(file)
  }
  for (const file of edges.keys()) visit(file)
  return cycles
}
