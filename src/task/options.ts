/** What users pass when they schedule a task: loose, as it is pleasant to write. validate.ts makes it exact. */

import type { Guarantee, Overlap, Precision } from './policy.ts'

/** `'500ms'`, `'10m'`, `'1h30m'`, `'3 weeks'`, ISO 8601 like `'PT10M'`, or milliseconds. */
export type Duration = string | number

/** A Date, epoch milliseconds, or ISO 8601; without an offset a text needs `tz`. */
export type Instant = Date | number | string

export interface RetryOptions {
  /** Default: `exponential`. */
  readonly kind?: 'immediate' | 'fixed' | 'exponential' | undefined
  /** The first delay. Default: 1 s. */
  readonly base?: Duration | undefined
  /** Most attempts, the first one included, 1 to 1,000. Default: 5. */
  readonly max?: number | undefined
  /** No delay is longer. Default: 1 h. */
  readonly maxDelay?: Duration | undefined
  /** Draw the delay evenly from 0 to the step. Default: true for `exponential`, else false. */
  readonly jitter?: boolean | undefined
}

export interface MisfireOptions {
  /** Of the instants missed while nobody was there: the latest one, all (the latest `max`), or none. Default: `once`. */
  readonly kind?: 'once' | 'all' | 'skip' | undefined
  /** For `all`. Default: 100, at most 1,000. */
  readonly max?: number | undefined
  /** Late by more than this counts as missed. Default: 1 min. */
  readonly after?: Duration | undefined
}

/**
 * A task. Its instants come from one of `after`, `at`, `every` and `cron`; with none of them it runs now.
 */
export interface TaskOptions<Name extends string = string, Payload = unknown> {
  /**
   * 1 to 200 of letters, digits and `_ . : -`. Left out, the library makes one. An id that exists has its schedule
   * replaced; the same definition again changes nothing, so a program can schedule its tasks at each start.
   */
  readonly id?: string | undefined
  /** The handler that runs it. */
  readonly name: Name
  /** Any JSON value, at most 256 KiB as JSON. */
  readonly payload?: Payload | undefined
  /** Once, this long from now. */
  readonly after?: Duration | undefined
  /** Once, at this instant; one in the past runs now. */
  readonly at?: Instant | undefined
  /** Again and again, at least 100 ms apart; phase-aligned to `anchor`, unless `from` says otherwise. */
  readonly every?: Duration | undefined
  /** With `every`: `phase` (default) at anchor + k * every; `completion`: that long after each end. */
  readonly from?: 'phase' | 'completion' | undefined
  /** With `every`: phase zero. Default: `start`, else 1970-01-01T00:00Z, so that the phase does not depend on now. */
  readonly anchor?: Instant | undefined
  /** A pattern of 5 or 6 fields (seconds first), or a macro like `@daily`. */
  readonly cron?: string | undefined
  /** IANA zone of `cron`, and of an `at` without offset. Default: UTC. */
  readonly tz?: string | undefined
  /** What a DST night does to `cron`; see DstPolicy. */
  readonly dst?:
    | {
        readonly gap?: 'auto' | 'skip' | 'shift' | undefined
        readonly overlap?: 'auto' | 'first' | 'second' | 'both' | undefined
      }
    | undefined
  /** Recurring: no occurrence before this instant. */
  readonly start?: Instant | undefined
  /** Recurring: no occurrence after this instant. */
  readonly end?: Instant | undefined
  /** Recurring: at most this many occurrences. */
  readonly max?: number | undefined
  /** Recurring: each occurrence is later by the same share of this, which depends on the task's id only. */
  readonly jitter?: Duration | undefined
  readonly guarantee?: Guarantee | undefined
  readonly precision?: Precision | undefined
  /** Higher first, -100 to 100. Default: 0. */
  readonly priority?: number | undefined
  /** `false`: one attempt. A number: that many attempts, else as by default. */
  readonly retry?: RetryOptions | number | boolean | undefined
  /** For each attempt, from the start of the handler. Default: none. */
  readonly timeout?: Duration | undefined
  readonly misfire?: MisfireOptions | 'once' | 'all' | 'skip' | undefined
  /** When an occurrence is due while one before it has not ended. Default: `allow`. */
  readonly overlap?: Overlap | undefined
  /** At most 20, of 1 to 100 characters. */
  readonly tags?: readonly string[] | undefined
  /**
   * Idempotency key, 1 to 512 characters: a task of the same name and key is not created again, until `keyTtl` after
   * its end. The key makes the id; give one or the other.
   */
  readonly key?: string | undefined
  /** Default: 24 h. */
  readonly keyTtl?: Duration | undefined
}

/** A shell task: run by the node itself, if it was made with `commands`. */
export interface CommandOptions extends Omit<TaskOptions, 'name' | 'payload'> {
  readonly command: string
  readonly name?: 'command' | undefined
}
