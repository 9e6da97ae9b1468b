/**
 * The judge of schedules: brute force, and nothing of src. It walks minute by minute, reads each zone's wall clock
 * through Intl, and decides from the readings alone which local times exist once, twice or not at all. It knows the
 * patterns that the workload draws: `*` with or without a step, and numbers in the fields for second, minute and hour.
 */

import type { CronSchedule, EverySchedule } from '../../src/task/schedule.ts'

const MINUTE_MS = 60_000
const QUARTER_MS = 15 * MINUTE_MS
/** No change of an offset is larger. */
const AROUND_MS = 3 * 3_600_000

/** Instants in (after, upTo] at which the schedule fires, without regard to `max`. */
export function instantsOf(schedule: CronSchedule | EverySchedule, after: number, upTo: number): number[] {
  const from = Math.max(after, (schedule.start ?? Number.NEGATIVE_INFINITY) - 1)
  const to = Math.min(upTo, schedule.end ?? Number.POSITIVE_INFINITY)
  const found =
    schedule.kind === 'cron' ? cronInstants(schedule, from, to) : everyInstants(schedule, from, to)
  return found.filter(at => at > from && at <= to).sort((a, b) => a - b)
}

function everyInstants({ anchor, everyMs }: EverySchedule, from: number, to: number): number[] {
  const found: number[] = []
  for (let k = Math.floor((from - anchor) / everyMs) - 1; anchor + k * everyMs <= to; k++)
    found.push(anchor + k * everyMs)
  return found
}

function cronInstants({ pattern, tz, dst }: CronSchedule, from: number, to: number): number[] {
  const fields = pattern.split(' ')
  const [second, minute, hour] = (fields.length === 5 ? ['0', ...fields] : fields) as [string, string, string]
  const seconds = Array.from({ length: 60 }, (_, value) => value).filter(value => matches(second, value))
  const star = hour.startsWith('*')
  const shifts = dst.gap === 'auto' ? !star : dst.gap === 'shift'
  const overlap = dst.overlap !== 'auto' ? dst.overlap : star ? 'both' : 'first'
  const minutes: number[] = []
  const { instants, missing } = readings(tz, from - AROUND_MS, to + AROUND_MS)
  const fires = (local: number): boolean => {
    const date = new Date(local)
    return matches(minute, date.getUTCMinutes()) && matches(hour, date.getUTCHours())
  }
  for (const [local, at] of instants) {
    if (!fires(local)) continue
    if (overlap === 'first') minutes.push(at[0] as number)
    else if (overlap === 'second') minutes.push(at.at(-1) as number)
    else minutes.push(...at)
  }
  for (const [local, lengthMs] of missing) {
    const moved = instants.get(local + lengthMs)?.[0]
    if (shifts && moved !== undefined && fires(local)) minutes.push(moved)
  }
  return [...new Set(minutes.flatMap(at => seconds.map(value => at + value * 1000)))]
}

function matches(field: string, value: number): boolean {
  if (field === '*') return true
  if (field.startsWith('*/')) return value % Number(field.slice(2)) === 0
  return Number(field) === value
}

/** Local minutes to the instants that show them, and the local minutes that no instant shows, with their gap's length. */
function readings(
  tz: string,
  from: number,
  to: number,
): { instants: Map<number, number[]>; missing: Map<number, number> } {
  const instants = new Map<number, number[]>()
  const missing = new Map<number, number>()
  let before: number | undefined
  for (let at = Math.floor(from / MINUTE_MS) * MINUTE_MS; at <= to; at += MINUTE_MS) {
    const local = at + offsetOf(tz, at)
    const same = instants.get(local)
    if (same === undefined) instants.set(local, [at])
    else same.push(at)
    if (before !== undefined && local > before + MINUTE_MS) {
      const lengthMs = local - before - MINUTE_MS
      for (let lost = before + MINUTE_MS; lost < local; lost += MINUTE_MS) missing.set(lost, lengthMs)
    }
    before = local
  }
  return { instants, missing }
}

const formats = new Map<string, Intl.DateTimeFormat>()
const offsets = new Map<string, number>()

/** Local minus UTC, as the fields of the wall clock show it. Offsets change on quarters of an hour only. */
export function offsetOf(tz: string, at: number): number {
  const quarter = Math.floor(at / QUARTER_MS) * QUARTER_MS
  const key = `${tz} ${quarter}`
  let offset = offsets.get(key)
  if (offset === undefined) {
    offset = readOffset(tz, quarter)
    offsets.set(key, offset)
  }
  return offset
}

function readOffset(tz: string, at: number): number {
  let format = formats.get(tz)
  if (format === undefined) {
    const numeric = '2-digit'
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: tz,
      hourCycle: 'h23',
      year: 'numeric',
      month: numeric,
      day: numeric,
      hour: numeric,
      minute: numeric,
    })
    formats.set(tz, format)
  }
  // 03/31/2024, 03:00
  const text = format.format(at)
  const part = (from: number, to: number): number => Number(text.slice(from, to))
  return Date.UTC(part(6, 10), part(0, 2) - 1, part(3, 5), part(12, 14), part(15, 17)) - at
}
