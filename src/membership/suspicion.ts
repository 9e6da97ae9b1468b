/**
 * Suspicion: the trial of one member. It starts with one accuser and a long time to answer, and gets shorter with each
 * distinct accuser that confirms it (Lifeguard). It names what it accuses, (boot, incarnation): a refutation has a
 * higher one and ends it. Whoever hears the accused withdraws its own vote.
 */

import {
  confirmationsWanted,
  ownFailuresCount,
  suspicionMs,
  suspicionMsMax,
  suspicionMsMin,
  type Timings,
} from './timings.ts'
import type { StoreId } from './view.ts'

export interface SuspicionOptions {
  readonly boot: number
  readonly incarnation: number
  readonly startedAt: number
}

export class Suspicion {
  readonly boot: number
  readonly incarnation: number
  readonly #voters = new Set<StoreId>()
  #startedAt: number
  /** How often we asked the accused since. */
  asked = 0
  /** When we voted ourselves; undefined if we did not, or took it back. */
  #ownAt: number | undefined

  constructor(options: SuspicionOptions) {
    this.boot = options.boot
    this.incarnation = options.incarnation
    this.#startedAt = options.startedAt
  }

  get startedAt(): number {
    return this.#startedAt
  }

  get voted(): boolean {
    return this.#ownAt !== undefined
  }

  /** True if this accuser is new. Beyond what can shorten the trial accusers are not kept. */
  confirm(voter: StoreId, votersMax: number): boolean {
    if (this.#voters.has(voter) || this.#voters.size >= votersMax) return false
    this.#voters.add(voter)
    return true
  }

  vote(self: StoreId, now: number): boolean {
    if (this.#ownAt !== undefined) return false
    this.#ownAt = now
    this.#voters.add(self)
    return true
  }

  /** We heard the accused. True if nobody accuses it any more. */
  withdraw(self: StoreId): boolean {
    this.#ownAt = undefined
    this.#voters.delete(self)
    return this.#voters.size === 0
  }

  /** We did not listen for so long: nothing that was due in it counts. */
  postpone(ms: number): void {
    this.#startedAt += ms
    if (this.#ownAt !== undefined) this.#ownAt += ms
  }

  /** When the trial ends, as things stand, among `count` live members. */
  endsAt(now: number, count: number, timings: Timings): number {
    let confirmations = Math.max(0, this.#voters.size - 1)
    if (ownFailuresCount(count) && this.#ownAt !== undefined) {
      confirmations += Math.floor(Math.max(0, now - this.#ownAt) / timings.probeMs)
    }
    const min = suspicionMsMin(timings, count)
    const max = suspicionMsMax(timings, count)
    return this.#startedAt + suspicionMs(confirmations, confirmationsWanted(count), min, max)
  }
}
