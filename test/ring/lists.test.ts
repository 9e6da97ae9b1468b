import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { listsOf } from '../../src/ring/lists.ts'
import { ownersOf } from '../../src/ring/owners.ts'
import { Ring } from '../../src/ring/ring.ts'
import { ownerBounds, placeBounds, type Zones, zonesOf } from '../../src/ring/shares.ts'
import { arbitraryRanges, arbitraryStores, storesOf } from './stores.ts'

interface Case {
  readonly ring: Ring
  readonly zones: Zones
  readonly zoneNames: readonly string[]
  readonly weights: readonly number[]
  readonly ranges: number
  readonly places: number
}

function caseOf(stores: ReturnType<typeof storesOf>, ranges: number, replicas: number): Case {
  const sorted = stores.toSorted((a, b) => (a.store < b.store ? -1 : 1))
  const places = Math.min(replicas, sorted.length)
  const zoneNames = sorted.map(({ zone, node }) => (zone === '' ? `node ${node}` : zone))
  return {
    ring: new Ring(sorted, ranges),
    zones: zonesOf(zoneNames, places),
    zoneNames,
    weights: sorted.map(({ weight }) => weight),
    ranges,
    places,
  }
}

function rows({ ranges, places }: Case, lists: Int32Array): number[][] {
  return Array.from({ length: ranges }, (_, range) => [
    ...lists.subarray(range * places, (range + 1) * places),
  ])
}

function counts(size: number, members: Iterable<number>): number[] {
  const out = new Array<number>(size).fill(0)
  for (const member of members) out[member]! += 1
  return out
}

/** The judge: in turns, one place of each zone before a second of any, from whole lists; no swaps, so it may fail. */
function greedy({ ring, zoneNames, ranges, places }: Case, bounds: Int32Array): number[][] | undefined {
  const loads = new Map<number, number>()
  const lists: number[][] = []
  for (let range = 0; range < ranges; range++) {
    const order: number[] = []
    ring.walk(range, member => {
      order.push(member)
      return false
    })
    const chosen = new Set<number>()
    for (let turn = 0; turn < places; turn++) {
      const inTurn = new Map<string, number>()
      for (const member of chosen) {
        const zone = zoneNames[member] as string
        inTurn.set(zone, (inTurn.get(zone) ?? 0) + 1)
      }
      for (const member of order) {
        const zone = zoneNames[member] as string
        const full = (loads.get(member) ?? 0) >= (bounds[member] as number)
        if (chosen.size === places || chosen.has(member) || full || (inTurn.get(zone) ?? 0) > turn) continue
        inTurn.set(zone, (inTurn.get(zone) ?? 0) + 1)
        chosen.add(member)
      }
      // A zone whose members are all at their bound has missed its turn.
      const sizes = new Map<string, number>()
      for (const zone of zoneNames) sizes.set(zone, (sizes.get(zone) ?? 0) + 1)
      const missed = [...sizes].some(([zone, size]) => (inTurn.get(zone) ?? 0) < Math.min(size, turn + 1))
      if (chosen.size < places && missed) return undefined
    }
    if (chosen.size < places) return undefined
    for (const member of chosen) loads.set(member, (loads.get(member) ?? 0) + 1)
    lists.push(order.filter(member => chosen.has(member)))
  }
  return lists
}

const zoned = arbitraryStores({ weightMax: 4, zones: ['', 'a', 'b', 'c', 'd'] })
const replicas = fc.integer({ min: 1, max: 5 })

describe('listsOf', () => {
  test('takes whom the walk meets, as the judge does that knows neither swaps nor counts of zones', () => {
    let judged = 0
    fc.assert(
      fc.property(zoned, arbitraryRanges, replicas, fc.boolean(), (stores, ranges, replicas, bounded) => {
        const it = caseOf(stores, ranges, replicas)
        const bounds = bounded
          ? placeBounds(it.weights, it.zones, ranges, it.places)
          : new Int32Array(it.weights.length).fill(ranges)
        const lists = rows(it, listsOf(it.ring, it.zones, ranges, it.places, bounded ? bounds : undefined))
        const expected = greedy(it, bounds)
        if (expected === undefined) return
        judged++
        expect(lists).toEqual(expected)
      }),
      { numRuns: 300 },
    )
    expect(judged).toBeGreaterThan(200)
  })

  test('has distinct members in every list, in the order of the walk, and nobody above the bound', () => {
    const stores = arbitraryStores({ weightMax: 9 })
    fc.assert(
      fc.property(stores, arbitraryRanges, replicas, (stores, ranges, replicas) => {
        const it = caseOf(stores, ranges, replicas)
        const bounds = placeBounds(it.weights, it.zones, ranges, it.places)
        const lists = rows(it, listsOf(it.ring, it.zones, ranges, it.places, bounds))
        lists.forEach((list, range) => {
          expect(new Set(list).size).toBe(it.places)
          const order: number[] = []
          it.ring.walk(range, member => {
            if (list.includes(member)) order.push(member)
            return false
          })
          expect(list).toEqual(order)
        })
        counts(it.weights.length, lists.flat()).forEach((load, member) => {
          expect(load).toBeLessThanOrEqual(bounds[member] as number)
        })
      }),
      { numRuns: 300 },
    )
  })

  test('keeps bounds without any room to spare, by swaps', () => {
    fc.assert(
      fc.property(arbitraryStores({ max: 12 }), arbitraryRanges, replicas, (stores, ranges, replicas) => {
        const it = caseOf(stores, ranges, replicas)
        const total = ranges * it.places
        const size = it.weights.length
        const bounds = Int32Array.from({ length: size }, (_, i) => Math.floor((total + i) / size))
        expect(bounds.reduce((sum, bound) => sum + bound, 0)).toBe(total)
        const lists = rows(it, listsOf(it.ring, it.zones, ranges, it.places, bounds))
        for (const list of lists) expect(new Set(list).size).toBe(it.places)
        expect(counts(size, lists.flat())).toEqual([...bounds])
      }),
      { numRuns: 200 },
    )
  })

  test('spreads each list over the zones as evenly as their members allow', () => {
    fc.assert(
      fc.property(zoned, arbitraryRanges, replicas, (stores, ranges, replicas) => {
        const it = caseOf(stores, ranges, replicas)
        const bounds = placeBounds(it.weights, it.zones, ranges, it.places)
        for (const list of rows(it, listsOf(it.ring, it.zones, ranges, it.places, bounds))) {
          expect(new Set(list).size).toBe(it.places)
          const zones = [...new Set(it.zoneNames)].map(zone => ({
            has: list.filter(member => it.zoneNames[member] === zone).length,
            size: it.zoneNames.filter(name => name === zone).length,
          }))
          const most = Math.max(...zones.map(({ has }) => has))
          for (const { has, size } of zones) expect(has).toBeGreaterThanOrEqual(Math.min(size, most - 1))
        }
      }),
      { numRuns: 300 },
    )
  })

  test('keeps the bound with zones too', () => {
    fc.assert(
      fc.property(zoned, arbitraryRanges, replicas, (stores, ranges, replicas) => {
        const it = caseOf(stores, ranges, replicas)
        const bounds = placeBounds(it.weights, it.zones, ranges, it.places)
        const lists = rows(it, listsOf(it.ring, it.zones, ranges, it.places, bounds))
        counts(it.weights.length, lists.flat()).forEach((load, member) => {
          expect(load).toBeLessThanOrEqual(bounds[member] as number)
        })
      }),
      { numRuns: 300 },
    )
  })

  test('gives the bound up before the zones', () => {
    // Zone b is one store, and its bound is none: all the same each list has it.
    const it = caseOf(
      storesOf(5, i => ({ zone: i === 2 ? 'b' : 'a' })),
      32,
      2,
    )
    const alone = it.zoneNames.indexOf('b')
    const bounds = new Int32Array(5).fill(32).with(alone, 0)
    const lists = rows(it, listsOf(it.ring, it.zones, 32, 2, bounds))
    for (const list of lists) expect(list).toContain(alone)
  })

  test('gives the bound up before distinctness', () => {
    const it = caseOf(storesOf(3), 32, 3)
    const lists = rows(it, listsOf(it.ring, it.zones, 32, 3, new Int32Array(3).fill(1)))
    for (const list of lists) expect(list.toSorted()).toEqual([0, 1, 2])
  })
})

describe('ownersOf', () => {
  test('takes one of each list, and nobody above the bound', () => {
    fc.assert(
      fc.property(arbitraryStores({}), arbitraryRanges, replicas, (stores, ranges, replicas) => {
        const it = caseOf(stores, ranges, replicas)
        const lists = listsOf(
          it.ring,
          it.zones,
          ranges,
          it.places,
          placeBounds(it.weights, it.zones, ranges, it.places),
        )
        const bounds = ownerBounds(it.weights, ranges)
        const owners = ownersOf(lists, ranges, bounds)
        rows(it, lists).forEach((list, range) => {
          expect(list).toContain(owners[range])
        })
        counts(it.weights.length, owners).forEach((load, member) => {
          expect(load).toBeLessThanOrEqual(bounds[member] as number)
        })
      }),
      { numRuns: 300 },
    )
  })

  test('is at most one range above the bound with any weights and zones', () => {
    fc.assert(
      fc.property(
        arbitraryStores({ weightMax: 100, zones: ['', 'a', 'b', 'c'] }),
        arbitraryRanges,
        replicas,
        (stores, ranges, replicas) => {
          const it = caseOf(stores, ranges, replicas)
          const bounds = ownerBounds(it.weights, ranges)
          const lists = listsOf(
            it.ring,
            it.zones,
            ranges,
            it.places,
            placeBounds(it.weights, it.zones, ranges, it.places),
          )
          counts(it.weights.length, ownersOf(lists, ranges, bounds)).forEach((load, member) => {
            expect(load).toBeLessThanOrEqual((bounds[member] as number) + 1)
          })
        },
      ),
      { numRuns: 300 },
    )
  })

  test('is the first of each list where nobody is at the bound', () => {
    const lists = Int32Array.from([2, 0, 1, 0, 0, 1, 1, 2])
    expect([...ownersOf(lists, 4, Int32Array.from([4, 4, 4]))]).toEqual([2, 1, 0, 1])
    expect([...ownersOf(Int32Array.from([0, 1, 0, 2, 0, 1]), 3, Int32Array.from([1, 1, 1]))]).toEqual([
      0, 2, 1,
    ])
  })

  test('makes room by a swap in an earlier list', () => {
    expect([...ownersOf(Int32Array.from([0, 1, 0, 2]), 2, Int32Array.from([1, 1, 0]))]).toEqual([1, 0])
  })
})
