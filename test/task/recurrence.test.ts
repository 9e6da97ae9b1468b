import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CarillonError } from '../../src/errors.ts'
import { type OccurrenceSpec, occurrences, recurrenceOf, stableJitter } from '../../src/task/recurrence.ts'
import type { CronSchedule, EverySchedule } from '../../src/task/schedule.ts'
import { checkZone, instantOfLocal, localFields } from '../../src/task/zone.ts'

const auto = { gap: 'auto', overlap: 'auto' } as const

function list(schedule: OccurrenceSpec, from: string, count: number): string[] {
  return occurrences(schedule, { from: new Date(from), count }).map(at => short(at))
}

function short(at: number): string {
  return new Date(at).toISOString().replace(':00.000Z', 'Z').replace('.000Z', 'Z')
}

function thrown(action: () => unknown): CarillonError {
  try {
    action()
  } catch (error) {
    if (error instanceof CarillonError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

/** The night of a DST change: what a pattern does under each policy. */
test.each<[string, string, string, string, Partial<CronSchedule['dst']>, string[]]>([
  [
    'a daily time in the gap is an hour later',
    'Europe/Berlin',
    '30 2 * * *',
    '2024-03-30T12:00Z',
    {},
    ['2024-03-31T01:30Z', '2024-04-01T00:30Z'],
  ],
  [
    'the gap skips it if asked',
    'Europe/Berlin',
    '30 2 * * *',
    '2024-03-30T12:00Z',
    { gap: 'skip' },
    ['2024-04-01T00:30Z'],
  ],
  [
    'an hourly pattern has no extra run in the gap',
    'Europe/Berlin',
    '30 * * * *',
    '2024-03-31T00:00Z',
    {},
    ['2024-03-31T00:30Z', '2024-03-31T01:30Z'],
  ],
  [
    'every second hour skips the hour that is missing',
    'Europe/Berlin',
    '0 */2 * * *',
    '2024-03-30T22:30Z',
    {},
    ['2024-03-30T23:00Z', '2024-03-31T02:00Z'],
  ],
  [
    'shifted and own times of an hour merge',
    'Europe/Berlin',
    '0,40 2,3 * * *',
    '2024-03-31T00:00Z',
    {},
    ['2024-03-31T01:00Z', '2024-03-31T01:40Z', '2024-04-01T00:00Z'],
  ],
  [
    'shifted times stand between own ones in order',
    'Europe/Berlin',
    '15 3 * * *',
    '2024-03-31T00:00Z',
    { gap: 'shift' },
    ['2024-03-31T01:15Z', '2024-04-01T01:15Z'],
  ],
  [
    'a daily time that comes twice fires at the first',
    'Europe/Berlin',
    '30 2 * * *',
    '2024-10-26T12:00Z',
    {},
    ['2024-10-27T00:30Z', '2024-10-28T01:30Z'],
  ],
  [
    'or at the second',
    'Europe/Berlin',
    '30 2 * * *',
    '2024-10-26T12:00Z',
    { overlap: 'second' },
    ['2024-10-27T01:30Z', '2024-10-28T01:30Z'],
  ],
  [
    'or at both',
    'Europe/Berlin',
    '30 2 * * *',
    '2024-10-26T12:00Z',
    { overlap: 'both' },
    ['2024-10-27T00:30Z', '2024-10-27T01:30Z', '2024-10-28T01:30Z'],
  ],
  [
    'an hourly pattern keeps its pace through the overlap',
    'Europe/Berlin',
    '30 * * * *',
    '2024-10-26T23:00Z',
    {},
    ['2024-10-26T23:30Z', '2024-10-27T00:30Z', '2024-10-27T01:30Z', '2024-10-27T02:30Z'],
  ],
  [
    'all local minutes of a fixed hour come before those of its repetition',
    'Europe/Berlin',
    '0,30 2 * * *',
    '2024-10-26T12:00Z',
    { overlap: 'both' },
    ['2024-10-27T00:00Z', '2024-10-27T00:30Z', '2024-10-27T01:00Z', '2024-10-27T01:30Z'],
  ],
  [
    'New York, gap',
    'America/New_York',
    '30 2 * * *',
    '2024-03-10T00:00Z',
    {},
    ['2024-03-10T07:30Z', '2024-03-11T06:30Z'],
  ],
  [
    'New York, overlap',
    'America/New_York',
    '30 1 * * *',
    '2024-11-02T12:00Z',
    {},
    ['2024-11-03T05:30Z', '2024-11-04T06:30Z'],
  ],
  [
    'New York, overlap, second',
    'America/New_York',
    '30 1 * * *',
    '2024-11-02T12:00Z',
    { overlap: 'second' },
    ['2024-11-03T06:30Z', '2024-11-04T06:30Z'],
  ],
  [
    'Lord Howe, a gap of half an hour',
    'Australia/Lord_Howe',
    '15 2 * * *',
    '2024-10-05T00:00Z',
    {},
    ['2024-10-05T15:45Z', '2024-10-06T15:15Z'],
  ],
  [
    'Lord Howe, after the gap',
    'Australia/Lord_Howe',
    '45 2 * * *',
    '2024-10-05T00:00Z',
    {},
    ['2024-10-05T15:45Z', '2024-10-06T15:45Z'],
  ],
  [
    'Lord Howe, an overlap of half an hour',
    'Australia/Lord_Howe',
    '45 1 * * *',
    '2024-04-06T00:00Z',
    { overlap: 'both' },
    ['2024-04-06T14:45Z', '2024-04-06T15:15Z', '2024-04-07T15:15Z'],
  ],
  [
    'Lord Howe, each half hour',
    'Australia/Lord_Howe',
    '*/30 * * * *',
    '2024-10-05T14:50Z',
    {},
    ['2024-10-05T15:00Z', '2024-10-05T15:30Z', '2024-10-05T16:00Z'],
  ],
  [
    'Apia, the day that was skipped falls together with the next',
    'Pacific/Apia',
    '0 9 * * *',
    '2011-12-28T20:00Z',
    {},
    ['2011-12-29T19:00Z', '2011-12-30T19:00Z', '2011-12-31T19:00Z'],
  ],
  [
    'Apia, a date that did not exist is a day later',
    'Pacific/Apia',
    '0 9 30 12 *',
    '2011-12-28T20:00Z',
    {},
    ['2011-12-30T19:00Z', '2012-12-29T19:00Z'],
  ],
  [
    'Apia, a date that did not exist, skipped',
    'Pacific/Apia',
    '0 9 30 12 *',
    '2011-12-28T20:00Z',
    { gap: 'skip' },
    ['2012-12-29T19:00Z'],
  ],
  [
    'Kwajalein, likewise',
    'Pacific/Kwajalein',
    '30 12 21 8 *',
    '1993-08-20T00:00Z',
    {},
    ['1993-08-22T00:30Z', '1994-08-21T00:30Z'],
  ],
  [
    'Monrovia, a gap of 44 minutes and a half',
    'Africa/Monrovia',
    '10 0 * * *',
    '1972-01-06T12:00Z',
    {},
    ['1972-01-07T00:54:30Z', '1972-01-08T00:10Z'],
  ],
  [
    'seconds in the gap',
    'Europe/Berlin',
    '59 59 2 * * *',
    '2024-03-30T12:00Z',
    {},
    ['2024-03-31T01:59:59Z', '2024-04-01T00:59:59Z'],
  ],
])('%s', (_what, tz, cron, from, dst, expected) => {
  expect(list({ cron, tz, dst }, from, expected.length)).toEqual(expected)
})

test('midnight that does not exist fires at one', () => {
  // Sao Paulo changed at midnight.
  expect(list({ cron: '@daily', tz: 'America/Sao_Paulo' }, '2018-11-03T12:00Z', 2)).toEqual([
    '2018-11-04T03:00Z',
    '2018-11-05T02:00Z',
  ])
})

test('is strictly after the instant asked from, and in order, from anywhere', () => {
  const patterns = ['*/7 * * * *', '30 2 * * *', '0,15 1-3 * * *', '*/50 */5 * * * *']
  fc.assert(
    fc.property(
      fc.constantFrom(...patterns),
      fc.constantFrom('Europe/Berlin', 'Australia/Lord_Howe', 'Pacific/Apia', 'America/New_York'),
      fc.constantFrom('skip' as const, 'shift' as const),
      fc.constantFrom('first' as const, 'second' as const, 'both' as const),
      fc.integer({ min: Date.UTC(2011, 11, 20), max: Date.UTC(2013, 0) }),
      (cron, tz, gap, overlap, from) => {
        const found = occurrences({ cron, tz, dst: { gap, overlap } }, { from, count: 20 })
        for (const [i, at] of found.entries()) expect(at).toBeGreaterThan(found[i - 1] ?? from)
        // Asked again from the middle, or from between two, the rest is the same.
        const middle = found[9] ?? 0
        expect(occurrences({ cron, tz, dst: { gap, overlap } }, { from: middle, count: 10 })).toEqual(
          found.slice(10),
        )
        expect(occurrences({ cron, tz, dst: { gap, overlap } }, { from: middle - 0.5, count: 1 })).toEqual([
          middle,
        ])
      },
    ),
    { numRuns: 400, seed: 3 },
  )
})

test('a pattern whose every time is skipped has no occurrence, and the search for it ends', () => {
  const before = performance.now()
  expect(
    list({ cron: '30 2 * 3 0L', tz: 'Europe/Berlin', dst: { gap: 'skip' } }, '2024-01-01T00:00Z', 1),
  ).toEqual([])
  expect(performance.now() - before).toBeLessThan(1000)
})

test('start, end and max bound a cron schedule', () => {
  const cron = '0 12 * * *'
  const start = Date.UTC(2024, 0, 10, 12)
  const end = Date.UTC(2024, 0, 13, 12)
  expect(list({ cron, start, end }, '2024-01-01T00:00Z', 9)).toEqual([
    '2024-01-10T12:00Z',
    '2024-01-11T12:00Z',
    '2024-01-12T12:00Z',
    '2024-01-13T12:00Z',
  ])
  expect(list({ cron, start: new Date(start), max: 3 }, '2024-01-11T12:00Z', 9)).toEqual([
    '2024-01-12T12:00Z',
  ])
  expect(list({ cron, start, max: 3 }, '2024-02-01T00:00Z', 9)).toEqual([])
  expect(list({ cron, max: 2 }, '2024-01-01T00:00Z', 9)).toHaveLength(2)
  expect(list({ cron, end }, '2024-01-13T12:00Z', 9)).toEqual([])
  const counted = () => list({ cron: '* * * * * *', start: 0, max: 2e6 }, '2024-01-01T00:00Z', 1)
  expect(thrown(counted).message).toMatch(/max is 2000000/)
})

test('every keeps its phase', () => {
  expect(list({ every: '1h30m' }, '2024-01-01T00:00Z', 3)).toEqual([
    '2024-01-01T01:30Z',
    '2024-01-01T03:00Z',
    '2024-01-01T04:30Z',
  ])
  const anchor = Date.UTC(2024, 0, 1, 0, 7)
  expect(list({ every: 'PT10M', anchor }, '2024-01-01T03:00Z', 2)).toEqual([
    '2024-01-01T03:07Z',
    '2024-01-01T03:17Z',
  ])
  expect(list({ every: 600_000, anchor }, '2024-01-01T03:07Z', 1)).toEqual(['2024-01-01T03:17Z'])
  expect(list({ every: 600_000, anchor }, '2023-12-31T23:00Z', 1)).toEqual(['2023-12-31T23:07Z'])
})

test('start, end and max bound an interval', () => {
  const start = Date.UTC(2024, 0, 1, 0, 7)
  const end = Date.UTC(2024, 0, 1, 0, 30)
  expect(list({ every: '10m', start, end }, '2023-01-01T00:00Z', 9)).toEqual([
    '2024-01-01T00:07Z',
    '2024-01-01T00:17Z',
    '2024-01-01T00:27Z',
  ])
  expect(list({ every: '10m', start, max: 4 }, '2024-01-01T00:20Z', 9)).toEqual([
    '2024-01-01T00:27Z',
    '2024-01-01T00:37Z',
  ])
  expect(list({ every: '10m', start, max: 1e9 }, '2024-01-01T00:20Z', 1)).toEqual(['2024-01-01T00:27Z'])
  expect(list({ every: '10m', start, max: 4 }, '2025-01-01T00:20Z', 9)).toEqual([])
})

test('every after completion counts from the end of the run, not before start and not after end', () => {
  const schedule: EverySchedule = {
    kind: 'every',
    everyMs: 1000,
    from: 'completion',
    anchor: 0,
    start: 5000,
    end: 9000,
  }
  const { next } = recurrenceOf(schedule, 'a')
  expect(next(6123)).toBe(7123)
  expect(next(0)).toBe(5000)
  expect(next(8000)).toBe(9000)
  expect(next(8001)).toBeUndefined()
})

test('jitter delays each occurrence of a task by the same, and tasks by different spans', () => {
  const cron: CronSchedule = {
    kind: 'cron',
    pattern: '*/10 * * * *',
    tz: 'UTC',
    dst: auto,
    jitterMs: 1_500_000,
  }
  const every: EverySchedule = { kind: 'every', everyMs: 1000, from: 'phase', anchor: 0, jitterMs: 5000 }
  for (const schedule of [cron, every]) {
    const { jitterMs: _none, ...plain } = schedule
    for (const id of ['a', 'task-1', 'task-2', 'é']) {
      const jitter = stableJitter(id, schedule.jitterMs ?? 0)
      const jittered = recurrenceOf(schedule, id)
      const base = recurrenceOf(plain, id)
      let at: number | undefined = 0
      let expected: number | undefined = -jitter
      for (let i = 0; i < 50; i++) {
        at = jittered.next(at ?? 0)
        expected = base.next(expected ?? 0)
        expect(at).toBe((expected ?? 0) + jitter)
      }
    }
  }
  const bounded = recurrenceOf({ ...every, start: 10_000, end: 11_000 }, 'a')
  const jitter = stableJitter('a', 5000)
  expect([bounded.next(0), bounded.next(10_000 + jitter), bounded.next(11_000 + jitter)]).toEqual([
    10_000 + jitter,
    11_000 + jitter,
    undefined,
  ])
})

test('jitter spreads like ids evenly', () => {
  const tenths = new Array(10).fill(0)
  for (let i = 0; i < 10_000; i++) {
    const jitter = stableJitter(`report-${i}`, 60_000)
    expect(jitter).toBeLessThan(60_000)
    tenths[Math.floor(jitter / 6000)]++
  }
  for (const count of tenths) expect(Math.abs(count - 1000)).toBeLessThan(150)
  expect(stableJitter('a', 0)).toBe(0)
  expect(stableJitter('x', 1)).toBe(0)
  // Part of what is stored: a new version must not move the runs of old tasks.
  expect(stableJitter('report', 60_000)).toBe(28975)
})

test.each<[string, unknown, unknown, string]>([
  ['a count of 0', { cron: '* * * * *' }, { from: 0, count: 0 }, 'count'],
  ['a count too high', { cron: '* * * * *' }, { from: 0, count: 10_001 }, 'count'],
  ['a count that is no whole number', { cron: '* * * * *' }, { from: 0, count: 1.5 }, 'count'],
  ['no instant to look from', { cron: '* * * * *' }, { from: Number.NaN, count: 1 }, 'from'],
  ['a date that is none', { cron: '* * * * *' }, { from: new Date('x'), count: 1 }, 'from'],
  ['a pattern', { cron: '* * * *' }, { from: 0, count: 1 }, 'cron'],
  ['a zone', { cron: '* * * * *', tz: 'Mars/Base' }, { from: 0, count: 1 }, 'tz'],
  ['a gap policy', { cron: '* * * * *', dst: { gap: 'both' } }, { from: 0, count: 1 }, 'dst.gap'],
  [
    'an overlap policy',
    { cron: '* * * * *', dst: { overlap: 'skip' } },
    { from: 0, count: 1 },
    'dst.overlap',
  ],
  ['a max of 0', { cron: '* * * * *', max: 0 }, { from: 0, count: 1 }, 'max'],
  [
    'a start that is none',
    { cron: '* * * * *', start: Number.POSITIVE_INFINITY },
    { from: 0, count: 1 },
    'start',
  ],
  ['an interval of 0', { every: 0 }, { from: 0, count: 1 }, 'every'],
  ['an interval that is none', { every: 'soon' }, { from: 0, count: 1 }, 'every'],
  ['a month as an interval', { every: 'P1M' }, { from: 0, count: 1 }, 'every'],
  ['what fires once', { after: '5m' }, { from: 0, count: 1 }, 'every'],
  ['no schedule', undefined, { from: 0, count: 1 }, 'schedule'],
])('refuses %s, naming the field', (_what, spec, options, field) => {
  const error = thrown(() => occurrences(spec as OccurrenceSpec, options as { from: number; count: number }))
  expect([error.code, error.field]).toEqual(['INVALID', field])
})

test('ends with the year 9999', () => {
  expect(list({ cron: '0 0 31 12 *', tz: 'Europe/Berlin' }, '9998-01-01T00:00Z', 5)).toHaveLength(2)
})

test('a zone is a name that says its rules', () => {
  for (const tz of ['UTC', 'Europe/Berlin', 'America/Argentina/Ushuaia', 'Etc/GMT+5', 'EST', 'Asia/Calcutta'])
    checkZone(tz)
  const refused = (tz: unknown) => thrown(() => checkZone(tz as string)).message
  expect(refused('berlin')).toContain("'Europe/Berlin'")
  expect(refused('new york')).toContain("'America/New_York'")
  expect(refused('+02:00')).toContain('an offset has no rules')
  expect(refused('UTC+2')).toContain('an offset has no rules')
  expect(refused('BST')).toContain("like 'Europe/Berlin'")
  expect(refused('')).toContain("tz ''")
  expect(refused('x'.repeat(500)).length).toBeLessThan(200)
  expect(refused(undefined)).toContain('undefined')
  expect(thrown(() => checkZone('Mars/Base')).field).toBe('tz')
})

test.each<[string, string, [number, number, number, number, number], string]>([
  ['an ordinary time', 'Europe/Berlin', [2024, 6, 1, 12, 0], '2024-06-01T10:00Z'],
  ['a time in a gap, an hour later', 'Europe/Berlin', [2024, 3, 31, 2, 30], '2024-03-31T01:30Z'],
  ['the end of a gap', 'Europe/Berlin', [2024, 3, 31, 3, 0], '2024-03-31T01:00Z'],
  ['a time that comes twice, at the first', 'Europe/Berlin', [2024, 10, 27, 2, 30], '2024-10-27T00:30Z'],
  ['the first time after an overlap', 'Europe/Berlin', [2024, 10, 27, 3, 0], '2024-10-27T02:00Z'],
  ['a day that did not exist', 'Pacific/Apia', [2011, 12, 30, 9, 0], '2011-12-30T19:00Z'],
  ['a time far from UTC', 'Pacific/Kiritimati', [2024, 1, 1, 0, 0], '2023-12-31T10:00Z'],
  ['an offset with seconds', 'Africa/Monrovia', [1970, 1, 1, 0, 0], '1970-01-01T00:44:30Z'],
  ['a local mean time', 'Europe/Berlin', [1880, 1, 1, 0, 0], '1879-12-31T23:06:32Z'],
  ['a time far ahead', 'Europe/Berlin', [2190, 7, 1, 0, 0], '2190-06-30T22:00Z'],
])('finds the instant of %s', (_what, tz, [year, month, day, hour, minute], expected) => {
  expect(short(instantOfLocal(tz, year, month, day, hour, minute, 0, 0))).toBe(expected)
})

test('the fields of an instant lead back to it', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('Europe/Berlin', 'Pacific/Apia', 'America/St_Johns', 'UTC', 'Australia/Lord_Howe'),
      fc.integer({ min: -3e12, max: 8e12 }),
      (tz, at) => {
        const { year, month, day, hour, minute, second, ms, weekday } = localFields(tz, at)
        const local = Date.UTC(year, month - 1, day, hour, minute, second, ms)
        expect(new Date(local).getUTCDay()).toBe(weekday)
        // In the second pass of an overlap the same reading means the first.
        const back = instantOfLocal(tz, year, month, day, hour, minute, second, ms)
        expect([at, at - 3_600_000, at - 1_800_000, at - 86_400_000]).toContain(back)
      },
    ),
    { numRuns: 500, seed: 5 },
  )
})
