/**
 * Cron patterns: the text, read once, and the search for the next local time that matches it. Time zones and DST
 * are no concern of this file (see recurrence.ts): a local time is a number of ms as if the clock were UTC.
 *
 * `cron-parser` reads the ranges and steps of each list item; nothing else of it is used. Around it stands a
 * stricter grammar, so that what is allowed is written here and not in its details:
 *
 * - Five fields (minute hour day-of-month month day-of-week), or six with the second first. No year field.
 * - An item is `*`, `a`, `a-b`, any of these with `/step`; `a/step` means from a to the end of the field. Items may
 *   overlap. Names (jan-dec, sun-sat) have three letters, in any case, and stand wherever a number may.
 * - A range does not wrap: `22-2` is refused (write `22-23,0-2`). Sunday is 0 or 7, and `sat-sun` is understood.
 * - A step wider than its field is refused: `*` with `/90` in the minutes would mean once an hour.
 * - `L` in the days of the month is the last day; `5L` in the days of the week is the last Friday, `5#2` the second.
 * - `?` is `*`, in the two day fields only. Refused: `W`, `LW`, `L-3`, `H` (use `jitter`), and a lone `L` weekday.
 * - If neither day field begins with `*` a day needs to match only one of them, else both (crontab(5) of Vixie cron:
 *   so `*` with `/2` as days of the month and Monday means a Monday on an odd day; cron-parser itself differs here).
 * - `@yearly @annually @monthly @weekly @daily @midnight @hourly`; not `@reboot`, since no task belongs to one start.
 */

import { CronExpressionParser } from 'cron-parser'
import { CarillonError } from '../errors.ts'
import { invariant } from '../invariant.ts'
import { civilFromDays, daysFromCivil, weekdayOf } from './zone.ts'

/** Lists of all 60 seconds and 60 minutes would be longer, and are better written with a step. */
export const PATTERN_LENGTH_MAX = 256
const PATTERN_CACHE_MAX = 2048
/** Every day and weekday of the calendar comes again within 40 years (29 February on a Monday, across the year 2100). */
const SEARCH_MONTHS_MAX = 41 * 12
const DAY_S = 86_400

const MACROS: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']

interface Field {
  readonly name: 'second' | 'minute' | 'hour' | 'day of month' | 'month' | 'day of week'
  readonly min: number
  readonly max: number
  /** How many different values there are. */
  readonly size: number
  readonly names: readonly string[]
  readonly allowed: string
}

const FIELDS: readonly Field[] = [
  { name: 'second', min: 0, max: 59, size: 60, names: [], allowed: '0-59' },
  { name: 'minute', min: 0, max: 59, size: 60, names: [], allowed: '0-59' },
  { name: 'hour', min: 0, max: 23, size: 24, names: [], allowed: '0-23' },
  { name: 'day of month', min: 1, max: 31, size: 31, names: [], allowed: '1-31, L' },
  { name: 'month', min: 1, max: 12, size: 12, names: MONTHS, allowed: '1-12, jan-dec' },
  { name: 'day of week', min: 0, max: 7, size: 7, names: WEEKDAYS, allowed: '0-7, sun-sat, 5L, 5#2' },
]

/** What one pattern allows, field by field. */
interface PatternSets {
  readonly seconds: Set<number>
  readonly minutes: Set<number>
  readonly hours: Set<number>
  readonly days: Set<number>
  readonly months: Set<number>
  readonly weekdays: Set<number>
  readonly lastWeekdays: Set<number>
  /** weekday * 10 + n. */
  readonly nthWeekdays: Set<number>
  lastDay: boolean
}

const patterns = new Map<string, CronPattern>()

/** Reads a pattern; the same text gives the same object. Refuses, with a text that names the pattern, what is not one or never fires. */
export function parseCron(pattern: string): CronPattern {
  const known = patterns.get(pattern)
  if (known !== undefined) return known
  const made = read(pattern)
  if (patterns.size >= PATTERN_CACHE_MAX) patterns.clear()
  patterns.set(pattern, made)
  return made
}

/** A pattern that was read. */
export class CronPattern {
  readonly text: string
  /** The hour field begins with `*`: that decides what `auto` means on a DST night. */
  readonly everyHour: boolean
  readonly #sets: PatternSets
  readonly #eitherDay: boolean
  readonly #nextSecond: Int8Array
  readonly #nextMinute: Int8Array
  readonly #nextHour: Int8Array
  /** The month looked at last: its first day since 1970, its length, and a bit for each day that matches. */
  #monthStart = 0
  #monthLength = 0
  #monthDays = 0

  constructor(text: string, fields: readonly string[], sets: PatternSets) {
    this.text = text
    this.everyHour = isStar(fields[2])
    this.#sets = sets
    this.#eitherDay = !isStar(fields[3]) && !isStar(fields[5])
    this.#nextSecond = nextTable(sets.seconds, 60)
    this.#nextMinute = nextTable(sets.minutes, 60)
    this.#nextHour = nextTable(sets.hours, 24)
  }

  /** The first local time at or after `local` that matches. Always there, at most 40 years away. */
  nextLocal(local: number): number {
    const from = Math.ceil(local / 1000)
    const today = Math.floor(from / DAY_S)
    const time = this.#matchesDay(today) ? this.#nextTime(from - today * DAY_S) : -1
    if (time >= 0) return (today * DAY_S + time) * 1000
    const day = this.#nextDay(today + 1)
    invariant(day !== undefined, `the cron pattern ${this.text} fires within 40 years`)
    return (day * DAY_S + this.#nextTime(0)) * 1000
  }

  /** False if no day of the calendar matches: 41 years from 2001 have each date on each weekday. */
  get everFires(): boolean {
    const first = daysFromCivil(2001, 1, 1)
    return this.#nextDay(first) !== undefined
  }

  #matchesDay(day: number): boolean {
    if (day < this.#monthStart || day >= this.#monthStart + this.#monthLength) {
      const { year, month } = civilFromDays(day)
      this.#enter(year, month)
    }
    return ((this.#monthDays >>> (day - this.#monthStart)) & 1) === 1
  }

  /** The seconds of the day of the first matching time at or after `from`, or -1. */
  #nextTime(from: number): number {
    const firstSecond = this.#nextSecond[0] ?? 0
    const firstMinute = this.#nextMinute[0] ?? 0
    let hour = Math.floor(from / 3600)
    let minute = Math.floor(from / 60) % 60
    if (this.#nextHour[hour] === hour) {
      if (this.#nextMinute[minute] === minute) {
        const second = this.#nextSecond[from % 60] ?? -1
        if (second >= 0) return hour * 3600 + minute * 60 + second
      }
      minute = this.#nextMinute[this.#nextMinute[minute] === minute ? minute + 1 : minute] ?? -1
      if (minute >= 0) return hour * 3600 + minute * 60 + firstSecond
    }
    hour = this.#nextHour[this.#nextHour[hour] === hour ? hour + 1 : hour] ?? -1
    return hour < 0 ? -1 : hour * 3600 + firstMinute * 60 + firstSecond
  }

  /** The first day at or after `from` that matches, by months: a month that is not in the pattern costs nothing. */
  #nextDay(from: number): number | undefined {
    let { year, month, day } = civilFromDays(from)
    for (let step = 0; step <= SEARCH_MONTHS_MAX; step++) {
      if (this.#sets.months.has(month)) {
        this.#enter(year, month)
        const rest = this.#monthDays >>> (day - 1)
        if (rest !== 0) return this.#monthStart + day - 1 + (31 - Math.clz32(rest & -rest))
      }
      day = 1
      month = month === 12 ? 1 : month + 1
      if (month === 1) year++
    }
    return undefined
  }

  #enter(year: number, month: number): void {
    const start = daysFromCivil(year, month, 1)
    const length = daysFromCivil(year, month + 1, 1) - start
    let bits = 0
    for (let day = 1; day <= length; day++) {
      if (this.#sets.months.has(month) && this.#fits(day, length, weekdayOf(start + day - 1)))
        bits |= 1 << (day - 1)
    }
    this.#monthStart = start
    this.#monthLength = length
    this.#monthDays = bits
  }

  #fits(day: number, length: number, weekday: number): boolean {
    const sets = this.#sets
    const byDay = sets.days.has(day) || (sets.lastDay && day === length)
    const byWeekday =
      sets.weekdays.has(weekday) ||
      (day + 7 > length && sets.lastWeekdays.has(weekday)) ||
      sets.nthWeekdays.has(weekday * 10 + Math.ceil(day / 7))
    return this.#eitherDay ? byDay || byWeekday : byDay && byWeekday
  }
}

function read(pattern: string): CronPattern {
  if (typeof pattern !== 'string') throw refused(String(pattern), 'is not a text', FORM)
  if (pattern.length > PATTERN_LENGTH_MAX) {
    throw refused(pattern, `has ${pattern.length} characters`, `at most ${PATTERN_LENGTH_MAX} are allowed`)
  }
  const fields = fieldsOf(pattern)
  const items = FIELDS.map((field, i) =>
    (fields[i] ?? '').split(',').map(item => readable(pattern, field, item)),
  )
  const sets = readItems(pattern, items)
  const made = new CronPattern(pattern, fields, sets)
  if (!made.everFires) throw refused(pattern, 'never fires', 'no month it names has such a day')
  return made
}

/** The six fields of the pattern, macros replaced and the second added, in lower case but for L. */
function fieldsOf(pattern: string): string[] {
  const text = pattern.trim()
  if (text.startsWith('@')) {
    const macro = Object.hasOwn(MACROS, text.toLowerCase()) ? MACROS[text.toLowerCase()] : undefined
    if (macro !== undefined) return ['0', ...macro.split(' ')]
    const why =
      text.toLowerCase() === '@reboot' ? 'has no meaning for a task that outlives the process' : 'is unknown'
    throw refused(pattern, why, `use one of ${Object.keys(MACROS).join(' ')}`)
  }
  const fields = text.toLowerCase().split(/\s+/)
  if (text === '') throw refused(pattern, 'is empty', FORM)
  if (fields.length !== 5 && fields.length !== 6) {
    throw refused(pattern, `has ${fields.length} field${fields.length === 1 ? '' : 's'}`, FORM)
  }
  return fields.length === 5 ? ['0', ...fields] : fields
}

const FORM = 'write 5 fields (minute hour day-of-month month day-of-week), or 6 with the second first'

/** Holds an item against the grammar above; gives it as cron-parser wants it. */
function readable(pattern: string, field: Field, item: string): string {
  const isDay = field.name === 'day of month' || field.name === 'day of week'
  const why = (hint: string) => refused(pattern, `has the ${field.name} '${item}'`, hint)
  if (item === '?' && isDay) return '*'
  if (item === 'l' && field.name === 'day of month') return 'L'
  const parts = /^(?:(\*)|([a-z]{3}|\d{1,2})(?:-([a-z]{3}|\d{1,2}))?)(?:\/(\d{1,3})|(l)|#(\d))?$/.exec(item)
  if (parts === null) throw why(hintFor(field, item))
  const [, star, low, high, step, last, nth] = parts
  const from = star === undefined ? numberOf(field, low) : field.min
  let to = star === undefined ? numberOf(field, high) : undefined
  if (from === undefined || (high !== undefined && to === undefined)) throw why(hintFor(field, item))
  if (last !== undefined || nth !== undefined) {
    const fits = field.name === 'day of week' && star === undefined && high === undefined
    if (!fits || (nth !== undefined && (nth < '1' || nth > '5'))) throw why(hintFor(field, item))
    return last === undefined ? `${from}#${nth}` : `${from}L`
  }
  if (high === 'sun' && from !== 0) to = 7
  if (to !== undefined && from > to)
    throw why(`a range does not wrap; write '${from}-${field.max},${field.min}-${to}'`)
  if (step !== undefined && (Number(step) < 1 || Number(step) > field.size)) {
    throw why(`a step is 1-${field.size}`)
  }
  // From `a` on; not to 7, which would be a second Sunday.
  if (step !== undefined && star === undefined) to ??= Math.max(from, field.min + field.size - 1)
  const range = star ?? (to === undefined ? `${from}` : `${from}-${to}`)
  return step === undefined ? range : `${range}/${step}`
}

/** The number an item's end stands for, or undefined if the field has no such value. */
function numberOf(field: Field, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const name = field.names.indexOf(text)
  const value = name >= 0 ? name + (field.names === MONTHS ? 1 : 0) : Number(text)
  return value >= field.min && value <= field.max ? value : undefined
}

function hintFor(field: Field, item: string): string {
  if (item === '') return 'an item of the list is empty'
  if (item === 'l') return 'for the last weekday write its number before it, like 5L'
  if (item.includes('w')) return 'W (the nearest working day) is not known'
  if (item.startsWith('l')) return 'only L, the last day, is known'
  if (item.startsWith('h')) return "H is not known; spread tasks with 'jitter'"
  return `${field.allowed} and * are allowed, lists with commas, ranges a-b, and steps /n`
}

/**
 * Lets cron-parser read the items, one of each field at a time: of a whole list it refuses what overlaps. Months
 * are read apart from days, since it would cut the days of the month by a single month.
 */
function readItems(pattern: string, items: readonly (readonly string[])[]): PatternSets {
  const sets: PatternSets = {
    seconds: new Set(),
    minutes: new Set(),
    hours: new Set(),
    days: new Set(),
    months: new Set(),
    weekdays: new Set(),
    lastWeekdays: new Set(),
    nthWeekdays: new Set(),
    lastDay: false,
  }
  const months = items[4] ?? []
  const rounds = Math.max(...items.map((list, i) => (i === 4 ? 0 : list.length)))
  for (let round = 0; round < rounds; round++) {
    const row = items.map((list, i) => (i === 4 ? '*' : (list[round] ?? list[0] ?? '*')))
    collect(sets, parsed(pattern, row))
  }
  for (const month of months) {
    for (const value of parsed(pattern, ['*', '*', '*', '*', month, '*']).month.values) sets.months.add(value)
  }
  return sets
}

function collect(sets: PatternSets, fields: ParsedFields): void {
  for (const value of fields.second.values) sets.seconds.add(value)
  for (const value of fields.minute.values) sets.minutes.add(value)
  for (const value of fields.hour.values) sets.hours.add(value)
  for (const value of fields.dayOfMonth.values) {
    if (typeof value === 'number') sets.days.add(value)
    else sets.lastDay = true
  }
  for (const value of fields.dayOfWeek.values) {
    // A number, or a text like '5L', whose type cron-parser does not tell.
    const weekday = Number.parseInt(String(value), 10) % 7
    if (typeof value !== 'number') sets.lastWeekdays.add(weekday)
    else if (fields.dayOfWeek.nthDay > 0) sets.nthWeekdays.add(weekday * 10 + fields.dayOfWeek.nthDay)
    else sets.weekdays.add(weekday)
  }
}

type ParsedFields = ReturnType<typeof CronExpressionParser.parse>['fields']

function parsed(pattern: string, row: readonly string[]): ParsedFields {
  try {
    // The date and the seed are not used, but without them it would ask the clock and Math.random.
    return CronExpressionParser.parse(row.join(' '), { currentDate: 0, tz: 'UTC', hashSeed: 'none' }).fields
  } catch (error) {
    throw refused(pattern, 'is not a pattern', error instanceof Error ? error.message : String(error))
  }
}

function isStar(field: string | undefined): boolean {
  return field?.startsWith('*') === true || field?.startsWith('?') === true
}

/** For each i the first value >= i, or -1; one entry more than there are values. */
function nextTable(values: ReadonlySet<number>, size: number): Int8Array {
  const table = new Int8Array(size + 1).fill(-1)
  for (let i = size - 1; i >= 0; i--) table[i] = values.has(i) ? i : (table[i + 1] ?? -1)
  return table
}

function refused(pattern: string, why: string, hint: string): CarillonError {
  const shown = pattern.length > 80 ? `${pattern.slice(0, 77)}...` : pattern
  return new CarillonError('INVALID', `cron '${shown}' ${why}: ${hint}`, { field: 'cron' })
}
