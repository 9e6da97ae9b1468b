/**
 * The journal: every change is in it, synced, before anyone is told that it happened.
 *
 * Group commit: changes are appended to the blob under construction; a commit seals that blob and writes it as one
 * synced value, and all that comes meanwhile goes into the next. A commit starts at once when none is under way, so
 * a single change waits for one sync, and under load a blob holds thousands. Two writers take turns, since to
 * allocate megabytes per commit costs more than the sync.
 *
 * Rules: what afterSync() was given is called after the sync that covers everything appended before the call, in
 * order (A3). A failed sync is never retried: it ends the engine. A full disk is another matter: nothing of that
 * blob counts until the store was opened again and took the same bytes.
 *
 * Blobs form segments. A segment is closed when it is large; the task store moves what still lives in the oldest
 * closed one to the index, and drops it (store/spill).
 */

import { CarillonError, isCarillonError } from '../errors.ts'
import { invariant } from '../invariant.ts'
import { ByteWriter } from '../lib/bytes.ts'
import type { Clock, Timer } from '../ports/clock.ts'
import { type Actor, beginBlob, beginEntry, ENTRY, endEntry, sealBlob } from './blob.ts'
import { journalKey } from './keys.ts'
import type { PatientStore } from './patient-store.ts'
import type { StateChanges } from './range-states.ts'

export interface JournalOptions {
  /** `sync`: every commit is synced before it counts. `interval`: it counts when written, and is synced every intervalMs. */
  readonly durability: 'sync' | 'interval'
  readonly intervalMs: number
  /** A segment is closed beyond this many bytes or changes. More: fewer spills, more memory and a longer start. */
  readonly segmentBytesMax: number
  readonly segmentChangesMax: number
  /** A segment of at least idleChangesMin changes is closed when nothing came for idleMs: memory and the next start gain. */
  readonly idleMs: number
  readonly idleChangesMin: number
  /**
   * A closed segment is moved to the index after so long, ms, or when another is closed: what ends meanwhile is never written
   * there. More: fewer writes of tasks that are about to end, more memory and a longer start.
   */
  readonly restMs: number
  /** How long callers wait on a full disk before they are told, ms. */
  readonly fullPatienceMs: number
}

export interface JournalHost {
  /** The disk failed: the engine must stop. Called once. */
  failed(error: CarillonError): void
  /** Somebody was told outside of a turn that a write is done: have one ended, as a claim may start its run now. */
  stir(): void
}

/** Blobs of earlier boots are the first segment; a boot's own begin with the second. */
export const ADOPTED_SEGMENT = 1

export interface Segment {
  readonly number: number
  readonly firstSeq: number
  lastSeq: number
  /** Monotonic ms; of earlier boots long ago. */
  closedAt: number
  bytes: number
  changes: number
  /** Per range, the last n of this actor in this segment or before; set when the segment is closed. */
  context: Float64Array
  /** Of a mesh: what became of the states of the ranges in this segment; set when it is closed. */
  states: StateChanges | undefined
}

type AdoptedSegment = Pick<Segment, 'firstSeq' | 'lastSeq' | 'bytes' | 'changes' | 'states'>

/** Called with no error once synced, with STORE_FULL or STORE_FAILED if that is not known to have happened. */
export type AfterSync = (error?: CarillonError) => void

export class Journal {
  readonly #store: PatientStore
  readonly #clock: Clock
  readonly #options: JournalOptions
  readonly #host: JournalHost
  readonly actor: Actor
  readonly #n: Float64Array
  /** Of a mesh: asked when a segment is closed. */
  readonly #states: (() => StateChanges) | undefined
  #out = new ByteWriter(64 * 1024)
  #spare = new ByteWriter(64 * 1024)
  #entryAt = -1
  #changes = 0
  #seq: number
  #syncedSeq: number
  #segment: Segment
  #closed: Segment[] = []
  #waiting: AfterSync[] = []
  #committing: AfterSync[] = []
  #busy = false
  #dead: CarillonError | undefined
  #patience: Timer | undefined
  /** The write that is under way is synced. */
  #isSyncing = false
  #unsynced = false
  #syncTimer: Timer | undefined
  #syncDue = false
  #committedAt = 0
  commits = 0
  bytesWritten = 0

  constructor(
    ports: { store: PatientStore; clock: Clock },
    options: JournalOptions,
    host: JournalHost,
    start: { actor: Actor; seq: number; ranges: number; states?: (() => StateChanges) | undefined },
  ) {
    this.#store = ports.store
    this.#clock = ports.clock
    this.#options = options
    this.#host = host
    this.actor = start.actor
    this.#states = start.states
    this.#seq = start.seq
    this.#syncedSeq = start.seq - 1
    this.#n = new Float64Array(start.ranges)
    this.#segment = newSegment(ADOPTED_SEGMENT + 1, start.seq)
    beginBlob(this.#out)
  }

  /** Number of the segment that the next change will belong to. */
  get segment(): number {
    return this.#segment.number
  }

  /** Bytes of journal that wait to be spilled. */
  get bytes(): number {
    let sum = this.#segment.bytes
    for (const segment of this.#closed) sum += segment.bytes
    return sum
  }

  /** Sequence number of the next blob. */
  get nextSeq(): number {
    return this.#seq
  }

  /** The highest sequence number that is synced, with all before it. */
  get syncedSeq(): number {
    return this.#syncedSeq
  }

  get segmentsWaiting(): number {
    return this.#closed.length
  }

  /** The oldest closed segment, once it has rested. */
  get oldestRested(): Segment | undefined {
    const [oldest, next] = this.#closed
    if (oldest === undefined || next !== undefined) return oldest
    return this.#clock.monotonic() - oldest.closedAt >= this.#options.restMs ? oldest : undefined
  }

  /** The disk is full, or has space again: callers wait, but not for ever. */
  setFull(full: boolean): void {
    this.#patience?.cancel()
    this.#patience = undefined
    if (full) this.#armPatience()
  }

  /** The n that the next change of the range will have. */
  nextN(range: number): number {
    return (this.#n[range] as number) + 1
  }

  /** Opens a change of a range: the caller writes its body to the returned writer, then calls end(). */
  begin(range: number): ByteWriter {
    invariant(this.#entryAt < 0, 'one change is written at a time')
    const n = (this.#n[range] as number) + 1
    this.#n[range] = n
    this.#entryAt = beginEntry(this.#out, ENTRY.change, range, n)
    return this.#out
  }

  /** Opens a change of another actor than this boot's. */
  beginOther(range: number, n: number, startId: Uint8Array): ByteWriter {
    invariant(this.#entryAt < 0, 'one change is written at a time')
    this.#entryAt = beginEntry(this.#out, ENTRY.remoteChange, range, n)
    this.#out.bytes(startId)
    return this.#out
  }

  /** Appends an entry that is no change. */
  append(kind: number, range: number, body: Uint8Array = NO_BODY): void {
    invariant(this.#entryAt < 0, 'one change is written at a time')
    const at = beginEntry(this.#out, kind, range, 0)
    this.#out.bytes(body)
    endEntry(this.#out, at)
    this.#changes++
  }

  /** Ends the change, and returns its n. */
  end(range: number): number {
    this.endEntry()
    return this.#n[range] as number
  }

  endEntry(): void {
    endEntry(this.#out, this.#entryAt)
    this.#entryAt = -1
    this.#changes++
  }

  /** Calls back once all that was appended so far is synced; at the next turn if it already is. */
  afterSync(callback: AfterSync): void {
    if (this.#dead !== undefined) {
      const error = this.#dead
      this.#clock.defer(() => callback(error))
      return
    }
    if (this.#changes > 0 || this.#wantsSync) this.#waiting.push(callback)
    else if (this.#busy) this.#committing.push(callback)
    else this.#clock.defer(() => callback())
  }

  /** A sync was asked for, and what was written so far has not got it, nor will by the write that is under way. */
  get #wantsSync(): boolean {
    return this.#syncDue && (this.#busy ? !this.#isSyncing : this.#unsynced)
  }

  /**
   * The next commit is synced, whatever the durability: what was appended so far may not be lost once it is told. Who is
   * to be told calls this before afterSync.
   */
  syncNext(): void {
    this.#syncDue = true
  }

  /** Starts a commit if there is something to commit and none is under way. */
  flush(): void {
    if (this.#busy || this.#dead !== undefined) return
    if (this.#changes === 0) {
      if (this.#waiting.length > 0) this.#syncEmpty()
      return
    }
    invariant(this.#entryAt < 0, 'no commit in the middle of a change')
    this.#busy = true
    const seq = this.#seq++
    const out = this.#out
    const blob = sealBlob(out, seq, this.actor)
    this.#out = this.#spare
    this.#spare = out
    beginBlob(this.#out)
    this.#committing = this.#waiting
    this.#waiting = []
    this.#account(blob.length)
    this.#write(seq, blob)
  }

  /** Resolves once everything appended so far is synced; rejects if that failed. */
  drain(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.afterSync(error => (error === undefined ? resolve() : reject(error)))
      this.flush()
    })
  }

  /** Closes the segment early if nothing came for a while. To be called now and then. */
  closeIdle(): void {
    const { idleMs, idleChangesMin } = this.#options
    if (this.#busy || this.#changes > 0 || this.#segment.changes < idleChangesMin) return
    if (this.#clock.monotonic() - this.#committedAt >= idleMs) this.#rotate()
  }

  /** The oldest segment has been spilled: its blobs may go. Returns the first seq that still counts. */
  dropOldest(): { segment: Segment; firstSeq: number } {
    const segment = this.#closed.shift()
    invariant(segment !== undefined, 'there is a segment to drop')
    return { segment, firstSeq: segment.lastSeq + 1 }
  }

  /** Blobs of earlier boots, which replay found: they are spilled and dropped like any segment. */
  adopt(segment: AdoptedSegment): void {
    const context = new Float64Array(this.#n.length)
    this.#closed.unshift({ ...segment, number: ADOPTED_SEGMENT, context, closedAt: Number.NEGATIVE_INFINITY })
  }

  /** Stops the timers; what is under way goes on. */
  stop(): void {
    this.#patience?.cancel()
    this.#syncTimer?.cancel()
  }

  #account(bytes: number): void {
    this.commits++
    this.#committedAt = this.#clock.monotonic()
    this.bytesWritten += bytes
    const segment = this.#segment
    segment.lastSeq = this.#seq - 1
    segment.bytes += bytes
    segment.changes += this.#changes
    this.#changes = 0
    const { segmentBytesMax, segmentChangesMax } = this.#options
    if (segment.bytes >= segmentBytesMax || segment.changes >= segmentChangesMax) this.#rotate()
  }

  #rotate(): void {
    this.#segment.context = this.#n.slice()
    this.#segment.states = this.#states?.()
    this.#segment.closedAt = this.#clock.monotonic()
    this.#closed.push(this.#segment)
    this.#segment = newSegment(this.#segment.number + 1, this.#seq)
  }

  #write(seq: number, blob: Uint8Array): void {
    const sync = this.#options.durability === 'sync' || this.#syncDue
    this.#syncDue = false
    this.#isSyncing = sync
    this.#store.write([{ type: 'put', key: journalKey(seq), value: blob }], sync).then(
      () => this.#written(sync),
      (error: unknown) => this.#fail(error),
    )
  }

  #written(synced: boolean): void {
    if (synced) this.#syncedSeq = this.#seq - 1
    else this.#armSync()
    this.#busy = false
    const callbacks = this.#committing
    this.#committing = []
    for (const callback of callbacks) callback()
    if (callbacks.length > 0) this.#host.stir()
    this.flush()
  }

  /** The next commit after intervalMs is synced, and with it all before; an empty one if nothing comes. */
  #armSync(): void {
    this.#unsynced = true
    if (this.#syncTimer !== undefined) return
    this.#syncTimer = this.#clock.setTimer(this.#options.intervalMs, () => {
      this.#syncTimer = undefined
      if (!this.#unsynced || this.#dead !== undefined) return
      this.#unsynced = false
      this.#syncDue = true
      if (this.#changes > 0) this.flush()
      else if (!this.#busy) this.#syncEmpty()
    })
  }

  #syncEmpty(): void {
    this.#busy = true
    this.#syncDue = false
    this.#isSyncing = true
    this.#committing = this.#waiting
    this.#waiting = []
    this.#store.write([], true).then(
      () => this.#written(true),
      (error: unknown) => this.#fail(error),
    )
  }

  #armPatience(): void {
    this.#patience = this.#clock.setTimer(this.#options.fullPatienceMs, () => {
      this.#tell(new CarillonError('STORE_FULL', FULL_MESSAGE))
      this.#armPatience()
    })
  }

  /** Callers that waited long enough learn that their change may or may not come to pass. */
  #tell(error: CarillonError): void {
    const callbacks = [...this.#committing, ...this.#waiting]
    this.#committing = []
    this.#waiting = []
    for (const callback of callbacks) callback(error)
  }

  #fail(cause: unknown): void {
    if (this.#dead !== undefined) return
    const error = isCarillonError(cause)
      ? cause
      : new CarillonError('STORE_FAILED', `the disk failed: ${String(cause)}`, { cause })
    this.#dead = error
    this.stop()
    this.#tell(error)
    this.#host.failed(error)
  }
}

function newSegment(number: number, firstSeq: number): Segment {
  return {
    number,
    firstSeq,
    lastSeq: firstSeq - 1,
    closedAt: Number.POSITIVE_INFINITY,
    bytes: 0,
    changes: 0,
    context: new Float64Array(0),
    states: undefined,
  }
}

const NO_BODY = new Uint8Array(0)

const FULL_MESSAGE =
  'no space left on the disk: this change is kept, and written as soon as there is space, unless the node stops ' +
  'first; to repeat it is safe with the same id or key'
