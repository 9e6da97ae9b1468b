/**
 * The task store: every record that is in memory, the journal before it, and the index behind it.
 *
 * Most tasks die young: they are made and end in the journal, and the index never sees them. What still lives when
 * its journal segment is the oldest is written to the index (store/spill); it then leaves memory unless somebody
 * holds it (armed, running, pinned).
 *
 * Every change of a record goes through created(), updated() or ended(): its caller changes the record first, it is
 * journaled here, and `afterSync` tells when that counts.
 */

import { CarillonError } from '../errors.ts'
import { invariant } from '../invariant.ts'
import { CorruptBytes } from '../lib/bytes.ts'
import { rangeOf } from '../lib/hash.ts'
import type { Clock } from '../ports/clock.ts'
import type { Random } from '../ports/random.ts'
import type { Store, StoreCursor } from '../ports/store.ts'
import { type ChangeWriter, type Update, writeCreated, writeEnded, writeUpdate } from '../task/change.ts'
import type { Run, TaskRecord } from '../task/record.ts'
import { isRunEnd } from '../task/task.ts'
import { decodeContext } from './context.ts'
import { DirtyLists } from './dirty-list.ts'
import { decodeEnded, type EndedRun, History, type HistoryOptions } from './history.ts'
import { ADOPTED_SEGMENT, type AfterSync, Journal, type JournalOptions } from './journal.ts'
import {
  allOf,
  CONTEXT_KEY,
  dueFrom,
  dueIdOf,
  endedKey,
  REQUESTS_KEY,
  rangeOfKey,
  taskIdOf,
  taskKey,
} from './keys.ts'
import { type Identity, startIdentity } from './meta.ts'
import { PatientStore, type SharedStore } from './patient-store.ts'
import { replay } from './replay.ts'
import { RequestLog } from './requests.ts'
import { decodeSnapshot } from './snapshot.ts'
import { Spiller } from './spill.ts'
import { readEntries, type TaskEntries } from './task-entries.ts'

export interface TaskStoreOptions {
  readonly ranges: number
  readonly journal: JournalOptions
  readonly history: HistoryOptions
  /** How long a requestId is remembered, ms. */
  readonly requestWindowMs: number
  /** How often a full disk is tried again, ms. */
  readonly fullRetryMs: number
  /** Segments that may wait to be spilled before callers have to. More: longer bursts at full speed, more memory. */
  readonly segmentsWaitingMax: number
  /** Set broken journal blobs aside at the start, and become a new store. */
  readonly repair: boolean
}

export interface TaskStoreHost<R extends Run> {
  makeRun(record: TaskRecord<R>, instant: number, manual: boolean): R
  /** True while the record must stay in memory though the index has it. */
  holds(record: TaskRecord<R>): boolean
  /** The record has left memory; the index has it. */
  evicted(record: TaskRecord<R>): void
  /** A dead task is kept no longer. */
  evictedDead(taskId: string): void
  full(full: boolean): void
  failed(error: CarillonError): void
  /** Something went on outside of a turn: have one ended. */
  stir(): void
}

export interface Started {
  readonly replayedChanges: number
  readonly cut: readonly number[]
  readonly fresh: boolean
}

/** A due key, and its record if the index has it (it may be stale: the record decides). */
export interface DueEntry<R extends Run> {
  readonly id: string
  readonly record: TaskRecord<R> | undefined
}

export class TaskStore<R extends Run> {
  readonly options: TaskStoreOptions
  readonly history: History
  readonly requests: RequestLog
  readonly #ports: { store: Store; clock: Clock; random: Random }
  readonly #host: TaskStoreHost<R>
  readonly #records = new Map<string, TaskRecord<R>>()
  /** Ended, while the index still has them: until the spill that deletes them there. */
  readonly #tombstones = new Map<string, TaskRecord<R>>()
  readonly #dirty = new DirtyLists<R>()
  readonly #patient: PatientStore
  /** Dead tasks that were too many already when the store was read. */
  #evictedEarly: string[] | undefined = []
  #journal!: Journal
  #identity!: Identity
  #writer!: ChangeWriter
  #spiller!: Spiller<R>

  constructor(
    ports: { store: Store; clock: Clock; random: Random },
    options: TaskStoreOptions,
    host: TaskStoreHost<R>,
  ) {
    this.#ports = ports
    this.options = options
    this.#host = host
    this.history = new History(options.history, taskId => this.#evictedDead(taskId))
    this.requests = new RequestLog(options.requestWindowMs)
    this.#patient = new PatientStore(ports.store, ports.clock, options.fullRetryMs, full => {
      this.#journal.setFull(full)
      host.full(full)
    })
  }

  /** Takes a new boot of the opened store, and replays what earlier boots left in the journal. */
  async start(): Promise<Started> {
    const { store, clock, random } = this.#ports
    const { repair, ranges } = this.options
    const identity = await startIdentity({ store, random }, { ranges, renew: repair })
    this.#identity = identity
    this.#writer = { actor: identity.actor.index, actors: identity.startIds }
    const context = decodeContext(await store.get(CONTEXT_KEY), identity.meta.ranges)
    const requests = await store.get(REQUESTS_KEY)
    if (requests !== undefined) this.requests.decode(requests)
    await this.#adoptHistory()
    const makeRun = this.#host.makeRun.bind(this.#host)
    const { history } = this
    const replayed = await replay<R>({
      store,
      identity,
      context,
      requests: this.requests,
      history,
      makeRun,
      repair,
      now: clock.now(),
    })
    this.#journal = new Journal({ store: this.#patient, clock }, this.options.journal, this.#host, {
      actor: identity.actor,
      seq: replayed.nextSeq,
      ranges: identity.meta.ranges,
    })
    for (const record of replayed.records.values()) {
      this.#records.set(record.id, record)
      this.#dirty.add(record, ADOPTED_SEGMENT)
    }
    for (const record of replayed.tombstones.values()) {
      record.gone = true
      record.segment = ADOPTED_SEGMENT
      this.#tombstones.set(record.id, record)
    }
    if (replayed.nextSeq > replayed.firstSeq) {
      this.#journal.adopt({ ...replayed, lastSeq: replayed.nextSeq - 1 })
    }
    for (const [actor, seen] of replayed.seen) context.set(actor, seen)
    this.#spiller = new Spiller<R>({
      store: this.#patient,
      clock,
      journal: this.#journal,
      dirty: this.#dirty,
      tombstones: this.#tombstones,
      history,
      requests: this.requests,
      context,
      meta: identity.meta,
      spilled: record => this.#spilled(record),
      failed: error => this.#host.failed(error),
      done: () => this.#host.stir(),
    })
    const evicted = this.#evictedEarly ?? []
    this.#evictedEarly = undefined
    for (const taskId of evicted) this.#host.evictedDead(taskId)
    return { replayedChanges: replayed.changes, cut: replayed.cut, fresh: identity.fresh }
  }

  get identity(): Identity {
    return this.#identity
  }

  get journal(): Journal {
    return this.#journal
  }

  get size(): number {
    return this.#records.size
  }

  get isFull(): boolean {
    return this.#patient.isFull
  }

  /** For others' keys: who writes there waits out a full disk as the journal does. */
  get shared(): SharedStore {
    return this.#patient.shared
  }

  /** True while the journal grows faster than the index takes it: who makes tasks has to wait. */
  get isBehind(): boolean {
    return this.#journal.segmentsWaiting > this.options.segmentsWaitingMax
  }

  /** Every record in memory. */
  records(): IterableIterator<TaskRecord<R>> {
    return this.#records.values()
  }

  rangeOf(id: string): number {
    return rangeOf(id, this.#identity.meta.ranges)
  }

  /** The record if it is in memory; 'absent' if it certainly is nowhere; undefined if the index must be asked. */
  peek(id: string): TaskRecord<R> | 'absent' | undefined {
    return this.#records.get(id) ?? (this.#tombstones.has(id) ? 'absent' : undefined)
  }

  /** The life of the id that ended last, as far as it is still known; undefined if the id is new. */
  lastLifeOf(id: string): number | undefined {
    const before = this.#records.get(id) ?? this.#tombstones.get(id)
    if (before !== undefined) return before.life
    return this.history.find(id)?.life
  }

  /** The records of these ids, from memory or the index. Loaded ones are in memory from now on. */
  async load(ids: readonly string[]): Promise<Array<TaskRecord<R> | undefined>> {
    for (;;) {
      const spills = this.#spiller.count
      const missing = ids.filter(id => this.peek(id) === undefined)
      if (missing.length === 0) break
      const values = await this.#patient.getMany(missing.map(id => taskKey(this.rangeOf(id), id)))
      // Meanwhile a record may have been spilled, and what was read may be older than that.
      if (spills !== this.#spiller.count || this.#spiller.busy) {
        if (this.#spiller.busy) await this.#spiller.idle()
        continue
      }
      for (const [i, value] of values.entries()) {
        const id = missing[i] as string
        if (value !== undefined && this.peek(id) === undefined) this.#take(id, value)
      }
      break
    }
    return ids.map(id => this.#records.get(id))
  }

  /** A new record, or a new definition of one: journals it. */
  created(record: TaskRecord<R>): void {
    const before = this.#records.get(record.id) ?? this.#tombstones.get(record.id)
    if (before !== record) {
      if (before !== undefined) this.#succeed(before, record)
      this.#records.set(record.id, record)
    }
    writeCreated(this.#journal.begin(record.range), record)
    this.#journaled(record)
  }

  /** The record was changed: journals what `update` names of it. */
  updated(record: TaskRecord<R>, update: Update<R>): void {
    invariant(!record.gone, 'an ended record does not change')
    if (update.times === true) record.raiseClosed()
    const whole = withOpenRuns(record, update)
    writeUpdate(this.#journal.begin(record.range), record, whole, this.#writer)
    this.#journaled(record)
    for (const run of whole.runs ?? []) {
      run.actor = record.dotActor
      run.n = record.dotN
    }
  }

  /** The task has ended, and its record goes; with it the end of one run, or what `update` names. */
  ended(record: TaskRecord<R>, run: R | undefined, update?: Update<R>): void {
    invariant(!record.gone, 'a record ends once')
    const out = this.#journal.begin(record.range)
    if (run !== undefined && update === undefined) writeEnded(out, record, run, this.#writer)
    else {
      const whole = { ...update, ...(run === undefined ? {} : { runs: [run] }), dropped: true }
      writeUpdate(out, record, whole, this.#writer)
    }
    const n = this.#journal.end(record.range)
    record.include(this.#identity.actor.index, n)
    this.#dirty.remove(record)
    this.#records.delete(record.id)
    record.gone = true
    if (record.kept.length > 0) this.history.removeRecurring(record)
    if (!Number.isNaN(record.indexedDue)) {
      record.segment = this.#journal.segment
      this.#tombstones.set(record.id, record)
    }
  }

  afterSync(callback: AfterSync): void {
    this.#journal.afterSync(callback)
  }

  /** The end of a turn: commits what came, and spills if there is something old. */
  flush(): void {
    this.#journal.flush()
    this.#spiller.start()
  }

  /** Lets a record go that was loaded and is no longer needed, if the index has it as it is. */
  release(record: TaskRecord<R>): void {
    if (record.gone || record.segment !== 0 || record.pins > 0 || this.#host.holds(record)) return
    if (Number.isNaN(record.indexedDue) || this.#spiller.isWriting(record)) return
    if (this.#records.get(record.id) === record) this.#records.delete(record.id)
    this.#host.evicted(record)
  }

  /** The due index of a range from an instant (or position) on, as of now: a snapshot. */
  dueCursor(range: number, from: Uint8Array, ltDue: number): StoreCursor {
    return this.#patient.cursor({ gte: from, lt: dueFrom(range, ltDue), values: false })
  }

  /** Turns a page of due keys into records; the loaded ones are in memory from now on. */
  async loadDue(keys: readonly Uint8Array[]): Promise<DueEntry<R>[]> {
    const ids = keys.map(dueIdOf)
    const records = await this.load(ids)
    return ids.map((id, i) => ({ id, record: records[i] }))
  }

  /** Spills may wait: the horizon opens a cursor only when none is under way (store order, ii). */
  spillsIdle(): Promise<void> {
    return this.#spiller.idle()
  }

  /** Ended runs of a task that are kept, newest first. */
  async endedRuns(id: string, record: TaskRecord<R> | undefined, limit: number): Promise<EndedRun[]> {
    const range = this.rangeOf(id)
    const found = this.history.find(id)
    const runs: EndedRun[] = [...this.history.youngOf(id)]
    const keys: Uint8Array[] = []
    if (found !== undefined) {
      if ('stored' in found) keys.push(found.stored)
      else runs.push(found)
    }
    const young = new Set(runs.map(each => each.run.instant))
    for (const instant of record?.kept ?? [])
      if (!young.has(instant)) keys.push(endedKey(true, range, id, instant))
    for (const [i, value] of (await this.#patient.getMany(keys)).entries()) {
      const ended = value && this.#decodeEnded(keys[i] as Uint8Array, value)
      if (ended !== undefined) runs.push(ended)
    }
    return runs.sort((a, b) => b.run.instant - a.run.instant).slice(0, limit)
  }

  /**
   * A page of all tasks in the order of (range, id), after the given one; `end` is where the next begins, undefined
   * after the last. Only `end` says whether it is the last: large tasks, and ended ones, make a page short.
   */
  async page(
    after: { range: number; id: string } | undefined,
    limit: number,
  ): Promise<{ records: TaskRecord<R>[]; end: { range: number; id: string } | undefined }> {
    const gte = after === undefined ? allOf('t').gte : taskKey(after.range, `${after.id}\u0000`)
    let read: TaskEntries
    let spills: number
    // A spill meanwhile may have ended or renewed what was read, and memory may have let go of what told so.
    do {
      spills = this.#spiller.count
      read = await readEntries(this.#patient, gte, limit)
    } while (spills !== this.#spiller.count)
    const page = new Map<string, TaskRecord<R>>()
    let last: { range: number; id: string } | undefined
    for (const [key, value] of read.entries) {
      last = { range: rangeOfKey(key), id: taskIdOf(key) }
      const known = this.peek(last.id)
      if (known === 'absent') continue
      page.set(last.id, known ?? this.#decode(last.id, last.range, value))
    }
    const end = read.isLast ? undefined : last
    for (const record of this.#records.values()) {
      if (after !== undefined && !isAfter(record, after)) continue
      if (end !== undefined && isAfter(record, end)) continue
      page.set(record.id, record)
    }
    return { records: [...page.values()].sort((a, b) => (isAfter(a, b) ? 1 : -1)), end }
  }

  async space(): Promise<{ freeBytes: number; totalBytes: number }> {
    return this.#ports.store.space()
  }

  /** It is about to stop: nobody waits for space any more. */
  stopWaiting(): void {
    this.#patient.stop()
  }

  /** Syncs what is there, and closes. */
  async stop(): Promise<void> {
    if (this.#journal !== undefined) {
      if (!this.#patient.isFull) await this.#journal.drain().catch(() => undefined)
      this.#patient.stop()
      this.#spiller.stop()
      await this.#spiller.idle()
      this.#journal.stop()
    }
    await this.#ports.store.close()
  }

  /** A new life of an id whose ended record is still here, or still in the index. */
  #succeed(before: TaskRecord<R>, record: TaskRecord<R>): void {
    record.indexedDue = before.indexedDue
    // A tombstone's segment says when it may go; it is in no list.
    if (!before.gone) this.#dirty.remove(before)
    this.#tombstones.delete(before.id)
    before.gone = true
  }

  #journaled(record: TaskRecord<R>): void {
    const n = this.#journal.end(record.range)
    record.include(this.#identity.actor.index, n)
    this.#dirty.add(record, this.#journal.segment)
  }

  /** While the store is read nothing can be journaled yet. */
  #evictedDead(taskId: string): void {
    if (this.#evictedEarly === undefined) this.#host.evictedDead(taskId)
    else this.#evictedEarly.push(taskId)
  }

  #spilled(record: TaskRecord<R>): void {
    this.release(record)
  }

  #take(id: string, value: Uint8Array): void {
    const record = this.#decode(id, this.rangeOf(id), value)
    this.#records.set(id, record)
  }

  #decode(id: string, range: number, value: Uint8Array): TaskRecord<R> {
    try {
      const record = decodeSnapshot<R>(value, range, this.#host.makeRun.bind(this.#host))
      record.indexedDue = record.dueAt
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
      if (this.options.repair) return undefined
      throw new CarillonError('STORE_CORRUPT', `an ended run that was kept is broken: ${cause.message}`, {
        cause,
      })
    }
  }

  async #adoptHistory(): Promise<void> {
    const entries: Array<{ key: Uint8Array; ended: EndedRun }> = []
    const cursor = this.#ports.store.cursor(allOf('r'))
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
    this.history.adopt(entries)
  }
}

/**
 * The times of a change say that the instants of the open runs were reached: those that no change names yet come along,
 * or a crash would take them for done.
 */
function withOpenRuns<R extends Run>(record: TaskRecord<R>, update: Update<R>): Update<R> {
  if (update.times !== true) return update
  const named = update.runs ?? []
  const unnamed = record.runs.filter(run => run.n === 0 && !isRunEnd(run.state) && !named.includes(run))
  if (unnamed.length === 0) return update
  return { ...update, runs: [...unnamed, ...named].sort((a, b) => a.instant - b.instant) }
}

function isAfter(a: { range: number; id: string }, b: { range: number; id: string }): boolean {
  return a.range !== b.range ? a.range > b.range : a.id > b.id
}
