/**
 * Custody: who holds a range that its view gives to others keeps it until every store of that list has confirmed all that
 * is applied here (PROTOCOLS B2). Only answers to the round at hand count, given under the very view that this store has:
 * an answer from before may be of a store that has dropped the range since.
 *
 * The context goes first, synced, and only then the records: a context without records would tell others to drop theirs
 * (trace 6). Every copy of the range ends before either (trace 25). From then on the range is written under a new actor:
 * one's own earlier changes are with others now, and are no longer covered here.
 *
 * What still runs of the range here is waited for: its end is written by who runs it. And a store with a disk lets go only
 * for W others with one: what it holds may be one of the copies of an acknowledgement, and those of memory are none.
 */

import type { Context } from './context.ts'
import type { Round } from './exchange.ts'

export interface CustodyView {
  readonly viewId: string
  readonly list: readonly string[]
  /** W of the list. */
  readonly quorum: number
  readonly applied: Context
  readonly synced: Context
  /** Something of the range runs here. */
  readonly isBusy: boolean
  /** What this store has outlives it. */
  readonly durable: boolean
}

/** True if this store may let go of the range. */
export function mayLetGo(round: Round, view: CustodyView, self: string): boolean {
  const { viewId, list, quorum, applied, synced, isBusy, durable } = view
  if (isBusy || list.length === 0 || list.includes(self)) return false
  if (round.viewId !== viewId || !synced.contains(applied)) return false
  const disks = list.filter(store => round.answers.get(store)?.durable === true).length
  if (durable && disks < quorum) return false
  return list.every(store => {
    const answer = round.answers.get(store)
    return answer !== undefined && answer.viewId === viewId && answer.context.contains(applied)
  })
}
