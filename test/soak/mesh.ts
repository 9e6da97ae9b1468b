/**
 * Many seeds of simulated meshes, in every mix of faults in turn, without tasks or with them; what each failing seed said,
 * how to replay it, and in the end what all of them did. With tasks seeds are short and many.
 */

import { MEMBERSHIP_MIXES, TASK_MIXES } from '../../sim/mesh/mixes.ts'
import { runMesh } from '../../sim/mesh/run.ts'

const MINUTES = 3
const TASK_MINUTES = 0.5
/** How often the state is told, seeds. */
const TOLD_EVERY = 100

export interface MeshSoakOptions {
  readonly seeds: number
  /** The first. */
  readonly seed: number
  readonly hasTasks?: boolean
}

/** Which mix a seed gets follows from the seed alone. Resolves with a sentence for each that failed. */
export async function mesh({ seeds, seed: first, hasTasks = false }: MeshSoakOptions): Promise<string[]> {
  const mixes = Object.keys(hasTasks ? TASK_MIXES : MEMBERSHIP_MIXES)
  const minutes = hasTasks ? TASK_MINUTES : MINUTES
  console.log(`mesh: seeds ${first} to ${first + seeds - 1}, in turn ${mixes.join(', ')}`)
  const from = performance.now()
  const failures: string[] = []
  const totals: Record<string, number> = {}
  let virtualMs = 0
  for (let i = 0; i < seeds; i++) {
    const seed = first + i
    const mix = mixes[(seed - 1) % mixes.length] as string
    const { faults, counters, virtualMs: ms } = await runMesh({ seed, mix, minutes })
    virtualMs += ms
    for (const [name, count] of Object.entries(counters)) {
      totals[name] = name.includes('max') ? Math.max(totals[name] ?? 0, count) : (totals[name] ?? 0) + count
    }
    if (faults.length > 0) {
      const failure = `${faults[0]?.split('\n')[0]} (and ${faults.length - 1} more): npm run sim -- --mesh --seed ${seed} --minutes ${minutes} --mix ${mix}`
      console.log(`  ${failure}`)
      failures.push(failure)
    }
    if ((i + 1) % TOLD_EVERY === 0) {
      const seconds = Math.round((performance.now() - from) / 1000)
      console.log(`  ${i + 1} seeds, ${failures.length} failed, ${seconds} s`)
    }
  }
  const hours = (virtualMs / 3_600_000).toFixed(1)
  const nodeHours = ((totals['virtual node-minutes'] ?? 0) / 60).toFixed(0)
  console.log(
    `mesh: ${seeds} seeds, ${failures.length} failed, ${hours} virtual hours, ${nodeHours} node-hours`,
  )
  for (const line of report(totals)) console.log(`  ${line}`)
  return failures
}

/** The counters by what they are of, a line each. */
function report(totals: Readonly<Record<string, number>>): string[] {
  const names = Object.keys(totals).sort()
  const line = (title: string, has: (name: string) => boolean): string => {
    const found = names.filter(has).map(name => `${name} ${totals[name]}`)
    return `${title}: ${found.join(', ') || 'none'}`
  }
  const isFault = (name: string): boolean => name.startsWith('fault ')
  const isExcused = (name: string): boolean =>
    /^(duplicates|started after a cancel|runs by hand made twice)/.test(name)
  const isOfTasks = (name: string): boolean =>
    /^(calls|acknowledged|answered|repeated|runs$|attempts|completed|failed|killed|orphaned|lateness|convergence)/.test(
      name,
    )
  return [
    line('faults', isFault),
    line('tasks', isOfTasks),
    line('explained', isExcused),
    line('the rest', name => !isFault(name) && !isExcused(name) && !isOfTasks(name)),
  ]
}
