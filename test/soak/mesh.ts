/**
 * Many seeds of simulated meshes, in every mix of faults in turn; what each failing seed said, and how to replay it.
 */

import { MESH_MIXES } from '../../sim/mesh/mixes.ts'
import { runMesh } from '../../sim/mesh/world.ts'

const MINUTES = 3
/** How often the state is told, seeds. */
const TOLD_EVERY = 100

export interface MeshSoakOptions {
  readonly seeds: number
  /** The first. */
  readonly seed: number
}

/** Which mix a seed gets follows from the seed alone. Resolves with a sentence for each that failed. */
export async function mesh({ seeds, seed: first }: MeshSoakOptions): Promise<string[]> {
  const mixes = Object.keys(MESH_MIXES)
  console.log(`mesh: seeds ${first} to ${first + seeds - 1}, in turn ${mixes.join(', ')}`)
  const from = performance.now()
  const failures: string[] = []
  const totals: Record<string, number> = {}
  let virtualMs = 0
  for (let i = 0; i < seeds; i++) {
    const seed = first + i
    const mix = mixes[(seed - 1) % mixes.length] as string
    const { faults, counters, virtualMs: ms } = await runMesh({ seed, mix, minutes: MINUTES })
    virtualMs += ms
    for (const [name, count] of Object.entries(counters)) {
      totals[name] = name.includes('max') ? Math.max(totals[name] ?? 0, count) : (totals[name] ?? 0) + count
    }
    if (faults.length > 0) {
      const failure = `${faults[0]?.split('\n')[0]} (and ${faults.length - 1} more): npm run sim -- --mesh --seed ${seed} --minutes ${MINUTES} --mix ${mix}`
      console.log(`  ${failure}`)
      failures.push(failure)
    }
    if ((i + 1) % TOLD_EVERY === 0) {
      const seconds = Math.round((performance.now() - from) / 1000)
      console.log(`  ${i + 1} seeds, ${failures.length} failed, ${seconds} s`)
    }
  }
  const figures = Object.entries(totals)
    .sort()
    .map(([name, count]) => `${name} ${count}`)
  console.log(
    `mesh: ${seeds} seeds, ${failures.length} failed, ${(virtualMs / 3_600_000).toFixed(1)} virtual hours`,
  )
  console.log(figures.join(', '))
  return failures
}
