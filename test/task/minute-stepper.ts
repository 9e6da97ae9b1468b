/**
 * The judge of recurrence: brute force. It walks a window instant by instant, reads the wall clock of each through
 * Intl, and decides from the list of readings alone what exists once, twice or not at all. It shares
 * nothing with src: it has its own matcher of patterns, reads the clock's fields where src reads the name
 * of the offset, and knows a gap only as readings that no instant had.
 */

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000

export interface Policy {
  readonly gap: 'auto' | 'skip' | 'shift'
  readonly overlap: 'auto' | 'first' | 'second' | 'both'
}

/** Local minus UTC, in ms, as the clock's fields show it. Good from 1970 on. */
export type OffsetReader = (instant: number) => number

export function offsetReader(tz: string): OffsetReader {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: tz,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  })
  return instant => {
    // 03/31/2024, 03:00:00
    const text = format.format(instant)
    const part = (from: number, to: number) => Number(text.slice(from, to))
    const local = Date.UTC(part(6, 10), part(0, 2) - 1, part(3, 5), part(12, 14), part(15, 17), part(18, 20))
    return local - Math.floor(instant / 1000) * 1000
  }
}

export interface Transition {
  readonly at: number
  readonly before: number
  readonly after: number
}

/** Every change of the offset in (from, to], found by looking every five days (the shortest pause is seven). */
export function transitionsOf(offsetAt: OffsetReader, from: number, to: number): Transition[] {
  const found: Transition[] = []
  let before = offsetAt(from)
  for (let low = from; low < to; low += 5 * DAY_MS) {
    const after = offsetAt(Math.min(low + 5 * DAY_MS, to))
    if (after === before) continue
    let same = low / 1000
    let changed = Math.min(low + 5 * DAY_MS, to) / 1000
    while (changed - same > 1) {
      const middle = Math.floor((same + changed) / 2)
      if (offsetAt(middle * 1000) === before) same = middle
      else changed = middle
    }
    found.push({ at: changed * 1000, before, after })
    before = after
  }
  return found
}

/** The readings of the wall clock in a window, one for each step. */
export interface Walk {
  readonly stepMs: number
  /** Reading to the instants that have it, in order. */
  readonly instants: Map<number, number[]>
  /** Readings between the first and the last that no instant has, with the length of the gap each lies in. */
  readonly missing: Map<number, number>
}

/** Walks (from, to) by minutes, or by half minutes and less where an offset is no whole minute. */
export function walk(
  offsetAt: OffsetReader,
  from: number,
  to: number,
  stepMs = stepFor(offsetAt, from, to),
): Walk {
  const instants = new Map<number, number[]>()
  let low = Number.POSITIVE_INFINITY
  let high = Number.NEGATIVE_INFINITY
  for (let at = Math.ceil(from / stepMs) * stepMs; at < to; at += stepMs) {
    const local = at + offsetAt(at)
    const same = instants.get(local)
    if (same === undefined) instants.set(local, [at])
    else same.push(at)
    low = Math.min(low, local)
    high = Math.max(high, local)
  }
  const missing = new Map<number, number>()
  let run: number[] = []
  for (let local = low; local <= high; local += stepMs) {
    if (!instants.has(local)) run.push(local)
    else if (run.length > 0) {
      for (const lost of run) missing.set(lost, run.length * stepMs)
      run = []
    }
  }
  return { stepMs, instants, missing }
}

/** The instants in [from, to] at which the pattern fires, by the rules of the README; the walk must reach beyond. */
export function judge(walked: Walk, pattern: string, policy: Policy, from: number, to: number): number[] {
  const matches = matcher(pattern)
  const star = fieldsOf(pattern)[2]?.startsWith('*') === true
  const gap = policy.gap === 'auto' ? (star ? 'skip' : 'shift') : policy.gap
  const overlap = policy.overlap === 'auto' ? (star ? 'both' : 'first') : policy.overlap
  const fires = new Set<number>()
  for (const [local, at] of walked.instants) {
    if (!matches(local)) continue
    const chosen = overlap === 'first' ? at.slice(0, 1) : overlap === 'second' ? at.slice(-1) : at
    for (const instant of chosen) fires.add(instant)
  }
  for (const [local, length] of walked.missing) {
    const moved = walked.instants.get(local + length)?.[0]
    if (gap === 'shift' && moved !== undefined && matches(local)) fires.add(moved)
  }
  return [...fires].filter(at => at >= from && at <= to).sort((a, b) => a - b)
}

/** The first local minute at or after `local` that matches, by trying each minute of each day that matches. */
export function nextByStepping(pattern: string, local: number): number | undefined {
  const matches = matcher(pattern)
  const first = Math.floor(local / DAY_MS)
  for (let day = first; day < first + 41 * 366; day++) {
    if (!matches.day(day * DAY_MS)) continue
    for (let minute = 0; minute < 1440; minute++) {
      const at = day * DAY_MS + minute * MINUTE_MS
      if (at >= local && matches(at)) return at
    }
  }
  return undefined
}

type Matcher = ((local: number) => boolean) & { day: (local: number) => boolean }

const NAMES: readonly string[][] = [
  [],
  [],
  [],
  [],
  ['', 'jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'],
  ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'],
]
const RANGES: readonly (readonly [number, number])[] = [
  [0, 59],
  [0, 59],
  [0, 23],
  [1, 31],
  [1, 12],
  [0, 6],
]

const matchers = new Map<string, Matcher>()

export function matcher(pattern: string): Matcher {
  const known = matchers.get(pattern)
  if (known !== undefined) return known
  const fields = fieldsOf(pattern)
  const values = fields.map((field, i) => {
    const [min, max] = RANGES[i] ?? [0, 0]
    const all = Array.from({ length: max + 1 }, (_, value) => value).filter(value => value >= min)
    return new Set(all.filter(value => field.split(',').some(item => inItem(item, value, i))))
  })
  const open = (field: string | undefined) => field?.startsWith('*') === true || field === '?'
  const day = (local: number) => {
    const date = new Date(local)
    const isLast = new Date(local + DAY_MS).getUTCDate() === 1
    const byDay =
      values[3]?.has(date.getUTCDate()) || (isLast && fields[3]?.split(',').includes('l') === true)
    const byWeekday =
      values[5]?.has(date.getUTCDay()) ||
      fields[5]?.split(',').some(item => isSpecialWeekday(item, date)) === true
    const both = open(fields[3]) || open(fields[5])
    return (
      (values[4]?.has(date.getUTCMonth() + 1) ?? false) &&
      ((both ? byDay && byWeekday : byDay || byWeekday) ?? false)
    )
  }
  const matches = (local: number) => {
    const rest = ((local % DAY_MS) + DAY_MS) % DAY_MS
    return (
      rest % 1000 === 0 &&
      values[0]?.has((rest / 1000) % 60) === true &&
      values[1]?.has(Math.floor(rest / MINUTE_MS) % 60) === true &&
      values[2]?.has(Math.floor(rest / 3_600_000)) === true &&
      day(local)
    )
  }
  const made = Object.assign(matches, { day })
  matchers.set(pattern, made)
  return made
}

function fieldsOf(pattern: string): string[] {
  const fields = pattern.trim().toLowerCase().split(/\s+/)
  return fields.length === 5 ? ['0', ...fields] : fields
}

function inItem(item: string, value: number, field: number): boolean {
  const [range = '', step = '1'] = item.split('/')
  const [min, max] = RANGES[field] ?? [0, 0]
  const number = (text: string) => {
    const name = NAMES[field]?.indexOf(text) ?? -1
    return name >= 0 ? name : Number(text)
  }
  let [from, to] = [min, max]
  if (range !== '*' && range !== '?') {
    const [low = '', high] = range.split('-')
    from = number(low)
    to = high === undefined ? (item.includes('/') ? Math.max(max, from) : from) : number(high)
    if (high === 'sun' && from > 0) to = 7
  }
  for (let tried = from; tried <= to; tried += Number(step)) {
    if ((field === 5 ? tried % 7 : tried) === value) return true
  }
  return false
}

function isSpecialWeekday(item: string, date: Date): boolean {
  const found = /^(\d|[a-z]{3})(?:(l)|#(\d))$/.exec(item)
  if (found === null) return false
  const name = NAMES[5]?.indexOf(found[1] ?? '') ?? -1
  const weekday = (name >= 0 ? name : Number(found[1])) % 7
  if (date.getUTCDay() !== weekday) return false
  if (found[2] !== undefined)
    return new Date(date.getTime() + 7 * DAY_MS).getUTCMonth() !== date.getUTCMonth()
  return Math.floor((date.getUTCDate() - 1) / 7) + 1 === Number(found[3])
}

/** A minute, or the largest part of it of which every offset in the window is a multiple. */
function stepFor(offsetAt: OffsetReader, from: number, to: number): number {
  let step = MINUTE_MS
  for (const offset of [offsetAt(from), offsetAt((from + to) / 2), offsetAt(to)]) {
    let rest = Math.abs(offset) % step
    while (rest !== 0) [step, rest] = [rest, step % rest]
  }
  return step
}
