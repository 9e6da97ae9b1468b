/**
 * The rules of PROTOCOLS part B, as far as one node needs them: what is a join is tried in every order, the rest as
 * replay does it, each actor's changes in the order of their dots.
 */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ByteReader, ByteWriter } from '../../src/lib/bytes.ts'
import { readChange, writeCreated, writeUpdate } from '../../src/task/change.ts'
import { applyChange, type Merged } from '../../src/task/merge.ts'
import { NEVER, NOT_YET, Run, type TaskRecord } from '../../src/task/record.ts'
import type { RunState } from '../../src/task/task.ts'
import { definitionOf, EVERY_SECOND, recordOf, runOf, runs } from '../support/tasks.ts'

/** A change as it lies in a journal. */
interface Entry {
  readonly actor: number
  readonly n: number
  readonly bytes: Uint8Array
}

interface Parts {
  readonly life?: number
  readonly request?: number
  readonly rev?: number
  readonly hlc?: number
  readonly paused?: boolean
  readonly cancelled?: boolean
  readonly next?: number
  readonly fired?: number
  readonly lastAt?: number
  readonly closed?: number
}

function shaped({ life = 1000, request = 7, ...parts }: Parts): TaskRecord {
  const definition = definitionOf({ schedule: EVERY_SECOND, payload: String(request) }, request)
  return Object.assign(recordOf(definition, life), parts)
}

function entry(actor: number, n: number, write: (out: ByteWriter) => void): Entry {
  const out = new ByteWriter()
  write(out)
  return { actor, n, bytes: out.take() }
}

/** A creation, or (rev above 1) a replacement. */
const made = (actor: number, n: number, parts: Parts = {}): Entry =>
  entry(actor, n, out => writeCreated(out, shaped(parts)))
/** A new version of the register without a definition. */
const turned = (actor: number, n: number, parts: Parts): Entry =>
  entry(actor, n, out => writeUpdate(out, shaped(parts), { register: true }))
const timed = (actor: number, n: number, parts: Parts): Entry =>
  entry(actor, n, out => writeUpdate(out, shaped(parts), { times: true }))
const ran = (actor: number, n: number, list: readonly Run[], parts?: Parts): Entry =>
  entry(actor, n, out => writeUpdate(out, shaped(parts ?? {}), { runs: list, times: parts !== undefined }))
const dropped = (actor: number, n: number, parts: Parts = {}): Entry =>
  entry(actor, n, out => writeUpdate(out, shaped(parts), { dropped: true }))

function apply(base: TaskRecord | undefined, { actor, n, bytes }: Entry): Merged<Run> {
  const change = readChange(new ByteReader(bytes))
  const makeRun = (_: TaskRecord, instant: number, manual: boolean): Run => new Run(instant, manual)
  return applyChange(base, change, { actor, n, range: 0, makeRun })
}

function fold(entries: readonly Entry[], base?: TaskRecord): TaskRecord {
  let record = base
  for (const each of entries) {
    const merged = apply(record, each)
    if (merged.kind === 'record') record = merged.record
  }
  return record as TaskRecord
}

const byActor = (a: { actor: number }, b: { actor: number }): number => a.actor - b.actor

/** What of a record is kept. */
function kept(record: TaskRecord): object {
  const { id, life, definition, rev, hlc, actor, paused, cancelled, next, fired, lastAt, closed } = record
  const sorted = [...record.runs].sort((a, b) => a.instant - b.instant)
  return {
    ...{ id, life, rev, hlc, actor, paused, cancelled, next, fired, lastAt, closed },
    request: definition.requestNumber,
    dots: [...record.dots].sort(byActor),
    runs: sorted.map(run => ({ ...run, written: false, body: [...run.body] })),
  }
}

/** The same streams, each in its order, woven in two ways. */
function woven(streams: readonly (readonly Entry[])[], picks: readonly number[]): Entry[] {
  const rest = streams.map(stream => [...stream])
  const list: Entry[] = []
  for (let i = 0; rest.some(stream => stream.length > 0); i++) {
    const open = rest.filter(stream => stream.length > 0)
    list.push((open[(picks[i] ?? 0) % open.length] as Entry[]).shift() as Entry)
  }
  return list
}

const picks = fc.array(fc.nat(5), { maxLength: 40 })

describe('the definition', () => {
  test.each<[string, Parts, number, Parts, number]>([
    ['the greater rev', { rev: 3, hlc: 1 }, 1, { rev: 2, hlc: 9 }, 2],
    ['of equal revs the greater hlc', { rev: 2, hlc: 9 }, 1, { rev: 2, hlc: 8 }, 2],
    ['of equal hlcs the greater actor', { rev: 2, hlc: 9 }, 2, { rev: 2, hlc: 9 }, 1],
  ])('%s wins, in either order, and brings its requestId', (_, better, by, worse, other) => {
    const first = made(0, 1)
    const winner = made(by, 1, { ...better, request: 70, next: 5000, paused: true })
    const loser = made(other, 1, { ...worse, request: 80, next: 9000 })
    for (const order of [
      [first, winner, loser],
      [first, loser, winner],
    ]) {
      const record = fold(order)
      expect(record).toMatchObject({ rev: better.rev, hlc: better.hlc, actor: by, paused: true, next: 5000 })
      expect(record.definition.requestNumber).toBe(70)
      expect(Buffer.from(record.definition.payload).toString()).toBe('70')
    }
  })

  test('of any number of writers the greatest version is left, whatever the order', () => {
    const version = fc.record({ rev: fc.integer({ min: 2, max: 4 }), hlc: fc.nat(3), next: fc.nat(9000) })
    const streams = fc.array(fc.array(version, { maxLength: 4 }), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(streams, picks, picks, (lists, one, other) => {
        const all = lists.map((list, i) =>
          list.map((parts, j) => made(i + 1, j + 1, { ...parts, request: i * 10 + j })),
        )
        const a = fold(woven(all, one), fold([made(0, 1)]))
        expect(kept(fold(woven(all, other), fold([made(0, 1)])))).toEqual(kept(a))
      }),
      runs(500),
    )
  })

  test('a replacement begins anew, and keeps the runs that are open', () => {
    const before = fold([
      made(0, 1),
      ran(0, 2, [runOf(2000, { state: 'running', attempt: 1 })], { next: 9000, lastAt: 8000, fired: 7 }),
    ])
    const after = fold([made(0, 3, { rev: 2, next: 3000, fired: 0 })], before)
    expect(after).toMatchObject({
      rev: 2,
      next: 3000,
      fired: 0,
      lastAt: NOT_YET,
      closed: NOT_YET,
      nextAt: 3000,
    })
    expect(after.runs.map(each => each.state)).toEqual(['running'])
  })

  // Found by this suite: lastAt went to 8000, and the instant at 3000 never came.
  test('a late change of a run of before does not pass over the instants of a replacement', () => {
    const record = fold([
      made(0, 1),
      made(0, 2, { rev: 2, next: 3000 }),
      ran(0, 3, [runOf(8000, { state: 'cancelled' })], { rev: 2, next: 3000 }),
    ])
    expect(record).toMatchObject({ lastAt: NOT_YET, nextAt: 3000, closed: NOT_YET })
  })

  test('pause and resume are versions too, and leave the definition as it is', () => {
    const record = fold([made(0, 1), turned(0, 2, { rev: 2, paused: true })])
    expect(record).toMatchObject({ paused: true, rev: 2, next: 2000 })
    expect(fold([turned(1, 1, { rev: 1, hlc: 99 })], record).paused).toBe(true)
    expect(fold([turned(1, 2, { rev: 3, cancelled: true })], record)).toMatchObject({
      paused: false,
      cancelled: true,
    })
  })
})

describe('the life', () => {
  const completed = runOf(2000, { state: 'completed', attempt: 1 })

  test('a new one knows nothing of the one before, though the order be another', () => {
    const old = [
      made(1, 1, { life: 1000 }),
      ran(1, 2, [completed], { life: 1000, lastAt: 2000, next: NEVER }),
    ]
    const young = made(2, 1, { life: 1001 })
    for (const order of [
      [...old, young],
      [young, ...old],
      [old[0] as Entry, young, old[1] as Entry],
    ]) {
      expect(fold(order)).toMatchObject({
        life: 1001,
        runs: [],
        next: 2000,
        lastAt: NOT_YET,
        closed: NOT_YET,
      })
    }
  })

  test('the end of an earlier one does not end it', () => {
    const record = fold([made(1, 1, { life: 1001 })])
    expect(apply(record, dropped(2, 5, { life: 1000 }))).toEqual({ kind: 'none' })
    expect(apply(record, dropped(2, 5, { life: 1001 }))).toEqual({ kind: 'dropped' })
  })

  test('of what is not there nothing changes but by a creation', () => {
    for (const each of [turned(1, 1, { rev: 9 }), timed(1, 1, {}), ran(1, 1, [completed]), dropped(1, 1)]) {
      expect(apply(undefined, each)).toEqual({ kind: 'none' })
    }
  })
})

describe('times', () => {
  test('only grow within a version, whoever says them, in whatever order', () => {
    const times = fc.record({
      next: fc.oneof(fc.integer({ min: 2000, max: 9000 }), fc.constant(NEVER)),
      fired: fc.nat(9),
      lastAt: fc.oneof(fc.nat(9000), fc.constant(NOT_YET)),
      closed: fc.oneof(fc.nat(9000), fc.constant(NOT_YET)),
    })
    const streams = fc.array(fc.array(times, { maxLength: 4 }), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(streams, picks, picks, (lists, one, other) => {
        const all = lists.map((list, i) => list.map((parts, j) => timed(i + 1, j + 1, parts)))
        const record = fold(woven(all, one), fold([made(0, 1)]))
        expect(kept(fold(woven(all, other), fold([made(0, 1)])))).toEqual(kept(record))
        for (const field of ['next', 'fired', 'lastAt', 'closed'] as const) {
          const said = lists.flat().map(parts => parts[field])
          const first = { next: 2000, fired: 0, lastAt: NOT_YET, closed: NOT_YET }[field]
          expect(record[field]).toBe(Math.max(first, ...said))
        }
      }),
      runs(300),
    )
  })
})

describe('runs', () => {
  const base = (): TaskRecord => fold([made(0, 1)])
  const stateOf = (record: TaskRecord, instant: number): RunState | undefined =>
    record.findRun(instant)?.state

  test('a completion beats every other end, and nothing undoes it', () => {
    const completed = ran(1, 1, [runOf(2000, { state: 'completed', attempt: 1 })])
    for (const state of [
      'failed',
      'cancelled',
      'missed',
      'skipped',
      'unknown',
      'queued',
      'running',
    ] as const) {
      const other = ran(2, 1, [runOf(2000, { state, attempt: 1 })])
      for (const order of [
        [completed, other],
        [other, completed],
      ]) {
        expect(stateOf(fold(order, base()), 2000), state).toBe('completed')
      }
    }
  })

  test('of failed attempts the later counts, in either order', () => {
    const [first, second] = [1, 2].map(attempt =>
      ran(attempt, 1, [runOf(2000, { state: 'failed', attempt, endedAt: attempt })]),
    ) as [Entry, Entry]
    for (const order of [
      [first, second],
      [second, first],
    ]) {
      expect(fold(order, base()).findRun(2000)).toMatchObject({ attempt: 2, endedAt: 2 })
    }
  })

  test('a run that failed for good is open again once it is driven again', () => {
    const failed = ran(1, 1, [runOf(2000, { state: 'failed', attempt: 5 })], { lastAt: 2000, next: NEVER })
    const record = fold([failed], base())
    expect([record.closed, record.hasOpenRun]).toEqual([2000, false])
    expect(fold([ran(1, 2, [runOf(2000, { attempt: 5 })])], record).hasOpenRun).toBe(true)
    // And also when its end was dropped with others that were closed.
    const gone = Object.assign(fold([failed], base()), { runs: [] })
    expect(fold([ran(1, 2, [runOf(2000, { attempt: 5 })])], gone).hasOpenRun).toBe(true)
  })

  test('an end that is closed already is not kept, one by hand is no part of that', () => {
    const record = fold([timed(1, 1, { closed: 5000, lastAt: 5000, next: 6000 })], base())
    const late = ran(2, 1, [
      runOf(4000, { state: 'failed' }),
      runOf(4500, { manual: true }),
      runOf(5500, { state: 'failed' }),
    ])
    expect(fold([late], record).runs.map(each => each.instant)).toEqual([4500, 5500])
  })

  test('different ones are united, whatever the order', () => {
    const state = fc.constantFrom<RunState>('completed', 'failed', 'running', 'queued', 'skipped')
    // Every actor has instants of its own: who runs what is settled before.
    const lists = fc.array(fc.array(state, { maxLength: 4 }), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(lists, picks, picks, (all, one, other) => {
        const streams = all.map((list, i) =>
          list.map((each, j) => ran(i + 1, j + 1, [runOf(2000 + i * 100 + j, { state: each, attempt: 1 })])),
        )
        const record = fold(woven(streams, one), base())
        expect(kept(fold(woven(streams, other), base()))).toEqual(kept(record))
        expect(record.runs).toHaveLength(all.flat().length)
      }),
      runs(300),
    )
  })
})

describe('a change that came before', () => {
  test('alters nothing', () => {
    const entries = [
      made(0, 1),
      ran(0, 2, [runOf(2000, { state: 'retrying', attempt: 1, retryAt: 2500 })], {
        next: 3000,
        lastAt: 2000,
      }),
      turned(1, 1, { rev: 2, paused: true }),
      ran(1, 2, [runOf(2000, { state: 'completed', attempt: 2 })]),
    ]
    const record = fold(entries)
    const before = kept(record)
    for (const each of entries) expect(apply(record, each)).toEqual({ kind: 'none' })
    expect(kept(record)).toEqual(before)
  })
})
