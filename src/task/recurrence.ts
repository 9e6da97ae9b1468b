/**
 * Recurrence: when a schedule fires next. The next occurrence is a function of the one before, never of the clock,
 * so each node that asks gets the same answer, and a late run moves nothing.
 *
 * A cron pattern is stepped in local time, segment by segment of its zone (a span of one offset): within one, local
 * order is the order of instants. What a DST night changes is at the border of two segments. An overlap gives
 * the same local times to both, and the policy cuts one of them. A gap gives local times to neither; `shift`
 * reads them with the offset before it, which puts them as much later as the gap is long, among the times of the
 * segment behind, and the search takes whichever comes first. So the stream is sorted by instant and has each once.
 *
 * Hazard: the rules are those of this Node's tzdata; see zone.ts.
 */

import { CarillonError } from '../errors.ts'
import { invariant } from '../invariant.ts'
import { type CronPattern, parseCron } from './cron.ts'
import { parseDuration } from './duration.ts'
import type { CronSchedule, DstPolicy, EverySchedule } from './schedule.ts'
import { DAY_MS, INSTANT_MAX, INSTANT_MIN, OFFSET_MAX_MS, type Zone, zoneOf } from './zone.ts'

/** The search ends here: only a pattern whose every time is skipped (each falls in a gap) needs more than 40 years. */
const SEARCH_MS_MAX = 60 * 366 * DAY_MS
const COUNT_MAX = 10_000
/** How many occurrences between `start` and `from` are counted against `max`. */
const COUNTED_MAX = 1_000_000

export interface Recurrence {
  /**
   * The first occurrence after `after`, or undefined when there is none any more. Within `start` and `end`, which
   * bound the schedule before its jitter; `max` is counted by the caller. With `from: 'completion'`, `after` is
   * the instant at which the run before ended (at first: the one at which the task was made).
   */
  next(after: number): number | undefined
}

/** A cron schedule as one writes it, for a look at when it fires. */
export interface CronOccurrences {
  readonly cron: string
  /** IANA zone, by default UTC. */
  readonly tz?: string | undefined
  readonly dst?: Partial<DstPolicy> | undefined
  readonly start?: number | Date | undefined
  readonly end?: number | Date | undefined
  /** Counted from `start`; without a start, from where one looks. */
  readonly max?: number | undefined
}

/** An interval as one writes it, for a look at when it fires. */
export interface EveryOccurrences {
  readonly every: number | string
  /** Phase zero; by default `start`, else 1970-01-01T00:00Z. */
  readonly anchor?: number | Date | undefined
  readonly start?: number | Date | undefined
  readonly end?: number | Date | undefined
  readonly max?: number | undefined
}

export type OccurrenceSpec = CronOccurrences | EveryOccurrences

/** The recurrence of a schedule; cheap, since patterns and zones are read once. `taskId` decides the jitter. */
export function recurrenceOf(schedule: EverySchedule | CronSchedule, taskId: string): Recurrence {
  const base = schedule.kind === 'cron' ? cronSteps(schedule) : everySteps(schedule)
  // What follows a completion has no phase to keep: there `after` is no occurrence, and bears no jitter.
  const afterCompletion = schedule.kind === 'every' && schedule.from === 'completion'
  const jitter = stableJitter(taskId, schedule.jitterMs ?? 0)
  const before = afterCompletion ? 0 : jitter
  const { start = INSTANT_MIN, end = INSTANT_MAX } = schedule
  return {
    next(after) {
      invariant(!Number.isNaN(after), 'an occurrence is asked for after an instant')
      const found = afterCompletion ? Math.max(base(after), start) : base(Math.max(after - before, start - 1))
      return found <= end ? found + jitter : undefined
    },
  }
}

/**
 * The first `count` occurrences after `from` (not at it), in epoch ms; fewer when the schedule ends. Pure: the same
 * arguments give the same list on every machine with the same tzdata.
 */
export function occurrences(
  schedule: OccurrenceSpec,
  options: { readonly from: number | Date; readonly count: number },
): number[] {
  const { count } = options
  if (!Number.isInteger(count) || count < 1 || count > COUNT_MAX) {
    throw invalid('count', count, `a whole number from 1 to ${COUNT_MAX}`)
  }
  const from = instantOf(options.from, 'from')
  const written = scheduleOf(schedule)
  const recurrence = recurrenceOf(written, '')
  const left = (written.max ?? count) - firedBefore(written, recurrence, from)
  const list: number[] = []
  let last: number | undefined = from
  while (list.length < Math.min(count, left)) {
    last = recurrence.next(last)
    if (last === undefined) break
    list.push(last)
  }
  return list
}

/**
 * A delay in [0, jitterMs) that depends on the id only, so that a task keeps its distance from run to run and tasks
 * with one pattern spread: FNV-1a, mixed as in MurmurHash3, since FNV alone leaves like ids near each other.
 */
export function stableJitter(taskId: string, jitterMs: number): number {
  if (jitterMs <= 0) return 0
  let hash = 0x811c9dc5
  for (let i = 0; i < taskId.length; i++) hash = Math.imul(hash ^ taskId.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return Math.floor((((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32) * jitterMs)
}

/** Gives the first instant after the one asked for; Infinity for none. */
type Steps = (after: number) => number

function everySteps({ everyMs, from, anchor }: EverySchedule): Steps {
  invariant(everyMs >= 1, 'an interval is at least 1 ms')
  if (from === 'completion') return after => after + everyMs
  return after => anchor + (Math.floor((after - anchor) / everyMs) + 1) * everyMs
}

function cronSteps({ pattern: text, tz, dst }: CronSchedule): Steps {
  const pattern = parseCron(text)
  const zone = zoneOf(tz)
  const shift = dst.gap === 'auto' ? !pattern.everyHour : dst.gap === 'shift'
  const overlap = dst.overlap !== 'auto' ? dst.overlap : pattern.everyHour ? 'both' : 'first'
  return after => nextInstant(pattern, zone, shift, overlap, after)
}

function nextInstant(
  pattern: CronPattern,
  zone: Zone,
  shift: boolean,
  overlap: 'first' | 'second' | 'both',
  after: number,
): number {
  let at = Math.max(Math.floor(after) + 1, INSTANT_MIN)
  const last = Math.min(at + SEARCH_MS_MAX, INSTANT_MAX)
  while (at <= last) {
    const { start, end, offset, offsetBefore, offsetAfter } = zone.segmentAt(at)
    let low = at + offset
    let high = end + offset
    if (overlap === 'first') low = Math.max(low, start + offsetBefore)
    if (overlap === 'second') high = Math.min(high, end + offsetAfter)
    const local = pattern.nextLocal(low)
    let found = local < high ? local - offset : Number.POSITIVE_INFINITY
    // The gap before this segment has the local times from start + offsetBefore to start + offset.
    if (shift && at + offsetBefore < start + offset) {
      const missing = pattern.nextLocal(at + offsetBefore)
      if (missing < start + offset) found = Math.min(found, missing - offsetBefore)
    }
    if (found < end) {
      invariant(found >= at, 'an occurrence is after the one before')
      return found
    }
    // No time matches until this one, whatever the offsets between are: many segments are skipped at once.
    at = Math.max(end, pattern.nextLocal(end - OFFSET_MAX_MS) - OFFSET_MAX_MS)
  }
  return Number.POSITIVE_INFINITY
}

/** How many occurrences from `start` to `from` count against `max`. */
function firedBefore(schedule: EverySchedule | CronSchedule, recurrence: Recurrence, from: number): number {
  const { start, max } = schedule
  if (start === undefined || max === undefined || from < start) return 0
  if (schedule.kind === 'every') {
    const first = recurrence.next(start - 1) ?? Number.POSITIVE_INFINITY
    return first > from ? 0 : Math.min(max, Math.floor((from - first) / schedule.everyMs) + 1)
  }
  let count = 0
  for (
    let at = recurrence.next(start - 1);
    at !== undefined && at <= from && count < max;
    at = recurrence.next(at)
  ) {
    if (++count > COUNTED_MAX) {
      throw invalid(
        'max',
        max,
        `a smaller number, or a 'from' nearer to 'start' (at most ${COUNTED_MAX} are counted)`,
      )
    }
  }
  return count
}

function scheduleOf(spec: OccurrenceSpec): EverySchedule | CronSchedule {
  if (typeof spec !== 'object' || spec === null)
    throw invalid('schedule', spec, 'an object with cron or with every')
  const bounds = {
    start: spec.start === undefined ? undefined : instantOf(spec.start, 'start'),
    end: spec.end === undefined ? undefined : instantOf(spec.end, 'end'),
    max: spec.max,
  }
  if (bounds.max !== undefined && !(Number.isInteger(bounds.max) && bounds.max >= 1)) {
    throw invalid('max', bounds.max, 'a whole number from 1')
  }
  if ('cron' in spec) {
    const dst = dstOf(spec.dst ?? {})
    return { kind: 'cron', pattern: spec.cron, tz: spec.tz ?? 'UTC', dst, ...bounds }
  }
  if (spec.every === undefined)
    throw invalid('every', undefined, 'a duration, or a cron pattern in its place')
  const everyMs = parseDuration(spec.every, 'every')
  if (!(everyMs >= 1)) throw invalid('every', spec.every, 'at least 1 ms')
  const anchor = spec.anchor === undefined ? (bounds.start ?? 0) : instantOf(spec.anchor, 'anchor')
  return { kind: 'every', everyMs, from: 'phase', anchor, ...bounds }
}

function dstOf({ gap = 'auto', overlap = 'auto' }: Partial<DstPolicy>): DstPolicy {
  if (!['auto', 'skip', 'shift'].includes(gap)) throw invalid('dst.gap', gap, "'auto', 'skip' or 'shift'")
  if (!['auto', 'first', 'second', 'both'].includes(overlap)) {
    throw invalid('dst.overlap', overlap, "'auto', 'first', 'second' or 'both'")
  }
  return { gap, overlap }
}

function instantOf(value: number | Date, field: string): number {
  const instant = Number(value)
  if (instant >= INSTANT_MIN && instant <= INSTANT_MAX) return instant
  throw invalid(field, value, 'a Date or epoch milliseconds, in the years 1 to 9999')
}

function invalid(field: string, value: unknown, allowed: string): CarillonError {
  return new CarillonError('INVALID', `${field} is ${String(value)}: allowed is ${allowed}`, { field })
}
