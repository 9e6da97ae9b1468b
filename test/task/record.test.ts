import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { NEVER, NOT_YET, type Run, TaskRecord } from '../../src/task/record.ts'
import { isRunEnd, RUN_STATES } from '../../src/task/task.ts'
import { SOME_FIRST } from '../../src/task/version.ts'
import { definitionOf, EVERY_SECOND, recordOf, runOf, runs } from '../support/tasks.ts'

const recurring = (parts: Partial<TaskRecord> = {}): TaskRecord =>
  Object.assign(recordOf(definitionOf({ schedule: EVERY_SECOND })), parts)

describe('a new record', () => {
  test('waits for its instant, with nothing open and nothing closed', () => {
    const record = new TaskRecord('task', 3, 1000, true, definitionOf())
    expect(record).toMatchObject({ next: 2000, nextAt: 2000, dueAt: 2000, closed: NOT_YET, lastAt: NOT_YET })
    expect([record.hasOpenRun, record.paused, record.gone, record.dots]).toEqual([false, false, false, []])
  })

  test('shares its empty lists with others, and nobody can add to them by it', () => {
    const [a, b] = [recordOf(), recordOf()]
    expect(() => (a.dots as unknown[]).push({ actor: 1, n: 1 })).toThrow(TypeError)
    a.runs.push(runOf(1))
    a.include(1, 1)
    expect([b.runs, b.dots]).toEqual([[], []])
  })
})

describe('dots', () => {
  test('agree with a map from each actor to the last n of it', () => {
    const dot = fc.record({ actor: fc.nat(4), n: fc.integer({ min: 1, max: 20 }) })
    fc.assert(
      fc.property(fc.array(dot, { maxLength: 30 }), list => {
        const record = recordOf()
        const map = new Map<number, number>()
        for (const { actor, n } of list) {
          expect(record.includes(actor, n)).toBe((map.get(actor) ?? 0) >= n)
          record.include(actor, n)
          map.set(actor, Math.max(map.get(actor) ?? 0, n))
        }
        const sorted = [...record.dots].sort((a, b) => a.actor - b.actor)
        expect(sorted).toEqual([...map].sort(([a], [b]) => a - b).map(([actor, n]) => ({ actor, n })))
        // What a snapshot keeps of them is enough.
        const loaded = recordOf()
        loaded.dots = record.dots
        expect(loaded.dots).toEqual(record.dots)
        for (let actor = 0; actor < 6; actor++) {
          for (let n = 1; n < 22; n++) expect(loaded.includes(actor, n)).toBe((map.get(actor) ?? 0) >= n)
        }
      }),
      runs(300),
    )
  })
})

describe('the next instant', () => {
  test('is none once it was reached', () => {
    expect(recurring({ next: 3000, lastAt: 2000 }).nextAt).toBe(3000)
    expect(recurring({ next: 3000, lastAt: 3000 }).nextAt).toBe(NEVER)
    expect(recurring({ next: 3000, lastAt: 4000 }).nextAt).toBe(NEVER)
    expect(recurring({ next: NEVER }).nextAt).toBe(NEVER)
  })

  test.each<[string, Partial<TaskRecord>, Run[], number]>([
    ['the scheduled one', { next: 5000 }, [], 5000],
    ['none while paused', { next: 5000, paused: true }, [], NEVER],
    ['that of an open run, also while paused', { next: 5000, paused: true }, [runOf(1000)], 1000],
    ['that of a retry', { next: 5000 }, [runOf(1000, { state: 'retrying', retryAt: 1700 })], 1700],
    [
      'the earliest of all',
      { next: 1500 },
      [runOf(3000), runOf(1000, { state: 'retrying', retryAt: 1700 })],
      1500,
    ],
    ['none of an ended run', { next: NEVER }, [runOf(1000, { state: 'completed' })], NEVER],
    ['its expiry', { next: NEVER, expiresAt: 9000 }, [runOf(1000, { state: 'failed' })], 9000],
  ])('wants attention at %s', (_, parts, open, due) => {
    expect(recurring({ ...parts, runs: open }).dueAt).toBe(due)
  })
})

describe('a new version', () => {
  test('of the definition begins anew, and what runs is of the one before', () => {
    const record = recurring({ next: 9000, lastAt: 8000, closed: 7000, fired: 7, runs: [runOf(8000)] })
    // As the others have it: of a first version no name is kept.
    const before = SOME_FIRST
    record.cancelVersion = { rev: 5, hlc: 1, actor: 0 }
    record.replace(definitionOf({ payload: '1' }), 9500, 77, 3)
    expect(record).toMatchObject({ rev: 6, hlc: 77, actor: 3, next: 9500, fired: 0, closed: NOT_YET })
    expect(record.runs[0]?.version).toEqual(before)
    expect(record.closedBefore).toEqual([{ version: before, closed: 7000 }])
    const { version } = record
    record.replace(definitionOf(), 9500, 78, 3)
    expect([record.runs[0]?.version, record.rev]).toEqual([before, version.rev + 1])
  })

  test('of whether it is paused says nothing of the definition', () => {
    const record = recurring()
    const { version } = record
    record.setPaused(true, 7, 1)
    record.setPaused(false, 8, 2)
    expect(record).toMatchObject({ paused: false, pausedVersion: { rev: 2, hlc: 8, actor: 2 }, version })
  })

  test('that cancels is above all that were seen', () => {
    const record = recurring()
    record.cancel(7, 1)
    expect(record).toMatchObject({ cancelled: true, cancelVersion: { rev: 2, hlc: 7, actor: 1 }, nextRev: 3 })
  })
})

describe('an open run', () => {
  test.each<[string, Partial<Run>, boolean]>([
    ['above what is closed', { instant: 5001 }, true],
    ['at it', { instant: 5000 }, false],
    ['at it, by hand', { instant: 5000, manual: true }, true],
    ['at it, but driven again since', { instant: 5000, drive: 1 }, true],
    ['at it, of a version that is closed less far', { instant: 5000, version: earlier(4) }, true],
    ['that another version has closed', { instant: 4000, version: earlier(4) }, false],
    ['of a version of which nothing is known', { instant: 1, version: earlier(3) }, true],
  ])('%s is open: %#', (_, parts, open) => {
    const record = recurring({ rev: 9, closed: 5000, next: NEVER, lastAt: 5000 })
    record.closedBefore = [{ version: earlier(4), closed: 4000 }]
    record.runs = [runOf(parts.instant ?? 0, parts)]
    expect([record.hasOpenRun, record.dueAt !== NEVER]).toEqual([open, open])
    record.prune()
    // What another version has closed goes with what is known of that one.
    expect([record.runs.length, record.hasOpenRun]).toEqual([parts.instant === 4000 ? 0 : 1, open])
    record.runs.push(runOf(9999))
    record.closedBefore = [{ version: earlier(4), closed: 4000 }]
    record.prune()
    expect(record.runs).toHaveLength(open ? 2 : 1)
  })
})

function earlier(rev: number): { rev: number; hlc: number; actor: number } {
  return { rev, hlc: 1, actor: 1 }
}

describe('the runs', () => {
  test('stand in the order of their instants', () => {
    const record = recurring()
    for (const instant of [3000, 5000, 1000, 4000]) record.addRun(runOf(instant))
    expect(record.runs.map(each => each.instant)).toEqual([1000, 3000, 4000, 5000])
  })

  test('count the attempts of a drive from its beginning', () => {
    expect(runOf(1, { attempt: 5, drivenFrom: 3 }).driveAttempts).toBe(2)
  })
})

describe('close', () => {
  test.each<[string, number, Run[], number, number[]]>([
    ['nothing was reached', NOT_YET, [], NOT_YET, []],
    [
      'all have ended',
      3000,
      [runOf(2000, { state: 'completed' }), runOf(3000, { state: 'failed' })],
      3000,
      [],
    ],
    ['one before is open', 4000, [runOf(3000), runOf(4000, { state: 'completed' })], 2999, [3000, 4000]],
    ['one after is open', 4000, [runOf(3000, { state: 'skipped' }), runOf(4000)], 3999, [4000]],
    ['only one by hand is open', 3000, [runOf(2500, { manual: true })], 3000, [2500]],
    [
      'one by hand has ended',
      3000,
      [runOf(3500, { manual: true, state: 'completed' }), runOf(3000)],
      2999,
      [3000],
    ],
  ])('when %s', (_, lastAt, kept, closed, left) => {
    const record = recurring({ next: 10_000, lastAt, runs: kept })
    record.close()
    expect([record.closed, record.runs.map(each => each.instant)]).toEqual([closed, left])
  })

  test('keeps the last run of a task that has ended: it says how', () => {
    const record = recurring({
      next: NEVER,
      lastAt: 3000,
      runs: [runOf(2000, { state: 'completed' }), runOf(3000, { state: 'failed' })],
    })
    record.close()
    expect([record.closed, record.runs.map(each => each.state)]).toEqual([3000, ['failed']])
  })

  test('never goes back, loses no open run, and twice is as once', () => {
    const one = fc.record({
      instant: fc.integer({ min: 1, max: 12 }),
      manual: fc.boolean(),
      state: fc.constantFrom(...RUN_STATES),
    })
    fc.assert(
      fc.property(
        fc.uniqueArray(one, { selector: each => each.instant, maxLength: 8 }),
        fc.nat(12),
        fc.nat(12),
        (list, lastAt, closed) => {
          const record = recurring({
            next: 100,
            lastAt,
            closed,
            runs: list.map(each => runOf(each.instant, each)),
          })
          // One that is closed already has ended elsewhere.
          const open = record.runs.filter(
            each => !isRunEnd(each.state) && (each.manual || each.instant > closed),
          )
          record.close()
          expect(record.closed).toBeGreaterThanOrEqual(closed)
          expect(record.runs.filter(each => !isRunEnd(each.state))).toEqual(open)
          // What is not known as ended is not closed, unless it was before.
          for (const each of open) {
            if (!each.manual && each.instant > closed) expect(record.closed).toBeLessThan(each.instant)
          }
          const after = [record.closed, [...record.runs]]
          record.close()
          expect([record.closed, record.runs]).toEqual(after)
        },
      ),
      runs(500),
    )
  })
})
