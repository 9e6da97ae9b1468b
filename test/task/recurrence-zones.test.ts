/**
 * Zones, every change of their offset from 1970 to 2037, the hours around each: recurrence against the minute
 * stepper. Each fourth zone of the list is looked at here, all by `npm run soak -- zones`. Zones with the same rules are
 * looked at once; of zones that share a change (most of Europe) the walk through it is made once, and each is held
 * against it.
 */

import { expect, test } from 'vitest'
import { recurrenceOf } from '../../src/task/recurrence.ts'
import { zoneOf } from '../../src/task/zone.ts'
import {
  judge,
  type OffsetReader,
  offsetReader,
  type Policy,
  type Transition,
  transitionsOf,
  walk,
} from './minute-stepper.ts'

const HOUR_MS = 3_600_000
const FROM = 0
const TO = Date.UTC(2038, 0)
/** Cases for each change, of the 13 patterns by 12 policies; neighbours get others, all come up. */
const CASES = 2
/** One of so many zones of the list. */
const EACH = process.env.CARILLON_TEST_ZONES === 'all' ? 1 : 4

const gaps = ['auto', 'skip', 'shift'] as const
const overlaps = ['auto', 'first', 'second', 'both'] as const

interface Zone {
  readonly tz: string
  readonly offsetAt: OffsetReader
  readonly transitions: readonly Transition[]
}

/** Half an hour of summer time; a day left out; offsets of seconds; Ramadan; a change each few years. */
const ODD = ['Australia/Lord_Howe', 'Pacific/Apia', 'Africa/Monrovia', 'Africa/Casablanca', 'Europe/Dublin']

let known: readonly Zone[] | undefined

test('the table of each zone has every change of its offset', { timeout: 180_000 }, () => {
  const zones = distinctZones()
  expect(zones.length).toBeGreaterThan(200 / EACH)
  for (const { tz, transitions } of zones) expect([tz, tableOf(tz)]).toEqual([tz, transitions])
})

test('fires as the minute stepper says around each change of each zone', { timeout: 180_000 }, () => {
  const zones = distinctZones()
  const shared = new Map<string, Zone[]>()
  for (const zone of zones) {
    for (const { at, before, after } of zone.transitions) {
      const key = `${at} ${before} ${after}`
      const list = shared.get(key)
      if (list === undefined) shared.set(key, [zone])
      else list.push(zone)
    }
  }
  let compared = 0
  let fired = 0
  let turn = 0
  for (const [key, sharing] of shared) {
    const [at = 0, before = 0, after = 0] = key.split(' ').map(Number)
    const length = Math.abs(after - before)
    const from = at - 3 * HOUR_MS - length
    const to = at + 3 * HOUR_MS + length
    const first = sharing[0]
    if (first === undefined) continue
    const [walkFrom, walkTo] = [from - length - HOUR_MS, to + length + HOUR_MS]
    const walked = walk(first.offsetAt, walkFrom, walkTo)
    for (const zone of sharing) {
      expect([zone.offsetAt(walkFrom), zone.offsetAt(walkTo)]).toEqual([before, after])
      expect(zone.transitions.filter(other => other.at >= walkFrom && other.at <= walkTo)).toHaveLength(1)
    }
    const patterns = patternsFor(at, before, after)
    for (let i = 0; i < CASES; i++, turn++) {
      const pattern = patterns[turn % patterns.length] ?? ''
      const dst: Policy = { gap: gaps[turn % 3] ?? 'auto', overlap: overlaps[turn % 4] ?? 'auto' }
      const expected = judge(walked, pattern, dst, from, to)
      for (const { tz } of sharing) {
        const got = fires(pattern, tz, dst, from, to)
        compared++
        fired += got.length
        if (got.join() !== expected.join()) {
          const name = `${tz} '${pattern}' ${JSON.stringify(dst)} around ${new Date(at).toISOString()}`
          expect([name, iso(got)]).toEqual([name, iso(expected)])
        }
      }
    }
  }
  console.info(`${zones.length} zones, ${shared.size} changes, ${compared} comparisons, ${fired} occurrences`)
  expect(shared.size).toBeGreaterThan(4000 / EACH)
  expect(fired).toBeGreaterThan(compared)
})

test('fires as the minute stepper says to the second, in zones of every kind', { timeout: 60_000 }, () => {
  const nights: [string, string][] = [
    ['Europe/Berlin', '2024-03-31T01:00Z'],
    ['America/New_York', '2024-11-03T06:00Z'],
    ['Australia/Lord_Howe', '2024-04-06T15:00Z'],
    ['Africa/Monrovia', '1972-01-07T00:44:30Z'],
  ]
  for (const [tz, night] of nights) {
    const at = Date.parse(night)
    const [from, to] = [at - 2 * HOUR_MS, at + 2 * HOUR_MS]
    const walked = walk(offsetReader(tz), from - 2 * HOUR_MS, to + 2 * HOUR_MS, 1000)
    expect(
      walked.missing.size + [...walked.instants.values()].filter(list => list.length > 1).length,
    ).toBeGreaterThan(0)
    for (const pattern of [
      '* * * * * *',
      '*/7 */13 * * * *',
      '59 59 1-2 * * *',
      '13,30 0/20 0,1,2,3 * * ?',
    ]) {
      for (const gap of gaps) {
        for (const overlap of overlaps) {
          const dst = { gap, overlap }
          expect(fires(pattern, tz, dst, from, to)).toEqual(judge(walked, pattern, dst, from, to))
        }
      }
    }
  }
})

test('fires as the minute stepper says beyond 2037', { timeout: 60_000 }, () => {
  for (const tz of ['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'America/Santiago']) {
    const offsetAt = offsetReader(tz)
    const changes = transitionsOf(offsetAt, Date.UTC(2070, 0), Date.UTC(2074, 0))
    expect(changes.length).toBeGreaterThan(6)
    for (const { at, before, after } of changes) {
      const [from, to] = [at - 4 * HOUR_MS, at + 4 * HOUR_MS]
      const walked = walk(offsetAt, from - 2 * HOUR_MS, to + 2 * HOUR_MS)
      for (const pattern of patternsFor(at, before, after)) {
        const dst = { gap: 'auto', overlap: 'auto' } as const
        expect(iso(fires(pattern, tz, dst, from, to))).toEqual(iso(judge(walked, pattern, dst, from, to)))
      }
    }
  }
})

/** Zones with different rules since 1970. */
function distinctZones(): readonly Zone[] {
  if (known !== undefined) return known
  const seen = new Map<string, Zone>()
  const names = Intl.supportedValuesOf('timeZone').filter((_, number) => number % EACH === 0)
  for (const tz of new Set([...names, ...ODD, 'UTC'])) {
    const offsetAt = offsetReader(tz)
    const transitions = transitionsOf(offsetAt, FROM, TO)
    const rules = JSON.stringify([offsetAt(FROM), transitions])
    if (!seen.has(rules)) seen.set(rules, { tz, offsetAt, transitions })
  }
  known = [...seen.values()]
  return known
}

function tableOf(tz: string): Transition[] {
  const found: Transition[] = []
  for (let at = FROM; at < TO; ) {
    const segment = zoneOf(tz).segmentAt(at)
    if (segment.end <= TO && segment.offsetAfter !== segment.offset) {
      found.push({ at: segment.end, before: segment.offset, after: segment.offsetAfter })
    }
    at = segment.end
  }
  return found
}

/** Patterns at and around the local times that the change takes or repeats. */
function patternsFor(at: number, before: number, after: number): string[] {
  const edge = new Date(at + Math.min(before, after))
  const [h, m] = [edge.getUTCHours(), edge.getUTCMinutes()]
  const [day, month, weekday] = [edge.getUTCDate(), edge.getUTCMonth() + 1, edge.getUTCDay()]
  const later = (h + 1) % 24
  return [
    `${m} ${h} * * *`,
    '* * * * *',
    `*/15 ${h},${later} * * *`,
    '*/20 * * * *',
    '0 */2 * * *',
    `30 ${h} ${day} ${month} *`,
    `5,35 ${later},${h} L,${day} * *`,
    `7-50/9 * * * ${weekday}`,
    `${(m + 20) % 60} ${h} * * ${weekday}#${Math.ceil(day / 7)}`,
    `10 ${later} * * ${weekday}L`,
    `* ${h} * * *`,
    '0 0 * * *',
    '0/30 0-23 * * *',
  ]
}

function fires(pattern: string, tz: string, dst: Policy, from: number, to: number): number[] {
  const recurrence = recurrenceOf({ kind: 'cron', pattern, tz, dst }, 'id')
  const found: number[] = []
  for (let at = recurrence.next(from - 1); at !== undefined && at <= to; at = recurrence.next(at))
    found.push(at)
  return found
}

function iso(instants: readonly number[]): string[] {
  return instants.map(at => new Date(at).toISOString())
}
