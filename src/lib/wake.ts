/**
 * Wake: one timer for whoever looks after many things, each of which knows when it is due. Sooner always wins; a time that
 * has become needless costs one look for nothing.
 */

import type { Clock, Timer } from '../ports/clock.ts'

/** Timers fire up to so much early, and who looks too early looks again. */
const EARLY_MS = 1

export class Wake {
  readonly #clock: Pick<Clock, 'monotonic' | 'setTimer'>
  readonly #ring: (at: number) => void
  #timer: Timer | undefined
  #at = Number.POSITIVE_INFINITY

  /** `ring` gets the instant that it was meant for. */
  constructor(clock: Pick<Clock, 'monotonic' | 'setTimer'>, ring: (at: number) => void) {
    this.#clock = clock
    this.#ring = ring
  }

  /** When it rings, monotonic ms; Infinity: not at all. */
  get at(): number {
    return this.#at
  }

  /** Rings then, or sooner if that was planned. */
  by(at: number): void {
    if (at < this.#at) this.set(at)
  }

  /** Rings then, whatever was planned. */
  set(at: number): void {
    this.cancel()
    this.#at = at
    this.#timer = this.#clock.setTimer(at - this.#clock.monotonic() + EARLY_MS, () => {
      this.#at = Number.POSITIVE_INFINITY
      this.#timer = undefined
      this.#ring(at)
    })
  }

  cancel(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#at = Number.POSITIVE_INFINITY
  }
}
