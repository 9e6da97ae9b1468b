import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { hash64, mixed32 } from '../../src/lib/hash64.ts'
import { Ring, TOTAL_MAX, VIRTUAL_NODES, virtualNodes } from '../../src/ring/ring.ts'
import { arbitraryRanges, arbitraryStores, storeOf, storesOf } from './stores.ts'

const byId = (a: { store: string }, b: { store: string }) => (a.store < b.store ? -1 : 1)

function walked(ring: Ring, range: number, count = Number.POSITIVE_INFINITY): number[] {
  const members: number[] = []
  ring.walk(range, member => members.push(member) >= count)
  return members
}

/** The judge: no ring and no walk, but the way from the range to the nearest place of each store, sorted. */
function byDistance(stores: readonly { store: string; weight: number }[], range: number, ranges: number) {
  const from = BigInt(range) * (2n ** 32n / BigInt(ranges))
  const distances = stores.map(({ store, weight }, member) => {
    const { hi, lo } = hash64(store)
    const ways = Array.from({ length: weight * VIRTUAL_NODES }, (_, k) => {
      const place = mixed32(hi ^ mixed32((lo + Number((BigInt(k) * 0x9e3779b9n) % 2n ** 32n)) | 0))
      return Number((BigInt(place) - from + 2n ** 32n) % 2n ** 32n)
    })
    return { member, way: Math.min(...ways) }
  })
  return distances.sort((a, b) => a.way - b.way || a.member - b.member).map(({ member }) => member)
}

describe('Ring', () => {
  test('meets the stores in the order of their distance from each range, also around the end', () => {
    fc.assert(
      fc.property(
        arbitraryStores({ max: 12, weightMax: 3 }),
        fc.integer({ min: 0, max: 5 }),
        (stores, log) => {
          const sorted = stores.sort(byId)
          const ring = new Ring(sorted, 2 ** log)
          for (let range = 0; range < 2 ** log; range++)
            expect(walked(ring, range)).toEqual(byDistance(sorted, range, 2 ** log))
        },
      ),
      { numRuns: 60 },
    )
  })

  test('goes on from the very start of the ring in the last range', () => {
    for (let mesh = 0; mesh < 200; mesh++) {
      const stores = [3, 2, 1].map(i => storeOf(3 * mesh + i)).sort(byId)
      // The last arc of 64 has about three virtual nodes, of 65,536 hardly ever one.
      for (const ranges of [64, 65_536])
        expect(walked(new Ring(stores, ranges), ranges - 1)).toEqual(byDistance(stores, ranges - 1, ranges))
    }
  })

  test('stops a walk when told, and the next one starts anew', () => {
    const ring = new Ring(storesOf(9).sort(byId), 4)
    const all = walked(ring, 1)
    expect(all.toSorted()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8])
    expect(walked(ring, 1, 3)).toEqual(all.slice(0, 3))
    expect(walked(ring, 1)).toEqual(all)
  })

  test('keeps the order of those who stay when others join or leave', () => {
    fc.assert(
      fc.property(
        arbitraryStores({ max: 30, weightMax: 4 }),
        arbitraryRanges,
        fc.nat(),
        (stores, ranges, pick) => {
          const all = stores.toSorted(byId)
          const gone = pick % all.length
          const rest = all.toSpliced(gone, 1)
          const [before, after] = [new Ring(all, ranges), new Ring(rest, ranges)]
          for (let range = 0; range < ranges; range++) {
            const names = walked(before, range).map(member => all[member]?.store)
            expect(walked(after, range).map(member => rest[member]?.store)).toEqual(
              names.filter(name => name !== all[gone]?.store),
            )
          }
        },
      ),
      { numRuns: 50 },
    )
  })

  test('of nobody has nobody to meet', () => {
    expect(walked(new Ring([], 8), 7)).toEqual([])
  })

  test('meets stores first in proportion to their weights', () => {
    const ranges = 65_536
    const ring = new Ring(storesOf(4, i => ({ weight: i + 1 })).sort(byId), ranges)
    const weights = storesOf(4, i => ({ weight: i + 1 })).sort(byId)
    const first = new Array<number>(4).fill(0)
    for (let range = 0; range < ranges; range++) first[walked(ring, range, 1)[0] as number]! += 1
    // 64 places vary by an eighth; four deviations of the lightest are a half.
    weights.forEach(({ weight }, member) => {
      const share = (first[member] as number) / ((ranges * weight) / 10)
      expect(Math.abs(share - 1)).toBeLessThan(0.5)
    })
  })
})

describe('virtualNodes', () => {
  test.each([
    [1, 1, VIRTUAL_NODES],
    [3, 4096, 3 * VIRTUAL_NODES],
    [1, 8192, VIRTUAL_NODES / 2],
    [100, 40_960, 10 * VIRTUAL_NODES],
    [1, 10_000_000, 1],
  ])('of weight %d in %d are %d', (weight, weightOfAll, count) => {
    expect(virtualNodes(weight, weightOfAll, 0)).toBe(count)
  })

  test('are within the total, and fewer in a greater ring, one at a time and not for all at once', () => {
    const hashes = Array.from({ length: 2000 }, (_, i) => mixed32(i + 1))
    let before = hashes.map(hash => virtualNodes(5, 10_000, hash))
    for (let weightOfAll = 10_000; weightOfAll < 10_400; weightOfAll += 5) {
      const counts = hashes.map(hash => virtualNodes(5, weightOfAll, hash))
      const lost = counts.map((count, i) => (before[i] as number) - count)
      expect(Math.min(...lost)).toBeGreaterThanOrEqual(0)
      expect(Math.max(...lost)).toBeLessThanOrEqual(1)
      expect(lost.filter(n => n === 1).length).toBeLessThan(300)
      before = counts
    }
    const total = hashes.reduce((sum, hash) => sum + virtualNodes(5, 10_000, hash), 0)
    expect(Math.abs(total / TOTAL_MAX - 1)).toBeLessThan(0.01)
  })
})
