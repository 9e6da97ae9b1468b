/**
 * ProbeOrder: whom to probe next. Shuffle and iterate (SWIM, section 4.3): each member comes once in a round, so a
 * silent one is probed within two rounds, not only probably. A newcomer is put in at a random place of the round.
 */

import type { Random } from '../ports/random.ts'

export class ProbeOrder<T> {
  readonly #random: Random
  #order: T[] = []
  #next = 0

  constructor(random: Random) {
    this.#random = random
  }

  add(member: T): void {
    if (this.#order.includes(member)) return
    const at = Math.floor(this.#random.float() * (this.#order.length + 1))
    this.#order.splice(at, 0, member)
    if (at < this.#next) this.#next++
  }

  remove(member: T): void {
    const at = this.#order.indexOf(member)
    if (at === -1) return
    this.#order.splice(at, 1)
    if (at < this.#next) this.#next--
  }

  get size(): number {
    return this.#order.length
  }

  /** The next one of the round for which `wanted` holds; undefined if it holds for none. */
  next(wanted: (member: T) => boolean): T | undefined {
    for (let looked = this.#order.length; looked > 0; looked--) {
      if (this.#next >= this.#order.length) {
        shuffle(this.#order, this.#random)
        this.#next = 0
      }
      const member = this.#order[this.#next++] as T
      if (wanted(member)) return member
    }
    return undefined
  }
}

/** In place (Fisher and Yates). */
export function shuffle<T>(items: T[], random: Random): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor(random.float() * (i + 1))
    const swap = items[i] as T
    items[i] = items[j] as T
    items[j] = swap
  }
  return items
}

/** Up to `count` distinct ones, in random order. */
export function sample<T>(items: readonly T[], count: number, random: Random): T[] {
  const pool = items.slice()
  const chosen: T[] = []
  while (chosen.length < count && pool.length > 0) {
    const at = Math.floor(random.float() * pool.length)
    chosen.push(pool[at] as T)
    pool[at] = pool[pool.length - 1] as T
    pool.pop()
  }
  return chosen
}
