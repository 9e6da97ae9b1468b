/**
 * Hunts for known bugs, of all kinds: in a node, in the engines of a mesh, in the explorer of replication. A hunt takes seed
 * after seed until a judge finds the bug; several of them, each with seeds of its own, tell how many that takes.
 */

import { writeFileSync } from 'node:fs'
import type { Options } from './command-line.ts'
import { MESH_MUTANTS } from './mesh/mutants.ts'
import { runMesh } from './mesh/run.ts'
import { hunt, MUTANTS, type Runner } from './mutants/index.ts'
import type { Mutant } from './mutants/mutant.ts'
import { hunt as explore, REPLICATION_MUTANTS } from './replication/mutants.ts'
import { runSeed } from './world.ts'

export interface Caught {
  /** How many it took; all, where nobody found it. */
  readonly seeds: number
  /** What the judge said. */
  readonly by: string | undefined
}

export interface Quarry {
  readonly kind: 'node' | 'mesh' | 'replication'
  readonly name: string
  readonly breaks: string
  /** That no seed finds it is told, and no failure. */
  readonly isRare: boolean
  hunt(first: number, seeds: number): Promise<Caught>
}

export interface Hunted {
  readonly quarry: Quarry
  readonly hunts: readonly Caught[]
  /** Undefined: a hunt came home with nothing. */
  readonly median: number | undefined
}

type HuntOptions = Pick<Options, 'minutes' | 'isMesh' | 'nodes' | 'mutant'>

/** All known bugs, or those of meshes, or those of these names. */
export function quarries({ minutes, isMesh, nodes, mutant }: HuntOptions): Quarry[] {
  const simulated =
    (kind: Quarry['kind'], runner: Runner) =>
    (each: Mutant): Quarry => ({
      kind,
      name: each.name,
      breaks: each.breaks,
      isRare: false,
      async hunt(first, seeds) {
        for await (const { found } of hunt({ seed: first, seeds, minutes }, [each], runner))
          if (found !== undefined) return { seeds: found.seed - first + 1, by: found.by }
        return { seeds, by: undefined }
      },
    })
  const ofMeshes = MESH_MUTANTS.map(simulated('mesh', run => runMesh({ ...run, nodes })))
  const all = isMesh
    ? ofMeshes
    : [
        ...MUTANTS.map(simulated('node', runSeed)),
        ...ofMeshes,
        ...REPLICATION_MUTANTS.map(
          (each): Quarry => ({
            kind: 'replication',
            name: each.name,
            breaks: each.breaks,
            isRare: each.isRare === true,
            hunt: (first, seeds) => Promise.resolve(explore(each, first, seeds)),
          }),
        ),
      ]
  const names = mutant?.split(',')
  return names === undefined ? all : all.filter(({ name }) => names.includes(name))
}

/** Hunts begin so far apart that they share no seed. */
export async function hunted(quarry: Quarry, first: number, seeds: number, count: number): Promise<Hunted> {
  const hunts: Caught[] = []
  for (let i = 0; i < count; i++) hunts.push(await quarry.hunt(first + i * seeds, seeds))
  const isFound = hunts.every(({ by }) => by !== undefined)
  const sorted = hunts.map(each => each.seeds).sort((a, b) => a - b)
  return { quarry, hunts, median: isFound ? sorted[Math.floor(sorted.length / 2)] : undefined }
}

/** True if all were found. */
export async function huntAll(options: Options): Promise<boolean> {
  const { seed, seeds, hunts: count, minutes, json } = options
  const all = quarries(options)
  console.log(
    `${all.length} known bugs, ${count} hunts of ${seeds} seeds at most for each, from seed ${seed}, ${minutes} virtual minutes each`,
  )
  const found: Hunted[] = []
  for (const quarry of all) {
    const each = await hunted(quarry, seed, seeds, count)
    found.push(each)
    console.log(lineOf(each, seed, seeds))
  }
  if (json !== undefined) writeFileSync(json, JSON.stringify(found, null, 2))
  const escaped = found.filter(({ median }) => median === undefined)
  const failed = escaped.filter(({ quarry }) => !quarry.isRare).length
  const rare = escaped.length - failed
  if (rare > 0) console.log(`${rare} that are rare were not found`)
  console.log(failed === 0 ? 'every mutant was found' : `${failed} mutants escaped`)
  return failed === 0
}

function lineOf({ quarry, hunts, median }: Hunted, seed: number, seeds: number): string {
  const name = `${quarry.kind.padEnd(12)} ${quarry.name.padEnd(44)}`
  const lost = hunts.findIndex(({ by }) => by === undefined)
  if (median === undefined)
    return `${name} ${quarry.isRare ? 'rare, not in' : 'ESCAPED'} seeds ${seed + lost * seeds} to ${seed + (lost + 1) * seeds - 1}`
  const each =
    hunts.length > 1 ? `median ${median} of ${hunts.map(hunt => hunt.seeds).join(' ')}` : `after ${median}`
  return `${name} ${each}: ${hunts[0]?.by?.split('\n')[0]}`
}
