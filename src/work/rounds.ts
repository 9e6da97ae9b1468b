/**
 * Rounds: how a node that begins to act keeps the order of what others send it. A sender has several changes of a range
 * under way to one node; if the first is refused (NOT_OWNER) and the node then begins to act, the second must not be carried
 * out before the first comes again. So each is sent in a round, a number:
 *
 * - The sender (router.ts) raises its number when it hears a refusal, above that of what was refused. What it sends of one
 *   client and range keeps its round while something of them is under way, and goes on in the latest once nothing is.
 * - The receiver remembers of each range the latest round in which it refused a change, and refuses what comes in that
 *   round or an earlier one. What one round has of a client and range is then carried out up to one change, and refused from
 *   that on.
 *
 * A refusal of this kind raises nothing at the receiver, and so can't breed others. One number for each range and session is
 * all that is kept, for as long as the session; a first change that never comes again keeps nobody waiting.
 */

import { CarillonError } from '../errors.ts'

/** Of one session. */
export class Rounds {
  /** By range: the latest round in which a change of it was refused. */
  readonly #refused = new Map<number, number>()

  at(number: number): Round {
    return new NumberedRound(this.#refused, number)
  }
}

/** What is asked of the round in which a call came. */
export interface Round {
  /** Why a change of the range can't be carried out, if so. `refusal`: what the node itself says. */
  change(range: number, refusal: CarillonError | undefined): CarillonError | undefined
  /** Why a question about the range can't be answered: a change before it may have been refused. */
  question(range: number, refusal: CarillonError | undefined): CarillonError | undefined
}

/** Of who sends in no rounds, and so has one call of a range under way at a time, or no order among them. */
export const NO_ROUND: Round = { change: (_, refusal) => refusal, question: (_, refusal) => refusal }

class NumberedRound implements Round {
  readonly #refused: Map<number, number>
  readonly #number: number

  constructor(refused: Map<number, number>, number: number) {
    this.#refused = refused
    this.#number = number
  }

  change(range: number, refusal: CarillonError | undefined): CarillonError | undefined {
    if (refusal === undefined) return this.question(range, undefined)
    if (!this.#isOver(range)) this.#refused.set(range, this.#number)
    return refusal
  }

  question(range: number, refusal: CarillonError | undefined): CarillonError | undefined {
    return refusal ?? (this.#isOver(range) ? OUT_OF_ORDER : undefined)
  }

  #isOver(range: number): boolean {
    return this.#refused.size > 0 && this.#number <= (this.#refused.get(range) ?? Number.NEGATIVE_INFINITY)
  }
}

/** One for all: a bulk call may get thousands. */
const OUT_OF_ORDER = new CarillonError(
  'NOT_OWNER',
  'this node acts for the task since just now, and refused what was sent before: call again',
)
