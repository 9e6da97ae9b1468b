/**
 * The kinds of schedule a task can have, as they are kept: instants and lengths are numbers in milliseconds, and
 * nothing is relative. What users write ('10m', a Date) is turned into these once, by the caller's library
 * (task/validate), so that a repeated request means the same.
 */

/** What to do with a local time that does not exist (gap) or exists twice (overlap) on a DST night. */
export interface DstPolicy {
  /** `skip`: it does not fire; `shift`: later by the length of the gap; `auto`: skip if the hour field begins with `*`, else shift. */
  readonly gap: 'auto' | 'skip' | 'shift'
  /** `auto`: both if the hour field begins with `*`, else first. */
  readonly overlap: 'auto' | 'first' | 'second' | 'both'
}

/** Once. */
export interface AtSchedule {
  readonly kind: 'at'
  /** Epoch milliseconds. */
  readonly at: number
}

/** Limits that every recurring schedule can have. */
export interface Recurring {
  /** No occurrence before this instant (epoch ms). */
  readonly start?: number | undefined
  /** No occurrence after this instant (epoch ms). */
  readonly end?: number | undefined
  /** At most this many scheduled occurrences in all. */
  readonly max?: number | undefined
  /** Each occurrence is delayed by a stable function of the task id in [0, jitterMs). */
  readonly jitterMs?: number | undefined
}

export interface EverySchedule extends Recurring {
  readonly kind: 'every'
  readonly everyMs: number
  /** `phase`: anchor + k * everyMs; `completion`: everyMs after the end of the run before. */
  readonly from: 'phase' | 'completion'
  /** Phase zero, epoch ms. */
  readonly anchor: number
}

export interface CronSchedule extends Recurring {
  readonly kind: 'cron'
  readonly pattern: string
  /** IANA zone. */
  readonly tz: string
  readonly dst: DstPolicy
}

export type Schedule = AtSchedule | EverySchedule | CronSchedule
