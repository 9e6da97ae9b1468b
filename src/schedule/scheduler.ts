/**
 * The scheduler: which records are armed, and when to wake up for them. It keeps time, not rules: what is done about
 * a record that is due is its host's.
 *
 * There is a wheel per precision class. When the engine is idle each is served on its instant; when it is busy a
 * class may wait up to half of what its users granted, so that one wake-up serves many: the class buys cheaper work
 * under load, and costs no lateness without. A sleep is at most a second, and the clock is read again at its end, so a
 * jump of the wall clock is noticed then at the latest.
 */

import type { Clock, Timer } from '../ports/clock.ts'
import { PRECISION_MS, type Precision } from '../task/policy.ts'
import type { Run, TaskRecord } from '../task/record.ts'
import { TimingWheel } from './timing-wheel.ts'
import { WallClock } from './wall-clock.ts'

export interface SchedulerOptions {
  /** Longest sleep, ms. More: fewer wake-ups when idle, later notice of a clock jump. */
  readonly sleepMsMax: number
  /** Most records handled before the engine gets a turn for other work. */
  readonly sliceMax: number
  /** A slice also ends after this long, ms. */
  readonly sliceMs: number
}

export interface SchedulerHost<R extends Run> {
  /** The record's armed instant has come; it is no longer armed. */
  due(record: TaskRecord<R>, now: number): void
  /** After the records of one wake-up. */
  slept(now: number): void
  clockJumped(byMs: number): void
}

const CLASSES: readonly Precision[] = ['high', 'normal', 'low']
/** Share of its grant that a class may wait under full load. */
const SLACK_SHARE = 0.5
/** Below this share of busy time there is no slack; at BUSY_FULL it is whole. */
const BUSY_FROM = 0.5
const BUSY_FULL = 0.9
const BUSY_WINDOW_MS = 250
/** Armed handles of three wheels share one number. */
const WHEELS = 4

export class Scheduler<R extends Run> {
  readonly #clock: Clock
  readonly #options: SchedulerOptions
  readonly #host: SchedulerHost<R>
  readonly wall: WallClock
  readonly #wheels: readonly TimingWheel<TaskRecord<R>>[]
  readonly #busy: BusyShare
  #timer: Timer | undefined
  #wakeAt = Number.POSITIVE_INFINITY
  #stopped = true
  wakeUps = 0

  constructor(ports: { clock: Clock }, options: SchedulerOptions, host: SchedulerHost<R>) {
    this.#clock = ports.clock
    this.#options = options
    this.#host = host
    this.wall = new WallClock(ports.clock)
    const now = this.wall.now()
    this.#wheels = CLASSES.map(() => new TimingWheel<TaskRecord<R>>(now))
    this.#busy = new BusyShare(ports.clock.monotonic())
  }

  get armed(): number {
    return this.#wheels.reduce((sum, wheel) => sum + wheel.size, 0)
  }

  /** When the first of what is armed is due, epoch ms, or a little before; Infinity if nothing is armed. */
  get nextDueAt(): number {
    return this.#wheels.reduce((first, wheel) => Math.min(first, wheel.nextDue()), Number.POSITIVE_INFINITY)
  }

  start(): void {
    this.#stopped = false
    this.#readClock()
    this.#sleep()
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
    this.#timer = undefined
  }

  /** Arms the record for an instant, in place of any other. */
  arm(record: TaskRecord<R>, at: number): void {
    if (record.timer >= 0) this.disarm(record)
    const index = CLASSES.indexOf(record.definition.policy.precision)
    const handle = (this.#wheels[index] as TimingWheel<TaskRecord<R>>).add(at, record)
    record.timer = handle * WHEELS + index
    if (at < this.#wakeAt) this.#sleep()
  }

  disarm(record: TaskRecord<R>): void {
    if (record.timer < 0) return
    const index = record.timer % WHEELS
    ;(this.#wheels[index] as TimingWheel<TaskRecord<R>>).cancel((record.timer - index) / WHEELS)
    record.timer = -1
  }

  /** The engine worked from `from` to now, on the monotonic clock: under load, precision classes make use of it. */
  worked(from: number): void {
    this.#busy.add(from, this.#clock.monotonic())
  }

  /** Sets the timer for the earliest instant at which something has to be served. */
  #sleep(): void {
    if (this.#stopped) return
    const now = this.wall.now()
    const load = Math.min(1, Math.max(0, (this.#busy.share - BUSY_FROM) / (BUSY_FULL - BUSY_FROM)))
    let wakeAt = now + this.#options.sleepMsMax
    for (const [i, wheel] of this.#wheels.entries()) {
      if (wheel.size === 0) continue
      const slack = PRECISION_MS[CLASSES[i] as Precision] * SLACK_SHARE * load
      wakeAt = Math.min(wakeAt, wheel.nextDue() + slack)
    }
    this.#timer?.cancel()
    this.#wakeAt = wakeAt
    this.#timer = this.#clock.setTimer(Math.max(0, wakeAt - now), () => this.#wake())
  }

  #wake(): void {
    this.#timer = undefined
    this.wakeUps++
    this.#readClock()
    const from = this.#clock.monotonic()
    const more = this.#serve(from)
    this.#host.slept(this.wall.now())
    this.worked(from)
    if (more && !this.#stopped) {
      this.#wakeAt = Number.NEGATIVE_INFINITY // a slice is coming: arm() need not set a timer
      this.#clock.defer(() => this.#wake())
    } else {
      this.#sleep()
    }
  }

  #readClock(): void {
    const jump = this.wall.read()
    if (jump === 0) return
    for (const wheel of this.#wheels) wheel.rebase(this.wall.now())
    this.#host.clockJumped(jump)
  }

  /** True if more is due than one slice may take. */
  #serve(from: number): boolean {
    const { sliceMax, sliceMs } = this.#options
    const due: TaskRecord<R>[] = []
    for (const wheel of this.#wheels) {
      for (;;) {
        due.length = 0
        const now = this.wall.now()
        const count = wheel.advance(now, due, Math.min(256, sliceMax))
        for (const record of due) {
          record.timer = -1
          this.#host.due(record, now)
        }
        if (count < Math.min(256, sliceMax)) break
        if (this.#clock.monotonic() - from > sliceMs) return true
      }
    }
    return false
  }
}

/** Share of the time that was spent working, over windows of BUSY_WINDOW_MS. */
class BusyShare {
  share = 0
  #windowFrom: number
  #busyMs = 0

  constructor(now: number) {
    this.#windowFrom = now
  }

  add(from: number, to: number): void {
    this.#busyMs += to - from
    const window = to - this.#windowFrom
    if (window < BUSY_WINDOW_MS) return
    this.share = Math.min(1, this.#busyMs / window)
    this.#windowFrom = to
    this.#busyMs = 0
  }
}
