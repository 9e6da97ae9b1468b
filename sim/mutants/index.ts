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

export interface HuntOptions {
  /** The first seed. */
  readonly seed: number
  readonly seeds: number
  readonly minutes: number
}

/** Runs a seed of a mix, with a mutant or without. */
export type Runner = (run: {
  readonly seed: number
  readonly minutes: number
  readonly mix: string
  readonly mutant?: Mutant
}) => Promise<{ readonly faults: readonly string[] }>

export async function* hunt(
  { seed: first, seeds, minutes }: HuntOptions,
  mutants: readonly Mutant[] = MUTANTS,
  runner: Runner = runSeed,
): AsyncGenerator<Hunted> {
  for (const mutant of mutants) {
    let found: Hunted['found']
    for (let seed = first; seed < first + seeds && found === undefined; seed++) {
      const run = { seed, minutes, mix: mutant.mix }
      const [by] = (await runner({ ...run, mutant })).faults
      // A seed that fails anyway says nothing of the mutant.
      if (by !== undefined && (await runner(run)).faults.length === 0) found = { seed, by }
    }
    yield { mutant, found }
  }
}
