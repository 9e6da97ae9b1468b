/**
 * How instants, durations and schedules are shown to people: relative where they look at what comes next, absolute in
 * this machine's zone where they compare. Programs get epoch milliseconds (--json).
 */

import type { Schedule } from '../task/schedule.ts'
import { localFields } from '../task/zone.ts'

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
] as const

/** '3h 12m', '250ms': the two largest units. */
export function lengthText(ms: number): string {
  const whole = Math.round(Math.abs(ms))
  if (whole < 1000) return `${whole}ms`
  const first = UNITS.findIndex(([, unit]) => whole >= unit)
  let rest = whole
  const parts: string[] = []
  for (const [name, unit] of UNITS.slice(first, first + 2)) {
    const count = Math.floor(rest / unit)
    rest -= count * unit
    if (count > 0) parts.push(`${count}${name}`)
  }
  return parts.join(' ')
}

/** 'in 3h 12m', '5s ago', 'now'. */
export function relativeText(at: number, now: number): string {
  const ms = at - now
  if (Math.abs(ms) < 1000) return 'now'
  return ms > 0 ? `in ${lengthText(ms)}` : `${lengthText(ms)} ago`
}

/** '2026-11-28 09:00:00', the wall clock of the zone. */
export function wallText(at: number, zone: string): string {
  if (!Number.isFinite(at)) return '-'
  const { year, month, day, hour, minute, second } = localFields(zone, Math.floor(at))
  return `${pad(year, 4)}-${pad(month)}-${pad(day)} ${pad(hour)}:${pad(minute)}:${pad(second)}`
}

/** '09:00:00' of the zone. */
export function clockText(at: number, zone: string): string {
  return wallText(at, zone).slice(11)
}

/** '2026-11-28T08:00:00Z', with milliseconds where there are some. */
export function utcText(at: number): string {
  return new Date(at).toISOString().replace('.000Z', 'Z')
}

/** 'in 3h 12m (2026-11-28 09:00:00)'. */
export function instantText(at: number | null, now: number, zone: string): string {
  return at === null ? '-' : `${relativeText(at, now)} (${wallText(at, zone)})`
}

/** A schedule as its user would write it. */
export function scheduleText(schedule: Schedule, zone: string): string {
  if (schedule.kind === 'at') return `once at ${wallText(schedule.at, zone)}`
  const base =
    schedule.kind === 'cron'
      ? `cron ${schedule.pattern}${schedule.tz === 'UTC' ? '' : ` (${schedule.tz})`}`
      : `every ${exactLength(schedule.everyMs)}${schedule.from === 'completion' ? ' after each end' : ''}`
  return `${base}${schedule.jitterMs === undefined ? '' : `, up to ${exactLength(schedule.jitterMs)} later`}`
}

/** '1h30m', nothing left out: as --every takes it. */
export function exactLength(ms: number): string {
  let rest = Math.round(ms)
  let text = ''
  for (const [name, unit] of UNITS) {
    const count = Math.floor(rest / unit)
    rest -= count * unit
    if (count > 0) text += `${count}${name}`
  }
  return rest > 0 || text === '' ? `${text}${rest}ms` : text
}

function pad(value: number, digits = 2): string {
  return String(value).padStart(digits, '0')
}
