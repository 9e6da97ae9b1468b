/**
 * The records whose latest state is only in the journal, by the oldest segment that has a change of theirs: what a
 * spill of that segment must write. A doubly linked list through the records themselves, so that a task that ends
 * young (most do) leaves it in O(1) and without garbage.
 */

import { invariant } from '../invariant.ts'
import type { Run, TaskRecord } from '../task/record.ts'

export class DirtyLists<R extends Run> {
  readonly #heads = new Map<number, TaskRecord<R>>()

  /** The record has a change in this segment; nothing happens if it is listed under an older one. */
  add(record: TaskRecord<R>, segment: number): void {
    if (record.segment !== 0) return
    const head = this.#heads.get(segment)
    record.segment = segment
    record.dirtyNext = head
    if (head !== undefined) head.dirtyPrev = record
    this.#heads.set(segment, record)
  }

  remove(record: TaskRecord<R>): void {
    if (record.segment === 0) return
    const { dirtyPrev, dirtyNext } = record
    if (dirtyPrev !== undefined) dirtyPrev.dirtyNext = dirtyNext
    else if (dirtyNext !== undefined) this.#heads.set(record.segment, dirtyNext)
    else this.#heads.delete(record.segment)
    if (dirtyNext !== undefined) dirtyNext.dirtyPrev = dirtyPrev
    record.segment = 0
    record.dirtyPrev = undefined
    record.dirtyNext = undefined
  }

  /** The records of a segment, which must be older than every other. */
  listOf(segment: number): TaskRecord<R>[] {
    for (const other of this.#heads.keys()) invariant(other >= segment, 'segments are spilled oldest first')
    const records: TaskRecord<R>[] = []
    for (let at = this.#heads.get(segment); at !== undefined; at = at.dirtyNext) records.push(at)
    return records
  }
}
