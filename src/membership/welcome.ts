/**
 * What a newcomer is told of who belongs to the mesh, in as many frames as it takes. A part names the view that it is of, and
 * how many stores that has; equal ids are equal views, whoever sends them, so parts of several members, and of several
 * times, fill each other up. Nothing is taken before one view is whole.
 *
 * Bounded: the latest views only, each of at most as many stores as a mesh may have.
 */

import type { Message } from './messages.ts'
import type { MemberRecord, StoreId } from './view.ts'

type Part = Pick<Extract<Message, { type: 'welcome' }>, 'viewId' | 'stores' | 'records'>

/** Members that welcome a newcomer at once may each have another view. */
const VIEWS_MAX = 8

export class Welcome {
  readonly #storesMax: number
  /** By view id, the latest last. */
  readonly #views = new Map<string, Map<StoreId, MemberRecord>>()

  constructor(storesMax: number) {
    this.#storesMax = storesMax
  }

  /** The whole of the view that a part is of, once it is there. */
  take({ viewId, stores, records }: Part): readonly MemberRecord[] | undefined {
    const known = this.#views.get(viewId) ?? new Map<StoreId, MemberRecord>()
    this.#views.delete(viewId)
    if (stores > this.#storesMax || records.length > stores) return undefined
    this.#views.set(viewId, known)
    for (const record of records) known.set(record.store, record)
    if (known.size >= stores) {
      this.#views.clear()
      return [...known.values()]
    }
    const [oldest] = this.#views.keys()
    if (this.#views.size > VIEWS_MAX && oldest !== undefined) this.#views.delete(oldest)
    return undefined
  }
}
