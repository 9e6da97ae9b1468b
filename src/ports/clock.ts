/**
 * Clock: the only source of time and of timers. The system clock (adapters/) and virtual time (sim/) keep the
 * same contract, checked by one conformance suite.
 *
 * - `now()` is the wall clock: it may jump in either direction (NTP, an operator, a leap).
 * - `monotonic()` never goes back and does not jump; its zero means nothing.
 * - A timer runs its callback once, at least `delayMs` later on the monotonic clock as far as the platform can
 *   promise: Node fires up to a millisecond early, so who waits for an instant checks again. A delay beyond
 *   2^31-1 ms is clamped to that, below 0 to 0. Callbacks never run inside setTimer().
 * - `defer` runs the callback soon, after I/O that is already waiting: it is how a long slice of work yields.
 */

export interface Timer {
  /** Stops the timer; without effect once it has fired. */
  cancel(): void
}

export interface Clock {
  /** Wall clock, epoch milliseconds (an integer). */
  now(): number
  /** Monotonic clock, milliseconds with a fraction. */
  monotonic(): number
  setTimer(delayMs: number, callback: () => void): Timer
  defer(callback: () => void): void
}
