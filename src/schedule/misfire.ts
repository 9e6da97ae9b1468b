/**
 * What becomes of instants that passed while nobody was there to fire them: decided from the stored record alone, so
 * that whoever takes the task over decides the same.
 */

import type { MisfirePolicy } from '../task/policy.ts'
import { NEVER } from '../task/record.ts'
import type { Recurrence } from '../task/recurrence.ts'

export interface CatchUp {
  /** To be carried out now, oldest first. */
  readonly run: readonly number[]
  /** How many are passed over. Counted up to MISSED_COUNT_MAX. */
  readonly missed: number
  /** The latest instant that was reached. */
  readonly lastAt: number
  /** The first instant after now, or NEVER. */
  readonly next: number
}

/** Beyond this, missed instants are not counted one by one. */
export const MISSED_COUNT_MAX = 10_000
const WINDOWS_MS = [
  1000,
  60_000,
  3_600_000,
  86_400_000,
  31 * 86_400_000,
  366 * 86_400_000,
  10 * 366 * 86_400_000,
]

/** `next` is the first instant that was not reached in time; it is at or before `now`. */
export function catchUp(recurrence: Recurrence, next: number, now: number, policy: MisfirePolicy): CatchUp {
  const wanted = policy.kind === 'all' ? Math.max(1, policy.max) : 1
  const latest = latestUpTo(recurrence, next, now, wanted)
  const lastAt = latest.at(-1) as number
  const run = policy.kind === 'skip' ? [] : latest
  return {
    run,
    missed: countUpTo(recurrence, next, now) - run.length,
    lastAt,
    next: recurrence.next(lastAt) ?? NEVER,
  }
}

/** The latest `count` instants in [first, now], oldest first: looks back through growing windows, so it is quick after years. */
function latestUpTo(recurrence: Recurrence, first: number, now: number, count: number): number[] {
  for (const window of WINDOWS_MS) {
    const from = now - window
    if (from <= first) break
    const found = instantsAfter(recurrence, from, now, count)
    if (found.length >= count) return found
  }
  const found = instantsAfter(recurrence, first, now, count)
  return found.length < count ? [first, ...found] : found
}

/** The latest `count` instants in (from, now]. */
function instantsAfter(recurrence: Recurrence, from: number, now: number, count: number): number[] {
  const found: number[] = []
  for (let at = recurrence.next(from); at !== undefined && at <= now; at = recurrence.next(at)) {
    found.push(at)
    if (found.length > count) found.shift()
  }
  return found
}

function countUpTo(recurrence: Recurrence, first: number, now: number): number {
  let count = 1
  for (let at = recurrence.next(first); at !== undefined && at <= now; at = recurrence.next(at)) {
    if (++count >= MISSED_COUNT_MAX) break
  }
  return count
}
