/**
 * Time zones: which offset an IANA zone has at an instant, and which instant a wall clock reading is.
 *
 * `Intl` is the only source of the rules, so they are those of the Node that runs: nodes whose Node versions
 * carry different tzdata disagree about the hours that a government changed in between. A reading through Intl
 * costs microseconds, so each zone keeps a table of its segments (spans of one offset), made on demand for the
 * span of time asked for: probed every three days and bisected. (The shortest time between two changes
 * in any zone since 1970 is seven days: Recife, 2000.)
 *
 * A local time is written as a number too: the epoch milliseconds that UTC would have at that reading of the clock.
 * An offset is local minus UTC in ms; it is not always whole minutes (Monrovia until 1972: -00:44:30).
 */

import { CarillonError } from '../errors.ts'
import { invariant } from '../invariant.ts'

export const DAY_MS = 86_400_000
/** No offset, not even a local mean time, is further from UTC than this. */
export const OFFSET_MAX_MS = 16 * 3_600_000
/** The instants for which schedules are computed: the years 1 to 9999. */
export const INSTANT_MIN = -62_135_596_800_000
export const INSTANT_MAX = 253_402_300_799_999

const PROBE_MS = 3 * DAY_MS
/** A chunk of the table is some 13 months. It also knows what lies this far beyond its two ends. */
const CHUNK_MS = 2 ** 35
const MARGIN_MS = 3 * DAY_MS
/** A chunk costs 0.3 ms to make and some hundred bytes to keep. A zone in use has two or three; a long search makes many. */
const CHUNK_COUNT_MAX = 128
/** There are some 600 names of zones, aliases included. */
const ZONE_COUNT_MAX = 700

/**
 * A span [start, end) of instants with one offset. Where the table ends, not the rule, `start` or `end` is the
 * end of the table (days away from any instant one gets this segment for), and the offset beyond is the same.
 */
export interface Segment {
  readonly start: number
  readonly end: number
  readonly offset: number
  readonly offsetBefore: number
  readonly offsetAfter: number
}

/** A wall clock reading. */
export interface LocalFields {
  readonly year: number
  /** 1-12 */
  readonly month: number
  readonly day: number
  readonly hour: number
  readonly minute: number
  readonly second: number
  readonly ms: number
  /** 0 is Sunday. */
  readonly weekday: number
}

const zones = new Map<string, Zone>()

/** The zone of that name; refuses what {@link checkZone} refuses. */
export function zoneOf(tz: string): Zone {
  const known = zones.get(tz)
  if (known !== undefined) return known
  checkZone(tz)
  if (zones.size >= ZONE_COUNT_MAX) zones.clear()
  const zone = new Zone(tz)
  zones.set(tz, zone)
  return zone
}

/** Throws INVALID unless `tz` is a zone that this Node knows. */
export function checkZone(tz: string): void {
  if (zones.has(tz)) return
  const named = typeof tz === 'string' && tz.length <= 64 && /^[A-Za-z]/.test(tz) && !isAbbreviation(tz)
  if (named && formatterOf(tz) !== undefined) return
  const shown = typeof tz === 'string' ? `'${tz.slice(0, 64)}'` : String(tz)
  throw new CarillonError('INVALID', `tz ${shown} is not an IANA time zone: ${hintFor(tz)}`, { field: 'tz' })
}

/**
 * The instant of a wall clock reading in `tz`. A reading that does not exist is moved forward by the length of the
 * gap; of a reading that exists twice, the first is meant. Fields beyond their range carry over (minute 60).
 */
export function instantOfLocal(
  tz: string,
  year: number,
  month: number,
  day: number,
  hour = 0,
  minute = 0,
  second = 0,
  ms = 0,
): number {
  const local = daysFromCivil(year, month, day) * DAY_MS + ((hour * 60 + minute) * 60 + second) * 1000 + ms
  return localToInstant(local, tz)
}

/** As {@link instantOfLocal}, of a local time written as a number. */
export function localToInstant(local: number, tz: string): number {
  const zone = zoneOf(tz)
  let segment = zone.segmentAt(local - OFFSET_MAX_MS)
  // The first segment whose local times reach beyond `local` has it, or begins with the gap that swallowed it.
  while (local >= segment.end + segment.offset) segment = zone.segmentAt(segment.end)
  return local - (local < segment.start + segment.offset ? segment.offsetBefore : segment.offset)
}

/** What a wall clock in `tz` shows at `instant`. */
export function localFields(tz: string, instant: number): LocalFields {
  const local = instant + zoneOf(tz).segmentAt(instant).offset
  const days = Math.floor(local / DAY_MS)
  const { year, month, day } = civilFromDays(days)
  const rest = local - days * DAY_MS
  return {
    year,
    month,
    day,
    hour: Math.floor(rest / 3_600_000),
    minute: Math.floor(rest / 60_000) % 60,
    second: Math.floor(rest / 1000) % 60,
    ms: rest % 1000,
    weekday: weekdayOf(days),
  }
}

/** The segments of one zone, made as they are asked for. */
export class Zone {
  readonly name: string
  readonly #chunks = new Map<number, readonly Segment[]>()
  #last: Segment | undefined
  #lastChunk = Number.NaN

  constructor(name: string) {
    this.name = name
  }

  /** The segment with `instant`, with its true neighbours for days around. */
  segmentAt(instant: number): Segment {
    const index = Math.floor(instant / CHUNK_MS)
    const last = this.#last
    if (last !== undefined && index === this.#lastChunk && instant >= last.start && instant < last.end)
      return last
    const found = this.#chunk(index).find(segment => instant < segment.end)
    invariant(found !== undefined && instant >= found.start, 'the chunk of an instant has its segment')
    this.#last = found
    this.#lastChunk = index
    return found
  }

  #chunk(index: number): readonly Segment[] {
    const known = this.#chunks.get(index)
    if (known !== undefined) return known
    const made = segmentsBetween(this.name, index * CHUNK_MS - MARGIN_MS, (index + 1) * CHUNK_MS + MARGIN_MS)
    if (this.#chunks.size >= CHUNK_COUNT_MAX) this.#chunks.clear()
    this.#chunks.set(index, made)
    return made
  }
}

/** Days since 1970-01-01 of a date of the Gregorian calendar (Hinnant, "chrono-compatible low-level date algorithms"). */
export function daysFromCivil(year: number, month: number, day: number): number {
  const carried = year + Math.floor((month - 1) / 12)
  const month1 = ((((month - 1) % 12) + 12) % 12) + 1
  const y = month1 <= 2 ? carried - 1 : carried
  const era = Math.floor(y / 400)
  const yearOfEra = y - era * 400
  const dayOfYear = Math.floor((153 * (month1 > 2 ? month1 - 3 : month1 + 9) + 2) / 5) + day - 1
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear
  return era * 146_097 + dayOfEra - 719_468
}

/** The date that is `days` after 1970-01-01. */
export function civilFromDays(days: number): { year: number; month: number; day: number } {
  const z = days + 719_468
  const era = Math.floor(z / 146_097)
  const dayOfEra = z - era * 146_097
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  )
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const shifted = Math.floor((5 * dayOfYear + 2) / 153)
  const month = shifted < 10 ? shifted + 3 : shifted - 9
  const day = dayOfYear - Math.floor((153 * shifted + 2) / 5) + 1
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day }
}

/** The weekday of a day since 1970-01-01; 0 is Sunday. */
export function weekdayOf(days: number): number {
  return (((days + 4) % 7) + 7) % 7
}

function segmentsBetween(tz: string, from: number, to: number): Segment[] {
  const formatter = formatterOf(tz)
  invariant(formatter !== undefined, `the zone ${tz} was checked`)
  const starts = [from]
  const offsets = [offsetAt(formatter, from)]
  for (let probe = from; probe < to; ) {
    const next = Math.min(probe + PROBE_MS, to)
    const offset = offsets.at(-1) ?? 0
    if (offsetAt(formatter, next) === offset) {
      probe = next
      continue
    }
    probe = firstChange(formatter, probe, next, offset)
    starts.push(probe)
    offsets.push(offsetAt(formatter, probe))
  }
  // A change exactly at `to` belongs to the neighbour, and is known here as the offset after.
  const ends = [...starts.slice(1), to]
  const made = starts.map((start, i) => ({
    start,
    end: ends[i] ?? to,
    offset: offsets[i] ?? 0,
    offsetBefore: offsets[i - 1] ?? offsets[i] ?? 0,
    offsetAfter: offsets[i + 1] ?? offsets[i] ?? 0,
  }))
  return made.filter(segment => segment.start < segment.end)
}

/** The first instant in (low, high] whose offset is not `offset`. Changes happen on whole seconds. */
function firstChange(formatter: Intl.DateTimeFormat, low: number, high: number, offset: number): number {
  let same = low
  let changed = high
  while (changed - same > 1000) {
    const middle = Math.floor((same + changed) / 2000) * 1000
    const probe = middle > same ? middle : same + 1000
    if (offsetAt(formatter, probe) === offset) same = probe
    else changed = probe
  }
  return changed
}

function formatterOf(tz: string): Intl.DateTimeFormat | undefined {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: tz, timeZoneName: 'longOffset' })
  } catch {
    return undefined
  }
}

/** Reads the offset from a text like `3/31/2024, GMT+02:00`, `GMT-00:44:30` or `GMT`. */
function offsetAt(formatter: Intl.DateTimeFormat, instant: number): number {
  const text = formatter.format(instant)
  const at = text.lastIndexOf('GMT') + 3
  if (text.length === at) return 0
  const hours = Number(text.slice(at + 1, at + 3))
  const minutes = Number(text.slice(at + 4, at + 6))
  const seconds = text.length > at + 6 ? Number(text.slice(at + 7, at + 9)) : 0
  const size = ((hours * 60 + minutes) * 60 + seconds) * 1000
  invariant(Number.isInteger(size), `Intl writes an offset as GMT+hh:mm, not as '${text}'`)
  return text[at] === '-' ? -size : size
}

/** ICU takes BST for Dhaka and IST for India. The IANA names of three letters are the only ones that are clear. */
function isAbbreviation(tz: string): boolean {
  return tz.length === 3 && !THREE_LETTERS.has(tz.toUpperCase())
}

const THREE_LETTERS = new Set('CET EET EST GMT HST MET MST PRC ROC ROK UCT UTC WET'.split(' '))

function hintFor(tz: unknown): string {
  const asked = typeof tz === 'string' ? tz.trim().toLowerCase().replaceAll(' ', '_') : ''
  if (/^(utc|gmt)?[+-]\d/.test(asked))
    return "an offset has no rules; write 'UTC', or a place like 'Europe/Berlin'"
  const near = Intl.supportedValuesOf('timeZone').find(name => name.toLowerCase().endsWith(`/${asked}`))
  return near === undefined ? "write a name like 'Europe/Berlin', or 'UTC'" : `did you mean '${near}'?`
}
