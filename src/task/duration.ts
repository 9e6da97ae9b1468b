/**
 * Durations as one writes them: milliseconds, '1h30m' (units d h m s ms, each once, large to small) or ISO 8601
 * ('PT10M', 'P1DT2H', 'P2W'). Months and years have no fixed length and are refused: use cron for them.
 */

import { CarillonError } from '../errors.ts'

const TEXT_LENGTH_MAX = 64
const UNITS_MS = [604_800_000, 86_400_000, 3_600_000, 60_000, 1000, 1]
const SHORT =
  /^(?:(\d+(?:\.\d+)?)w)?(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?(?:(\d+)ms)?$/
const ISO = /^P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/i

/** The whole milliseconds of `value`; refuses, with a text that names `field`, what is none. */
export function parseDuration(value: string | number, field: string): number {
  const ms = typeof value === 'number' ? value : fromText(value, field)
  if (Number.isSafeInteger(ms) && ms >= 0) return ms
  throw refused(value, field, "a duration is '10m', '1h30m', '500ms', 'PT10M', or whole milliseconds from 0")
}

function fromText(value: string, field: string): number {
  if (typeof value !== 'string' || value.length > TEXT_LENGTH_MAX) return Number.NaN
  const text = value.trim()
  if (/^P[^T]*\d+[YM]/i.test(text) || /\d\s*(mo|y)/i.test(text)) {
    throw refused(value, field, 'months and years have no fixed length; use cron')
  }
  const parts = ISO.exec(text) ?? SHORT.exec(text.replaceAll(' ', ''))
  if (parts === null || parts.slice(1).every(part => part === undefined)) return Number.NaN
  return Math.round(UNITS_MS.reduce((sum, unit, i) => sum + unit * Number(parts[i + 1] ?? 0), 0))
}

function refused(value: unknown, field: string, allowed: string): CarillonError {
  const shown = typeof value === 'string' ? `'${value.slice(0, TEXT_LENGTH_MAX)}'` : String(value)
  return new CarillonError('INVALID', `${field} is ${shown}: ${allowed}`, { field })
}
