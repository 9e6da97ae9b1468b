/**
 * VirtualClock: time that passes only when the simulator says so. Timers and deferred callbacks wait in one heap,
 * ordered by instant and then by the order they were asked for, so that the same calls give the same run.
 *
 * Between two events the driver waits for a real setImmediate turn: by then every promise continuation that the
 * event set off has run, however long the chain (counting `await Promise.resolve()` turns would be a guess). That
 * holds as long as simulated code awaits only promises of simulated ports: real I/O in between breaks replay.
 * One step costs some two microseconds (550,000 a second).
 */

import { invariant } from '../src/invariant.ts'
import type { Clock, Timer } from '../src/ports/clock.ts'
import type { Random } from '../src/ports/random.ts'

export interface VirtualClockOptions {
  /** Wall clock at monotonic zero, epoch milliseconds. Default: 2025-01-01T00:00:00Z. */
  readonly wallMs?: number
  /** Where the monotonic clock starts. Default: 0. */
  readonly monotonicMs?: number
  /** Timers fire up to `earlyMsMax` before and `lateMsMax` after their instant, as real ones do. Default: exact. */
  readonly jitter?: { readonly random: Random; readonly earlyMsMax: number; readonly lateMsMax: number }
}

const delayMsMax = 2 ** 31 - 1
/** As it was when this was loaded: a test framework may put a fake in its place later. */
const immediate = setImmediate

interface Event {
  readonly at: number
  readonly sequence: number
  callback: (() => void) | undefined
}

export class VirtualClock implements Clock {
  readonly #options: VirtualClockOptions
  readonly #heap = new EventHeap()
  #monotonicMs: number
  #wallOffsetMs: number
  #sequence = 0
  #live = 0
  #driven = false

  constructor(options: VirtualClockOptions = {}) {
    this.#options = options
    this.#monotonicMs = options.monotonicMs ?? 0
    this.#wallOffsetMs = (options.wallMs ?? 1_735_689_600_000) - this.#monotonicMs
  }

  now(): number {
    return Math.floor(this.#monotonicMs + this.#wallOffsetMs)
  }

  monotonic(): number {
    return this.#monotonicMs
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    invariant(!Number.isNaN(delayMs), 'the delay of a timer is a number')
    let delay = Math.min(Math.max(delayMs, 0), delayMsMax)
    const jitter = this.#options.jitter
    if (jitter !== undefined && delay > 0) {
      delay += jitter.random.float() * (jitter.earlyMsMax + jitter.lateMsMax) - jitter.earlyMsMax
    }
    const event = this.#schedule(Math.max(this.#monotonicMs, this.#monotonicMs + delay), callback)
    return {
      cancel: () => {
        if (event.callback === undefined) return
        event.callback = undefined
        this.#live--
      },
    }
  }

  defer(callback: () => void): void {
    this.#schedule(this.#monotonicMs, callback)
  }

  /** The wall clock jumps by `ms`, forwards or backwards; the monotonic clock and the timers don't notice. */
  jump(ms: number): void {
    this.#wallOffsetMs += ms
  }

  /** The wall clock less the monotonic clock, exactly: now() cuts off what is below a millisecond. */
  get wallOffset(): number {
    return this.#wallOffsetMs
  }

  /** How many timers and deferred callbacks are waiting. */
  get pending(): number {
    return this.#live
  }

  /** Monotonic instant of the next event, or undefined if nothing is waiting. */
  get nextAt(): number | undefined {
    return this.#peek()?.at
  }

  /** Waits until every promise continuation that can run has run; time stands still. */
  async settle(): Promise<void> {
    await this.#drive(() => false)
  }

  /** Runs the next event, if there is one, and what follows from it at once. False: nothing was waiting. */
  async step(): Promise<boolean> {
    return this.#drive(stepped => stepped === 0)
  }

  /** Runs everything due up to the monotonic instant `at`, and leaves the clock there. */
  async advanceTo(at: number): Promise<void> {
    await this.#drive(() => (this.#peek()?.at ?? Infinity) <= at)
    this.#monotonicMs = Math.max(this.#monotonicMs, at)
  }

  async advanceBy(ms: number): Promise<void> {
    await this.advanceTo(this.#monotonicMs + ms)
  }

  /**
   * Runs events until `predicate` holds, asked before the first event and after each. False: it did not hold
   * within `limitMs`, or nothing is waiting any more (the clock then stands at the limit).
   */
  async runUntil(predicate: () => boolean, limitMs: number): Promise<boolean> {
    return this.runUntilAt(predicate, this.#monotonicMs + limitMs)
  }

  /** The same, within the monotonic instant `limit`. */
  async runUntilAt(predicate: () => boolean, limit: number): Promise<boolean> {
    let met = false
    await this.#drive(() => {
      met = predicate()
      return !met && (this.#peek()?.at ?? Infinity) <= limit
    })
    if (!met) this.#monotonicMs = Math.max(this.#monotonicMs, limit)
    return met
  }

  /** The one loop: settle, and while `more` says so, run an event and settle. True if an event ran. */
  async #drive(more: (stepped: number) => boolean): Promise<boolean> {
    invariant(!this.#driven, 'a virtual clock has one driver at a time')
    this.#driven = true
    try {
      let stepped = 0
      await turn()
      while (more(stepped)) {
        const event = this.#peek()
        if (event === undefined) break
        this.#heap.pop()
        this.#live--
        this.#monotonicMs = Math.max(this.#monotonicMs, event.at)
        const callback = event.callback
        event.callback = undefined
        callback?.()
        stepped++
        await turn()
      }
      return stepped > 0
    } finally {
      this.#driven = false
    }
  }

  #schedule(at: number, callback: () => void): Event {
    const event: Event = { at, sequence: this.#sequence++, callback }
    this.#heap.push(event)
    this.#live++
    return event
  }

  /** The next event that was not cancelled; cancelled ones before it are dropped. */
  #peek(): Event | undefined {
    let event = this.#heap.peek()
    while (event !== undefined && event.callback === undefined) {
      this.#heap.pop()
      event = this.#heap.peek()
    }
    return event
  }
}

function turn(): Promise<void> {
  return new Promise(resolve => immediate(resolve))
}

/** A binary heap, by instant and then by sequence. */
class EventHeap {
  readonly #events: Event[] = []

  peek(): Event | undefined {
    return this.#events[0]
  }

  push(event: Event): void {
    const events = this.#events
    let at = events.length
    while (at > 0) {
      const parentAt = (at - 1) >> 1
      const parent = events[parentAt] as Event
      if (before(parent, event)) break
      events[at] = parent
      at = parentAt
    }
    events[at] = event
  }

  pop(): void {
    const events = this.#events
    const last = events.pop()
    if (last === undefined || events.length === 0) return
    let at = 0
    for (;;) {
      let childAt = 2 * at + 1
      if (childAt >= events.length) break
      if (childAt + 1 < events.length && before(events[childAt + 1] as Event, events[childAt] as Event))
        childAt++
      const child = events[childAt] as Event
      if (before(last, child)) break
      events[at] = child
      at = childAt
    }
    events[at] = last
  }
}

function before(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.sequence < b.sequence)
}
