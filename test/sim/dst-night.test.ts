/**
 * Nights on which the clocks change, through the engine: forwards and back, in zones whose gap or overlap is an hour or
 * half of one, at two in the morning, at three and at midnight; with every DST policy; and with a node that is down
 * while it happens. The judge is the minute stepper, which shares nothing with src.
 */

import { describe, expect, test } from 'vitest'
import { DEFAULT_OPTIONS, type EngineOptions } from '../../src/config.ts'
import type { TaskOptions } from '../../src/task/options.ts'
import { BEGAN_AT, Bed } from '../engine/bed.ts'
import { judge, offsetReader, type Policy, transitionsOf, type Walk, walk } from '../task/minute-stepper.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const AROUND_MS = 4 * HOUR_MS
const LATE_MS_MAX = 2
/** Late by more than this counts as missed. */
const MISSED_AFTER_MS = 60_000
/** What was due while the node was down starts this soon after its start. */
const CAUGHT_UP_MS_MAX = 50

/** So short that every task goes to the index, and comes back from there. */
const SEGMENTS: Partial<EngineOptions> = {
  store: {
    ...DEFAULT_OPTIONS.store,
    ranges: 4,
    journal: { ...DEFAULT_OPTIONS.store.journal, segmentChangesMax: 50 },
  },
}

const NIGHTS: ReadonlyArray<readonly [tz: string, about: string, shiftMinutes: number]> = [
  ['Europe/Berlin', '2025-03-30', 60],
  ['Europe/Berlin', '2025-10-26', -60],
  ['America/New_York', '2025-03-09', 60],
  ['America/New_York', '2025-11-02', -60],
  ['Australia/Lord_Howe', '2025-10-05', 30],
  ['Australia/Lord_Howe', '2025-04-06', -30],
  ['America/Sao_Paulo', '2018-11-04', 60], // at midnight
  ['America/Sao_Paulo', '2019-02-17', -60],
  ['Africa/Casablanca', '2025-04-06', 60],
  ['Africa/Casablanca', '2025-02-23', -60],
]

const PATTERNS = [
  '*/20 * * * *',
  '30 0 * * *',
  '0 0 * * *',
  '30 1 * * *',
  '0 2 * * *',
  '15,45 2 * * *',
  '*/10 1,2,3 * * *',
  '45 */2 * * *',
  '10 0-4 * * SUN',
]

const MISFIRES = ['all', 'once', 'skip'] as const

const POLICIES: readonly Policy[] = (['auto', 'skip', 'shift'] as const).flatMap(gap =>
  (['auto', 'first', 'second', 'both'] as const).map(overlap => ({ gap, overlap })),
)

interface Night {
  readonly at: number
  readonly walked: Walk
}

describe.each(NIGHTS)('%s, %s, by %i minutes', (tz, about, shiftMinutes) => {
  const night = nightOf(tz, about, shiftMinutes)
  const from = night.at - 2.5 * HOUR_MS + 12_345
  const to = night.at + 2.5 * HOUR_MS

  test('every pattern fires at its instants, with every policy', async () => {
    const bed = await bedAt(from)
    await bed.done(bed.node.schedule(tasks(tz)))
    await bed.until(to - BEGAN_AT + LATE_MS_MAX)
    const fired = firedOf(bed)
    for (const [id, instants] of expectedOf(night, from, to))
      expect([id, fired.get(id) ?? []]).toEqual([id, instants])
    for (const { at, scheduledAt } of bed.entered) {
      expect(at - scheduledAt).toBeGreaterThanOrEqual(0)
      expect(at - scheduledAt).toBeLessThanOrEqual(LATE_MS_MAX)
    }
    await bed.stop()
  })

  test('a node that is down meanwhile makes up for it as the misfire policy says', async () => {
    const bed = await bedAt(from)
    await bed.done(bed.node.schedule(tasks(tz)))
    await bed.until(night.at - 70 * MINUTE_MS - BEGAN_AT + 30_000)
    const downAt = bed.clock.now()
    bed.crash()
    await bed.until(night.at + 70 * MINUTE_MS - BEGAN_AT + 30_000)
    await bed.start()
    const upAt = bed.clock.now()
    await bed.until(to - BEGAN_AT + LATE_MS_MAX)
    const fired = firedOf(bed)
    for (const [id, instants] of expectedOf(night, from, to)) {
      const away = instants.filter(at => at > downAt && at <= upAt)
      const kind = misfireOf(id)
      const isMissed = upAt - (away[0] ?? upAt) > MISSED_AFTER_MS
      const made = kind === 'all' || !isMissed ? away : kind === 'once' ? away.slice(-1) : []
      const wanted = instants.filter(at => !away.includes(at) || made.includes(at))
      expect([id, fired.get(id) ?? []]).toEqual([id, wanted])
    }
    for (const { at, scheduledAt } of bed.entered) {
      const instant = scheduledAt + BEGAN_AT
      const due = instant > downAt && instant <= upAt ? upAt - BEGAN_AT : scheduledAt
      expect(at).toBeGreaterThanOrEqual(scheduledAt)
      expect(at - due).toBeLessThanOrEqual(due === scheduledAt ? LATE_MS_MAX : CAUGHT_UP_MS_MAX)
    }
    await bed.stop()
  })
})

async function bedAt(from: number): Promise<Bed> {
  const bed = new Bed(SEGMENTS, { concurrency: 10_000 })
  bed.clock.jump(from - BEGAN_AT)
  bed.handle('work')
  await bed.start()
  return bed
}

/** Patterns meet every DST policy, and neighbours another misfire policy. */
function idOf(pattern: number, policy: number): string {
  return `${MISFIRES[(pattern + policy) % 3]}-${pattern}-${policy}`
}

function misfireOf(id: string): string {
  return id.slice(0, id.indexOf('-'))
}

function tasks(tz: string): TaskOptions[] {
  return PATTERNS.flatMap((cron, i) =>
    POLICIES.map((dst, j) => {
      const kind = MISFIRES[(i + j) % 3] ?? 'all'
      return { id: idOf(i, j), name: 'work', cron, tz, dst, misfire: { kind, max: 1000 } }
    }),
  )
}

function expectedOf({ walked }: Night, from: number, to: number): Map<string, number[]> {
  const expected = new Map<string, number[]>()
  for (const [i, pattern] of PATTERNS.entries())
    for (const [j, policy] of POLICIES.entries())
      expected.set(idOf(i, j), judge(walked, pattern, policy, from, to))
  return expected
}

function firedOf(bed: Bed): Map<string, number[]> {
  const fired = new Map<string, number[]>()
  for (const { task, scheduledAt } of bed.entered) {
    const list = fired.get(task)
    if (list === undefined) fired.set(task, [scheduledAt + BEGAN_AT])
    else list.push(scheduledAt + BEGAN_AT)
  }
  for (const list of fired.values()) list.sort((a, b) => a - b)
  return fired
}

/** The change about that day: the judge looks for it, and it is what the table says. */
function nightOf(tz: string, about: string, shiftMinutes: number): Night {
  const offsetAt = offsetReader(tz)
  const day = Date.parse(about)
  const found = transitionsOf(offsetAt, day - 36 * HOUR_MS, day + 36 * HOUR_MS)
  const [change] = found
  if (change === undefined || change.after - change.before !== shiftMinutes * MINUTE_MS)
    throw new Error(`${tz} does not change by ${shiftMinutes} minutes about ${about}`)
  return { at: change.at, walked: walk(offsetAt, change.at - AROUND_MS, change.at + AROUND_MS) }
}
