/**
 * Spill: what still lives in the oldest journal segment goes to the index, then the segment goes. In PROTOCOLS' store
 * order: oldest first; t/ with its d/ key and the removal of the old d/ key are one batch; the last batch carries
 * the context and is synced; then, and only then, the blobs are deleted. A record is encoded after everything that
 * was journaled of it so far has been synced, so the index is never ahead of the journal.
 *
 * A segment is written in chunks, so that commits (which acknowledge users) go in between. A crash between chunks
 * leaves an index that is newer than its context: replay sees by the records' dots what they already have.
 */

import { CarillonError, isCarillonError } from '../errors.ts'
import { ByteWriter } from '../lib/bytes.ts'
import type { StoreOp } from '../ports/store.ts'
import { NEVER, type Run, type TaskRecord } from '../task/record.ts'
import type { DirtyLists } from './dirty-list.ts'
import type { History } from './history.ts'
import type { Journal, Segment } from './journal.ts'
import { dueKey, journalKey, META_KEY, taskKey } from './keys.ts'
import type { Memory } from './memory.ts'
import { encodeMeta, type Meta } from './meta.ts'
import type { NewestIds } from './newest-ids.ts'
import type { PatientStore } from './patient-store.ts'
import type { RangeClearing } from './range-clearing.ts'
import { encodeSnapshot } from './snapshot.ts'

const CHUNK_RECORDS = 500
const CHUNK_BYTES = 1024 * 1024

export interface SpillParts<R extends Run> {
  readonly store: PatientStore
  readonly journal: Journal
  readonly dirty: DirtyLists<R>
  readonly memory: Memory<R>
  readonly history: History
  readonly meta: Meta
  readonly clearing: RangeClearing
  readonly newest: NewestIds
  /** The numbers of actors that a batch may name, and the disk does not know yet. */
  actorOps(): StoreOp[]
  /** What else the index knows once the segment is gone: contexts and requests. */
  segmentOps(segment: Segment): StoreOp[]
  /** The index has the record as it was when it was encoded. */
  spilled(record: TaskRecord<R>): void
  failed(error: CarillonError): void
  /** A segment is done: the next may begin, and who waited may go on. */
  done(): void
}

export class Spiller<R extends Run> {
  readonly #parts: SpillParts<R>
  readonly #out = new ByteWriter(4096)
  #running: Promise<void> | undefined
  #stopped = false
  #writing: Set<TaskRecord<R>> = new Set()
  /** Batches written so far: who read the index compares. */
  count = 0

  constructor(parts: SpillParts<R>) {
    this.#parts = parts
  }

  get busy(): boolean {
    return this.#running !== undefined
  }

  /** True while a chunk with this record is on its way to the disk. */
  isWriting(record: TaskRecord<R>): boolean {
    return this.#writing.has(record)
  }

  /** Starts if a closed segment has rested and nothing is under way. */
  start(): void {
    const { journal, clearing } = this.#parts
    if (this.#running !== undefined || this.#stopped) return
    if (journal.oldestRested === undefined && !clearing.isDue) return
    this.#running = this.#run()
      .catch((error: unknown) => {
        if (this.#stopped && isCarillonError(error, 'STORE_FULL')) return
        this.#parts.failed(
          isCarillonError(error)
            ? error
            : new CarillonError('STORE_FAILED', `spill failed: ${String(error)}`, { cause: error }),
        )
      })
      .finally(() => {
        this.#running = undefined
        this.#parts.done()
      })
  }

  /** Resolves when no spill is under way; the next one starts only at the end of a turn. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running
  }

  /** No further chunk is begun. */
  stop(): void {
    this.#stopped = true
  }

  /** One segment at a time: who waits for idle() must get a turn. */
  async #run(): Promise<void> {
    const { journal, dirty } = this.#parts
    await this.#clear()
    const segment = journal.oldestRested
    if (segment === undefined || this.#stopped) return
    await this.#drained()
    const records = dirty.listOf(segment.number)
    for (let at = 0; at < records.length && !this.#stopped; ) at = await this.#chunk(records, at)
    // What ended since goes with this segment's last batch, whatever its own is.
    await this.#clear()
    if (this.#stopped) return
    await this.#finish(segment)
  }

  /** Ranges that were let go of are emptied before anything that came later is written. */
  async #clear(): Promise<void> {
    const { clearing, store } = this.#parts
    while (clearing.isDue && !this.#stopped) {
      await this.#drained()
      await clearing.carryOut(store, () => this.count++)
    }
  }

  /** Callers are told after a while that the disk is full; a spill waits on. */
  async #drained(): Promise<void> {
    for (;;) {
      try {
        return await this.#parts.journal.drain()
      } catch (error) {
        if (this.#stopped || !isCarillonError(error, 'STORE_FULL')) throw error
      }
    }
  }

  /** Writes a chunk of the records, and returns where the next begins. */
  async #chunk(records: readonly TaskRecord<R>[], from: number): Promise<number> {
    const { store, dirty, memory, actorOps, spilled } = this.#parts
    const ops: StoreOp[] = []
    const chunk: TaskRecord<R>[] = []
    let bytes = 0
    let at = from
    for (; at < records.length && chunk.length < CHUNK_RECORDS && bytes < CHUNK_BYTES; at++) {
      const record = records[at] as TaskRecord<R>
      if (!memory.has(record)) continue
      dirty.remove(record)
      bytes += this.#put(record, ops)
      chunk.push(record)
    }
    if (chunk.length === 0) return at
    this.#writing = new Set(chunk)
    await this.#drained()
    await store.write([...actorOps(), ...ops], false)
    this.count++
    this.#writing = new Set()
    for (const record of chunk) if (!record.gone) spilled(record)
    return at
  }

  /** The operations that make the index's copy of a record what the record is now. Returns about how many bytes. */
  #put(record: TaskRecord<R>, ops: StoreOp[]): number {
    const { range, id } = record
    this.#parts.newest.note(range, id)
    const indexedDue = this.#indexedDueOf(record)
    const value = encodeSnapshot(this.#out, record)
    const due = this.#parts.memory.dueOf(record)
    ops.push({ type: 'put', key: taskKey(range, id), value })
    if (due !== indexedDue) {
      if (Number.isFinite(indexedDue)) ops.push({ type: 'del', key: dueKey(range, indexedDue, id) })
      if (due !== NEVER) ops.push({ type: 'put', key: dueKey(range, due, id), value: NO_VALUE })
    }
    record.indexedDue = due
    return value.length + 64
  }

  /** Of a mesh a record may come back after it was dropped in this very segment: it takes the tombstone's keys over. */
  #indexedDueOf(record: TaskRecord<R>): number {
    const { memory } = this.#parts
    if (!memory.replicated) return record.indexedDue
    const key = memory.keyOf(record)
    const tombstone = memory.tombstones.get(key)
    if (tombstone === undefined) return record.indexedDue
    memory.tombstones.delete(key)
    return tombstone.indexedDue
  }

  /** The last batch: what ended, what is kept of it, the context, and where the journal now begins. */
  async #finish(segment: Segment): Promise<void> {
    const { store, journal, memory, history, meta } = this.#parts
    const { tombstones } = memory
    const ops: StoreOp[] = []
    const ended: TaskRecord<R>[] = []
    for (const record of tombstones.values()) {
      if (record.segment > segment.number) continue
      ended.push(record)
      ops.push({ type: 'del', key: taskKey(record.range, record.id) })
      if (Number.isFinite(record.indexedDue)) {
        ops.push({ type: 'del', key: dueKey(record.range, record.indexedDue, record.id) })
      }
      // From here on the index does not have it: who makes the id again meanwhile writes both keys anew.
      record.indexedDue = Number.NaN
    }
    const kept = history.takeOps(this.#out)
    ops.push(...kept.ops)
    const journalFrom = segment.lastSeq + 1
    ops.push(...this.#parts.segmentOps(segment))
    ops.push({ type: 'put', key: META_KEY, value: encodeMeta({ ...meta, journalFrom }) })
    await this.#drained()
    await store.write([...this.#parts.actorOps(), ...ops], true)
    this.count++
    kept.stored()
    for (const record of ended) {
      const key = memory.keyOf(record)
      if (tombstones.get(key) === record) tombstones.delete(key)
    }
    journal.dropOldest()
    await store.clear({ gte: journalKey(segment.firstSeq), lt: journalKey(journalFrom) })
  }
}

const NO_VALUE = new Uint8Array(0)
