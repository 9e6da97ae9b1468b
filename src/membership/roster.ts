/**
 * Roster: the stores that were admitted, with the latest word on each, and the marks of those that were removed. A merged
 * set: union of the records (each a join, view.ts) less the marks, and a mark is for ever, as store ids are never used
 * again. Only leave and forget remove; a dead or cut-off member stays in it, and W counts it.
 *
 * Rule: whatever the order in which records and marks arrive, and however often, the roster is the same.
 */

import { invariant } from '../invariant.ts'
import { joinRecords, type MemberRecord, type StoreId, type ViewStore, viewStoreOf } from './view.ts'
import { type ViewHash, ViewHasher } from './view-id.ts'

export interface RosterLimits {
  /** Most members; more are refused. */
  readonly membersMax: number
  /** Most removal marks; beyond, the oldest is forgotten: a partition older than that many removals may bring one back. */
  readonly marksMax: number
}

export class Roster {
  readonly #limits: RosterLimits
  readonly #records = new Map<StoreId, MemberRecord>()
  readonly #marks = new Set<StoreId>()
  /** Stores that a node has or had: mostly one. */
  readonly #byNode = new Map<string, Set<StoreId>>()
  readonly #hasher = new ViewHasher()
  #liveCount = 0

  constructor(limits: RosterLimits) {
    this.#limits = limits
  }

  get size(): number {
    return this.#records.size
  }

  /** Members that are live (a suspect is). */
  get liveCount(): number {
    return this.#liveCount
  }

  get(store: StoreId): MemberRecord | undefined {
    return this.#records.get(store)
  }

  has(store: StoreId): boolean {
    return this.#records.has(store)
  }

  isRemoved(store: StoreId): boolean {
    return this.#marks.has(store)
  }

  get records(): IterableIterator<MemberRecord> {
    return this.#records.values()
  }

  get marks(): IterableIterator<StoreId> {
    return this.#marks.values()
  }

  /** What was there before, if the record says something new; false if it does not. */
  merge(record: MemberRecord): { readonly before: MemberRecord | undefined } | false {
    if (this.#marks.has(record.store)) return false
    const before = this.#records.get(record.store)
    if (before === undefined && this.#records.size >= this.#limits.membersMax) return false
    // Most of what is heard is known.
    if (before !== undefined && sameRecord(record, before)) return false
    const after = before === undefined ? record : joinRecords(before, record)
    if (after === before) return false
    this.#put(before, after)
    return { before }
  }

  /** Marks the store as removed. False if it was already. */
  remove(store: StoreId): boolean {
    if (this.#marks.has(store)) return false
    if (this.#marks.size >= this.#limits.marksMax) {
      for (const oldest of this.#marks) {
        this.#marks.delete(oldest)
        break
      }
    }
    this.#marks.add(store)
    const record = this.#records.get(store)
    if (record !== undefined) {
      this.#records.delete(store)
      this.#hasher.remove(record)
      this.#forgetNode(record)
      if (record.state === 'live') this.#liveCount--
      invariant(this.#liveCount >= 0, 'no more live members leave than there were')
    }
    return true
  }

  /** The stores that this node has or had. */
  at(node: string): Iterable<StoreId> {
    return this.#byNode.get(node) ?? []
  }

  /** A hash of the content without any order; see view-id.ts. */
  hash(ranges: number, replicas: number): ViewHash {
    return this.#hasher.id(ranges, replicas)
  }

  /** Sorted by store id. */
  stores(): ViewStore[] {
    return [...this.#records.values()].map(viewStoreOf).sort((a, b) => (a.store < b.store ? -1 : 1))
  }

  #forgetNode({ node, store }: MemberRecord): void {
    const stores = this.#byNode.get(node)
    stores?.delete(store)
    if (stores?.size === 0) this.#byNode.delete(node)
  }

  #put(before: MemberRecord | undefined, after: MemberRecord): void {
    if (before !== undefined) {
      this.#hasher.remove(before)
      if (before.node !== after.node) this.#forgetNode(before)
      if (before.state === 'live') this.#liveCount--
    }
    this.#records.set(after.store, after)
    const stores = this.#byNode.get(after.node) ?? new Set()
    this.#byNode.set(after.node, stores.add(after.store))
    this.#hasher.add(after)
    if (after.state === 'live') this.#liveCount++
  }
}

function sameRecord(a: MemberRecord, b: MemberRecord): boolean {
  return (
    a.boot === b.boot &&
    a.incarnation === b.incarnation &&
    a.state === b.state &&
    a.startId === b.startId &&
    a.node === b.node &&
    a.zone === b.zone &&
    a.weight === b.weight &&
    a.addresses.join() === b.addresses.join()
  )
}
