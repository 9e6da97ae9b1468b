/**
 * Anti-entropy (PROTOCOLS B8): digests of contexts find what is missing; hashes over (id, dots) of the live records, at
 * equal contexts, find what no protocol explains (a bad disk, a bug). They are compared only where both sides are at the
 * same context: a hash of a set that moves says nothing. Ended records are in no hash, since each store drops them when it
 * knows that all have their end.
 */

import { hash32 } from '../lib/hash.ts'
import { BUCKETS, bucketOf } from './copy.ts'
import type { ReplicaHost } from './host.ts'

const PAGE = 1000

/** One sum per part of the range, 0 to 2^32-1. */
export function treeOf(range: number, host: ReplicaHost): number[] {
  const sums = new Array<number>(BUCKETS).fill(0)
  let after: string | undefined
  for (;;) {
    const heads = host.heads(range, after, PAGE)
    for (const { id, dots, ended } of heads) {
      after = id
      if (ended) continue
      let sum = hash32(id, 3)
      for (const { actor, n } of dots) sum = (sum + hash32(`${id} ${host.nameOf(actor)} ${n}`, 4)) >>> 0
      const bucket = bucketOf(id)
      sums[bucket] = ((sums[bucket] as number) + sum) >>> 0
    }
    if (heads.length < PAGE) return sums
  }
}

/** The parts that differ. */
export function differing(mine: readonly number[], theirs: readonly number[]): number[] {
  const buckets: number[] = []
  for (let i = 0; i < BUCKETS; i++) if (mine[i] !== theirs[i]) buckets.push(i)
  return buckets
}
