/**
 * The task store: every record that is in memory, the journal before it, and the index behind it.
 *
 * Most tasks die young: they are made and end in the journal, and the index never sees them. What still lives when
 * its journal segment is the oldest is written to the index (store/spill); it then leaves memory unless somebody
 * holds it (armed, running, pinned).
 *
 * Every change of a record goes through created(), updated() or ended(): its caller changes the record first, it is
 * journaled here, and `afterSync` tells when that counts. Here stand what a node does of its own, the start and the
 * end; reading stands in index-reader.ts, and what a store of a mesh does for others in mesh-records.ts.
 */

import { invariant } from '../invariant.ts'
import { idHeadOf } from '../lib/made-ids.ts'
import type { Clock } from '../ports/clock.ts'
import type { Random } from '../ports/random.ts'
import type { Store, StoreCursor, StoreOp } from '../ports/store.ts'
import { type Update, writeCreated, writeEnded, writeUpdate } from '../task/change.ts'
import type { Run, TaskRecord } from '../task/record.ts'
import { isRunEnd } from '../task/task.ts'
import type { Actors } from '../task/version.ts'
import { DirtyLists } from './dirty-list.ts'
import { type EndedRun, History } from './history.ts'
import { type DueEntry, IndexReader, type Place } from './index-reader.ts'
import { ADOPTED_SEGMENT, type AfterSync, Journal } from './journal.ts'
import { Memory } from './memory.ts'
import { MeshCalls } from './mesh-calls.ts'
import { MeshRecords } from './mesh-records.ts'
import { MeshRequests } from './mesh-requests.ts'
import { actorOps, type Identity, startIdentity } from './meta.ts'
import { NewestIds } from './newest-ids.ts'
import { AloneChanges, type ChangeSink, MeshChanges, type OwnChanges } from './own-changes.ts'
import { PatientStore, type SharedStore } from './patient-store.ts'
import { RangeClearing } from './range-clearing.ts'
import { RequestLog, type Requests } from './requests.ts'
import { Spiller } from './spill.ts'
import { AloneStart, MeshStart, type Restart } from './start.ts'
import type { Started, TaskStoreHost, TaskStoreOptions } from './task-store-host.ts'

export type { Applied } from './fold.ts'
export type { DueEntry } from './index-reader.ts'
export type { ChangeSink } from './own-changes.ts'
export type { Started, TaskStoreHost, TaskStoreOptions } from './task-store-host.ts'

interface Ports {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
}

export class TaskStore<R extends Run> extends MeshCalls<R> {
  readonly options: TaskStoreOptions
  readonly history: History
  readonly requests: Requests
  readonly #ports: Ports
  readonly #host: TaskStoreHost<R>
  readonly #dirty = new DirtyLists<R>()
  readonly #patient: PatientStore
  readonly #clearing = new RangeClearing()
  readonly #restart: Restart
  /** Dead tasks that were too many already when the store was read. */
  #evictedEarly: string[] | undefined = []
  readonly #newest = new NewestIds()
  #memory!: Memory<R>
  #journal!: Journal
  #identity!: Identity
  #changes!: OwnChanges
  #mesh: MeshRecords<R> | undefined
  #reader!: IndexReader<R>
  #spiller!: Spiller<R>
  /** Actors below this number are on the disk. */
  #actorsStored = 0

  constructor(ports: Ports, options: TaskStoreOptions, host: TaskStoreHost<R>) {
    super()
    this.#ports = ports
    this.options = options
    this.#host = host
    this.history = new History(options.history, taskId => this.#evictedDead(taskId))
    if (options.replicated) {
      const requests = new MeshRequests(options.requestWindowMs)
      this.requests = requests
      this.#restart = new MeshStart(requests)
    } else {
      const requests = new RequestLog(options.requestWindowMs)
      this.requests = requests
      this.#restart = new AloneStart(requests)
    }
    this.#patient = new PatientStore(ports.store, ports.clock, options.fullRetryMs, full => {
      this.#journal.setFull(full)
      host.full(full)
    })
  }

  /** Takes a new boot of the opened store, and replays what earlier boots left in the journal. */
  async start(): Promise<Started> {
    const { store, clock, random } = this.#ports
    const { repair, ranges, replicated, endedKeepMs } = this.options
    const identity = await startIdentity({ store, random }, { ranges, renew: repair, replicated })
    this.#identity = identity
    this.#actorsStored = identity.startIds.count
    const makeRun = this.#host.makeRun.bind(this.#host)
    const { history, requests } = this
    const memory = new Memory<R>({ ranges: identity.meta.ranges, replicated, endedKeepMs })
    this.#memory = memory
    this.#reader = new IndexReader<R>({
      store: this.#patient,
      clock,
      memory,
      history,
      clearing: this.#clearing,
      newest: this.#newest,
      spiller: () => this.#spiller,
      makeRun,
      release: record => this.release(record),
      repair,
    })
    await this.#reader.adoptHistory()
    const now = clock.now()
    const input = { store, identity, memory, requests, history, makeRun, repair, now }
    const replayed = await this.#restart.replay(input, this.#dirty)
    this.#journal = new Journal({ store: this.#patient, clock }, this.options.journal, this.#host, {
      actor: identity.actor,
      seq: replayed.nextSeq,
      ranges: identity.meta.ranges,
      states: this.#restart.snapshots(() => this.#host.rangeStates?.() ?? []),
    })
    this.#adopt()
    if (replayed.nextSeq > replayed.firstSeq) {
      const states = this.#restart.adoptedStates
      this.#journal.adopt({ ...replayed, lastSeq: replayed.nextSeq - 1, states })
    }
    this.#prepare(identity)
    const withRecords = replicated ? await this.#reader.rangesWithRecords() : new Set<number>()
    await this.#newest.read(store, withRecords, idHeadOf(now))
    for (const [range] of memory.ranges()) withRecords.add(range)
    const evictedDead = this.#evictedEarly ?? []
    this.#evictedEarly = undefined
    const { changes: replayedChanges, cut } = replayed
    return {
      replayedChanges,
      cut,
      fresh: identity.fresh,
      states: this.#restart.states,
      withRecords,
      evictedDead,
    }
  }

  /** What was replayed is only in the journal, as far as is known. */
  #adopt(): void {
    const { live, tombstones } = this.#memory
    for (const record of live.values()) this.#dirty.add(record, ADOPTED_SEGMENT)
    for (const [, records] of this.#memory.ranges()) {
      for (const record of [...records.outbox.values(), ...records.ended.values()])
        this.#dirty.add(record, ADOPTED_SEGMENT)
    }
    for (const record of tombstones.values()) {
      record.gone = true
      record.segment = ADOPTED_SEGMENT
    }
  }

  /** From here on it can be written. */
  #prepare(identity: Identity): void {
    const journal = this.#journal
    const memory = this.#memory
    if (this.requests instanceof MeshRequests) {
      const changes = new MeshChanges(journal, identity, this.#ports.random)
      this.#changes = changes
      this.#mesh = new MeshRecords<R>(this.options, {
        ...{ journal, memory, identity, changes, requests: this.requests },
        ...{ history: this.history, dirty: this.#dirty, clearing: this.#clearing, host: this.#host },
        clock: this.#ports.clock,
        release: record => this.release(record),
      })
    } else this.#changes = new AloneChanges(journal, identity)
    this.#spiller = new Spiller<R>({
      store: this.#patient,
      journal,
      dirty: this.#dirty,
      memory,
      history: this.history,
      meta: this.#mesh === undefined ? identity.meta : { ...identity.meta, mesh: true },
      clearing: this.#clearing,
      newest: this.#newest,
      actorOps: () => this.#actorOps(),
      segmentOps: segment => this.#restart.segmentOps(segment, this.#ports.clock.now()),
      spilled: record => this.release(record),
      failed: error => this.#host.failed(error),
      done: () => this.#host.stir(),
    })
  }

  get identity(): Identity {
    return this.#identity
  }

  get journal(): Journal {
    return this.#journal
  }

  get size(): number {
    return this.#memory.size
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

  rangeOf(id: string): number {
    return this.#memory.rangeOf(id)
  }

  // --- reading

  /** Every record in memory, but for ended ones, and follow-ups that wait for their range. */
  records(): IterableIterator<TaskRecord<R>> {
    return this.#memory.live.values()
  }

  /** The record if it is in memory; 'absent' if it certainly is nowhere; undefined if the index must be asked. */
  peek(id: string): TaskRecord<R> | 'absent' | undefined {
    return this.#reader.peek(id)
  }

  /** The life of the id that ended last, as far as it is still known; undefined if the id is new. */
  lastLifeOf(id: string): number | undefined {
    const memory = this.#memory
    const before = memory.live.get(id) ?? memory.endedOf(id) ?? memory.tombstones.get(id)
    if (before !== undefined) return before.life
    return this.history.find(id)?.life
  }

  /** The records of these ids, from memory or the index. Loaded ones are in memory from now on. */
  load(ids: readonly string[]): Promise<Array<TaskRecord<R> | undefined>> {
    return this.#reader.load(ids)
  }

  /** Lets a record go that was loaded and is no longer needed, if the index has it as it is. */
  release(record: TaskRecord<R>): void {
    const memory = this.#memory
    if (!memory.has(record) || record.segment !== 0 || record.pins > 0) return
    if (memory.holds(record) || (!record.gone && this.#host.holds(record))) return
    if (Number.isNaN(record.indexedDue) || this.#spiller.isWriting(record)) return
    memory.remove(record)
    if (!record.gone) this.#host.evicted(record)
  }

  /** The due index of a range from an instant (or position) on, as of now: a snapshot. */
  dueCursor(range: number, from: Uint8Array, ltDue: number): StoreCursor {
    return this.#reader.dueCursor(range, from, ltDue)
  }

  /** Turns a page of due keys into records; the loaded ones are in memory from now on. */
  loadDue(keys: readonly Uint8Array[]): Promise<DueEntry<R>[]> {
    return this.#reader.loadDue(keys)
  }

  /** Spills may wait: the horizon opens a cursor only when none is under way (store order, ii). */
  spillsIdle(): Promise<void> {
    return this.#spiller.idle()
  }

  /** Ended runs of a task that are kept, newest first. */
  endedRuns(id: string, record: TaskRecord<R> | undefined, limit: number): Promise<EndedRun[]> {
    return this.#reader.endedRuns(id, record, limit)
  }

  /** A page of all tasks in the order of (range, id), or of one range, after the given one; `end` is where the next begins. */
  page(
    after: Place | undefined,
    limit: number,
    range?: number,
  ): Promise<{ records: TaskRecord<R>[]; end: Place | undefined }> {
    return this.#reader.page(after, limit, range)
  }

  async space(): Promise<{ freeBytes: number; totalBytes: number }> {
    return this.#ports.store.space()
  }

  // --- writing

  /** The actor that the next change of a range will be written under: versions name it. */
  actorOf(range: number): number {
    return this.#changes.actorOf(range)
  }

  /** A new record, or a new definition of one: journals it. */
  created(record: TaskRecord<R>): void {
    if (this.#mesh !== undefined) this.#mesh.place(record)
    else {
      const { live, tombstones } = this.#memory
      const before = live.get(record.id) ?? tombstones.get(record.id)
      if (before !== record) {
        if (before !== undefined) this.#succeed(before, record)
        live.set(record.id, record)
      }
    }
    writeCreated(this.#changes.begin(record.range), record)
    this.#journaled(record)
    this.#mesh?.created(record)
  }

  /** The record was changed: journals what `update` names of it. */
  updated(record: TaskRecord<R>, update: Update<R>): void {
    invariant(!record.gone, 'an ended record does not change')
    if (update.times === true) record.raiseClosed()
    const whole = withOpenRuns(record, update)
    writeUpdate(this.#changes.begin(record.range), record, whole, this.#changes.writer)
    this.#journaled(record)
    for (const run of whole.runs ?? []) {
      run.actor = record.dotActor
      run.n = record.dotN
    }
    this.#mesh?.updated(record, update)
  }

  /** The task has ended, and its record goes; with it the end of one run, or what `update` names. */
  ended(record: TaskRecord<R>, run: R | undefined, update?: Update<R>): void {
    invariant(!record.gone, 'a record ends once')
    if (this.#mesh !== undefined) {
      // With its times: the record stays, and is the same on every store.
      record.raiseClosed()
      const named = run === undefined ? update : { ...update, runs: [run] }
      const whole = withOpenRuns(record, { ...named, times: true, dropped: true })
      writeUpdate(this.#changes.begin(record.range), record, whole, this.#changes.writer)
      this.#journaled(record)
      return this.#mesh.ended(record, whole)
    }
    const out = this.#changes.begin(record.range)
    if (run !== undefined && update === undefined) writeEnded(out, record, run, this.#changes.writer)
    else {
      const whole = { ...update, ...(run === undefined ? {} : { runs: [run] }), dropped: true }
      writeUpdate(out, record, whole, this.#changes.writer)
    }
    this.#changes.end(record)
    this.#dirty.remove(record)
    this.#memory.live.delete(record.id)
    record.gone = true
    if (record.kept.length > 0) this.history.removeRecurring(record)
    if (!Number.isNaN(record.indexedDue)) {
      record.segment = this.#journal.segment
      this.#memory.tombstones.set(record.id, record)
    }
  }

  /** What has ended of the record is closed; who is alone drops it as well, in a mesh it stays until all have it. */
  closed(record: TaskRecord<R>): void {
    if (this.#mesh === undefined) record.close()
    else this.#mesh.closed(record)
  }

  afterSync(callback: AfterSync): void {
    this.#journal.afterSync(callback)
  }

  /** The end of a turn: commits what came, and spills if there is something old. */
  flush(): void {
    this.#journal.flush()
    this.#spiller.start()
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

  // --- of a mesh: see mesh-records.ts

  get actors(): Actors {
    return this.#identity.startIds
  }

  /** Numbers this store's changes; to be set before the first of them. */
  set sink(sink: ChangeSink | undefined) {
    if (this.#changes instanceof MeshChanges) this.#changes.sink = sink
  }

  get sink(): ChangeSink | undefined {
    return this.#changes instanceof MeshChanges ? this.#changes.sink : undefined
  }

  protected get mesh(): MeshRecords<R> {
    invariant(this.#mesh !== undefined, 'the store is one of a mesh')
    return this.#mesh
  }

  protected get reader(): IndexReader<R> {
    return this.#reader
  }

  /** The numbers of actors that the disk does not know yet. */
  #actorOps(): StoreOp[] {
    const { startIds } = this.#identity
    const ops = startIds.count === this.#actorsStored ? [] : actorOps(startIds, this.#actorsStored)
    this.#actorsStored = startIds.count
    return ops
  }

  /** A new life of an id whose ended record is still here, or still in the index. */
  #succeed(before: TaskRecord<R>, record: TaskRecord<R>): void {
    record.indexedDue = before.indexedDue
    // A tombstone's segment says when it may go; it is in no list.
    if (!before.gone) this.#dirty.remove(before)
    this.#memory.tombstones.delete(before.id)
    before.gone = true
  }

  #journaled(record: TaskRecord<R>): void {
    this.#changes.end(record)
    this.#dirty.add(record, this.#journal.segment)
  }

  /** While the store is read nothing can be journaled yet. */
  #evictedDead(taskId: string): void {
    if (this.#evictedEarly === undefined) this.#host.evictedDead(taskId)
    else this.#evictedEarly.push(taskId)
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
