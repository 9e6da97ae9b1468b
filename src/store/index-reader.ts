/**
 * Reading: from memory, and from the index where memory does not know. What is read of the index may be older than what a
 * spill wrote meanwhile, and memory may have let go of what told so: then it is read again. A loaded record is in memory
 * from then on, until somebody releases it.
 */

import { CarillonError } from '../errors.ts'
import { CorruptBytes } from '../lib/bytes.ts'
import type { Clock } from '../ports/clock.ts'
import type { StoreCursor } from '../ports/store.ts'
import type { RecordHead } from '../replication/host.ts'
import { hasEnded } from '../task/merge.ts'
import type { Run, TaskRecord } from '../task/record.ts'
import { headOf } from './copies.ts'
import { decodeEnded, type EndedRun, type History } from './history.ts'
import { allOf, allOfRange, dueFrom, dueIdOf, endedKey, rangeOfKey, taskIdOf, taskKey } from './keys.ts'
import type { Memory } from './memory.ts'
import type { NewestIds } from './newest-ids.ts'
import type { PatientStore } from './patient-store.ts'
import type { RangeClearing } from './range-clearing.ts'
import { decodeSnapshot } from './snapshot.ts'
import type { Spiller } from './spill.ts'
import { readEntries, type TaskEntries } from './task-entries.ts'

/** A due key, and its record if the index has it (it may be stale: the record decides). */
export interface DueEntry<R extends Run> {
  readonly id: string
  readonly record: TaskRecord<R> | undefined
}

/** Where a record stands in the order of the index. */
export interface Place {
  readonly range: number
  readonly id: string
}

export interface ReaderParts<R extends Run> {
  readonly store: PatientStore
  readonly clock: Clock
  readonly memory: Memory<R>
  readonly history: History
  readonly clearing: RangeClearing
  readonly newest: NewestIds
  readonly spiller: () => Spiller<R>
  readonly makeRun: (record: TaskRecord<R>, instant: number, manual: boolean) => R
  readonly release: (record: TaskRecord<R>) => void
  /** Go on without ended runs that can't be read. */
  readonly repair: boolean
}

export class IndexReader<R extends Run> {
  readonly #parts: ReaderParts<R>

  constructor(parts: ReaderParts<R>) {
    this.#parts = parts
  }

  /** The record if it is in memory; 'absent' if it certainly is nowhere; undefined if the index must be asked. */
  peek(id: string): TaskRecord<R> | 'absent' | undefined {
    const { memory, clearing, newest } = this.#parts
    const record = memory.live.get(id)
    if (record !== undefined) return record
    if (memory.tombstones.has(id)) return 'absent'
    if (!memory.replicated) return undefined
    const range = memory.rangeOf(id)
    return memory.endedOf(id) !== undefined || clearing.has(range) || newest.isAbove(range, id)
      ? 'absent'
      : undefined
  }

  /** The records of these ids, from memory or the index. */
  async load(ids: readonly string[]): Promise<Array<TaskRecord<R> | undefined>> {
    const { memory } = this.#parts
    if (ids.some(id => this.peek(id) === undefined))
      await this.#loadHeld(ids.map(id => ({ range: memory.rangeOf(id), id })))
    return ids.map(id => memory.live.get(id))
  }

  /** Brings records of a range into memory, ended ones and those of the outbox too; undefined: they are there. */
  loadIn(range: number, ids: readonly string[]): Promise<void> | undefined {
    if (!ids.some(id => this.#isUnknown(range, id))) return undefined
    return this.#loadHeld(ids.map(id => ({ range, id })))
  }

  /** The due index of a range from an instant (or position) on, as of now: a snapshot. */
  dueCursor(range: number, from: Uint8Array, ltDue: number): StoreCursor {
    if (this.#parts.clearing.has(range)) return NOTHING_DUE
    return this.#parts.store.cursor({ gte: from, lt: dueFrom(range, ltDue), values: false })
  }

  /** Turns a page of due keys into records; the loaded ones are in memory from now on. */
  async loadDue(keys: readonly Uint8Array[]): Promise<DueEntry<R>[]> {
    const { memory } = this.#parts
    const places = keys.map(key => ({ range: rangeOfKey(key), id: dueIdOf(key) }))
    if (places.some(({ range, id }) => this.#isUnknown(range, id))) await this.#loadPlaces(places)
    return places.map(({ range, id }) => {
      const record = memory.find(range, id)
      return { id, record: record?.gone === true ? undefined : record }
    })
  }

  /** Ended runs of a task that are kept, newest first. */
  async endedRuns(id: string, record: TaskRecord<R> | undefined, limit: number): Promise<EndedRun[]> {
    const { history, store, memory } = this.#parts
    const range = memory.rangeOf(id)
    const found = history.find(id)
    const runs: EndedRun[] = [...history.youngOf(id)]
    const keys: Uint8Array[] = []
    if (found !== undefined) {
      if ('stored' in found) keys.push(found.stored)
      else runs.push(found)
    }
    const young = new Set(runs.map(each => each.run.instant))
    for (const instant of record?.kept ?? [])
      if (!young.has(instant)) keys.push(endedKey(true, range, id, instant))
    for (const [i, value] of (await store.getMany(keys)).entries()) {
      const ended = value && this.#decodeEnded(keys[i] as Uint8Array, value)
      if (ended !== undefined) runs.push(ended)
    }
    return runs.sort((a, b) => b.run.instant - a.run.instant).slice(0, limit)
  }

  /**
   * A page of all tasks in the order of (range, id), or of those of one range of a mesh, after the given one; `end` is where
   * the next begins, undefined after the last. Only `end` says whether it is the last: large tasks, and ended ones, make a page short.
   */
  async page(
    after: Place | undefined,
    limit: number,
    range?: number,
  ): Promise<{ records: TaskRecord<R>[]; end: Place | undefined }> {
    const { memory, store } = this.#parts
    const all = range === undefined ? allOf('t') : allOfRange('t', range)
    const gte = after === undefined ? all.gte : taskKey(after.range, `${after.id}\u0000`)
    const spiller = this.#parts.spiller()
    let read: TaskEntries
    let spills: number
    // A spill meanwhile may have ended or renewed what was read, and memory may have let go of what told so.
    do {
      spills = spiller.count
      read = await readEntries(store, gte, all.lt, limit)
    } while (spills !== spiller.count)
    const page = new Map<string, TaskRecord<R>>()
    let last: Place | undefined
    for (const [key, value] of read.entries) {
      last = { range: rangeOfKey(key), id: taskIdOf(key) }
      if (memory.isOutbox(last.range, last.id)) continue
      const known = this.peek(last.id)
      if (known === 'absent') continue
      const record = known ?? this.#decode(last.id, last.range, value)
      if (known !== undefined || !memory.replicated || !hasEnded(record)) page.set(last.id, record)
    }
    const end = read.isLast ? undefined : last
    const live = range === undefined ? memory.live : memory.range(range)?.live
    for (const record of live?.values() ?? []) {
      if (record.outbox) continue
      if (after !== undefined && !isAfter(record, after)) continue
      if (end !== undefined && isAfter(record, end)) continue
      page.set(record.id, record)
    }
    return { records: [...page.values()].sort((a, b) => (isAfter(a, b) ? 1 : -1)), end }
  }

  /**
   * Heads of a range's records in the order of their ids, of all that are kept: ended ones and the outbox, too. The
   * records are in memory when this resolves, and leave it soon if nobody holds them.
   */
  async pageOf(
    range: number,
    after: string | undefined,
    limit: number,
  ): Promise<{ heads: RecordHead[]; isLast: boolean }> {
    const { memory, clearing, store } = this.#parts
    const all = allOfRange('t', range)
    const gte = after === undefined ? all.gte : taskKey(range, `${after}\u0000`)
    const spiller = this.#parts.spiller()
    let read: TaskEntries
    let spills: number
    do {
      spills = spiller.count
      read = await readEntries(store, gte, all.lt, limit)
    } while (spills !== spiller.count)
    const isRead = !clearing.has(range)
    const lastKey = read.entries.at(-1)?.[0]
    const end = read.isLast || !isRead || lastKey === undefined ? undefined : taskIdOf(lastKey)
    for (const [key, value] of isRead ? read.entries : []) {
      const id = taskIdOf(key)
      if (this.#isUnknown(range, id)) this.#take({ range, id }, value)
    }
    const records = memory.range(range)
    const ids: string[] = []
    for (const kept of [records?.live, records?.ended]) {
      for (const id of kept?.keys() ?? [])
        if ((after === undefined || id > after) && (end === undefined || id <= end)) ids.push(id)
    }
    ids.sort()
    // A page of what has ended and gone says nothing: the next one may.
    if (ids.length === 0 && end !== undefined) return this.pageOf(range, end, limit)
    const page = ids.slice(0, limit)
    this.#hold(page.map(id => ({ range, id })))
    const heads = page.map(id => headOf(memory.find(range, id) as TaskRecord<R>))
    return { heads, isLast: end === undefined && ids.length <= limit }
  }

  /** Ranges of which the index has records. */
  async rangesWithRecords(): Promise<Set<number>> {
    const ranges = new Set<number>()
    const { gte, lt } = allOf('t')
    for (let from = gte; ; ) {
      const cursor = this.#parts.store.cursor({ gte: from, lt, values: false })
      const [entry] = await cursor.next(1).finally(() => cursor.close())
      if (entry === undefined) return ranges
      const range = rangeOfKey(entry[0])
      ranges.add(range)
      from = allOfRange('t', range).lt
    }
  }

  /** At the start: what the index has of ended one-shots. */
  async adoptHistory(): Promise<void> {
    const entries: Array<{ key: Uint8Array; ended: EndedRun }> = []
    const cursor = this.#parts.store.cursor(allOf('r'))
    try {
      for (;;) {
        const page = await cursor.next(1000)
        if (page.length === 0) break
        for (const [key, value] of page) {
          const ended = this.#decodeEnded(key, value)
          if (ended !== undefined) entries.push({ key, ended })
        }
      }
    } finally {
      await cursor.close()
    }
    this.#parts.history.adopt(entries)
  }

  #isUnknown(range: number, id: string): boolean {
    const { memory, clearing, newest } = this.#parts
    if (memory.find(range, id) !== undefined) return false
    if (memory.replicated && newest.isAbove(range, id)) return false
    return memory.tombstoneOf(range, id) === undefined && !clearing.has(range)
  }

  /** What is here already stays while the rest is read, and all of it until who asked has had a turn. */
  async #loadHeld(places: readonly Place[]): Promise<void> {
    const { memory } = this.#parts
    const here: TaskRecord<R>[] = []
    for (const { range, id } of places) {
      const record = memory.find(range, id)
      if (record !== undefined) here.push(record)
    }
    for (const record of here) record.pins++
    try {
      await this.#loadPlaces(places)
    } finally {
      this.#hold(places)
      for (const record of here) record.pins--
    }
  }

  async #loadPlaces(places: readonly Place[]): Promise<void> {
    const { store } = this.#parts
    const spiller = this.#parts.spiller()
    for (;;) {
      const spills = spiller.count
      const missing = places.filter(({ range, id }) => this.#isUnknown(range, id))
      if (missing.length === 0) return
      const values = await store.getMany(missing.map(({ range, id }) => taskKey(range, id)))
      // Meanwhile a record may have been spilled, and what was read may be older than that.
      if (spills !== spiller.count || spiller.busy) {
        if (spiller.busy) await spiller.idle()
        continue
      }
      for (const [i, value] of values.entries()) {
        const place = missing[i] as Place
        if (value !== undefined && this.#isUnknown(place.range, place.id)) this.#take(place, value)
      }
      return
    }
  }

  /** Until who asked for them had a turn they stay, whatever is spilled meanwhile. */
  #hold(places: readonly Place[]): void {
    const { memory, clock, release } = this.#parts
    const held: TaskRecord<R>[] = []
    for (const { range, id } of places) {
      const record = memory.find(range, id)
      if (record !== undefined) held.push(record)
    }
    for (const record of held) record.pins++
    clock.defer(() => {
      for (const record of held) {
        record.pins--
        release(record)
      }
    })
  }

  #take({ range, id }: Place, value: Uint8Array): void {
    this.#parts.memory.put(this.#decode(id, range, value), true)
  }

  #decode(id: string, range: number, value: Uint8Array): TaskRecord<R> {
    const { memory, makeRun } = this.#parts
    try {
      const record = decodeSnapshot<R>(value, range, makeRun)
      record.outbox = memory.isOutbox(range, id)
      record.indexedDue = memory.dueOf(record)
      return record
    } catch (cause) {
      if (!(cause instanceof CorruptBytes)) throw cause
      throw new CarillonError('STORE_CORRUPT', `the record of task "${id}" is broken: ${cause.message}`, {
        cause,
      })
    }
  }

  /** Undefined: it is broken, and a repair goes on without it. */
  #decodeEnded(key: Uint8Array, value: Uint8Array): EndedRun | undefined {
    try {
      return decodeEnded(value, rangeOfKey(key))
    } catch (cause) {
      if (!(cause instanceof CorruptBytes)) throw cause
      if (this.#parts.repair) return undefined
      throw new CarillonError('STORE_CORRUPT', `an ended run that was kept is broken: ${cause.message}`, {
        cause,
      })
    }
  }
}

const NOTHING_DUE: StoreCursor = { next: async () => [], close: async () => undefined }

function isAfter(a: Place, b: Place): boolean {
  return a.range !== b.range ? a.range > b.range : a.id > b.id
}
