/**
 * What of the records is in memory, by where each stands:
 *
 *   live        a task of its own range, found by its id
 *   outbox      live, in a range that is not its id's: a follow-up that waits in the range of its run
 *   ended       of a mesh: nothing more is to come of it, and it stays until all stores have its end
 *   tombstones  gone, while the index still has it: until the spill that deletes it there
 *
 * On a store that is alone there are only live ones and tombstones, and nothing is counted by range.
 */

import { rangeOf } from '../lib/hash.ts'
import { hasEnded } from '../task/merge.ts'
import { NEVER, NOT_YET, type Run, type TaskRecord } from '../task/record.ts'

/** The records of one range. */
export interface RangeRecords<R extends Run> {
  /** By id; with those of the outbox. */
  readonly live: Map<string, TaskRecord<R>>
  readonly outbox: Map<string, TaskRecord<R>>
  readonly ended: Map<string, TaskRecord<R>>
  /** Live ones of which ended runs, or what is known of former versions, may go when all have them. */
  readonly toPrune: Set<TaskRecord<R>>
}

interface EndedEntry {
  readonly endAt: number
  readonly bytes: number
  /** It was read from the index: it may leave memory as it came. */
  readonly isRead: boolean
}

export interface MemoryOptions {
  readonly ranges: number
  readonly replicated: boolean
  /** How long an ended record is kept for stores that do not have its end, ms. */
  readonly endedKeepMs: number
}

export class Memory<R extends Run> {
  readonly options: MemoryOptions
  readonly live = new Map<string, TaskRecord<R>>()
  readonly tombstones = new Map<string, TaskRecord<R>>()
  readonly #ranges = new Map<number, RangeRecords<R>>()
  /** In the order in which they ended here. */
  readonly #ended = new Map<TaskRecord<R>, EndedEntry>()
  #outboxCount = 0
  endedBytes = 0

  constructor(options: MemoryOptions) {
    this.options = options
  }

  get size(): number {
    return this.live.size + this.#outboxCount
  }

  get replicated(): boolean {
    return this.options.replicated
  }

  rangeOf(id: string): number {
    return rangeOf(id, this.options.ranges)
  }

  isOutbox(range: number, id: string): boolean {
    return this.options.replicated && this.rangeOf(id) !== range
  }

  keyOf(record: TaskRecord<R>): string {
    return record.outbox ? outboxKey(record.range, record.id) : record.id
  }

  range(range: number): RangeRecords<R> | undefined {
    return this.#ranges.get(range)
  }

  ranges(): Iterable<readonly [number, RangeRecords<R>]> {
    return this.#ranges
  }

  /** The ended one of an id, where its id belongs. */
  endedOf(id: string): TaskRecord<R> | undefined {
    return this.options.replicated ? this.#ranges.get(this.rangeOf(id))?.ended.get(id) : undefined
  }

  /** The live or ended record of a range. */
  find(range: number, id: string): TaskRecord<R> | undefined {
    if (!this.options.replicated) return this.live.get(id)
    const records = this.#ranges.get(range)
    return records?.live.get(id) ?? records?.ended.get(id)
  }

  tombstoneOf(range: number, id: string): TaskRecord<R> | undefined {
    return this.tombstones.get(this.isOutbox(range, id) ? outboxKey(range, id) : id)
  }

  /** True if the record itself is here, live or ended. */
  has(record: TaskRecord<R>): boolean {
    if (!this.options.replicated) return !record.gone
    return this.find(record.range, record.id) === record
  }

  /** Puts a record to where it belongs now; `isRead`: the index has it as it is. */
  put(record: TaskRecord<R>, isRead = false): void {
    if (!this.options.replicated) {
      this.live.set(record.id, record)
      return
    }
    record.outbox = this.rangeOf(record.id) !== record.range
    const records = this.#records(record.range)
    if (hasEnded(record)) {
      this.#takeOut(records, record)
      record.gone = true
      records.ended.set(record.id, record)
      this.#noteEnded(record, isRead)
      return
    }
    if (record.gone) this.#takeOut(records, record)
    record.gone = false
    records.live.set(record.id, record)
    if (isRead) this.prunes(record)
    if (record.outbox) {
      if (records.outbox.get(record.id) === undefined) this.#outboxCount++
      records.outbox.set(record.id, record)
    } else this.live.set(record.id, record)
  }

  /** Takes a record out of live and ended; what becomes of it is for the caller. */
  remove(record: TaskRecord<R>): void {
    if (!this.options.replicated) {
      if (this.live.get(record.id) === record) this.live.delete(record.id)
      return
    }
    const records = this.#ranges.get(record.range)
    if (records === undefined) return
    this.#takeOut(records, record)
    if (records.live.size === 0 && records.ended.size === 0) this.#ranges.delete(record.range)
  }

  /** Remembers that something of it may be pruned when all have it. */
  prunes(record: TaskRecord<R>): void {
    if (!record.gone && record.isPrunable) this.#records(record.range).toPrune.add(record)
  }

  /** True if it must not leave memory, whoever else holds it. */
  holds(record: TaskRecord<R>): boolean {
    if (!this.options.replicated) return false
    if (record.gone) return this.#ended.get(record)?.isRead !== true
    return record.outbox
  }

  /** The instant under which the index has it for the horizon. */
  dueOf(record: TaskRecord<R>): number {
    if (!this.options.replicated) return record.dueAt
    if (hasEnded(record)) return endOf(record) + this.options.endedKeepMs
    return record.outbox ? 0 : record.dueAt
  }

  /** Ended ones, those that ended here first. */
  ended(): Iterable<readonly [TaskRecord<R>, EndedEntry]> {
    return this.#ended
  }

  get endedCount(): number {
    return this.#ended.size
  }

  #records(range: number): RangeRecords<R> {
    let records = this.#ranges.get(range)
    if (records === undefined) {
      records = { live: new Map(), outbox: new Map(), ended: new Map(), toPrune: new Set() }
      this.#ranges.set(range, records)
    }
    return records
  }

  /** What is in memory says itself where: if it is `gone`, with the ended. */
  #takeOut(records: RangeRecords<R>, record: TaskRecord<R>): void {
    const { id } = record
    const place = record.gone ? records.ended : records.live
    if (place.get(id) !== record) return
    place.delete(id)
    if (record.gone) {
      this.endedBytes -= this.#ended.get(record)?.bytes ?? 0
      this.#ended.delete(record)
      return
    }
    if (records.toPrune.size > 0) records.toPrune.delete(record)
    if (record.outbox) {
      records.outbox.delete(id)
      this.#outboxCount--
    } else this.live.delete(id)
  }

  #noteEnded(record: TaskRecord<R>, isRead: boolean): void {
    const { start, end } = record.definition
    let bytes = RECORD_BYTES + end - start
    for (const run of record.runs) bytes += RUN_BYTES + run.body.length
    this.#ended.set(record, { endAt: endOf(record), bytes, isRead })
    this.endedBytes += bytes
  }
}

/** About what a record, and a run, take beside their bytes. */
const RECORD_BYTES = 400
const RUN_BYTES = 200

/** No id holds a character below the blank. */
function outboxKey(range: number, id: string): string {
  return `${range}\u0001${id}`
}

/** When a record ended, as far as it says so itself: the same on every store. */
function endOf(record: TaskRecord): number {
  // A stamp is in microseconds.
  const stamp = Math.max(record.hlc, record.cancelVersion?.hlc ?? NOT_YET) / 1000
  let at = Math.max(record.life, Math.floor(stamp))
  for (const run of record.runs) if (run.endedAt > at) at = run.endedAt
  return Math.min(at, NEVER)
}
