import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type CatchUp, catchUp, MISSED_COUNT_MAX } from '../../src/schedule/misfire.ts'
import type { MisfirePolicy } from '../../src/task/policy.ts'
import { NEVER } from '../../src/task/record.ts'
import { type Recurrence, recurrenceOf } from '../../src/task/recurrence.ts'
import type { CronSchedule, EverySchedule } from '../../src/task/schedule.ts'
import { runs } from '../support/tasks.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const NOON = Date.UTC(2025, 0, 1, 12)

const policy = (kind: MisfirePolicy['kind'], max = 100): MisfirePolicy => ({ kind, max, afterMs: 60_000 })

const every = (everyMs: number, limits: Partial<EverySchedule> = {}): Recurrence =>
  recurrenceOf({ kind: 'every', everyMs, from: 'phase', anchor: 0, ...limits }, 'task')

const cron = (pattern: string, limits: Partial<CronSchedule> = {}): Recurrence =>
  recurrenceOf({ kind: 'cron', pattern, tz: 'UTC', dst: { gap: 'auto', overlap: 'auto' }, ...limits }, 'task')

/** The same by brute force: all instants that passed, one by one. */
function byForce(recurrence: Recurrence, next: number, now: number, { kind, max }: MisfirePolicy): CatchUp {
  const passed = [next]
  let at = recurrence.next(next)
  for (; at !== undefined && at <= now; at = recurrence.next(at)) passed.push(at)
  const run = kind === 'skip' ? [] : passed.slice(kind === 'all' ? -Math.max(1, max) : -1)
  return { run, missed: passed.length - run.length, lastAt: passed.at(-1) as number, next: at ?? NEVER }
}

const POLICIES = [policy('once'), policy('all', 1), policy('all', 3), policy('all', 1000), policy('skip')]

describe('catchUp', () => {
  test.each<[MisfirePolicy['kind'], number, CatchUp]>([
    ['once', 100, { run: [NOON], missed: 3, lastAt: NOON, next: NOON + HOUR }],
    [
      'all',
      100,
      {
        run: [9, 10, 11, 12].map(hour => NOON + (hour - 12) * HOUR),
        missed: 0,
        lastAt: NOON,
        next: NOON + HOUR,
      },
    ],
    ['all', 2, { run: [NOON - HOUR, NOON], missed: 2, lastAt: NOON, next: NOON + HOUR }],
    ['skip', 100, { run: [], missed: 4, lastAt: NOON, next: NOON + HOUR }],
  ])('of the hours from 9 to 12, at 12:30, with %s (at most %d)', (kind, max, expected) => {
    expect(catchUp(every(HOUR), NOON - 3 * HOUR, NOON + HOUR / 2, policy(kind, max))).toEqual(expected)
  })

  test('an instant that comes just now has passed', () => {
    const { run, next } = catchUp(every(HOUR), NOON - HOUR, NOON, policy('once'))
    expect([run, next]).toEqual([[NOON], NOON + HOUR])
  })

  test('a single late instant is caught up with, by any policy that catches up', () => {
    for (const kind of ['once', 'all'] as const) {
      expect(catchUp(every(DAY), NOON, NOON + HOUR, policy(kind))).toMatchObject({ run: [NOON], missed: 0 })
    }
    expect(catchUp(every(DAY), NOON, NOON + HOUR, policy('skip'))).toMatchObject({ run: [], missed: 1 })
  })

  test('the first instant need not be one of the schedule: it is the stored one that counts', () => {
    const stored = NOON + 17
    expect(catchUp(every(DAY), stored, NOON + HOUR, policy('all'))).toMatchObject({
      run: [stored],
      lastAt: stored,
    })
  })

  test('after the end of the schedule nothing follows', () => {
    const ended = every(HOUR, { end: NOON })
    expect(catchUp(ended, NOON - HOUR, NOON + 9 * HOUR, policy('all'))).toEqual({
      run: [NOON - HOUR, NOON],
      missed: 0,
      lastAt: NOON,
      next: NEVER,
    })
  })

  test('is what one gets instant by instant, for any schedule, policy and time away', () => {
    const schedules = [
      every(1000),
      every(59_999),
      every(HOUR, { jitterMs: 40_000 }),
      every(7 * DAY, { anchor: NOON }),
      every(250, { end: NOON + 3000 }),
      cron('*/5 9-17 * * 1-5'),
      cron('0 0 29 2 *'),
      cron('30 2 * * *', { tz: 'Europe/Berlin' }),
      cron('0 12 * * *', { end: NOON + 20 * DAY }),
    ]
    fc.assert(
      fc.property(
        fc.constantFrom(...schedules),
        fc.integer({ min: NOON - 400 * DAY, max: NOON }),
        fc.oneof(fc.nat(2000), fc.nat(400_000), fc.nat(2 * DAY)),
        fc.constantFrom(...POLICIES),
        (recurrence, from, away, kind) => {
          const next = recurrence.next(from)
          if (next === undefined) return
          const now = next + away
          const plan = catchUp(recurrence, next, now, kind)
          const expected = byForce(recurrence, next, now, kind)
          // Not all are counted.
          const passed = Math.min(MISSED_COUNT_MAX, expected.missed + expected.run.length)
          expect(plan).toEqual({ ...expected, missed: passed - expected.run.length })
        },
      ),
      runs(150),
    )
  })

  test('decides by the record and the clock alone: the same again, and part by part', () => {
    const recurrence = every(60_000, { jitterMs: 30_000 })
    const first = recurrence.next(NOON) as number
    const whole = catchUp(recurrence, first, NOON + DAY, policy('once'))
    expect(catchUp(recurrence, first, NOON + DAY, policy('once'))).toEqual(whole)
    const half = catchUp(recurrence, first, NOON + DAY / 2, policy('once'))
    const rest = catchUp(recurrence, half.next, NOON + DAY, policy('once'))
    expect([rest.lastAt, rest.next]).toEqual([whole.lastAt, whole.next])
    expect(half.missed + rest.missed + half.run.length).toBe(whole.missed)
  })

  test('needs few steps after years away, and counts no further than it has to', () => {
    let steps = 0
    const inner = every(1000)
    const counting: Recurrence = {
      next: after => {
        steps++
        return inner.next(after)
      },
    }
    const plan = catchUp(counting, NOON - 20 * 366 * DAY, NOON, policy('all', 1000))
    expect(plan.run).toHaveLength(1000)
    expect(plan.run[0]).toBe(NOON - 999_000)
    expect(plan.missed).toBe(MISSED_COUNT_MAX - 1000)
    expect(plan).toMatchObject({ lastAt: NOON, next: NOON + 1000 })
    expect(steps).toBeLessThan(20_000)
  })

  test('finds the latest of a rare schedule after years away', () => {
    const leap = cron('0 0 29 2 *')
    const plan = catchUp(leap, Date.UTC(2004, 1, 29), Date.UTC(2025, 0, 1), policy('all', 2))
    expect(plan).toEqual({
      run: [Date.UTC(2020, 1, 29), Date.UTC(2024, 1, 29)],
      missed: 4,
      lastAt: Date.UTC(2024, 1, 29),
      next: Date.UTC(2028, 1, 29),
    })
  })
})
