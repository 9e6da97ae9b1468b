/**
 * The rule of the ports: below the adapters nothing asks the machine for time, timers, chance, files or the network.
 * What a seed replays must be all that happens. Comments and strings don't count.
 */

import { importsOf, mask } from './source.ts'

/** Rooms and files that keep the rule: lines 0 to 8 of the rooms. */
export const PURE_FOLDERS = [
  'ports',
  'lib',
  'task',
  'wire',
  'ring',
  'membership',
  'store',
  'replication',
  'lease',
  'schedule',
  'work',
]

const AMBIENT: readonly (readonly [what: string, pattern: RegExp])[] = [
  ['the wall clock', /\bDate\s*\.\s*now\b/g],
  ['the wall clock', /\bnew\s+Date\b(?!\s*\(\s*[^\s)])/g],
  ['the wall clock', /(?<!\bnew\s)(?<![.\w])Date\s*\(/g],
  ['the wall clock', /\bTemporal\s*\.\s*Now\b/g],
  ['the wall clock', /\.formatToParts\s*\(\s*\)|\bDateTimeFormat\b[^\n]*\.format\s*\(\s*\)/g],
  // What local time and the default zone are is the machine's choice, and differs from node to node.
  ['the local time zone', /\.[gs]et(?:FullYear|Month|Date|Day|Hours|Minutes|TimezoneOffset)\s*\(/g],
  ['the local time zone', /\.resolvedOptions\s*\(\s*\)\s*\.\s*timeZone\b/g],
  ['a monotonic clock', /(?<![.\w])performance\b(?=\s*[.?[])/g],
  ['a monotonic clock', /\bhrtime\b/g],
  ['a timer', /\b(?:setTimeout|setInterval|setImmediate|clearTimeout|clearInterval|clearImmediate)\b/g],
  ['a timer', /\bAbortSignal\s*\.\s*timeout\b/g],
  ['chance', /\bMath\s*\.\s*random\b/g],
  ['chance', /(?<![.\w])crypto\b(?=\s*[.?[])/g],
  ['chance', /\b(?:getRandomValues|randomUUID|randomBytes|randomInt|randomFillSync)\b/g],
  ['the process', /(?<![.\w])process\b(?=\s*[.?[])/g],
  ['the machine', /\bglobalThis\b/g],
  ['the network', /(?<![.\w])(?:fetch\s*\(|new\s+WebSocket\b|new\s+EventSource\b)/g],
  ['a thread', /\bnew\s+(?:Worker|MessageChannel|BroadcastChannel)\b/g],
]

/** An import from Node, or a sign of the machine, that a file may have all the same, and why. */
export interface Exception {
  readonly path: string
  readonly what: string
  readonly why: string
}

/** What `source` does against the rule, with the line. */
export function ambientUses(path: string, source: string, exceptions: readonly Exception[] = []): string[] {
  const allowed = new Set(exceptions.filter(exception => exception.path === path).map(({ what }) => what))
  const found: { at: number; what: string }[] = []
  const code = mask(source)
  for (const [what, pattern] of AMBIENT) {
    for (const match of code.matchAll(pattern)) {
      if (!allowed.has(what)) found.push({ at: match.index, what: `${what}: ${match[0].trim()}` })
    }
  }
  for (const { specifier, typeOnly } of importsOf(source)) {
    if (typeOnly || specifier.startsWith('.') || !isNodes(specifier)) continue
    for (const name of namesFrom(source, code, specifier)) {
      if (!allowed.has(`${specifier} ${name}`)) {
        found.push({ at: source.indexOf(specifier), what: `${specifier} ${name}` })
      }
    }
  }
  return found
    .sort((a, b) => a.at - b.at)
    .map(({ at, what }) => `${path}:${source.slice(0, at).split('\n').length} uses ${what}`)
}

const NODE_MODULES =
  /^(?:fs|net|tls|http2?|https|dns|dgram|os|child_process|worker_threads|crypto|timers|process|perf_hooks|util|zlib|path|events|stream|buffer|url|async_hooks|v8|vm)(?:\/|$)/

function isNodes(specifier: string): boolean {
  return specifier.startsWith('node:') || NODE_MODULES.test(specifier)
}

/** The names a file takes from a module; `*` when it takes all of it, or it can't be told. */
function namesFrom(source: string, code: string, specifier: string): string[] {
  const names: string[] = []
  for (const match of code.matchAll(/\bimport\s*\{([^}]*)\}\s*from\s*(['"])( *)\2/g)) {
    const end = match.index + match[0].length - 1
    if (source.slice(end - match[3]!.length, end) !== specifier) continue
    for (const part of match[1]!.split(',')) {
      const name = part.trim().split(/\s+as\s+/)[0]!
      if (name !== '' && !name.startsWith('type ')) names.push(name)
    }
    return names
  }
  return ['*']
}
