/**
 * A round of questions: who of the stores that have to be heard has answered, under which view, with which context. Its
 * number is fresh, so an answer to an earlier question says nothing now. Activation, custody, and a store that is new to
 * a list each hold one; a range is in one of these at a time.
 */

import type { Context } from './context.ts'
import type { FormerList } from './lists.ts'

export interface Answer {
  readonly viewId: string
  /** What it had synced when it answered. */
  readonly context: Context
  readonly ready: boolean
  readonly active: boolean
  readonly durable: boolean
}

/** A list of which enough have to be heard. */
export interface Asked {
  readonly members: readonly string[]
  readonly quorum: number
}

export class Round {
  readonly number: number
  readonly viewId: string
  readonly startedAt: number
  askedAt = Number.NEGATIVE_INFINITY
  readonly answers = new Map<string, Answer>()

  constructor(number: number, viewId: string, startedAt: number) {
    this.number = number
    this.viewId = viewId
    this.startedAt = startedAt
  }

  answered(store: string, number: number, answer: Answer): boolean {
    if (number !== this.number) return false
    this.answers.set(store, answer)
    return true
  }

  /** The store has answered, and what it had is applied here. */
  isHeard(store: string, self: string, applied: Context): boolean {
    if (store === self) return true
    const answer = this.answers.get(store)
    return answer !== undefined && applied.contains(answer.context)
  }
}

/**
 * Enough of a list that any W of it, which acknowledged something, have one among them (PROTOCOLS B3).
 * With a list shorter than W nothing was acknowledged by its majority; one of it is asked all the same.
 */
export function wantedOf({ members, quorum }: Asked): number {
  return Math.max(1, members.length - quorum + 1)
}

/**
 * Everything that was acknowledged under one of these lists is known here; or, where too few of a list are left for that,
 * all that anybody can tell: the others have left the mesh, or are gone for long.
 */
export function isSure(
  round: Round,
  lists: readonly Asked[],
  self: string,
  applied: Context,
  isGone: (store: string) => boolean,
): boolean {
  return lists.every(list => {
    const heard = list.members.filter(store => round.isHeard(store, self, applied))
    if (heard.length >= wantedOf(list)) return true
    return list.members.every(store => heard.includes(store) || isGone(store))
  })
}

/** Each of its stores has exchanged tails since it became former, or has been gone for long. */
export function isExchanged(
  round: Round,
  list: FormerList,
  self: string,
  applied: Context,
  isGone: (store: string) => boolean,
): boolean {
  return list.members.every(store => round.isHeard(store, self, applied) || isGone(store))
}
