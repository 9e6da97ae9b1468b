/**
 * Who waits for the end of a task or a run, by its id: `task.result()`. A waiter is told once, after the sync that
 * covers the end. Known by id and by call, so that to give one up takes no longer where many wait: clients go away by
 * the thousand, and all their calls with them.
 */

import { CarillonError } from '../errors.ts'

export interface Waiter {
  /** Who asked, and the number of their call. */
  readonly owner: object
  readonly call: number
}

export class Waiters {
  readonly #max: number
  readonly #byKey = new Map<string, Set<Waiter>>()
  readonly #byOwner = new Map<object, Map<number, { readonly key: string; readonly waiter: Waiter }>>()
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
    const { owner, call } = waiter
    this.remove(owner, call)
    this.#count++
    const known = this.#byKey.get(key)
    if (known === undefined) this.#byKey.set(key, new Set([waiter]))
    else known.add(waiter)
    const calls = this.#byOwner.get(owner)
    if (calls === undefined) this.#byOwner.set(owner, new Map([[call, { key, waiter }]]))
    else calls.set(call, { key, waiter })
  }

  /** Those who wait for this; they wait no longer. */
  take(key: string): readonly Waiter[] {
    const waiters = this.#byKey.get(key)
    if (waiters === undefined) return NOBODY
    this.#byKey.delete(key)
    this.#count -= waiters.size
    for (const { owner, call } of waiters) this.#forget(owner, call)
    return [...waiters]
  }

  /** Those who wait for what fits; they wait no longer. */
  takeAll(
    fits: (key: string) => boolean,
  ): ReadonlyArray<{ readonly key: string; readonly waiters: readonly Waiter[] }> {
    return [...this.#byKey.keys()].filter(fits).map(key => ({ key, waiters: this.take(key) }))
  }

  /** The owner gave one call up, or all of them. False: none waited. */
  remove(owner: object, call?: number): boolean {
    const calls = this.#byOwner.get(owner)
    const before = this.#count
    for (const each of call === undefined ? [...(calls?.keys() ?? [])] : [call]) {
      const found = calls?.get(each)
      if (found === undefined) continue
      this.#forget(owner, each)
      this.#count--
      const waiters = this.#byKey.get(found.key)
      waiters?.delete(found.waiter)
      if (waiters?.size === 0) this.#byKey.delete(found.key)
    }
    return this.#count < before
  }

  #forget(owner: object, call: number): void {
    const calls = this.#byOwner.get(owner)
    calls?.delete(call)
    if (calls?.size === 0) this.#byOwner.delete(owner)
  }
}

const NOBODY: readonly Waiter[] = Object.freeze([])
