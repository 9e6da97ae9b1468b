import { expect, test } from 'vitest'
import {
  confirmationsWanted,
  crashWitnessesWanted,
  foundingQuorum,
  goneAfter,
  ownFailuresCount,
  quorumOf,
  settleMs,
  stretched,
  suspicionMs,
  suspicionMsMax,
  suspicionMsMin,
  TIMINGS,
  transmissionsMax,
} from '../../src/membership/timings.ts'

const { lan } = TIMINGS

test.each([
  [1, 4000],
  [3, 4000],
  [10, 4000],
  [100, 8000],
  [1000, 12_000],
])('among %i the shortest suspicion is %i ms, and the longest six times that', (count, ms) => {
  expect(suspicionMsMin(lan, count)).toBeCloseTo(ms, 6)
  expect(suspicionMsMax(lan, count)).toBeCloseTo(6 * ms, 6)
})

test.each([
  [0, 3, 24_000],
  [1, 3, 14_000],
  [2, 3, 8150],
  [3, 3, 4000],
  [9, 3, 4000],
  [0, 0, 4000],
  [4, 8, 9350],
  [8, 8, 4000],
])('%i of %i confirmations leave %i ms of 4 to 24 seconds', (confirmations, wanted, ms) => {
  expect(Math.abs(suspicionMs(confirmations, wanted, 4000, 24_000) - ms)).toBeLessThan(5)
})

test('more confirmations never make a suspicion longer', () => {
  for (let wanted = 1; wanted <= 8; wanted++) {
    for (let c = 0; c < 10; c++) {
      expect(suspicionMs(c + 1, wanted, 4000, 24_000)).toBeLessThanOrEqual(
        suspicionMs(c, wanted, 4000, 24_000),
      )
    }
  }
})

test.each([
  [2, 8, true],
  [3, 8, true],
  [4, 2, false],
  [5, 3, false],
  [1000, 3, false],
])('among %i there have to be %i confirmations; our own failures are some: %s', (count, wanted, own) => {
  expect(confirmationsWanted(count)).toBe(wanted)
  expect(ownFailuresCount(count)).toBe(own)
})

test.each([
  [1, 2],
  [3, 3],
  [10, 5],
  [100, 9],
  [1000, 13],
])('among %i a piece of news is sent %i times by each', (count, times) => {
  expect(transmissionsMax(lan, count)).toBe(times)
  expect(settleMs(lan, count)).toBe(lan.gossipMs * (2 + times))
})

test.each([
  [3, 1, 1],
  [3, 2, 2],
  [3, 3, 2],
  [3, 1000, 2],
  [5, 4, 3],
  [5, 9, 3],
  [2, 9, 2],
  [1, 9, 1],
])('W of R = %i in a roster of %i is %i', (replicas, roster, quorum) => {
  expect(quorumOf(replicas, roster)).toBe(quorum)
})

test.each([
  [2, 1],
  [3, 2],
  [30, 2],
  [1, 1],
])('with %i live members a crash wants %i witnesses', (live, witnesses) => {
  expect(crashWitnessesWanted(live)).toBe(witnesses)
})

test('a majority founds, and two majorities meet', () => {
  for (let expected = 1; expected <= 48; expected++)
    expect(2 * foundingQuorum(expected)).toBeGreaterThan(expected)
  expect(foundingQuorum(3)).toBe(2)
  expect(foundingQuorum(4)).toBe(3)
})

test('who is away is gone after a while; at once, nearly, if its node lives on with another store', () => {
  expect([60_000, 1000].map(ms => goneAfter(ms, false))).toEqual([60_000, 1000])
  expect([60_000, 1000].map(ms => goneAfter(ms, true))).toEqual([2000, 1000])
})

test('local health stretches times by one more than its score', () => {
  expect([0, 1, 8].map(health => stretched(500, health))).toEqual([500, 1000, 4500])
})

test('in every profile an indirect answer has time within a probe, and several beats fit into an answer', () => {
  for (const timings of Object.values(TIMINGS)) {
    expect(timings.ackMs * 1.8).toBeLessThan(timings.probeMs)
    expect(timings.beatMs * 3).toBeLessThan(timings.ackMs)
    expect(timings.lateMsMax).toBeGreaterThan(timings.beatMs)
  }
})
