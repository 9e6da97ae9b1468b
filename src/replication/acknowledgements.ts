/**
 * When a change counts: its writer, or who was asked for it again, waits until enough stores of the list have synced it,
 * itself included, of the list and the W at the time of the acknowledgement (PROTOCOLS B1, B6). W is of the roster, never
 * of who is live: with none but itself in sight a store acknowledges nothing (trace 3).
 *
 * `majority` waits for W, `any` for one, `all` for every store of the list and of each list that is not retired: what
 * makes a cancel firm.
 */

import type { Context, Dot } from './context.ts'

export type Copies = 'any' | 'majority' | 'all'

/** How many stores of the list have it when it counts. */
export type Acknowledged = (copies: number) => void

export interface AckView {
  readonly list: readonly string[]
  readonly quorum: number
  /** Members of lists that are not retired. */
  readonly former: ReadonlySet<string>
  /** What a store has synced, itself included. */
  confirmed(store: string): Context
}

interface Waiting extends Dot {
  readonly copies: Copies
  readonly done: Acknowledged
}

export class Acknowledgements {
  #waiting: Waiting[] = []

  get length(): number {
    return this.#waiting.length
  }

  wait(dot: Dot, copies: Copies, done: Acknowledged): void {
    this.#waiting.push({ ...dot, copies, done })
  }

  /** Tells those that now count. */
  settle(view: AckView): void {
    if (this.#waiting.length === 0) return
    const told: Array<() => void> = []
    this.#waiting = this.#waiting.filter(each => {
      const copies = this.copiesOf(each, view)
      if (copies === undefined) return true
      told.push(() => each.done(copies))
      return false
    })
    for (const tell of told) tell()
  }

  /** How many have it, if it counts. */
  copiesOf(waiting: Dot & { readonly copies: Copies }, view: AckView): number | undefined {
    const { actor, n, copies } = waiting
    const has = (store: string): boolean => view.confirmed(store).covers(actor, n)
    const count = view.list.filter(has).length
    if (copies === 'any') return count >= 1 ? count : undefined
    if (count < view.quorum) return undefined
    if (copies === 'all' && (count < view.list.length || ![...view.former].every(has))) return undefined
    return count
  }

  /** What waits is given up: its callers get no answer from here. */
  clear(): void {
    this.#waiting = []
  }
}
