/**
 * A clock whose callbacks can't throw into the event loop: what they throw is the engine's own fault, and ends it in
 * an orderly way. After stop() no callback runs any more.
 */

import type { Clock, Timer } from './ports/clock.ts'

export class GuardedClock implements Clock {
  readonly #clock: Clock
  readonly #failed: (error: unknown) => void
  /** After each callback that ran. */
  readonly #turned: () => void
  #stopped = false

  constructor(clock: Clock, failed: (error: unknown) => void, turned: () => void) {
    this.#clock = clock
    this.#failed = failed
    this.#turned = turned
  }

  now(): number {
    return this.#clock.now()
  }

  monotonic(): number {
    return this.#clock.monotonic()
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    return this.#clock.setTimer(delayMs, () => this.#run(callback))
  }

  defer(callback: () => void): void {
    this.#clock.defer(() => this.#run(callback))
  }

  stop(): void {
    this.#stopped = true
  }

  #run(callback: () => void): void {
    if (this.#stopped) return
    try {
      callback()
    } catch (error) {
      this.#failed(error)
    }
    this.#turned()
  }
}
