/** The known bugs, and the hunt for them: each must be found by some checker within some seeds. */

import { runSeed } from '../world.ts'
import { LYING_DISKS } from './lying-disks.ts'
import type { Mutant } from './mutant.ts'
import { PATCHED_ROOMS } from './patched-rooms.ts'

export const MUTANTS: readonly Mutant[] = [...LYING_DISKS, ...PATCHED_ROOMS]

export interface Hunted {
  readonly mutant: Mutant
  readonly found: { readonly seed: number; readonly by: string } | undefined
}

export async function* hunt(options: {
  seed: number
  seeds: number
  minutes: number
}): AsyncGenerator<Hunted> {
  for (const mutant of MUTANTS) {
    let found: Hunted['found']
    for (let seed = options.seed; seed < options.seed + options.seeds && found === undefined; seed++) {
      const { faults } = await runSeed({ seed, minutes: options.minutes, mix: mutant.mix, mutant })
      const [by] = faults
      if (by !== undefined) found = { seed, by }
    }
    yield { mutant, found }
  }
}
