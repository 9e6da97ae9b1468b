/**
 * Durations as one writes them: milliseconds, '1h30m' or '3 weeks' (units w d h m s ms, or their words, each once, large to
 * small), or ISO 8601 ('PT10M', 'P1DT2H', 'P2W'). A day is 24 hours, a week seven of them. Months and years have no fixed length and are
 * refused: cron has them. What is written in parts of a millisecond is rounded to whole ones.
 */

import { CarillonError } from '../errors.ts'

const ALLOWED =
  "a duration is '500ms', '10m', '1h30m', '2d', '3 weeks', ISO 8601 like 'PT10M' or 'P1DT2H', or milliseconds from 0"
const CALENDAR = 'months and years have no fixed length; use cron'

const TEXT_LENGTH_MAX = 64
const UNITS_MS = [604_800_000, 86_400_000, 3_600_000, 60_000, 1000, 1]
const UNITS = ['w|weeks?', 'd|days?', 'h|hours?', 'm|min|minutes?', 's|sec|seconds?', 'ms|milliseconds?']
const SHORT = new RegExp(`^${UNITS.map(unit => `(?:(\\d+(?:\\.\\d+)?)(?:${unit}))?`).join('')}$`)
/** A `T` must be followed by something. */
const ISO = /^P(?:(\d+)W)?(?:(\d+)D)?(?:T(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:[.,]\d+)?)S)?)?$/i
const ISO_CALENDAR = /^P(?:[\d.,]+[WD])*[\d.,]+[YM]/i
const SHORT_CALENDAR = /\d *(?:y|yrs?|years?|mo|months?)(?=$|[ \d])/i

/** The whole milliseconds of `value`; refuses, with a text that names `field`, what is none. */
export function parseDuration(value: string | number, field: string): number {
  const ms = Math.round(typeof value === 'number' ? value : fromText(value, field))
  if (Number.isSafeInteger(ms) && ms >= 0) return Math.abs(ms) // without the sign of -0
  throw refused(value, field, ALLOWED)
}

/** NaN for what is no duration. */
function fromText(value: unknown, field: string): number {
  if (typeof value !== 'string' || value.length > TEXT_LENGTH_MAX) return Number.NaN
  const text = value.trim()
  if (ISO_CALENDAR.test(text) || SHORT_CALENDAR.test(text)) throw refused(value, field, CALENDAR)
  const parts = ISO.exec(text) ?? SHORT.exec(text.replaceAll(' ', ''))
  if (parts === null || parts.slice(1).every(part => part === undefined)) return Number.NaN
  return UNITS_MS.reduce((sum, unit, i) => sum + unit * Number((parts[i + 1] ?? '0').replace(',', '.')), 0)
}

function refused(value: unknown, field: string, allowed: string): CarillonError {
  return new CarillonError('INVALID', `${field} is ${shown(value)}: ${allowed}`, { field })
}

function shown(value: unknown): string {
  if (typeof value === 'string') {
    return value.length <= TEXT_LENGTH_MAX ? `'${value}'` : `'${value.slice(0, TEXT_LENGTH_MAX)}...'`
  }
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : 'an object'
  return typeof value === 'function' ? 'a function' : String(value)
}
