import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { EPSILON, ownerBounds, placeBounds, zonesOf } from '../../src/ring/shares.ts'

/** The judge: who would get more than there is of it gets all; the others share the rest; over again. */
function sharesInTurns(weights: readonly number[], ranges: number, places: number): number[] {
  const shares = new Array<number>(weights.length).fill(-1)
  for (;;) {
    const open = weights.map((_, i) => i).filter(i => shares[i] === -1)
    const left = ranges * (places - (weights.length - open.length))
    const weight = open.reduce((sum, i) => sum + (weights[i] as number), 0)
    const full = open.filter(i => (left * (weights[i] as number)) / weight >= ranges)
    if (full.length === 0) {
      for (const i of open) shares[i] = (left * (weights[i] as number)) / weight
      return shares
    }
    for (const i of full) shares[i] = ranges
  }
}

const weights = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 40 })
const ranges = fc.integer({ min: 0, max: 16 }).map(log => 2 ** log)
const own = (count: number, places: number) =>
  zonesOf(
    Array.from({ length: count }, (_, i) => `own ${i}`),
    places,
  )

describe('zonesOf', () => {
  test.each([
    ['as many zones as places', ['a', 'b', 'c', 'a'], 3, [1, 1, 1], 0],
    ['more zones', ['a', 'b', 'c', 'd', 'd'], 3, [0, 0, 0, 0], 3],
    ['fewer zones', ['a', 'b', 'b', 'a', 'b'], 3, [1, 1], 1],
    ['a zone that runs out', ['a', 'b', 'b', 'b', 'b'], 4, [1, 3], 0],
    ['all members', ['a', 'b', 'b'], 3, [1, 2], 0],
  ])('gives the places out in turns: %s', (_case, names, places, base, extra) => {
    const zones = zonesOf(names, places)
    expect([...zones.base]).toEqual(base)
    expect(zones.extra).toBe(extra)
  })

  test('can always give out the extra ones', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1 }), fc.nat(), (names, n) => {
        const places = 1 + (n % names.length)
        const { base, extra, mayHaveMore } = zonesOf(names, places)
        expect(base.reduce((sum, count) => sum + count, 0) + extra).toBe(places)
        expect(extra).toBeLessThanOrEqual(mayHaveMore.filter(may => may).length)
      }),
    )
  })
})

describe('placeBounds', () => {
  test('are a quarter above the share by weight, nobody twice in one list', () => {
    fc.assert(
      fc.property(weights, ranges, fc.integer({ min: 1, max: 5 }), (weights, ranges, replicas) => {
        const places = Math.min(replicas, weights.length)
        const bounds = placeBounds(weights, own(weights.length, places), ranges, places)
        sharesInTurns(weights, ranges, places).forEach((share, i) => {
          // What is counted in 65,536ths may be that much below.
          expect(bounds[i]).toBeLessThanOrEqual(Math.min(ranges, Math.ceil((1 + EPSILON) * share + 1e-9)))
          expect(bounds[i]).toBeGreaterThanOrEqual(
            Math.min(ranges, Math.ceil((1 + EPSILON) * (share - 0.01))),
          )
        })
      }),
    )
  })

  test.each([
    ['equal weights', [1, 1, 1, 1], 3, ['a', 'b', 'c', 'd'], [240, 240, 240, 240]],
    ['one far heavier: in every list', [100, 1, 1, 1], 3, ['a', 'b', 'c', 'd'], [256, 214, 214, 214]],
    [
      'a small zone of three: each of it in a list',
      [1, 1, 1, 1],
      3,
      ['a', 'b', 'c', 'c'],
      [256, 256, 160, 160],
    ],
    ['a zone alone: in every list', [1, 1, 1, 1, 1], 2, ['a', 'b', 'b', 'b', 'b'], [256, 80, 80, 80, 80]],
    [
      'two places of three for the greater zone',
      [1, 1, 1, 1, 1, 1],
      3,
      ['a', 'a', 'b', 'b', 'b', 'b'],
      [160, 160, 160, 160, 160, 160],
    ],
  ])('of 256 ranges: %s', (_case, weights, places, names, bounds) => {
    expect([...placeBounds(weights, zonesOf(names, places), 256, places)]).toEqual(bounds)
  })

  test('leave room for every place, whatever the weights and zones', () => {
    const zoned = fc.array(fc.tuple(fc.integer({ min: 1, max: 100 }), fc.constantFrom('a', 'b', 'c', 'd')), {
      minLength: 1,
      maxLength: 30,
    })
    fc.assert(
      fc.property(zoned, ranges, fc.integer({ min: 1, max: 5 }), (members, ranges, replicas) => {
        const places = Math.min(replicas, members.length)
        const weights = members.map(([weight]) => weight)
        const zones = zonesOf(
          members.map(([, zone]) => zone),
          places,
        )
        const bounds = placeBounds(weights, zones, ranges, places)
        expect(bounds.reduce((sum, bound) => sum + bound, 0)).toBeGreaterThanOrEqual(ranges * places)
        zones.base.forEach((base, zone) => {
          const inZone = bounds.filter((_, member) => zones.zoneOf[member] === zone)
          expect(inZone.reduce((sum, bound) => sum + bound, 0)).toBeGreaterThanOrEqual(base * ranges)
        })
      }),
    )
  })
})

test('ownerBounds are a quarter above the share by weight', () => {
  expect([...ownerBounds([1, 1, 1, 1], 256)]).toEqual([80, 80, 80, 80])
  expect([...ownerBounds([5, 3, 2], 1024)]).toEqual([640, 384, 256])
  expect([...ownerBounds([100, 1], 1024)]).toEqual([1024, 13])
  expect([...ownerBounds([7], 16)]).toEqual([16])
})
