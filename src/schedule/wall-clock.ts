/**
 * The wall clock as the scheduler sees it: the monotonic clock plus an offset that is re-read at every wake-up (at
 * least each second). Between two readings time runs evenly and with fractions; a step of the system's clock shows as
 * a jump and nothing else.
 *
 * now() is never ahead of the system's clock at its millisecond, so what is due by it is due for the handler too.
 */

import type { Clock } from '../ports/clock.ts'

/** A reading that differs by more than this is a jump worth telling, ms. */
const JUMP_MS = 1000
/** The system's clock shows whole milliseconds: readings differ by up to one without any change. */
const GRAIN_MS = 1.5

export class WallClock {
  readonly #clock: Clock
  #offset: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#offset = clock.now() - clock.monotonic()
  }

  /** Epoch ms with a fraction. */
  now(): number {
    return this.#clock.monotonic() + this.#offset
  }

  /** Reads the system's clock again; returns by how much it jumped, ms, or 0. */
  read(): number {
    const offset = this.#clock.now() - this.#clock.monotonic()
    const change = offset - this.#offset
    // A later reading within the same millisecond is the truer one: the offset only loses what was cut off.
    if (change > 0 || change < -GRAIN_MS) this.#offset = offset
    return Math.abs(change) > JUMP_MS ? change : 0
  }
}
