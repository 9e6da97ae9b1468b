/**
 * A graceful change of owner (PROTOCOLS B9). The owner seals the range: nothing is started, writes wait. It sends its last
 * tail, and asks the next store of the list to go on from there. Once that one has applied all of it, it knows every
 * acknowledged change, acts at once, and says so; the source then counts as not ready, and is passed over. Without an
 * answer in time the source goes on. A range is sealed for a tail only, never for a copy (trace 7).
 */

import type { Context } from './context.ts'

/** At the source. */
export class Handover {
  readonly number: number
  readonly to: string
  readonly endsAt: number
  askedAt = Number.NEGATIVE_INFINITY

  constructor(number: number, to: string, endsAt: number) {
    this.number = number
    this.to = to
    this.endsAt = endsAt
  }
}

/** At the next owner: it goes on once it has all of this. */
export interface Grant {
  readonly from: string
  readonly number: number
  readonly context: Context
}
