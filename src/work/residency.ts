/**
 * Who is in memory, and armed: a record is armed for what is due next of it; one that is due and finds no room in the
 * queue waits in the backlog, or leaves memory once the index has it, and is read again when there is room. Everything
 * that is due later than the horizon lies on disk only.
 */

import type { Clock } from '../ports/clock.ts'
import { Horizon, type HorizonOptions } from '../schedule/horizon.ts'
import type { Scheduler } from '../schedule/scheduler.ts'
import type { TaskStore } from '../store/task-store.ts'
import { NEVER } from '../task/record.ts'
import { isRunEnd } from '../task/task.ts'
import { Backlog } from './backlog.ts'
import type { Desk } from './dispatcher.ts'
import type { Lifecycle } from './lifecycle.ts'
import type { LiveRecord, LiveRun } from './live-run.ts'

export interface ResidencyOptions {
  readonly horizon: HorizonOptions
  /** Most due records that wait in memory for room in the queue. */
  readonly backlogMax: number
  /** As the dispatcher's own. */
  readonly queueMax: number
  /** How late a task is, for which another acts, before that is noticed, ms. */
  readonly overdueMs: number
}

export interface ResidencyParts {
  readonly store: TaskStore<LiveRun>
  readonly clock: Clock
  readonly scheduler: Scheduler<LiveRun>
  readonly dispatcher: () => Desk<LiveRun>
  readonly lifecycle: () => Lifecycle
  /** Runs of the range may be started here. */
  readonly acts: (range: number) => boolean
  readonly stir: () => void
  readonly failed: (error: unknown) => void
}

/** What was passed over is read again when this share of the queue has room for it. */
const READ_AGAIN_SHARE = 1 / 8

export class Residency {
  readonly #parts: ResidencyParts
  readonly #horizon: Horizon<LiveRun>
  readonly #backlog: Backlog
  readonly #overdueMs: number
  readonly #roomFor = (name: string): number => this.#parts.dispatcher().roomFor(name)

  constructor(options: ResidencyOptions, parts: ResidencyParts) {
    this.#parts = parts
    const { store, clock, lifecycle } = parts
    this.#backlog = new Backlog(options.backlogMax)
    this.#overdueMs = options.overdueMs
    this.#horizon = new Horizon<LiveRun>({ store, clock }, options.horizon, {
      loaded: record => lifecycle().adopt(record),
      wantsBack: () => this.#backlog.wantsBack(this.#roomFor, options.queueMax * READ_AGAIN_SHARE),
      readAgain: () => this.#backlog.readAgain(),
    })
  }

  /** Due records that wait for room in the queue. */
  get waiting(): number {
    return this.#backlog.size
  }

  /** From here on it can be asked who has to stay. */
  prepare(ranges: number): void {
    this.#horizon.start(ranges)
  }

  /** Takes up what the journal left in memory, and what the index has for the time just ahead. */
  async start(): Promise<void> {
    // It reads the clock: replaying may have taken long.
    this.#parts.scheduler.start()
    for (const record of [...this.#parts.store.records()]) this.#parts.lifecycle().adopt(record)
    await this.#horizon.advance(this.#parts.clock.now())
  }

  stop(): Promise<void> {
    return this.#horizon.stop()
  }

  /**
   * Arms the record for what is due next of it, or not at all. One for which another acts is armed for when it is
   * overdue: then somebody has to ask why.
   */
  rearm(record: LiveRecord): void {
    const { scheduler, acts } = this.#parts
    this.#backlog.remove(record)
    if (record.gone || record.outbox) return scheduler.disarm(record)
    let due = startOf(record)
    if (!acts(record.range)) due += this.#overdueMs
    else if (record.expiresAt < due) due = record.expiresAt
    if (due === NEVER) scheduler.disarm(record)
    else scheduler.arm(record, due)
  }

  /** It is overdue, and another is being asked why. */
  lookAgain(record: LiveRecord): void {
    const { scheduler } = this.#parts
    scheduler.arm(record, scheduler.wall.now() + this.#overdueMs)
  }

  /** It is due, and the queue has no room. */
  defer(record: LiveRecord): void {
    this.#parts.scheduler.disarm(record)
    this.#backlog.add(record)
  }

  /** True if the record has to stay in memory although the index has it. */
  holds(record: LiveRecord): boolean {
    let isOpen = false
    for (const run of record.runs) {
      if (run.place !== 'idle') return true
      if (!isRunEnd(run.state)) isOpen = true
    }
    if (this.#backlog.isLeaving(record)) return false
    return isOpen || this.#horizon.covers(record.range, record.dueAt, record.id)
  }

  /** It has left memory. */
  evicted(record: LiveRecord): void {
    this.#parts.scheduler.disarm(record)
    if (this.#backlog.left(record)) this.#horizon.passedOver(record.range, record.indexedDue, record.id)
  }

  /** What found no room in the queue gets it now, if there is some. */
  takeBacklog(): void {
    if (this.#backlog.size > 0)
      this.#backlog.take(this.#roomFor, record => this.#parts.lifecycle().settle(record))
    if (this.#backlog.hasPassedOver) this.advance(this.#parts.scheduler.wall.now())
  }

  /** Moves the horizon ahead, if that is worth it. */
  advance(now: number): void {
    const { stir, failed } = this.#parts
    this.#horizon.advance(now)?.then(stir, failed)
  }
}

/** When something of it is to be started; of what runs, or waits to, nothing more is asked. */
export function startOf(record: LiveRecord): number {
  let due = record.paused ? NEVER : record.nextAt
  for (const run of record.runs)
    if (run.state === 'retrying' && run.place === 'idle' && run.retryAt < due && record.isOpen(run))
      due = run.retryAt
  return due
}
