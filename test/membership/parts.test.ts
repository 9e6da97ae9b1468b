/** The small parts: local health, suspicion, probe order, news, crash evidence, memories of starts. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SeededRandom } from '../../src/lib/seeded-random.ts'
import { CrashEvidence } from '../../src/membership/crash-evidence.ts'
import { GossipQueue } from '../../src/membership/gossip-queue.ts'
import { LocalHealth } from '../../src/membership/local-health.ts'
import { ProbeOrder, sample } from '../../src/membership/probe-order.ts'
import { judgeStart, type StoreMemory, withSequence } from '../../src/membership/store-memory.ts'
import { Suspicion } from '../../src/membership/suspicion.ts'
import { TIMINGS } from '../../src/membership/timings.ts'
import { startIdOf, storeId } from '../support/membership.ts'

const { lan } = TIMINGS
const [A, B, C, D, E] = [1, 2, 3, 4, 5].map(storeId) as [
  ReturnType<typeof storeId>,
  ReturnType<typeof storeId>,
  ReturnType<typeof storeId>,
  ReturnType<typeof storeId>,
  ReturnType<typeof storeId>,
]

describe('local health', () => {
  test('goes up with failures and down with answers, between 0 and its most', () => {
    const health = new LocalHealth(8)
    health.answered()
    expect(health.score).toBe(0)
    health.probeFailed(0, 0)
    expect(health.score).toBe(1)
    // Every helper answered: the fault is not ours.
    health.probeFailed(3, 0)
    expect(health.score).toBe(1)
    health.probeFailed(3, 3)
    health.refuted()
    expect(health.score).toBe(5)
    health.late(0.2)
    expect(health.score).toBe(6)
    health.late(100)
    expect(health.score).toBe(8)
    for (let i = 0; i < 9; i++) health.answered()
    expect(health.score).toBe(0)
  })
})

describe('a suspicion', () => {
  const trial = () => new Suspicion({ boot: 1, incarnation: 0, startedAt: 1000 })

  test('gets shorter with each distinct accuser, and not with the same again', () => {
    const it = trial()
    it.confirm(A, 16)
    const ends = [it.endsAt(1000, 10, lan)]
    for (const voter of [B, C, D]) {
      expect(it.confirm(voter, 16)).toBe(true)
      expect(it.confirm(voter, 16)).toBe(false)
      ends.push(it.endsAt(1000, 10, lan))
    }
    expect(ends[0]).toBe(25_000)
    expect(ends[3]).toBe(5000)
    expect(ends.toSorted((a, b) => b - a)).toEqual(ends)
  })

  test('among three does not drop to its shortest at once, but with our own further failures', () => {
    const it = trial()
    it.vote(A, 1000)
    it.confirm(B, 16)
    expect(it.endsAt(1000, 3, lan)).toBeGreaterThan(12_000)
    expect(it.endsAt(4000, 3, lan)).toBeLessThan(it.endsAt(2000, 3, lan))
    expect(it.endsAt(9000, 3, lan)).toBe(5000)
  })

  test('loses our vote when we hear the accused, and ends when no accuser is left', () => {
    const it = trial()
    expect(it.vote(A, 1000)).toBe(true)
    expect(it.vote(A, 1500)).toBe(false)
    it.confirm(B, 16)
    expect(it.withdraw(A)).toBe(false)
    expect(it.voted).toBe(false)
    const lonely = trial()
    lonely.vote(A, 1000)
    expect(lonely.withdraw(A)).toBe(true)
  })

  test('does not count the time in which we did not listen', () => {
    const it = trial()
    it.vote(A, 1000)
    const before = it.endsAt(1000, 10, lan)
    it.postpone(3000)
    expect(it.endsAt(1000, 10, lan)).toBe(before + 3000)
  })

  test('keeps no more accusers than it is allowed', () => {
    const it = trial()
    expect([A, B, C].map(voter => it.confirm(voter, 2))).toEqual([true, true, false])
  })
})

describe('the order of probes', () => {
  test('takes each member once a round, and a newcomer within two', () => {
    const order = new ProbeOrder<number>(new SeededRandom(1))
    for (let i = 0; i < 10; i++) order.add(i)
    for (let i = 0; i < 10; i++) order.next(() => true)
    for (let round = 0; round < 5; round++) {
      const seen = Array.from({ length: 10 }, () => order.next(() => true))
      expect(seen.toSorted()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    }
    order.add(10)
    expect(Array.from({ length: 22 }, () => order.next(() => true))).toContain(10)
  })

  test('leaves out who was removed, and ends when nobody is wanted', () => {
    const order = new ProbeOrder<number>(new SeededRandom(2))
    for (let i = 0; i < 4; i++) order.add(i)
    order.remove(2)
    order.remove(7)
    expect(order.size).toBe(3)
    expect(Array.from({ length: 12 }, () => order.next(() => true))).not.toContain(2)
    expect(order.next(() => false)).toBeUndefined()
  })

  test('a sample has distinct members, and each has its turn', () => {
    const random = new SeededRandom(3)
    const seen = new Set<number>()
    for (let i = 0; i < 200; i++) {
      const some = sample([1, 2, 3, 4, 5], 3, random)
      expect(new Set(some).size).toBe(3)
      for (const one of some) seen.add(one)
    }
    expect(seen.size).toBe(5)
    expect(sample([1], 3, random)).toEqual([1])
  })
})

describe('news that wait', () => {
  const bytes = (length: number, value = 0) => new Uint8Array(length).fill(value)

  test('go out least sent first, so many times, and no more', () => {
    const queue = new GossipQueue(10)
    queue.put('a', bytes(4, 1))
    expect(queue.take(100, 9, 3).map(item => item[0])).toEqual([1])
    queue.put('b', bytes(4, 2))
    // Room for one: b was never sent.
    expect(queue.take(4, 9, 3).map(item => item[0])).toEqual([2])
    const sent: number[] = []
    for (let i = 0; i < 10; i++) sent.push(...queue.take(100, 9, 3).map(item => item[0]!))
    expect(sent.filter(value => value === 1)).toHaveLength(2)
    expect(sent.filter(value => value === 2)).toHaveLength(2)
    expect(queue.size).toBe(0)
  })

  test('are replaced under their key, and count anew', () => {
    const queue = new GossipQueue(10)
    queue.put('a', bytes(4, 1))
    queue.take(100, 9, 3)
    queue.put('a', bytes(4, 2))
    expect(queue.size).toBe(1)
    expect(Array.from({ length: 5 }, () => queue.take(100, 9, 3).length)).toEqual([1, 1, 1, 0, 0])
  })

  test('keep to the bounds: bytes and pieces of a frame, and how many wait', () => {
    const queue = new GossipQueue(3)
    for (let i = 0; i < 5; i++) queue.put(String(i), bytes(10, i))
    expect(queue.size).toBe(3)
    expect(queue.take(25, 9, 5)).toHaveLength(2)
    expect(queue.take(100, 1, 5)).toHaveLength(1)
    // What was sent most goes first when it is full.
    queue.put('new', bytes(10, 9))
    expect(queue.size).toBe(3)
    expect(queue.take(10, 1, 5)[0]?.[0]).toBe(9)
  })
})

describe('evidence of a crash', () => {
  const evidence = () => new CrashEvidence(A, 5000)

  test('is a reset and a refused redial, in that time', () => {
    const it = evidence()
    expect(it.refused(B, 1, 0)).toBe(false)
    it.reset(B, 1, 100)
    expect(it.waits(B, 200)).toBe(true)
    expect(it.refused(B, 1, 300)).toBe(true)
    expect(it.refused(B, 1, 400)).toBe(false)
    expect(it.witnesses(B, 1, 400)).toBe(1)
    it.vote(B, 1, C, 500)
    expect(it.witnesses(B, 1, 500)).toBe(2)
    expect(it.witnesses(B, 2, 500)).toBe(0)
    expect(it.witnesses(B, 1, 5400)).toBe(1)
    const late = evidence()
    late.reset(B, 1, 0)
    expect(late.refused(B, 1, 5001)).toBe(false)
  })

  test('is also a refusal that confirms the reset another saw, in either order', () => {
    const it = evidence()
    expect(it.vote(B, 1, C, 0)).toBe(false)
    expect(it.refused(B, 1, 100)).toBe(true)
    const other = evidence()
    expect(other.refused(B, 1, 0)).toBe(false)
    expect(other.vote(B, 1, C, 100)).toBe(true)
    expect(other.witnesses(B, 1, 100)).toBe(2)
  })

  test('is void once we hear the member, and never that of an earlier boot', () => {
    const it = evidence()
    it.reset(B, 1, 0)
    it.heard(B)
    expect(it.refused(B, 1, 100)).toBe(false)
    it.reset(B, 2, 200)
    expect(it.vote(B, 1, C, 200)).toBe(false)
    expect(it.witnesses(B, 2, 200)).toBe(0)
    expect(it.refused(B, 1, 300)).toBe(false)
  })

  test('is pruned once it is stale', () => {
    const it = evidence()
    it.reset(D, 1, 0)
    it.vote(E, 1, C, 4000)
    it.prune(6000)
    expect(it.waits(D, 100)).toBe(false)
    expect(it.witnesses(E, 1, 6000)).toBe(1)
  })
})

describe('the memory of starts', () => {
  const memory: StoreMemory = { boot: 5, startId: startIdOf(5), journalSeq: 100 }
  const claim = (boot: number, start: number, startSeq: number, journalSeq = startSeq) => ({
    boot,
    startId: startIdOf(start),
    startSeq,
    journalSeq,
    starts: [{ boot: 5, startId: startIdOf(5) }],
  })

  test.each([
    ['the same start', claim(5, 5, 50, 120), true],
    ['a later boot that has all of the journal', claim(6, 6, 100), true],
    ['a lower boot', claim(4, 4, 100), false],
    ['the same boot with another start', claim(5, 9, 100), false],
    ['a later boot that began behind the journal', claim(6, 6, 99, 200), false],
    [
      'a later boot whose past is another',
      { ...claim(7, 7, 200), starts: [{ boot: 5, startId: startIdOf(8) }] },
      false,
    ],
    ['a later boot that no longer tells of ours', { ...claim(50, 7, 200), starts: [] }, true],
  ])('%s', (_, start, ok) => {
    expect(judgeStart(memory, start).ok).toBe(ok)
  })

  test('never falls: after any claims that were accepted, what is behind them is refused', () => {
    const anyClaim = fc.record({ boot: fc.integer({ min: 1, max: 4 }), startSeq: fc.nat(5), more: fc.nat(3) })
    fc.assert(
      fc.property(fc.array(anyClaim, { maxLength: 8 }), claims => {
        let kept: StoreMemory | undefined
        for (const { boot, startSeq, more } of claims) {
          const verdict = judgeStart(kept, { ...claim(boot, boot, startSeq, startSeq + more), starts: [] })
          if (!verdict.ok) continue
          if (kept !== undefined) {
            expect(verdict.memory.boot).toBeGreaterThanOrEqual(kept.boot)
            expect(verdict.memory.journalSeq).toBeGreaterThanOrEqual(kept.journalSeq)
          }
          kept = verdict.memory
        }
      }),
    )
  })

  test('takes a sequence of the boot it knows, and only upwards', () => {
    expect(withSequence(memory, 5, 150).journalSeq).toBe(150)
    expect(withSequence(memory, 5, 50)).toBe(memory)
    expect(withSequence(memory, 4, 150)).toBe(memory)
  })
})
