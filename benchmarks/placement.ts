/** The balance of a placement, what one join and one leave move beside the least there is, and how long it takes. */

import { hash64Hex } from '../src/lib/hash64.ts'
import { Placement, type RingStore } from '../src/ring/placement.ts'
import type { Benchmark, BenchmarkResult } from './benchmark.ts'

const REPLICAS = 3
/** Stores and ranges: the default, and some more where that leaves few to each. */
const SIZES = [
  [3, 256],
  [10, 256],
  [100, 256],
  [100, 4096],
  [1000, 256],
  [1000, 4096],
  [1000, 32_768],
] as const

export const placement: Benchmark = {
  name: 'placement',
  about: `R = ${REPLICAS}; most over mean; percent moved by a join or leave, beside 1/N; the mean of 12 to 100 meshes, of the time the median`,
  async run({ quick, say }) {
    for (let i = 0; i < 100; i++) placed(storesOf(i, 10), 256) // warm-up
    const results: BenchmarkResult[] = []
    for (const [count, ranges] of SIZES) {
      say(`${count} stores, ${ranges} ranges`)
      const meshes = Math.max(
        quick ? 2 : 12,
        Math.min(100, Math.floor((quick ? 1e5 : 1e6) / (count * Math.sqrt(ranges)))),
      )
      const figures = Array.from({ length: meshes }, (_, mesh) => figuresOf(mesh, count, ranges))
      results.push({ name: `N = ${count}, Q = ${ranges}`, ...meanOf(figures) })
    }
    return results
  },
}

function figuresOf(mesh: number, count: number, ranges: number): Record<string, number> {
  const [joining, ...stores] = storesOf(mesh, count + 1) as [RingStore, ...RingStore[]]
  const leaving = stores[0] as RingStore
  const from = performance.now()
  const before = placed(stores, ranges)
  const ms = performance.now() - from
  const joined = placed([...stores, joining], ranges)
  const left = placed(stores.slice(1), ranges)

  const places = stores.map(({ store }) => before.rangesOf(store).length)
  const owned = stores.map(({ store }) => ownedBy(before, store))
  const placesMean = (ranges * before.places) / count
  const join = moved(joined, before)
  const leave = moved(left, before)
  const placesOf = (placement: Placement) => ranges * placement.places
  return {
    placesMost: Math.max(...places) / placesMean,
    ownedMost: Math.max(...owned) / (ranges / count),
    joinPlaces: (100 * join.places) / placesOf(joined),
    joinOwned: (100 * join.owners) / ranges,
    joinLeast: 100 / (count + 1),
    leavePlaces: (100 * leave.places) / placesOf(before),
    leaveOwned: (100 * leave.owners) / ranges,
    // Who leaves a mesh of R leaves its places to nobody.
    leaveLeast: 100 / count,
    joinPlacesOverOwn: join.places / Math.max(1, joined.rangesOf(joining.store).length),
    leavePlacesOverOwn: leave.places / Math.max(1, before.rangesOf(leaving.store).length),
    ms,
  }
}

function storesOf(mesh: number, count: number): RingStore[] {
  return Array.from({ length: count }, (_, i) => {
    const store = hash64Hex(`mesh ${mesh} store ${i}`) + hash64Hex(`mesh ${mesh} store ${i}`, 1)
    return { store, node: `node-${i}`, zone: '', weight: 1, state: 'live' }
  })
}

function placed(stores: readonly RingStore[], ranges: number): Placement {
  return new Placement(stores, { ranges, replicas: REPLICAS, ownership: 'spread' })
}

function ownedBy(placement: Placement, store: string): number {
  return placement.rangesOf(store).filter(range => placement.owner(range)?.store === store).length
}

function moved(after: Placement, before: Placement): { places: number; owners: number } {
  let [places, owners] = [0, 0]
  for (const { joined, owner, ownerBefore } of after.moved(before)) {
    places += joined.length
    if (owner?.store !== ownerBefore?.store) owners++
  }
  return { places, owners }
}

/** Of the time the median: others use the machine too. */
function meanOf(figures: readonly Record<string, number>[]): Record<string, number> {
  const means: Record<string, number> = {}
  for (const name of Object.keys(figures[0] ?? {})) {
    const values = figures.map(figure => figure[name] as number).sort((a, b) => a - b)
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length
    means[name] = name === 'ms' ? (values[values.length >> 1] as number) : mean
  }
  return means
}
