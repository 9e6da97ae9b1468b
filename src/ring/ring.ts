/**
 * Ring: the hash ring of virtual nodes (Karger et al., 1997). A store stands on it at VIRTUAL_NODES places for each
 * unit of weight, and its places depend on its id alone: who joins takes places and shifts nobody else's. A range
 * stands at the even place that its number gives, and meets the stores in the order in which they follow it, around
 * the end and on from 0.
 *
 * Members are numbers here: the index in the list of stores, which is sorted by id. Two virtual nodes at one place
 * stand in that order.
 *
 * The trade: a ring of more than TOTAL_MAX virtual nodes would take too long to make, so beyond a sum of weights of
 * 4,096 each store stands at fewer places, as many fewer as the sum is greater. Each join then takes some places from
 * the others, and moves about twice what it must. Weights only say how stores compare: small ones are the better.
 */

import { invariant } from '../invariant.ts'
import { type Hash64, hash64, mixed32 } from '../lib/hash64.ts'

/**
 * Virtual nodes of one unit of weight. More: arcs nearer to the mean, so fewer stores at their bound, and a ring that
 * takes longer to make (1,000 stores: some 10 ms, four times that at 256). Other numbers are other placements:
 * all nodes of a mesh must have the same.
 */
export const VIRTUAL_NODES = 64

/** At most so many in all, but one for each store. */
export const TOTAL_MAX = 1 << 18

/** Of one step from a virtual node of a store to its next: 2^32 over the golden ratio. */
const STEP = 0x9e3779b9

export class Ring {
  /** How many members. */
  readonly size: number
  /** The members, one for each virtual node, in the order of the ring. */
  readonly #members: Int32Array
  /** For each range: the first virtual node at or after its place. */
  readonly #starts: Int32Array
  /** Which walk saw a member last: a member counts once in a walk. */
  readonly #seenIn: Int32Array
  #walk = 0

  constructor(stores: readonly { readonly store: string; readonly weight: number }[], ranges: number) {
    this.size = stores.length
    this.#seenIn = new Int32Array(stores.length)
    const hashes = stores.map(({ store }) => hash64(store))
    const weightOfAll = stores.reduce((sum, { weight }) => sum + weight, 0)
    const counts = stores.map(({ weight }, i) => virtualNodes(weight, weightOfAll, (hashes[i] as Hash64).hi))
    const total = counts.reduce((sum, count) => sum + count, 0)
    const places = new Uint32Array(total)
    const members = new Int32Array(total)
    let at = 0
    hashes.forEach(({ hi, lo }, member) => {
      for (let k = 0; k < (counts[member] as number); k++, at++) {
        places[at] = mixed32(hi ^ mixed32(lo + Math.imul(k, STEP)))
        members[at] = member
      }
    })
    const sorted = sortedByPlace(places, members)
    this.#members = sorted.members
    this.#starts = startsOf(sorted.places, ranges)
  }

  /**
   * The distinct members in the order in which they follow the place of `range`, until `take` answers true. The next
   * walk may begin only when this one has ended.
   */
  walk(range: number, take: (member: number) => boolean): void {
    const members = this.#members
    const total = members.length
    const walk = ++this.#walk
    let at = this.#starts[range] as number
    let left = this.size
    for (let steps = 0; steps < total && left > 0; steps++) {
      const member = members[at] as number
      if (++at === total) at = 0
      if (this.#seenIn[member] === walk) continue
      this.#seenIn[member] = walk
      left--
      if (take(member)) return
    }
    invariant(left === 0, 'each member stands on the ring')
  }
}

/**
 * How many virtual nodes a store has. Past the total, when each has a few less with every join, the `hash` decides
 * whose turn it is to lose one: else all of one weight would at once.
 */
export function virtualNodes(weight: number, weightOfAll: number, hash: number): number {
  const wanted = weight * VIRTUAL_NODES
  if (weightOfAll * VIRTUAL_NODES <= TOTAL_MAX) return wanted
  const turn = Math.floor(((hash >>> 16) * weightOfAll) / 65_536)
  const scaled = weight * TOTAL_MAX + turn
  return Math.max(1, (scaled - (scaled % weightOfAll)) / weightOfAll)
}

/** By place; of one place by member, in which order they come in. About one virtual node falls in each bucket. */
function sortedByPlace(
  places: Uint32Array,
  members: Int32Array,
): { places: Uint32Array; members: Int32Array } {
  const total = places.length
  const shift = Math.clz32(Math.max(1, total - 1)) // so many buckets as there are bits in the total, at least two
  const ends = new Int32Array(2 ** (32 - shift) + 1)
  for (const place of places) ends[(place >>> shift) + 1]!++
  for (let bucket = 1; bucket < ends.length; bucket++) ends[bucket]! += ends[bucket - 1]!
  const sorted = { places: new Uint32Array(total), members: new Int32Array(total) }
  const next = ends.slice()
  for (let i = 0; i < total; i++) {
    const place = places[i] as number
    const bucket = place >>> shift
    const first = ends[bucket] as number
    let at = next[bucket] as number
    next[bucket] = at + 1
    for (; at > first && (sorted.places[at - 1] as number) > place; at--) {
      sorted.places[at] = sorted.places[at - 1] as number
      sorted.members[at] = sorted.members[at - 1] as number
    }
    sorted.places[at] = place
    sorted.members[at] = members[i] as number
  }
  return sorted
}

function startsOf(places: Uint32Array, ranges: number): Int32Array {
  const starts = new Int32Array(ranges)
  const width = 2 ** 32 / ranges
  let at = 0
  for (let range = 0; range < ranges; range++) {
    while (at < places.length && (places[at] as number) < range * width) at++
    starts[range] = at < places.length ? at : 0
  }
  return starts
}
