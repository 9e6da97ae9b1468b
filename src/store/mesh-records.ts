/**
 * What a store of a mesh does for others, beside its own changes: it applies theirs, adopts copied records, lets go, and
 * keeps what has ended until all have the end. Each is journaled first, then in memory; the spill does the rest.
 */

import { invariant } from '../invariant.ts'
import { ByteReader, ByteWriter, Copies } from '../lib/bytes.ts'
import type { Clock } from '../ports/clock.ts'
import type { Context } from '../replication/context.ts'
import { encodeState } from '../replication/context-codec.ts'
import type { RangeState, RecordHead } from '../replication/host.ts'
import { type Change, changeIdOf, definesTask, readChange, type Update } from '../task/change.ts'
import { waitingNumber } from '../task/follow-up.ts'
import { takeRun } from '../task/merge.ts'
import { NO_BYTES, Run, type TaskRecord } from '../task/record.ts'
import type { Actors } from '../task/version.ts'
import { ENTRY } from './blob.ts'
import { canonical, decodeCopy, encodeCopy, headOf } from './copies.ts'
import type { DirtyLists } from './dirty-list.ts'
import { type Applied, ENDED_RUNS_MAX, Fold } from './fold.ts'
import type { History } from './history.ts'
import type { Journal } from './journal.ts'
import type { Memory } from './memory.ts'
import { decodeExtras, learnExtras, type MeshRequests } from './mesh-requests.ts'
import type { Identity } from './meta.ts'
import type { MeshChanges } from './own-changes.ts'
import type { RangeClearing } from './range-clearing.ts'

export interface MeshRecordsOptions {
  readonly endedKeepMs: number
  readonly endedBytesMax: number
}

export interface MeshRecordsHost<R extends Run> {
  makeRun(record: TaskRecord<R>, instant: number, manual: boolean): R
  evicted(record: TaskRecord<R>): void
  dropped?(range: number, life: number): void
}

export interface MeshRecordsParts<R extends Run> {
  readonly journal: Journal
  readonly memory: Memory<R>
  readonly identity: Identity
  readonly changes: MeshChanges
  readonly requests: MeshRequests
  readonly history: History
  readonly dirty: DirtyLists<R>
  readonly clearing: RangeClearing
  readonly clock: Clock
  readonly host: MeshRecordsHost<R>
  /** Lets a record leave memory if nobody holds it. */
  readonly release: (record: TaskRecord<R>) => void
}

/** Ended records that are old are looked for after this share of the time that they are kept, at most. */
const SWEEP_SHARE = 1 / 1000

export class MeshRecords<R extends Run> {
  readonly #options: MeshRecordsOptions
  readonly #parts: MeshRecordsParts<R>
  readonly #fold: Fold<R>
  readonly #actors: Actors
  readonly #makeRun: (record: TaskRecord<R>, instant: number, manual: boolean) => R
  readonly #out = new ByteWriter(256)
  /** Of definitions. Records that are kept for long leave memory, and are read again with bytes of their own. */
  readonly #copies = new Copies(4 * 1024)
  #sweptAt = Number.NEGATIVE_INFINITY
  /** Ended records that went before all had the end. */
  endedDroppedEarly = 0

  constructor(options: MeshRecordsOptions, parts: MeshRecordsParts<R>) {
    this.#options = options
    this.#parts = parts
    const { memory, dirty, history, requests, identity, host } = parts
    this.#actors = identity.startIds
    this.#makeRun = host.makeRun.bind(host)
    const actors = this.#actors
    this.#fold = new Fold<R>({ memory, dirty, history, requests, actors, makeRun: this.#makeRun })
  }

  // --- this store's own changes

  mintActor(range: number): number {
    return this.#parts.changes.mintActor(range)
  }

  /** Before it is journaled: the record takes its place. */
  place(record: TaskRecord<R>): void {
    this.#fold.replace(record)
  }

  created(record: TaskRecord<R>): void {
    const { caller, requestNumber, madeAt } = record.definition
    const number = record.outbox ? waitingNumber(requestNumber) : requestNumber
    this.#learn(record, caller, number, madeAt, undefined)
  }

  updated(record: TaskRecord<R>, { request }: Update<R>): void {
    if (request === undefined) return
    this.#learn(record, request.caller, request.n, this.#parts.clock.now(), request.answer)
  }

  /** After the end was journaled: the record is as who applies that change has it, and waits for all to have it. */
  ended(record: TaskRecord<R>, update: Update<R>): void {
    const { memory, changes, history } = this.#parts
    const { actor, n } = changes.dot
    const { range } = record
    const options = { actor, n, range, makeRun: this.#makeRun, compareActors: this.#actors.compare }
    for (const run of update.runs ?? []) {
      if (record.runs.includes(run)) Object.assign(run, { actor, n })
      else takeRun(record, run, record.version, options)
    }
    record.ended = true
    if (record.kept.length > 0) history.removeRecurring(record)
    record.kept = []
    memory.put(record)
    this.updated(record, update)
  }

  closed(record: TaskRecord<R>): void {
    record.raiseClosed()
    record.pruneOldest(ENDED_RUNS_MAX)
    this.#parts.memory.prunes(record)
  }

  #learn(
    { range }: TaskRecord<R>,
    caller: string,
    number: number,
    at: number,
    answer: string | undefined,
  ): void {
    const { changes, requests } = this.#parts
    const { actor, n } = changes.dot
    requests.learn(caller, number, at, answer, { range, actor, n })
  }

  // --- what others wrote

  /** The id that a change is about. Throws CorruptBytes. */
  idOf(bytes: Uint8Array): string {
    return changeIdOf(new ByteReader(bytes))
  }

  /** Journals another actor's change, and applies it. Throws CorruptBytes, and then nothing has happened. */
  apply(range: number, actor: number, n: number, bytes: Uint8Array): Applied<R> {
    const { journal, clock } = this.#parts
    // A record points into the bytes of its definition and of its results: these must not be a part of a whole frame.
    const isDefinition = definesTask(bytes)
    const change: Change = readChange(
      new ByteReader(isDefinition ? this.#copies.of(bytes) : bytes),
      this.#actors.learning,
    )
    if (!isDefinition)
      for (const run of change.runs) run.body = run.body.length > 0 ? run.body.slice() : NO_BYTES
    const out = journal.beginOther(range, n, this.#actors.startIdOf(actor))
    out.bytes(bytes)
    journal.endEntry()
    return this.#dirtied(this.#fold.change(range, actor, n, change, clock.now()))
  }

  /** Journals a copied record, and merges it into the one that is here. Throws CorruptBytes, as apply does. */
  adopt(range: number, bytes: Uint8Array): Applied<R> {
    const record = decodeCopy<R>(bytes, range, this.#makeRun, this.#actors)
    this.#parts.journal.append(ENTRY.record, range, bytes)
    return this.#dirtied(this.#fold.record(record))
  }

  #dirtied(applied: Applied<R>): Applied<R> {
    const { dirty, journal } = this.#parts
    if (applied.record !== undefined) dirty.add(applied.record, journal.segment)
    return applied
  }

  /** The store's own is merged with what a copy brought of requests. Throws CorruptBytes. */
  adoptExtras(range: number, bytes: Uint8Array): void {
    const { journal, requests, clock } = this.#parts
    const extras = decodeExtras(range, bytes, this.#actors)
    journal.append(ENTRY.extras, range, bytes)
    learnExtras(requests, extras, clock.now())
  }

  // --- letting go

  /** A record that has ended, or that a copy shows to have ended, goes. Returns its life. */
  drop(range: number, id: string): number {
    const record = this.#parts.memory.find(range, id)
    invariant(record !== undefined, 'what is dropped is there (A4)')
    const wasLive = !record.gone
    this.#drop(record)
    if (wasLive) this.#parts.host.evicted(record)
    return record.life
  }

  #drop(record: TaskRecord<R>): void {
    const { journal } = this.#parts
    this.#out.reset()
    this.#out.ascii(record.id)
    this.#out.f64(record.life)
    journal.append(ENTRY.dropped, record.range, this.#out.view())
    this.#fold.drop(record, journal.segment)
  }

  /** Ended records whose every dot is covered go, and of the others what only they would have to know. */
  stable(range: number, context: Context): void {
    const { memory, host, release } = this.#parts
    const records = memory.range(range)
    if (records === undefined) return
    for (const record of records.ended.values()) {
      if (!isCovered(record, context)) continue
      this.#drop(record)
      host.dropped?.(range, record.life)
    }
    for (const record of records.toPrune) {
      if (!isCovered(record, context)) continue
      record.prune()
      records.toPrune.delete(record)
      release(record)
    }
  }

  /** Ended ones that were kept for long enough, or are too many, go though not all have their end. To be called often. */
  sweepEnded(now: number): void {
    const { memory } = this.#parts
    const { endedKeepMs, endedBytesMax } = this.#options
    if (memory.endedBytes > endedBytesMax) {
      for (const [record] of memory.ended()) {
        if (memory.endedBytes <= endedBytesMax) break
        this.#dropEarly(record)
      }
    }
    if (now >= this.#sweptAt && now - this.#sweptAt < endedKeepMs * SWEEP_SHARE) return
    this.#sweptAt = now
    for (const [record, { endAt }] of memory.ended()) if (endAt + endedKeepMs <= now) this.#dropEarly(record)
  }

  #dropEarly(record: TaskRecord<R>): void {
    this.#drop(record)
    this.endedDroppedEarly++
    this.#parts.host.dropped?.(record.range, record.life)
  }

  saveState(range: number, state: RangeState): void {
    this.#parts.journal.append(ENTRY.state, range, encodeState(state, this.#actors))
  }

  deleteState(range: number): void {
    this.#parts.journal.append(ENTRY.stateDeleted, range)
  }

  /** All records of a range leave at once; the spiller empties the index before it writes anything that comes later. */
  deleteRecords(range: number): void {
    const { journal, clearing, host } = this.#parts
    journal.append(ENTRY.recordsDeleted, range)
    clearing.add(range)
    for (const record of this.#fold.deleteRange(range)) host.evicted(record)
  }

  // --- what others ask

  /** The live ones of a range in memory, with its outbox. */
  rangeRecords(range: number): Iterable<TaskRecord<R>> {
    return this.#parts.memory.range(range)?.live.values() ?? []
  }

  /** Ended ones of a range in memory, that wait for all to have their end. */
  endedIn(range: number): TaskRecord<R>[] {
    return [...(this.#parts.memory.range(range)?.ended.values() ?? [])]
  }

  /** Follow-ups of the range's runs that wait for other ranges to have them. */
  outboxOf(range: number): Iterable<TaskRecord<R>> {
    return this.#parts.memory.range(range)?.outbox.values() ?? []
  }

  /** What a copied record says of itself, and whether there is one of its id in memory. Throws CorruptBytes. */
  headOf(range: number, bytes: Uint8Array): RecordHead & { readonly isHere: boolean } {
    const record = decodeCopy<Run>(bytes, range, plainRun, this.#actors)
    return { ...headOf(record), isHere: this.#parts.memory.find(range, record.id) !== undefined }
  }

  recordIn(range: number, id: string): TaskRecord<R> | undefined {
    return this.#parts.memory.find(range, id)
  }

  releaseIn(range: number, ids: readonly string[]): void {
    const { memory, release } = this.#parts
    for (const id of ids) {
      const record = memory.find(range, id)
      if (record !== undefined) release(record)
    }
  }

  /** A record in memory, as it goes to other stores. */
  encodeRecord(range: number, id: string): Uint8Array | undefined {
    const record = this.#parts.memory.find(range, id)
    return record && encodeCopy(record, this.#actors)
  }

  encodeExtras(range: number): Uint8Array {
    return this.#parts.requests.encodeExtras(range, this.#actors)
  }

  /** The same text for the same record, in whatever order its changes came. */
  canonical(record: TaskRecord<R>, prunes = false): string {
    return canonical(record, this.#actors, prunes)
  }
}

function isCovered({ pastDots, dotActor, dotN }: TaskRecord, context: Context): boolean {
  if (dotActor >= 0 && context.cleanOf(dotActor) < dotN) return false
  return pastDots.length === 0 || context.coversAll(pastDots)
}

function plainRun(_: TaskRecord, instant: number, manual: boolean): Run {
  return new Run(instant, manual)
}
