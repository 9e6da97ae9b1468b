/**
 * Anti-entropy (PROTOCOLS B8): digests of contexts find what is missing; hashes over (id, dots) of the live records, at
 * equal contexts, find what no protocol explains (a bad disk, a bug). They are compared only where both sides are at the
 * same context: a hash of a set that moves says nothing, and one that moves while it is read is given up. Ended records are
 * in no hash, since each store drops them when it knows that all have their end.
 */

import { hash32 } from '../lib/hash.ts'
import { BUCKETS, bucketOf } from './copy.ts'
import type { RecordHead, ReplicaHost } from './host.ts'
import { walkPages } from './paging.ts'

const PAGE = 256

/** One sum per part of the range, 0 to 2^32-1; undefined: it moved meanwhile. */
export function treeOf(
  range: number,
  host: ReplicaHost,
  isStill: () => boolean,
  done: (sums: readonly number[] | undefined) => void,
): void {
  const sums = new Array<number>(BUCKETS).fill(0)
  walkPages(host, range, undefined, PAGE, (heads, isLast) => {
    const still = isStill()
    if (still) for (const head of heads) if (!head.ended) addTo(sums, head, host)
    if (!still || isLast) done(still ? sums : undefined)
    return still
  })
}

function addTo(sums: number[], { id, dots }: RecordHead, host: ReplicaHost): void {
  let sum = hash32(id, 3)
  for (const { actor, n } of dots) sum = (sum + hash32(`${id} ${host.nameOf(actor)} ${n}`, 4)) >>> 0
  const bucket = bucketOf(id)
  sums[bucket] = ((sums[bucket] as number) + sum) >>> 0
}

/** The parts that differ. */
export function differing(mine: readonly number[], theirs: readonly number[]): number[] {
  const buckets: number[] = []
  for (let i = 0; i < BUCKETS; i++) if (mine[i] !== theirs[i]) buckets.push(i)
  return buckets
}
