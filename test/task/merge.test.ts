/**
 * The rules of PROTOCOLS part B: the same changes give the same record in every order, those of one actor in that of
 * their dots (A7).
 */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ByteReader, ByteWriter } from '../../src/lib/bytes.ts'
import { decodeSnapshot, encodeSnapshot } from '../../src/store/snapshot.ts'
import { readChange, type Update, writeCreated, writeUpdate } from '../../src/task/change.ts'
import { applyChange, hasEnded, type Merged, mergeRecords } from '../../src/task/merge.ts'
import { NEVER, NOT_YET, Run, type TaskRecord } from '../../src/task/record.ts'
import { RUN_STATES, type RunState } from '../../src/task/task.ts'
import { BY_NUMBER, type Version } from '../../src/task/version.ts'
import { definitionOf, EVERY_SECOND, recordOf, runOf, runs } from '../support/tasks.ts'

/** A change as it lies in a journal. */
interface Entry {
  readonly actor: number
  readonly n: number
  readonly bytes: Uint8Array
}

interface Parts extends Partial<Version> {
  readonly life?: number
  readonly request?: number
  readonly minted?: boolean
  readonly paused?: boolean
  readonly next?: number
  readonly fired?: number
  readonly lastAt?: number
  readonly closed?: number
}

function shaped({ life = 1000, request = 7, minted = false, ...parts }: Parts): TaskRecord {
  const definition = definitionOf({ schedule: EVERY_SECOND, payload: String(request), minted }, request)
  return Object.assign(recordOf(definition, life), parts)
}

function entry(actor: number, n: number, write: (out: ByteWriter) => void): Entry {
  const out = new ByteWriter()
  write(out)
  return { actor, n, bytes: out.take() }
}

const updated = (actor: number, n: number, parts: Parts, update: Update): Entry =>
  entry(actor, n, out => {
    const { rev = 1, hlc = 0, actor: by = actor } = parts
    const record = shaped({ actor: FOUNDER, ...parts })
    record.pausedVersion = { rev, hlc, actor: by }
    record.cancelVersion = { rev, hlc, actor: by }
    writeUpdate(out, record, update, { actor, actors: BY_NUMBER })
  })

/** Who makes the task. */
const FOUNDER = 0
/** A creation, or (rev above 1) a replacement. */
const made = (actor: number, n: number, parts: Parts = {}): Entry =>
  entry(actor, n, out => writeCreated(out, shaped(parts)))
const paused = (actor: number, n: number, parts: Parts): Entry =>
  updated(actor, n, { paused: true, ...parts }, { register: 'paused' })
const cancelled = (actor: number, n: number, parts: Parts): Entry =>
  updated(actor, n, parts, { register: 'cancelled' })
/** `parts` say the version as well: without it, the founder's. */
const timed = (actor: number, n: number, parts: Parts): Entry => updated(actor, n, parts, { times: true })
const ran = (actor: number, n: number, list: readonly Run[], parts?: Parts): Entry =>
  updated(actor, n, parts ?? {}, {
    runs: list,
    times: parts?.next !== undefined || parts?.closed !== undefined,
  })
const dropped = (actor: number, n: number, parts: Parts = {}): Entry =>
  updated(actor, n, parts, { dropped: true })

function apply(base: TaskRecord | undefined, { actor, n, bytes }: Entry): Merged<Run> {
  const change = readChange(new ByteReader(bytes), BY_NUMBER)
  const makeRun = (_: TaskRecord, instant: number, manual: boolean): Run => new Run(instant, manual)
  return applyChange(base, change, { actor, n, range: 0, makeRun, compareActors: (a, b) => a - b })
}

function fold(entries: readonly Entry[], base?: TaskRecord): TaskRecord {
  let record = base
  for (const each of entries) {
    const merged = apply(record, each)
    if (merged.kind !== 'none') record = merged.record
  }
  return record as TaskRecord
}

const MERGE = {
  makeRun: (_: TaskRecord, instant: number, manual: boolean): Run => new Run(instant, manual),
  compareActors: (a: number, b: number): number => a - b,
}

const byActor = (a: { actor: number }, b: { actor: number }): number => a.actor - b.actor

/** What of a record is kept. */
function kept(record: TaskRecord): object {
  const { id, life, definition, version, paused, pausedVersion, cancelled, cancelVersion } = record
  const { next, fired, lastAt, closed, ended, timesVersion } = record
  const text = (value: object): string => JSON.stringify(value)
  return {
    ...{ id, life, version, paused, pausedVersion, cancelled, cancelVersion },
    ...{ next, fired, lastAt, closed, ended, timesVersion },
    request: definition.requestNumber,
    dots: [...record.dots].sort(byActor),
    closedBefore: record.closedBefore.map(text).sort(),
    runs: record.runs.map(run => text({ ...run, body: [...run.body] })).sort(),
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
    const winner = made(by, 1, { ...better, request: 70, next: 5000 })
    const loser = made(other, 1, { ...worse, request: 80, next: 9000 })
    for (const order of [
      [first, winner, loser],
      [first, loser, winner],
    ]) {
      const record = fold(order)
      expect(record).toMatchObject({ rev: better.rev, hlc: better.hlc, actor: by, next: 5000 })
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

  test('that came to two owners is one, if the library made its id', () => {
    const one = made(1, 1, { minted: true, hlc: 1, actor: 1 })
    const again = made(2, 1, { minted: true, hlc: 2, actor: 2 })
    const ended = updated(1, 2, { minted: true, actor: 1 }, { times: true, dropped: true })
    for (const order of [
      [one, again, ended],
      [one, ended, again],
      [again, one, ended],
    ])
      expect(fold(order)).toMatchObject({ hlc: 2, actor: 2, ended: true })
    // Found by the simulator of meshes: a copy of the one that had ended left the other alive.
    const runs = [runOf(2000, { state: 'completed', attempt: 1 })]
    const ran1 = updated(1, 2, { minted: true, actor: 1, closed: 2000 }, { times: true, runs, dropped: true })
    const copies = (): [TaskRecord, TaskRecord] => [fold([one, ran1]), fold([again])]
    const [a, b] = copies()
    const [c, d] = copies()
    const merged = [mergeRecords(a, b, MERGE), mergeRecords(d, c, MERGE)]
    for (const record of merged) {
      expect(record).toMatchObject({ hlc: 2, actor: 2, ended: true, closed: 2000, closedBefore: [] })
      expect(kept(record)).toEqual(kept(fold([one, again, ran1])))
    }
  })
})

describe('pause and cancel', () => {
  test('are registers of their own: each of what comes at once holds', () => {
    const both = [made(1, 1, { rev: 2, hlc: 5, request: 70, next: 5000 }), paused(2, 1, { hlc: 9 })]
    for (const order of [both, [...both].reverse()]) {
      const record = fold(order, fold([made(FOUNDER, 1)]))
      expect(record).toMatchObject({ rev: 2, next: 5000 })
      expect(record.definition.requestNumber).toBe(70)
    }
  })

  test('the greater version says whether it is paused', () => {
    const record = fold([made(FOUNDER, 1), paused(FOUNDER, 2, { rev: 1, hlc: 3 })])
    expect(fold([paused(1, 1, { rev: 1, hlc: 2, paused: false })], record).paused).toBe(true)
    expect(fold([paused(1, 2, { rev: 2, hlc: 1, paused: false })], record).paused).toBe(false)
  })

  test.each([
    ['above', { rev: 2, hlc: 9 }, 'dropped'],
    ['below', { rev: 2, hlc: 4 }, 'record'],
  ])('a cancel %s a replacement: the same in either order', (_, version, kind) => {
    const replaced = made(1, 1, { rev: 2, hlc: 5, next: 5000 })
    const cancel = updated(2, 1, { actor: FOUNDER }, { runs: [], dropped: true })
    const mark = cancelled(2, 2, { ...version })
    const orders = [
      [replaced, cancel, mark],
      [cancel, mark, replaced],
      [cancel, replaced, mark],
    ]
    for (const order of orders) {
      const record = fold(order, fold([made(FOUNDER, 1)]))
      expect(apply(record, paused(5, 1, { rev: 1 })).kind).toBe(kind)
      expect(record.nextAt).toBe(5000)
    }
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
    expect(apply(record, dropped(1, 5, { life: 1001, actor: 1 })).kind).toBe('dropped')
  })

  test('of what is not there nothing changes but by a creation', () => {
    for (const each of [paused(1, 1, { rev: 9 }), timed(1, 1, {}), ran(1, 1, [completed]), dropped(1, 1)]) {
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

  test('one that failed for good is open again once it is driven again', () => {
    const failed = ran(1, 1, [runOf(2000, { state: 'failed', attempt: 5 })], {
      closed: 2000,
      lastAt: 2000,
      next: NEVER,
    })
    const again = ran(2, 1, [runOf(2000, { attempt: 5, drive: 1, drivenFrom: 5 })])
    for (const order of [
      [failed, again],
      [again, failed],
    ]) {
      const record = fold(order, base())
      expect([record.closed, record.hasOpenRun, record.runs[0]?.drive]).toEqual([2000, true, 1])
    }
    // And also when its end was pruned with others that were closed.
    const gone = Object.assign(fold([failed], base()), { runs: [] })
    expect(fold([again], gone).hasOpenRun).toBe(true)
  })

  test.each([
    ['by hand', { manual: true }],
    ['again after it had failed', { drive: 1, drivenFrom: 1, attempt: 1 }],
  ])('one that was asked for %s is carried out, though another had ended the task meanwhile', (_, asked) => {
    const over = updated(1, 1, { lastAt: 2000, closed: 2000, next: NEVER }, { times: true, dropped: true })
    const request = ran(2, 1, [runOf(2500, asked)])
    const done = ran(3, 1, [runOf(2500, { ...asked, attempt: 2, state: 'completed', endedAt: 9 })])
    for (const [one, other] of [
      [over, request],
      [request, over],
    ] as const) {
      const record = fold([one, other], base())
      expect([record.ended, hasEnded(record), record.hasOpenRun]).toEqual([true, false, true])
      expect(hasEnded(fold([done], record))).toBe(true)
    }
  })

  test('an open state that comes late opens nothing again, whether the end is still there or not', () => {
    const end = ran(1, 1, [runOf(2000, { state: 'failed', attempt: 1 })], {
      closed: 2000,
      lastAt: 2000,
      next: 3000,
    })
    const late = ran(2, 1, [runOf(2000, { state: 'running', attempt: 2 })])
    for (const order of [
      [end, late],
      [late, end],
    ])
      expect(fold(order, base()).hasOpenRun).toBe(false)
    const pruned = fold([end], base())
    pruned.prune()
    expect(pruned.runs).toEqual([])
    expect(fold([late], pruned).hasOpenRun).toBe(false)
  })

  test('trace 47: one that a copied record has pruned is open no more, whichever of the two is copied', () => {
    const running = ran(1, 1, [runOf(2000, { manual: true, state: 'running', attempt: 1 })])
    const completed = ran(1, 2, [runOf(2000, { manual: true, state: 'completed', attempt: 1 })])
    const behind = (): TaskRecord => fold([running], base())
    const pruned = (): TaskRecord => {
      const record = fold([running, completed], base())
      record.prune()
      return record
    }
    expect([behind().hasOpenRun, pruned().runs]).toEqual([true, []])
    for (const merged of [
      mergeRecords(behind(), pruned(), MERGE),
      mergeRecords(pruned(), behind(), MERGE),
      mergeRecords(mergeRecords(behind(), pruned(), MERGE), behind(), MERGE),
    ])
      expect(kept(merged)).toEqual(kept(pruned()))
    // What the other has never heard of is no less open for that, nor what no change has said yet.
    const by = (actor: number): TaskRecord =>
      fold([ran(actor, 1, [runOf(3000, { manual: true, state: 'running', attempt: 1 })])], base())
    expect(mergeRecords(by(2), pruned(), MERGE).hasOpenRun).toBe(true)
    expect(mergeRecords(pruned(), by(2), MERGE).hasOpenRun).toBe(true)
    const unsaid = base()
    unsaid.addRun(new Run(3000, false))
    expect(mergeRecords(unsaid, pruned(), MERGE).hasOpenRun).toBe(true)
    // An end that is known here stays until this store knows, too, that all have it.
    const ended = fold([running, completed], base())
    expect(mergeRecords(ended, pruned(), MERGE).runs.map(({ state }) => state)).toEqual(['completed'])
  })

  test('what an attempt came to stands above its start, also if it was given back', () => {
    const states = [
      { state: 'queued', attempt: 0 },
      { state: 'running', attempt: 1 },
      { state: 'queued', attempt: 0, returned: 1 },
      { state: 'running', attempt: 1, returned: 1 },
      { state: 'retrying', attempt: 1, returned: 1, retryAt: 5 },
      { state: 'queued', attempt: 1, returned: 1 },
      { state: 'failed', attempt: 1, returned: 1 },
      { state: 'queued', attempt: 1, returned: 1, drive: 1, drivenFrom: 1 },
      { state: 'completed', attempt: 2, returned: 1, drive: 1, drivenFrom: 1 },
    ] as const
    for (const [i, lesser] of states.entries()) {
      for (const greater of states.slice(i + 1)) {
        const both = [ran(1, 1, [runOf(2000, greater)]), ran(2, 1, [runOf(2000, lesser)])]
        for (const order of [both, [...both].reverse()])
          expect(fold(order, base()).findRun(2000)).toMatchObject(greater)
      }
    }
  })

  test.each([
    ['the earlier', { endedAt: 5 }, 2, { endedAt: 6 }, 1],
    ['of equal instants that of the lesser actor', { endedAt: 5 }, 1, { endedAt: 5 }, 2],
  ])('of two completions %s stays', (_, better, by, worse, other) => {
    const all = [
      ran(by, 1, [runOf(2000, { state: 'completed', attempt: 1, ...better })]),
      ran(other, 1, [runOf(2000, { state: 'completed', attempt: 9, drive: 3, ...worse })]),
    ]
    for (const order of [all, [...all].reverse()])
      expect(fold(order, base()).findRun(2000)).toMatchObject({ ...better, actor: by, n: 1, attempt: 1 })
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

describe('trace 26: two replacements at once', () => {
  const first = made(FOUNDER, 1)
  const winner = made(1, 1, { rev: 2, hlc: 9, actor: 1, next: 5000 })
  const loser = made(2, 1, { rev: 2, hlc: 8, actor: 2, next: 4000 })
  const ofLoser = { rev: 2, hlc: 8, actor: 2 }

  test('the end of the one that lost closes nothing of the other, and does not end it', () => {
    const ran4 = ran(2, 2, [runOf(4000, { state: 'completed', attempt: 1 })], {
      ...ofLoser,
      ...{ next: NEVER, lastAt: 9000, closed: 9000, fired: 5 },
    })
    const end = dropped(2, 3, ofLoser)
    const streams = [[first], [winner], [loser, ran4, end]]
    for (const each of orders(streams)) {
      if (each[0] !== first) continue
      const record = fold(each)
      expect(record).toMatchObject({ version: { rev: 2, hlc: 9, actor: 1 }, ended: false, cancelled: false })
      expect(record).toMatchObject({ next: 5000, nextAt: 5000, lastAt: NOT_YET, closed: NOT_YET, fired: 0 })
      expect(record.findRun(4000)?.state).toBe('completed')
      expect(record.closedBefore).toEqual([{ version: ofLoser, closed: 9000 }])
    }
  })

  test('what is said of the winner before it comes is there when it does', () => {
    const ofWinner = { rev: 2, hlc: 9, actor: 1 }
    const begun = ran(3, 1, [runOf(5000, { state: 'running', attempt: 1 })], {
      ...ofWinner,
      ...{ next: 6000, lastAt: 5000, closed: 4500, fired: 1 },
    })
    const early = fold([first, begun])
    expect(early).toMatchObject({ rev: 1, timesVersion: ofWinner })
    for (const each of orders([[winner], [loser], [begun]])) {
      const record = fold(each, fold([first]))
      expect(record).toMatchObject({
        timesVersion: undefined,
        next: 6000,
        lastAt: 5000,
        closed: 4500,
        fired: 1,
      })
      expect(record.runs.map(run => [run.instant, run.version])).toEqual([[5000, undefined]])
    }
  })
})

/** Every order of the streams' entries, each stream in its own. */
function* orders(streams: ReadonlyArray<readonly Entry[]>): Generator<Entry[]> {
  const open = streams.filter(stream => stream.length > 0)
  if (open.length === 0) yield []
  for (const stream of open) {
    const rest = open.map(each => (each === stream ? each.slice(1) : each))
    for (const tail of orders(rest)) yield [stream[0] as Entry, ...tail]
  }
}

describe('any changes of any actors', () => {
  const instant = fc.integer({ min: 2, max: 5 }).map(at => at * 1000)
  const edge = fc.oneof(instant, fc.constantFrom(NOT_YET))
  const times = fc.record({
    next: fc.oneof(instant, fc.constant(NEVER)),
    fired: fc.nat(3),
    lastAt: edge,
    closed: edge,
  })
  const someRun = fc
    .record({
      instant,
      manual: fc.boolean(),
      state: fc.constantFrom(...RUN_STATES),
      attempt: fc.nat(2),
      drive: fc.nat(1),
      returned: fc.nat(1),
      at: fc.nat(3),
    })
    .map(({ at, ...parts }) =>
      runOf(parts.instant, {
        ...parts,
        endedAt: RUN_STATES.indexOf(parts.state) > 2 ? at : 0,
        retryAt: parts.state === 'retrying' ? at : 0,
      }),
    )
  const step = fc.record({
    kind: fc.constantFrom('times', 'runs', 'both', 'dropped', 'replace', 'pause', 'cancel', 'create'),
    of: fc.nat(9),
    rev: fc.integer({ min: 2, max: 3 }),
    hlc: fc.nat(2),
    is: fc.boolean(),
    times,
    runs: fc.array(someRun, { maxLength: 3 }),
  })
  const histories = fc.array(fc.array(step, { maxLength: 4 }), { minLength: 2, maxLength: 4 })

  /** Each actor's changes; what a version is of is among them, whoever speaks of it. */
  function streamsOf(
    lists: ReadonlyArray<ReadonlyArray<typeof step extends fc.Arbitrary<infer T> ? T : never>>,
  ): Entry[][] {
    const versions: Version[] = [{ rev: 1, hlc: 0, actor: FOUNDER }]
    for (const [i, list] of lists.entries()) {
      for (const each of list) {
        const hlc = each.hlc * 10 + list.indexOf(each)
        if (each.kind === 'replace') versions.push({ rev: each.rev, hlc, actor: i + 1 })
        if (each.kind === 'create' && each === list[0]) versions.push({ rev: 1, hlc: each.hlc, actor: i + 1 })
      }
    }
    return lists.map((list, i) =>
      list.map((each, j) => {
        const [actor, n] = [i + 1, j + 1]
        const of = versions[each.of % versions.length] as Version
        const hlc = each.hlc * 10 + j
        if (each.kind === 'replace')
          return made(actor, n, { ...each.times, rev: each.rev, hlc, actor, request: actor * 10 + n })
        // Another owner makes it too: of this it knows nothing before.
        if (each.kind === 'create' && j === 0) return made(actor, n, { hlc: each.hlc, actor, ...each.times })
        if (each.kind === 'pause') return paused(actor, n, { rev: each.rev, hlc, paused: each.is })
        if (each.kind === 'cancel') return cancelled(actor, n, { rev: each.rev, hlc })
        const runs = [...new Map(each.runs.map(run => [run.instant, run])).values()]
        return updated(
          actor,
          n,
          { ...each.times, ...of },
          {
            times: each.kind === 'times' || each.kind === 'both',
            dropped: each.kind === 'dropped' && each.is,
            ...(each.kind === 'runs' || each.kind === 'both' ? { runs } : {}),
          },
        )
      }),
    )
  }

  test('make two records that become one: as if each of the changes were applied to one, from either side', () => {
    const merged = (a: TaskRecord, b: TaskRecord): TaskRecord => {
      const makeRun = (_: TaskRecord, instant: number, manual: boolean): Run => new Run(instant, manual)
      const copy = (record: TaskRecord): TaskRecord =>
        decodeSnapshot(encodeSnapshot(new ByteWriter(), record), 0, makeRun)
      return mergeRecords(copy(a), copy(b), { makeRun, compareActors: (x, y) => x - y })
    }
    fc.assert(
      fc.property(
        histories,
        picks,
        fc.array(fc.nat(4), { minLength: 8, maxLength: 8 }),
        (lists, one, cuts) => {
          const streams = streamsOf(lists)
          const some = (from: number): Entry[][] =>
            streams.map((stream, i) => stream.slice(0, cuts[(from + i) % cuts.length]))
          const [left, right] = [some(0), some(4)]
          const union = streams.map((_, i) => {
            const [a, b] = [left[i] as Entry[], right[i] as Entry[]]
            return a.length > b.length ? a : b
          })
          const fresh = (): TaskRecord => fold([made(FOUNDER, 1)])
          const whole = kept(fold(woven(union, one), fresh()))
          const [a, b] = [fold(woven(left, one), fresh()), fold(woven(right, one), fresh())]
          expect(kept(merged(a, b))).toEqual(whole)
          expect(kept(merged(b, a))).toEqual(whole)
          expect(kept(merged(merged(a, b), b))).toEqual(whole)
        },
      ),
      runs(1500),
    )
  })

  test('have the same runs open in a record that lacks some, once it is merged with one that has all and pruned', () => {
    const copy = (record: TaskRecord): TaskRecord =>
      decodeSnapshot(encodeSnapshot(new ByteWriter(), record), 0, MERGE.makeRun)
    const shown = (record: TaskRecord): object => {
      record.runs = record.runs.filter(run => record.isOpen(run))
      record.closedBefore = []
      return kept(record)
    }
    let pruned = 0
    fc.assert(
      fc.property(
        histories,
        picks,
        fc.array(fc.nat(4), { minLength: 4, maxLength: 4 }),
        (lists, one, cuts) => {
          const streams = streamsOf(lists)
          const some = streams.map((stream, i) => stream.slice(0, cuts[i]))
          const part = fold(woven(some, one), fold([made(FOUNDER, 1)]))
          const whole = fold(woven(streams, one), fold([made(FOUNDER, 1)]))
          const before = whole.runs.length
          whole.prune()
          pruned += before - whole.runs.length
          expect(shown(mergeRecords(copy(part), copy(whole), MERGE))).toEqual(shown(copy(whole)))
          expect(shown(mergeRecords(copy(whole), copy(part), MERGE))).toEqual(shown(copy(whole)))
        },
      ),
      runs(1500),
    )
    expect(pruned).toBeGreaterThan(0)
  })

  test('give the same record in every order, and once more alter nothing', () => {
    fc.assert(
      fc.property(histories, picks, picks, (lists, one, other) => {
        const streams = streamsOf(lists)
        const a = fold(woven(streams, one), fold([made(FOUNDER, 1)]))
        const b = fold(woven(streams, other), fold([made(FOUNDER, 1)]))
        expect(kept(b)).toEqual(kept(a))
        for (const each of streams.flat()) expect(apply(a, each)).toEqual({ kind: 'none' })
        expect(kept(a)).toEqual(kept(b))
      }),
      runs(3000),
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
      paused(1, 1, { rev: 2 }),
      ran(1, 2, [runOf(2000, { state: 'completed', attempt: 2 })]),
    ]
    const record = fold(entries)
    const before = kept(record)
    for (const each of entries) expect(apply(record, each)).toEqual({ kind: 'none' })
    expect(kept(record)).toEqual(before)
  })
})
