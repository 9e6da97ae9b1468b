/** A connection that is stuck is cut soon, and one that is slow, lossy or idle is not. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CorruptBytes } from '../../src/lib/bytes.ts'
import { ORDERED, type Ordered, StallWatch } from '../../src/mesh/stall.ts'
import { decodeTallies, encodeTallies, isTallyFrame, type TallyFrame } from '../../src/mesh/tally-frames.ts'

const OPTIONS = { quietMs: 2000, askMs: 1000, stallMs: 2500, againMs: 15_000 } as const
const STEP_MS = 50
const MESH = 'ab'.repeat(16)

/** How long a frame is on its way, ms; Infinity: it never arrives. */
type Way = (now: number) => number

interface End {
  readonly watch: StallWatch
  readonly peer: string
  /** Of the ordered planes, and of the liveness plane. */
  readonly ways: Record<Ordered | 'liveness', Way>
  readonly arrivesAt: Record<Ordered, number>
  /** Cut at, ms. */
  readonly cuts: number[]
  asked: number
}

/** Two nodes; what they hold of each other goes over ways that a test sets. */
class Pair {
  readonly a = end('b')
  readonly b = end('a')
  #now = 0
  #due: { at: number; act: () => void }[] = []

  constructor() {
    this.#connect()
  }

  get now(): number {
    return this.#now
  }

  get cuts(): number {
    return this.a.cuts.length + this.b.cuts.length
  }

  #other(from: End): End {
    return from === this.a ? this.b : this.a
  }

  #connect(): void {
    this.#due = []
    for (const each of [this.a, this.b]) {
      each.watch.connected(each.peer)
      for (const plane of ORDERED) each.arrivesAt[plane] = 0
    }
  }

  #after(ms: number, act: () => void): void {
    if (Number.isFinite(ms)) this.#due.push({ at: this.#now + ms, act })
  }

  send(from: End, plane: Ordered): void {
    const to = this.#other(from)
    from.watch.sent(from.peer, plane, this.#now)
    from.arrivesAt[plane] = Math.max(from.arrivesAt[plane], this.#now + from.ways[plane](this.#now))
    this.#after(from.arrivesAt[plane] - this.#now, () => to.watch.received(to.peer, plane))
  }

  /** Runs `each` at each step. */
  run(ms: number, each: () => void = () => undefined): void {
    for (const until = this.#now + ms; this.#now < until; this.#now += STEP_MS) {
      for (const due of this.#due.filter(({ at }) => at <= this.#now)) {
        this.#due.splice(this.#due.indexOf(due), 1)
        due.act()
      }
      each()
      for (const asker of [this.a, this.b])
        for (const { number } of asker.watch.questions(this.#now)) this.#ask(asker, number)
    }
  }

  #ask(asker: End, number: number): void {
    const other = this.#other(asker)
    asker.asked++
    this.#after(asker.ways.liveness(this.#now), () => {
      const tallies = other.watch.tallies(other.peer)
      if (tallies === undefined) return
      this.#after(other.ways.liveness(this.#now), () => {
        if (!asker.watch.answered(asker.peer, number, tallies, this.#now)) return
        asker.cuts.push(this.#now)
        this.#connect()
      })
    })
  }
}

function end(peer: string): End {
  return {
    watch: new StallWatch(OPTIONS),
    peer,
    ways: { replication: () => 0, bulk: () => 0, liveness: () => 0 },
    arrivesAt: { replication: 0, bulk: 0 },
    cuts: [],
    asked: 0,
  }
}

const NEVER: Way = () => Number.POSITIVE_INFINITY

describe('the watch for connections that are stuck', () => {
  test.each(ORDERED)('cuts one on which nothing of %s arrives, within 6 s of what was sent', plane => {
    const pair = new Pair()
    pair.a.ways[plane] = NEVER
    pair.send(pair.a, plane)
    pair.run(6000)
    expect(pair.a.cuts).toHaveLength(1)
    expect(pair.b.cuts).toEqual([])
  })

  test('has the other side cut it, if that one alone hears nothing', () => {
    const pair = new Pair()
    pair.a.ways.replication = NEVER
    const isHere = () => pair.cuts > 0
    pair.run(7000, () => {
      // Whatever A sends is lost, and it hears B all the time.
      if (isHere() || pair.now % 500 !== 0) return
      pair.send(pair.a, 'replication')
      pair.send(pair.b, 'replication')
    })
    expect([pair.a.cuts.length, pair.b.cuts.length]).toEqual([0, 1])
  })

  test('cuts one within 5 s of when questions are answered again, and no sooner', () => {
    const pair = new Pair()
    const healedAt = 20_000
    const liveness: Way = now => (now < healedAt ? Number.POSITIVE_INFINITY : 1)
    for (const each of [pair.a, pair.b]) each.ways.liveness = liveness
    pair.a.ways.replication = NEVER
    pair.send(pair.a, 'replication')
    pair.run(healedAt + 5000)
    expect(pair.a.cuts).toHaveLength(1)
    expect(pair.a.cuts[0]).toBeGreaterThan(healedAt + OPTIONS.stallMs)
  })

  test('asks nobody while nothing is owed, and about a pair that talks only now and then', () => {
    const pair = new Pair()
    pair.run(60_000)
    expect(pair.a.asked + pair.b.asked).toBe(0)
    pair.run(60_000, () => {
      if (pair.now % 1000 === 0) pair.send(pair.a, 'replication')
      if (pair.now % 1000 === 500) pair.send(pair.b, 'replication')
    })
    expect(pair.a.asked + pair.b.asked).toBe(0)
    // Large things go one way, and one is always under way: a question a second.
    pair.run(60_000, () => pair.send(pair.a, 'bulk'))
    expect(pair.a.asked).toBeLessThanOrEqual(60)
    // What it said last, before that, may not have been heard.
    expect(pair.b.asked).toBeLessThanOrEqual(1)
    expect(pair.cuts).toBe(0)
  })

  test('leaves a way alone that takes one frame in two seconds', () => {
    const pair = new Pair()
    let freeAt = 0
    pair.a.ways.bulk = now => {
      freeAt = Math.max(freeAt, now) + 2000
      return freeAt - now
    }
    for (let i = 0; i < 30; i++) pair.send(pair.a, 'bulk')
    pair.run(70_000)
    expect(pair.cuts).toBe(0)
    expect(pair.a.asked).toBeGreaterThan(20)
  })

  test('leaves one alone that is as long for questions as for all else', () => {
    const pair = new Pair()
    for (const each of [pair.a, pair.b]) {
      each.ways.liveness = () => 9000
      each.ways.replication = () => 9000
    }
    pair.run(90_000, () => {
      if (pair.now % 500 !== 0) return
      pair.send(pair.a, 'replication')
      pair.send(pair.b, 'replication')
    })
    expect(pair.cuts).toBe(0)
  })

  test('a peer that stands still is not cut for it, nor is one that was', () => {
    const pair = new Pair()
    // Nothing comes in at B for ten seconds; then all of it does, in order.
    const resumesAt = 15_000
    const paused: Way = now => (now >= 5000 && now < resumesAt ? resumesAt - now : 0)
    for (const plane of [...ORDERED, 'liveness'] as const) pair.a.ways[plane] = paused
    pair.run(40_000, () => {
      if (pair.now % 500 === 0) pair.send(pair.a, 'replication')
    })
    expect(pair.cuts).toBe(0)
  })

  test('who did not listen itself counts nothing of that time', () => {
    const watch = new StallWatch(OPTIONS)
    watch.connected('b')
    watch.sent('b', 'bulk', 0)
    const theirs = { replication: { sent: 0, received: 0 }, bulk: { sent: 0, received: 0 } }
    const [first] = watch.questions(2000)
    expect(watch.answered('b', first?.number ?? 0, theirs, 2001)).toBe(false)
    const [second] = watch.questions(3000)
    // It stood still; the answer was there all the time.
    expect(watch.answered('b', second?.number ?? 0, theirs, 20_000)).toBe(false)
    const [third] = watch.questions(20_050)
    expect(watch.answered('b', third?.number ?? 0, theirs, 20_051)).toBe(false)
    expect(watch.answered('b', third?.number ?? 0, theirs, 20_052)).toBe(false)
  })

  test('cuts one pair at most once in a while, and each pair for itself', () => {
    const pair = new Pair()
    pair.a.ways.replication = NEVER
    pair.run(100_000, () => pair.now % 500 === 0 && pair.send(pair.a, 'replication'))
    expect(pair.a.cuts.length).toBeGreaterThanOrEqual(4)
    for (const [i, at] of pair.a.cuts.entries())
      if (i > 0) expect(at - (pair.a.cuts[i - 1] as number)).toBeGreaterThanOrEqual(OPTIONS.againMs)
  })

  test('an answer of an earlier connection says nothing', () => {
    const watch = new StallWatch(OPTIONS)
    watch.connected('b')
    watch.sent('b', 'bulk', 0)
    const [old] = watch.questions(2000)
    watch.disconnected('b')
    watch.connected('b')
    watch.sent('b', 'bulk', 2000)
    const theirs = { replication: { sent: 0, received: 0 }, bulk: { sent: 0, received: 0 } }
    for (const at of [4000, 5000, 6000, 7000, 8000]) {
      const [fresh] = watch.questions(at)
      expect(fresh?.number).not.toBe(old?.number)
      expect(watch.answered('b', old?.number ?? 0, theirs, at)).toBe(false)
    }
  })

  test('never cuts where each frame arrives within two seconds, whatever becomes of questions', () => {
    const delays = fc.array(fc.nat(2000), { minLength: 1, maxLength: 40 })
    const lives = fc.array(fc.oneof(fc.nat(3000), fc.constant(Number.POSITIVE_INFINITY)), {
      minLength: 1,
      maxLength: 20,
    })
    const gaps = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(delays, delays, lives, gaps, gaps, (there, back, live, here, yonder) => {
        const pair = new Pair()
        const cycle = (values: readonly number[]): (() => number) => {
          let at = 0
          return () => values[at++ % values.length] as number
        }
        for (const [each, ms] of [
          [pair.a, there],
          [pair.b, back],
        ] as const) {
          for (const plane of ORDERED) each.ways[plane] = cycle(ms)
          each.ways.liveness = cycle(live)
        }
        const talk = [
          [pair.a, cycle(here), cycle([0, 1, 1])],
          [pair.b, cycle(yonder), cycle([1, 0])],
        ] as const
        const next = new Map<End, number>()
        pair.run(30_000, () => {
          for (const [from, gap, plane] of talk) {
            if (pair.now < (next.get(from) ?? 0)) continue
            next.set(from, pair.now + gap() * STEP_MS)
            pair.send(from, ORDERED[plane() as 0 | 1])
          }
        })
        expect(pair.cuts).toBe(0)
      }),
      { numRuns: 200 },
    )
  })

  test('always cuts where one way of one plane has stopped, whoever else talks', () => {
    const gaps = fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(fc.constantFrom(...ORDERED), gaps, gaps, fc.nat(200), (plane, here, yonder, ms) => {
        const pair = new Pair()
        pair.a.ways[plane] = NEVER
        for (const each of [pair.a, pair.b]) each.ways.liveness = () => ms
        const next = new Map<End, number>()
        let at = 0
        pair.run(11_000, () => {
          if (pair.cuts > 0) return
          for (const [from, values] of [
            [pair.a, here],
            [pair.b, yonder],
          ] as const) {
            if (pair.now < (next.get(from) ?? 0)) continue
            next.set(from, pair.now + (values[at++ % values.length] as number) * STEP_MS)
            pair.send(from, plane)
          }
        })
        expect(pair.cuts).toBe(1)
      }),
      { numRuns: 200 },
    )
  })
})

describe('frames of tallies', () => {
  const frame: TallyFrame = {
    kind: 'answer',
    number: 77,
    tallies: { replication: { sent: 1, received: 300 }, bulk: { sent: 2 ** 40, received: 0 } },
  }

  test('say what was said, and are no frames of membership', () => {
    for (const kind of ['ask', 'answer'] as const) {
      const bytes = encodeTallies(MESH, { ...frame, kind })
      expect(isTallyFrame(bytes)).toBe(true)
      expect(decodeTallies(bytes, MESH)).toEqual({ ...frame, kind })
    }
    expect(isTallyFrame(Uint8Array.of(0x43, 0x4d, 1, 1))).toBe(false)
    expect(isTallyFrame(Uint8Array.of())).toBe(false)
  })

  test('are read whole or not at all', () => {
    const bytes = encodeTallies(MESH, frame)
    const refused = (change: (bytes: Uint8Array) => Uint8Array, mesh = MESH): void =>
      expect(() => decodeTallies(change(bytes.slice()), mesh)).toThrow(CorruptBytes)
    for (let length = 0; length < bytes.length; length++) refused(each => each.slice(0, length))
    refused(each => Uint8Array.of(...each, 0))
    refused(each => each, 'cd'.repeat(16))
    for (const [at, value] of [
      [0, 0],
      [1, 0x52],
      [2, 2],
      [3, 2],
    ] as const)
      refused(each => each.with(at, value))
  })
})
