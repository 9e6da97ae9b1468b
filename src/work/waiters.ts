/**
 * Who waits for the end of a task or a run, by its id: `task.result()`. A waiter is told once, after the sync that
 * covers the end.
 */

import { CarillonError } from '../errors.ts'

export interface Waiter {
  /** Who asked, and the number of their call. */
  readonly owner: object
  readonly call: number
}

export class Waiters {
  readonly #max: number
  readonly #byKey = new Map<string, Waiter[]>()
  #count = 0

  constructor(max: number) {
    this.#max = max
  }

  get size(): number {
    return this.#count
  }

  /** Throws TOO_MANY. */
  add(key: string, waiter: Waiter): void {
    if (this.#count >= this.#max) {
      throw new CarillonError(
        'TOO_MANY',
        `${this.#max} calls already wait for results: await fewer at a time`,
      )
    }
    this.#count++
    const known = this.#byKey.get(key)
    if (known === undefined) this.#byKey.set(key, [waiter])
    else known.push(waiter)
  }

  /** Those who wait for this; they wait no longer. */
  take(key: string): readonly Waiter[] {
    const waiters = this.#byKey.get(key)
    if (waiters === undefined) return NOBODY
    this.#byKey.delete(key)
    this.#count -= waiters.length
    return waiters
  }

  /** The owner gave one call up, or all of them. */
  remove(owner: object, call?: number): void {
    for (const [key, waiters] of this.#byKey) {
      const rest = waiters.filter(each => each.owner !== owner || (call !== undefined && each.call !== call))
      this.#count -= waiters.length - rest.length
      if (rest.length === 0) this.#byKey.delete(key)
      else if (rest.length < waiters.length) this.#byKey.set(key, rest)
    }
  }
}

const NOBODY: readonly Waiter[] = Object.freeze([])
