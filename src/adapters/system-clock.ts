/**
 * SystemClock: the machine's clock and timers, behind the Clock port. The wall clock is Date.now(), which steps
 * when somebody sets it; performance.now() does not. Node rounds a timer's delay down to whole milliseconds and
 * takes anything beyond 2^31-1 ms for 1 ms: this rounds up and clamps.
 */

import { invariant } from '../invariant.ts'
import type { Clock, Timer } from '../ports/clock.ts'

const delayMsMax = 2 ** 31 - 1

export class SystemClock implements Clock {
  now(): number {
    return Date.now()
  }

  monotonic(): number {
    return performance.now()
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    invariant(!Number.isNaN(delayMs), 'the delay of a timer is a number')
    const timeout = setTimeout(callback, Math.min(Math.max(Math.ceil(delayMs), 0), delayMsMax))
    return { cancel: () => clearTimeout(timeout) }
  }

  defer(callback: () => void): void {
    setImmediate(callback)
  }
}
