/**
 * Lone founder: a fresh store that was told where others may be, and founds a mesh by itself if it is the one that all of them
 * would find (the assembler's `foundsAlone`). Whether it is may change while it waits.
 *
 * Invariant F6: it founds only after it has looked (lookout.ts), and has stood for all for so long that each that lives
 * had the time to find it; and never once it has seen a founded mesh, which may come back.
 */

import type { Random } from '../ports/random.ts'
import { meshIdOf } from './founder.ts'
import type { FoundingValue } from './founding.ts'
import type { Lookout } from './lookout.ts'
import type { Timings } from './timings.ts'
import type { MemberRecord } from './view.ts'

/** The mesh of a store that asks nobody. */
export function foundedAlone(
  random: Random,
  own: MemberRecord,
  { ranges, replicas }: Pick<FoundingValue, 'ranges' | 'replicas'>,
): FoundingValue {
  return { meshId: meshIdOf(random), expect: 1, ranges, replicas, founders: [own] }
}

export interface LoneFounderOptions {
  readonly foundsAlone: () => boolean
  readonly timings: Pick<Timings, 'foundingAloneMs'>
}

export class LoneFounder {
  readonly #lookout: Pick<Lookout, 'mayFound' | 'meshInSight'>
  readonly #options: LoneFounderOptions
  /** Since when it stands for all. */
  #since: number | undefined
  #hasSeenMesh = false

  constructor(lookout: Pick<Lookout, 'mayFound' | 'meshInSight'>, options: LoneFounderOptions) {
    this.#lookout = lookout
    this.#options = options
  }

  /** To be asked at each beat: what comes and goes between two is not seen. */
  isTime(now: number): boolean {
    const { foundsAlone, timings } = this.#options
    this.#hasSeenMesh ||= this.#lookout.meshInSight
    if (this.#hasSeenMesh || !foundsAlone() || !this.#lookout.mayFound(now)) {
      this.#since = undefined
      return false
    }
    this.#since ??= now
    return now - this.#since >= timings.foundingAloneMs
  }
}
