/**
 * The id of a view: 64 bits of what it holds, (node, store, boot, state, weight, zone) of each store, Q and R. It has no
 * order, so no side of a cut is the lower one (PROTOCOLS A, trace 13). Equal content has equal ids.
 *
 * The text asks for the hash of the sorted list. With a thousand members, each change would sort and hash a hundred
 * kilobytes on every node; here it is the hash of the sum of the members' hashes: what was one line leaves the sum, what
 * it became enters it. A sum has no order either. It is not for secrets: who chooses ids could make two views look alike.
 */

import { type Hash64, hash64, hash64Hex } from '../lib/hash64.ts'
import type { ViewStore } from './view.ts'

export type ViewHash = string

type Line = Pick<ViewStore, 'node' | 'store' | 'boot' | 'state' | 'weight' | 'zone'>

export class ViewHasher {
  #hi = 0
  #lo = 0
  #count = 0

  add(line: Line): void {
    const { hi, lo } = lineHash(line)
    const sum = this.#lo + lo
    this.#lo = sum >>> 0
    this.#hi = (this.#hi + hi + (sum > 0xffff_ffff ? 1 : 0)) >>> 0
    this.#count++
  }

  remove(line: Line): void {
    const { hi, lo } = lineHash(line)
    const difference = this.#lo - lo
    this.#lo = difference >>> 0
    this.#hi = (this.#hi - hi - (difference < 0 ? 1 : 0)) >>> 0
    this.#count--
  }

  id(ranges: number, replicas: number): ViewHash {
    return hash64Hex(`${this.#hi} ${this.#lo} ${this.#count} ${ranges} ${replicas}`)
  }
}

/** The same of a list at once. */
export function viewIdOf(stores: Iterable<Line>, ranges: number, replicas: number): ViewHash {
  const hasher = new ViewHasher()
  for (const store of stores) hasher.add(store)
  return hasher.id(ranges, replicas)
}

function lineHash({ node, store, boot, state, weight, zone }: Line): Hash64 {
  return hash64(JSON.stringify([node, store, boot, state, weight, zone]))
}
