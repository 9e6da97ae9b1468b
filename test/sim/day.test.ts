/**
 * A day of a node in virtual time, from Friday evening to Saturday evening: every schedule fires exactly at its
 * instants, as the minute stepper says, which shares nothing with src.
 */

import { describe, expect, test } from 'vitest'
import { DEFAULT_OPTIONS, type EngineOptions } from '../../src/config.ts'
import type { TaskOptions } from '../../src/task/options.ts'
import { BEGAN_AT, Bed } from '../engine/bed.ts'
import { judge, offsetReader, walk } from '../task/minute-stepper.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const MINUTE_MS = 60_000
/** On no instant of any of the schedules. */
const FROM = Date.UTC(2025, 0, 3, 18, 0, 30, 250)
const TO = FROM + DAY_MS
const LATE_MS_MAX = 2

const AUTO = { gap: 'auto', overlap: 'auto' } as const

const { store } = DEFAULT_OPTIONS
/** Few ranges: the horizon of each is moved each second. */
const IN_MEMORY: Partial<EngineOptions> = { store: { ...store, ranges: 4 } }
/** Segments so short that every task goes to the index, and comes back from there. */
const OVER_INDEX: Partial<EngineOptions> = {
  store: { ...store, ranges: 4, journal: { ...store.journal, segmentChangesMax: 10 } },
}

const CRONS: ReadonlyArray<readonly [pattern: string, tz: string]> = [
  ['* * * * *', 'UTC'],
  ['* * * * *', 'Asia/Kathmandu'],
  ['*/5 * * * *', 'Europe/Berlin'],
  ['7-59/13 * * * *', 'America/New_York'],
  ['0 * * * *', 'UTC'],
  ['0 * * * *', 'Asia/Kathmandu'],
  ['59 * * * *', 'Australia/Lord_Howe'],
  ['0 0 * * *', 'UTC'],
  ['0 0 * * *', 'Asia/Kolkata'],
  ['30 9 * * *', 'America/New_York'],
  ['59 23 * * *', 'Pacific/Chatham'],
  ['0 9 * * 1-5', 'UTC'],
  ['0 9 * * 1-5', 'America/Los_Angeles'],
  ['*/30 * * * MON-FRI', 'Europe/Berlin'],
  ['*/30 * * * MON-FRI', 'Pacific/Kiritimati'],
  ['15 * * * SAT,SUN', 'America/Sao_Paulo'],
  ['0 12 * * 7', 'UTC'],
  ['0 8 4 * *', 'Europe/Berlin'],
  ['0 8 4 1 1', 'Europe/Berlin'],
]

const EVERYS: ReadonlyArray<readonly [everyMs: number, anchor: number]> = [
  [30_000, 0],
  [90_000, 0],
  [7 * MINUTE_MS, FROM - 1234],
  [HOUR_MS, 0],
  [HOUR_MS, FROM + 5 * HOUR_MS + 1017],
  [5 * HOUR_MS + 1, FROM - 30 * DAY_MS],
  [DAY_MS, 0],
  [36 * HOUR_MS, FROM - 12 * HOUR_MS],
  [7 * DAY_MS, FROM - 1],
]

describe('a day', () => {
  const oneDay: ReadonlyArray<readonly [string, Partial<EngineOptions>]> = [
    ['in memory', IN_MEMORY],
    ['over the index', OVER_INDEX],
  ]
  test.each(oneDay)('%s: every schedule fires at its instants, once, and on time', async (_, options) => {
    const bed = new Bed(options)
    bed.clock.jump(FROM - BEGAN_AT)
    bed.handle('work')
    await bed.start()
    const expected = expectedOfAll()
    await bed.done(bed.node.schedule(tasks()))
    await bed.until(TO - BEGAN_AT + LATE_MS_MAX)

    const fired = new Map<string, number[]>([...expected.keys()].map(id => [id, []]))
    for (const { task, scheduledAt } of bed.entered) fired.get(task)?.push(scheduledAt + BEGAN_AT)
    for (const [id, instants] of expected) expect([id, fired.get(id)]).toEqual([id, instants])
    expect(bed.entered.length).toBe([...expected.values()].flat().length)
    expect(bed.entered.every(each => each.attempt === 1)).toBe(true)
    const lateness = bed.entered.map(each => each.at - each.scheduledAt)
    expect(Math.min(...lateness)).toBeGreaterThanOrEqual(0)
    expect(Math.max(...lateness)).toBeLessThanOrEqual(LATE_MS_MAX)
    expect(bed.eventsOf('missed')).toEqual([])
    await bed.stop()
  })

  test('and its judge: the schedules fire as often as they say', () => {
    const counts = new Map([...expectedOfAll()].map(([id, instants]) => [id, instants.length]))
    expect(counts.get('cron-0')).toBe(1440)
    expect(counts.get('cron-4')).toBe(24)
    expect(counts.get('cron-7')).toBe(1)
    expect(counts.get('cron-11')).toBe(0) // Saturday
    expect(counts.get('cron-12')).toBe(0) // Friday ten o'clock in Los Angeles has passed nine, and then it is Saturday
    expect(counts.get('cron-13')).toBe(9) // from 19:00 to 24:00 in Berlin
    expect(counts.get('every-0')).toBe(2880)
  })
})

function tasks(): TaskOptions[] {
  return [
    ...CRONS.map(([cron, tz], i) => ({ id: `cron-${i}`, name: 'work', cron, tz })),
    ...EVERYS.map(([every, anchor], i) => ({ id: `every-${i}`, name: 'work', every, anchor })),
  ]
}

function expectedOfAll(): Map<string, number[]> {
  const expected = new Map<string, number[]>()
  for (const [i, [pattern, tz]] of CRONS.entries()) {
    const walked = walk(offsetReader(tz), FROM - 2 * HOUR_MS, TO + 2 * HOUR_MS)
    expected.set(`cron-${i}`, judge(walked, pattern, AUTO, FROM, TO))
  }
  for (const [i, [everyMs, anchor]] of EVERYS.entries()) {
    const instants: number[] = []
    const first = Math.floor((FROM - anchor) / everyMs) + 1
    for (let k = first; anchor + k * everyMs <= TO; k++) instants.push(anchor + k * everyMs)
    expected.set(`every-${i}`, instants)
  }
  return expected
}
