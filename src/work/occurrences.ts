/**
 * What happens when a scheduled instant is reached: a run opens, or is passed over by the task's overlap policy, or,
 * if nobody was there in time, the misfire policy picks which of the missed ones are still carried out. All of it is
 * decided from the record.
 */

import { catchUp } from '../schedule/misfire.ts'
import { NEVER } from '../task/record.ts'
import { type Recurrence, recurrenceOf } from '../task/recurrence.ts'
import type { CronSchedule, EverySchedule } from '../task/schedule.ts'
import { isRunEnd, type RunEnd } from '../task/task.ts'
import { type LiveRecord, LiveRun } from './live-run.ts'

export interface OccurrenceParts {
  /** Epoch ms with a fraction. */
  readonly now: () => number
  /** Instants of the record were passed over. */
  readonly missed: (record: LiveRecord, count: number, from: number, to: number) => void
  /** An instant was reached whose occurrence the record has already. */
  readonly passed: (record: LiveRecord) => void
  readonly end: (run: LiveRun, state: RunEnd, at: number) => void
  readonly cancelRun: (run: LiveRun, reason: 'overlap') => void
}

export class Occurrences {
  readonly #openRunsMax: number
  readonly #parts: OccurrenceParts
  readonly #recurrences = new WeakMap<object, Recurrence>()

  /** `openRunsMax`: most open runs of one task; what comes beyond is skipped. */
  constructor(openRunsMax: number, parts: OccurrenceParts) {
    this.#openRunsMax = openRunsMax
    this.#parts = parts
  }

  /** Undefined for a one-shot. */
  recurrence({ definition }: Pick<LiveRecord, 'definition'>): Recurrence | undefined {
    if (!definition.recurring) return undefined
    let known = this.#recurrences.get(definition)
    if (known === undefined) {
      known = recurrenceOf(definition.schedule as EverySchedule | CronSchedule, definition.id)
      this.#recurrences.set(definition, known)
    }
    return known
  }

  /** The scheduled instant has come. */
  reached(record: LiveRecord, now: number): void {
    const { policy } = record.definition
    const recurrence = this.recurrence(record)
    if (recurrence === undefined) {
      const late = now - record.next
      if (late > policy.misfire.afterMs && policy.misfire.kind === 'skip')
        return this.#missOneShot(record, now)
      this.#open(record, record.next, NEVER)
      return
    }
    while (record.nextAt <= now && !record.gone) {
      if (now - record.next > policy.misfire.afterMs) return this.#catchUp(record, recurrence, now)
      const instant = record.next
      this.#open(record, instant, this.#nextAfter(record, recurrence, instant))
    }
  }

  /** The instant after `instant`; for a schedule from completion it is not known before the run has ended. */
  #nextAfter(record: LiveRecord, recurrence: Recurrence, instant: number): number {
    const { schedule } = record.definition
    if (schedule.kind === 'at') return NEVER
    if (schedule.max !== undefined && record.fired + 1 >= schedule.max) return NEVER
    if (schedule.kind === 'every' && schedule.from === 'completion') return instant
    return recurrence.next(instant) ?? NEVER
  }

  #catchUp(record: LiveRecord, recurrence: Recurrence, now: number): void {
    const { policy, schedule } = record.definition
    if (schedule.kind === 'every' && schedule.from === 'completion') {
      // There is at most one, and what follows depends on its end.
      if (policy.misfire.kind !== 'skip')
        return this.#open(record, record.next, this.#nextAfter(record, recurrence, record.next))
      const first = record.next
      record.next = recurrence.next(now) ?? NEVER
      return this.#parts.missed(record, 1, first, first)
    }
    const first = record.next
    const plan = catchUp(recurrence, first, now, policy.misfire)
    for (const instant of plan.run) {
      if (record.gone || record.next === NEVER) return
      this.#open(record, instant, this.#nextAfter(record, recurrence, instant))
    }
    if (record.next === NEVER) return
    record.lastAt = Math.max(record.lastAt, plan.lastAt)
    record.next = plan.next
    if (plan.missed > 0) this.#parts.missed(record, plan.missed, first, plan.lastAt)
  }

  #missOneShot(record: LiveRecord, now: number): void {
    const run = new LiveRun(record, record.next, false)
    record.addRun(run)
    record.lastAt = record.next
    record.next = NEVER
    this.#parts.end(run, 'missed', now)
  }

  /** Opens the occurrence, or passes it over, as the task's overlap policy says. */
  #open(record: LiveRecord, instant: number, next: number): void {
    const { overlap } = record.definition.policy
    const now = this.#parts.now()
    record.lastAt = Math.max(record.lastAt, instant)
    record.next = next
    record.fired++
    const before = record.runs
    // An occurrence is the same in every version: another's may have brought the record back to one that has its run (A6).
    if (before.length > 0 && before.some(each => each.instant === instant && !each.manual))
      return this.#parts.passed(record)
    const run = new LiveRun(record, instant, false)
    if (before.length === 0) {
      before.push(run)
      return
    }
    const open = before.filter(each => !isRunEnd(each.state))
    record.addRun(run)
    if (open.length === 0) return
    // One that was started before, and lost its worker or its process, is the one under way.
    const waiting = open.some(each => each.state === 'queued' && each.attempt === 0)
    const pass =
      overlap === 'skip' || (overlap === 'queue-one' && waiting) || open.length >= this.#openRunsMax
    if (pass) this.#parts.end(run, 'skipped', now)
    else if (overlap === 'cancel-old') for (const old of open) this.#parts.cancelRun(old, 'overlap')
  }

  /** Opens a run by hand. */
  openManual(record: LiveRecord, at: number): LiveRun {
    let instant = Math.floor(at)
    while (record.findRun(instant) !== undefined || instant === record.lastAt || instant === record.next)
      instant++
    const run = new LiveRun(record, instant, true)
    record.addRun(run)
    record.expiresAt = NEVER
    return run
  }
}
