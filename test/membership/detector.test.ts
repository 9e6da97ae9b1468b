import { describe, expect, test } from 'vitest'
import { SeededRandom } from '../../src/lib/seeded-random.ts'
import { Detector } from '../../src/membership/detector.ts'
import { TIMINGS } from '../../src/membership/timings.ts'
import type { MemberRecord, StoreId } from '../../src/membership/view.ts'
import { recordOf, storeId } from '../support/membership.ts'

const { lan } = TIMINGS

/** A detector among `count` live members, of whom number 0 is us, with a log of what it does. */
class Bench {
  readonly records = new Map<StoreId, MemberRecord>()
  readonly pings: Array<{ readonly store: StoreId; readonly seq: number }> = []
  readonly through: Array<{ readonly helper: StoreId; readonly store: StoreId; readonly seq: number }> = []
  readonly voted: StoreId[] = []
  readonly condemned: StoreId[] = []
  readonly acquitted: StoreId[] = []
  readonly nacks: number[] = []
  readonly relayed: number[] = []
  readonly detector: Detector
  now = 0
  /** Who answers pings at once. */
  answers = (_store: StoreId): boolean => false

  constructor(count: number) {
    for (let i = 0; i < count; i++) this.records.set(storeId(i), recordOf(i))
    const others = [...this.records.keys()].filter(store => store !== storeId(0))
    this.detector = new Detector(
      { random: new SeededRandom('bench') },
      { self: storeId(0), timings: lan, relaysMax: 2 },
      {
        record: store => this.records.get(store),
        liveCount: () => count,
        helpers: store => others.filter(other => other !== store),
        ping: (store, seq) => {
          this.pings.push({ store, seq })
          if (!this.answers(store)) return
          this.detector.heard(store, this.now)
          this.detector.answered(seq, this.now)
        },
        pingThrough: (helper, store, seq) => this.through.push({ helper, store, seq }),
        nack: (_asker, seq) => this.nacks.push(seq),
        relayAck: (_asker, seq) => this.relayed.push(seq),
        voted: record => this.voted.push(record.store),
        condemned: record => {
          this.condemned.push(record.store)
          this.change({ ...record, state: 'away' })
        },
        acquitted: store => this.acquitted.push(store),
      },
      0,
    )
    for (const record of this.records.values()) this.detector.changed(record)
  }

  change(record: MemberRecord): void {
    this.records.set(record.store, record)
    this.detector.changed(record)
  }

  run(ms: number): void {
    for (const end = this.now + ms; this.now < end; ) {
      this.now += lan.beatMs
      this.detector.beat(this.now, 0)
    }
  }
}

test('probes each member once a round, one an interval', () => {
  const bench = new Bench(6)
  bench.answers = () => true
  bench.run(5000)
  expect(bench.pings.map(({ store }) => store).toSorted()).toEqual([1, 2, 3, 4, 5].map(storeId))
  expect(bench.detector.health).toBe(0)
  expect(bench.voted).toEqual([])
})

test('asks three others when there is no answer, and accuses only after they had their time', () => {
  const bench = new Bench(6)
  bench.run(1000 + lan.ackMs)
  const [first] = bench.pings
  const helpers = bench.through.filter(({ store }) => store === first?.store)
  expect(helpers).toHaveLength(3)
  expect(new Set(helpers.map(({ helper }) => helper)).size).toBe(3)
  expect(helpers.every(({ seq }) => seq === first?.seq)).toBe(true)
  expect(bench.voted).toEqual([])
  bench.run(1000)
  expect(bench.voted).toContain(first?.store)
})

test('an answer through a helper is an answer', () => {
  const bench = new Bench(6)
  bench.run(1000 + lan.ackMs)
  const [first] = bench.through
  bench.detector.answered(first!.seq, bench.now)
  bench.run(600)
  expect(bench.voted).not.toContain(first?.store)
})

test('doubts itself when helpers keep silent, and not when they say that they failed, too', () => {
  const silent = new Bench(6)
  silent.run(2100)
  expect(silent.detector.health).toBeGreaterThan(0)
  const honest = new Bench(6)
  for (let i = 0; i < 42; i++) {
    honest.run(lan.beatMs)
    for (const { seq } of honest.through.splice(0)) honest.detector.nacked(seq)
  }
  expect(honest.voted.length).toBeGreaterThan(0)
  expect(honest.detector.health).toBe(0)
})

test('condemns a silent member after the trial, and not before its shortest time', () => {
  const bench = new Bench(6)
  const dead = storeId(3)
  bench.answers = store => store !== dead
  bench.run(6000)
  expect(bench.voted).toEqual([dead])
  expect(bench.condemned).toEqual([])
  for (const voter of [1, 2, 4]) bench.detector.accused(dead, 1, 0, storeId(voter), bench.now)
  bench.run(4200)
  expect(bench.condemned).toEqual([dead])
  // It is probed no more.
  bench.pings.length = 0
  bench.run(12_000)
  expect(bench.pings.map(({ store }) => store)).not.toContain(dead)
})

describe('D1: whoever heard the accused', () => {
  test('takes its vote back, and the trial ends if it was the only one', () => {
    const bench = new Bench(6)
    bench.answers = store => store !== storeId(3)
    bench.run(7000)
    expect(bench.detector.isSuspect(storeId(3))).toBe(true)
    bench.detector.heard(storeId(3), bench.now)
    expect(bench.detector.isSuspect(storeId(3))).toBe(false)
    expect(bench.acquitted).toEqual([storeId(3)])
  })

  test('does not condemn it on the word of others', () => {
    const bench = new Bench(6)
    bench.answers = store => store !== storeId(3)
    for (const voter of [1, 2, 4, 5]) bench.detector.accused(storeId(3), 1, 0, storeId(voter), 0)
    bench.run(3000)
    bench.detector.heard(storeId(3), bench.now)
    bench.run(1500)
    expect(bench.condemned).toEqual([])
    expect(bench.detector.isSuspect(storeId(3))).toBe(false)
  })

  test('does not accuse it for one lost answer', () => {
    const bench = new Bench(3)
    bench.run(1300)
    const [first] = bench.pings
    bench.detector.heard(first!.store, bench.now)
    bench.run(800)
    expect(bench.voted).not.toContain(first!.store)
  })
})

test('D2: time in which we did not listen counts against nobody', () => {
  const bench = new Bench(6)
  bench.answers = store => store !== storeId(3)
  bench.run(7000)
  for (const voter of [1, 2, 4]) bench.detector.accused(storeId(3), 1, 0, storeId(voter), bench.now)
  // Ten seconds pass at once: the trial would have been over.
  bench.now += 10_000
  bench.detector.beat(bench.now, 10_000)
  expect(bench.condemned).toEqual([])
  expect(bench.detector.health).toBe(lan.healthMax)
  bench.run(6000)
  expect(bench.condemned).toEqual([storeId(3)])
})

test('D3: a member that only others accuse is asked before it is condemned, and saved by its answer', () => {
  const bench = new Bench(30)
  bench.answers = () => true
  for (const voter of [1, 2, 4, 5]) bench.detector.accused(storeId(3), 1, 0, storeId(voter), 0)
  bench.run(8000)
  expect(bench.condemned).toEqual([])
  const silent = new Bench(30)
  silent.answers = store => store !== storeId(3)
  for (const voter of [1, 2, 4, 5]) silent.detector.accused(storeId(3), 1, 0, storeId(voter), 0)
  silent.run(8000)
  expect(silent.condemned).toEqual([storeId(3)])
  expect(silent.pings.filter(({ store }) => store === storeId(3)).length).toBeGreaterThanOrEqual(3)
})

test('D4: an accusation of another boot or incarnation has no effect, and a refutation ends a trial', () => {
  const bench = new Bench(6)
  expect(bench.detector.accused(storeId(3), 2, 0, storeId(1), 0)).toBe(false)
  expect(bench.detector.accused(storeId(3), 1, 1, storeId(1), 0)).toBe(false)
  expect(bench.detector.accused(storeId(3), 1, 0, storeId(1), 0)).toBe(true)
  bench.change(recordOf(3, { incarnation: 1 }))
  expect(bench.detector.isSuspect(storeId(3))).toBe(false)
  expect(bench.acquitted).toEqual([storeId(3)])
})

test('probes for others: says so when there is no answer, passes one on, and does only so many at a time', () => {
  const bench = new Bench(6)
  bench.detector.relay('n1', 71, storeId(3), 0)
  bench.detector.relay('n1', 72, storeId(4), 0)
  bench.detector.relay('n1', 73, storeId(5), 0)
  expect(bench.pings.map(({ store }) => store)).toEqual([storeId(3), storeId(4)])
  bench.detector.answered(bench.pings[0]!.seq, 10)
  expect(bench.relayed).toEqual([71])
  bench.run(450)
  expect(bench.nacks).toEqual([72])
})

test('asks through others before a verdict: whom only we cannot reach is not condemned', () => {
  const bench = new Bench(6)
  const cutOff = storeId(3)
  bench.answers = store => store !== cutOff
  bench.run(8000)
  expect(bench.voted).toEqual([cutOff])
  for (const voter of [1, 2, 4]) bench.detector.accused(cutOff, 1, 0, storeId(voter), bench.now)
  // Every other question through a helper is lost; those of the end of the trial are many.
  bench.through.length = 0
  let questions = 0
  for (let i = 0; i < 200 && bench.condemned.length === 0 && bench.acquitted.length === 0; i++) {
    bench.run(lan.beatMs)
    for (const { seq } of bench.through.splice(0))
      if (questions++ % 2 === 1) bench.detector.answered(seq, bench.now)
  }
  expect(questions).toBeGreaterThan(3)
  expect(bench.condemned).toEqual([])
  expect(bench.acquitted).toEqual([cutOff])
})
