/**
 * Heartbeat: when membership looks at the clock. While something is waited for (an answer to a probe, the end of a trial, a
 * hello, news to pass on, a founding) that is every `beatMs`: that grain is what lateness is measured by, and a late beat is
 * how a node knows that it did not listen (D2). When nothing is, the next beat is when the next thing is due, and whatever
 * begins meanwhile has it come sooner.
 */

import { Wake } from '../lib/wake.ts'
import type { Clock } from '../ports/clock.ts'

export interface HeartbeatHost {
  /** Something is waited for. */
  isBusy(): boolean
  /** When something is due, if nothing comes up until then; monotonic ms. */
  nextAt(): number
  /** `lateMs`: how much later than it was meant to it comes. */
  beat(now: number, lateMs: number): void
}

export class Heartbeat {
  readonly #clock: Clock
  readonly #beatMs: number
  readonly #host: HeartbeatHost
  readonly #wake: Wake
  #isRunning = false

  constructor(clock: Clock, beatMs: number, host: HeartbeatHost) {
    this.#clock = clock
    this.#beatMs = beatMs
    this.#host = host
    this.#wake = new Wake(clock, at => this.#ring(at))
  }

  start(): void {
    this.#isRunning = true
    this.#wake.set(this.#clock.monotonic() + this.#beatMs)
  }

  stop(): void {
    this.#isRunning = false
    this.#wake.cancel()
  }

  /** Something may be waited for now. */
  hurry(): void {
    if (!this.#isRunning || !this.#host.isBusy()) return
    this.#wake.by(this.#clock.monotonic() + this.#beatMs)
  }

  #ring(meantFor: number): void {
    const now = this.#clock.monotonic()
    this.#host.beat(now, Math.max(0, now - meantFor))
    if (!this.#isRunning) return
    const soonest = this.#clock.monotonic() + this.#beatMs
    this.#wake.by(this.#host.isBusy() ? soonest : Math.max(soonest, this.#host.nextAt()))
  }
}
