/**
 * Replay: from the index and the blobs of earlier boots to the records that live.
 *
 * Blobs are applied in order, from the one where the meta says that the journal begins. They must follow each other
 * without a gap. A broken last blob is a torn write that nobody was told of: it is cut. A broken one before the last,
 * or one whose sum is right and which still can't be read, stops the start (STORE_CORRUPT); a repair sets it aside and
 * goes on without it, as a new store.
 *
 * A change is applied only above the version at hand (its dot is not in the record). A change whose base is gone is
 * one of a task that ended later: either the index's context covers its dot, or its end follows in this same journal.
 * If neither holds, something is missing, and that is said rather than guessed over (PROTOCOLS, traces 11 and 23).
 */

import { CarillonError } from '../errors.ts'
import { CorruptBytes } from '../lib/bytes.ts'
import type { Store } from '../ports/store.ts'
import { type Change, readChange } from '../task/change.ts'
import { applyChange } from '../task/merge.ts'
import { NEVER, type Run, type TaskRecord } from '../task/record.ts'
import { isRunEnd } from '../task/task.ts'
import { type Blob, ENTRY, openBlob } from './blob.ts'
import type { Context } from './context.ts'
import type { History } from './history.ts'
import { allOf, journalKey, numberOf, setAsideKey, taskKey } from './keys.ts'
import { actorName, type Identity } from './meta.ts'
import type { RequestLog } from './requests.ts'
import { decodeSnapshot } from './snapshot.ts'

export interface ReplayInput<R extends Run> {
  readonly store: Store
  readonly identity: Identity
  readonly context: Context
  readonly requests: RequestLog
  readonly history: History
  readonly makeRun: (record: TaskRecord<R>, instant: number, manual: boolean) => R
  /** Set broken blobs aside and go on. */
  readonly repair: boolean
  /** Epoch ms. */
  readonly now: number
}

export interface Replayed<R extends Run> {
  readonly records: Map<string, TaskRecord<R>>
  /** Ended in the journal, while the index still has them. */
  readonly tombstones: Map<string, TaskRecord<R>>
  /** What the journal covers, of all its actors. */
  readonly seen: Context
  readonly firstSeq: number
  readonly nextSeq: number
  readonly bytes: number
  readonly changes: number
  /** Sequence numbers that were cut or set aside. */
  readonly cut: readonly number[]
}

export async function replay<R extends Run>(input: ReplayInput<R>): Promise<Replayed<R>> {
  return new Replay(input).run()
}

interface Step {
  readonly change: Change
  readonly actor: number
  readonly range: number
  readonly n: number
}

class Replay<R extends Run> {
  readonly #input: ReplayInput<R>
  readonly #records = new Map<string, TaskRecord<R>>()
  readonly #tombstones = new Map<string, TaskRecord<R>>()
  readonly #seen: Context = new Map()
  /** Ids with a change that had no base; their end, or a new life, must follow. */
  readonly #baseless = new Set<string>()
  /** Ids that the index doesn't have. */
  readonly #absent = new Set<string>()
  readonly #cut: number[] = []
  #bytes = 0
  #changes = 0

  constructor(input: ReplayInput<R>) {
    this.#input = input
  }

  async run(): Promise<Replayed<R>> {
    const { store, identity } = this.#input
    const firstSeq = identity.meta.journalFrom
    let seq = firstSeq
    let broken: { seq: number; cause: unknown; isTorn: boolean } | undefined
    const cursor = store.cursor({ ...allOf('j'), gte: journalKey(firstSeq) })
    try {
      for (;;) {
        const page = await cursor.next(8)
        if (page.length === 0) break
        for (const [key, bytes] of page) {
          if (broken !== undefined) await this.#setAside(broken.seq, broken.cause, 'and others follow it')
          broken = undefined
          const at = numberOf(key)
          if (at !== seq) await this.#missing(seq, at)
          try {
            await this.#apply(at, bytes)
          } catch (error) {
            if (!(error instanceof CorruptBytes)) throw error
            broken = { seq: at, cause: error, isTorn: !isWhole(bytes) }
          }
          seq = at + 1
        }
      }
    } finally {
      await cursor.close()
    }
    if (broken?.isTorn === true) {
      await this.#cutTail(broken.seq)
      // Its number is the next blob's: a gap would look like a blob that was lost.
      seq = broken.seq
    } else if (broken !== undefined) await this.#setAside(broken.seq, broken.cause, 'and its sum is right')
    this.#checkBaseless()
    await store.clear({ gte: allOf('j').gte, lt: journalKey(firstSeq) })
    return {
      records: this.#records,
      tombstones: this.#tombstones,
      seen: this.#seen,
      firstSeq,
      nextSeq: seq,
      bytes: this.#bytes,
      changes: this.#changes,
      cut: this.#cut,
    }
  }

  async #apply(seq: number, bytes: Uint8Array): Promise<void> {
    const blob = openBlob(bytes)
    if (blob.seq !== seq) throw new CorruptBytes(`blob ${seq} says it is blob ${blob.seq}`)
    const steps = this.#read(blob)
    await this.#loadBases(steps)
    for (const step of steps) this.#step(step)
    this.#bytes += bytes.length
    this.#changes += steps.length
  }

  /** Everything in the blob is decoded before anything is applied: a blob counts whole or not at all. */
  #read(blob: Blob): Step[] {
    const actor = this.#input.identity.actors.get(actorName(blob))
    if (actor === undefined) throw new CorruptBytes(`blob ${blob.seq} was written by an unknown actor`)
    const steps: Step[] = []
    for (const { kind, range, n, body } of blob.entries()) {
      if (kind !== ENTRY.change)
        throw new CorruptBytes(`entry of kind ${kind}, which this version doesn't know`)
      if (range >= this.#input.identity.meta.ranges) throw new CorruptBytes(`range ${range}`)
      steps.push({ change: readChange(body, this.#input.identity.startIds), actor, range, n })
    }
    return steps
  }

  async #loadBases(steps: readonly Step[]): Promise<void> {
    const { store } = this.#input
    const wanted = new Map<string, number>()
    for (const { change, range } of steps) {
      // Also of a task that was made in this journal: a spill may have been cut short after its record was written.
      if (this.#records.has(change.id) || this.#tombstones.has(change.id) || this.#absent.has(change.id))
        continue
      wanted.set(change.id, range)
    }
    if (wanted.size === 0) return
    const ids = [...wanted]
    const values = await store.getMany(ids.map(([id, range]) => taskKey(range, id)))
    for (const [i, value] of values.entries()) {
      const [id, range] = ids[i] as [string, number]
      if (value === undefined) {
        this.#absent.add(id)
        continue
      }
      const record = this.#decode(id, range, value)
      if (record === undefined) this.#absent.add(id)
      else this.#records.set(id, record)
    }
  }

  /** A broken record of the index is no fault of the blob that changes it: that one must not be cut for it. */
  #decode(id: string, range: number, value: Uint8Array): TaskRecord<R> | undefined {
    try {
      const record = decodeSnapshot<R>(value, range, this.#input.makeRun)
      record.indexedDue = record.dueAt
      return record
    } catch (cause) {
      if (!(cause instanceof CorruptBytes)) throw cause
      if (this.#input.repair) return undefined
      throw new CarillonError(
        'STORE_CORRUPT',
        `the record of task "${id}" is broken (${cause.message}): ${REPAIR}`,
        { cause },
      )
    }
  }

  #covers(actor: number, range: number, n: number): boolean {
    return (this.#input.context.get(actor)?.[range] ?? 0) >= n
  }

  #step({ change, actor, range, n }: Step): void {
    const { context, requests, history, makeRun, identity } = this.#input
    let seen = this.#seen.get(actor)
    if (seen === undefined) {
      seen = context.get(actor)?.slice() ?? new Float64Array(identity.meta.ranges)
      this.#seen.set(actor, seen)
    }
    seen[range] = Math.max(seen[range] as number, n)
    if (change.definition !== undefined) {
      const { caller, requestNumber, madeAt } = change.definition
      requests.add(caller, requestNumber, requestNumber, madeAt)
    }
    if (change.request !== undefined) {
      const { caller, n: number, answer } = change.request
      requests.add(caller, number, number, this.#input.now, answer)
    }
    let base = this.#records.get(change.id)
    if (base?.includes(actor, n)) return this.#keepOf(base, change)
    if (base !== undefined && change.definition === undefined && change.life > base.life) {
      // The index is a life behind: the start of this one is no longer in the journal, since its end is.
      base.life = change.life
      this.#drop(base)
      base = undefined
    }
    if (base === undefined && this.#covers(actor, range, n)) {
      return // ended and dropped, and the index knows it
    }
    const compareActors = identity.startIds.compare
    const merged = applyChange(base, change, { actor, n, range, makeRun, compareActors })
    if (merged.kind === 'none') {
      if (base === undefined) this.#baseless.add(change.id)
      if (change.dropped) this.#baseless.delete(change.id)
      return
    }
    const { record } = merged
    // All that was said of these runs comes from this store, in order: none is opened again by a late word.
    record.prune()
    if (change.definition !== undefined && record !== base) {
      // A new life takes the place of the one before, and of what was kept of it.
      history.remove(record.id)
      this.#baseless.delete(record.id)
    }
    for (const run of change.runs) {
      if (run.state === 'queued') history.remove(record.id)
      if (isRunEnd(run.state))
        history.add(record, run, change.dropped || (record.nextAt === NEVER && !record.hasOpenRun))
    }
    if (base !== undefined && record !== base) record.indexedDue = base.indexedDue
    const tombstone = this.#tombstones.get(change.id)
    // The replacement that ended may lie in a segment that is gone, and the index have the version before it.
    if (merged.kind === 'record' && !change.dropped) {
      if (record.timesVersion === undefined) this.#baseless.delete(record.id)
      else this.#baseless.add(record.id)
      if (tombstone !== undefined) record.indexedDue = tombstone.indexedDue
      this.#tombstones.delete(change.id)
      this.#records.set(change.id, record)
      return
    }
    this.#baseless.delete(change.id)
    this.#drop(record)
  }

  #drop(record: TaskRecord<R>): void {
    if (record.kept.length > 0) this.#input.history.removeRecurring(record)
    this.#records.delete(record.id)
    if (!Number.isNaN(record.indexedDue)) this.#tombstones.set(record.id, record)
  }

  /** The index has this change, but perhaps not yet what is kept of it: that is written when a spill ends. */
  #keepOf(record: TaskRecord<R>, change: Change): void {
    const { history } = this.#input
    if (change.life !== record.life) return
    if (change.definition !== undefined && change.version?.rev === 1) history.remove(record.id)
    for (const run of change.runs) {
      const now = record.findRun(run.instant)
      if (run.state === 'queued') history.remove(record.id)
      else if (!isRunEnd(run.state)) continue
      else if (record.kept.includes(run.instant)) history.addKept(record, run)
      else if (now?.state === run.state && now.attempt === run.attempt) history.add(record, run, true)
    }
  }

  /** The last blob is torn: it was never acknowledged, and goes. */
  async #cutTail(seq: number): Promise<void> {
    this.#cut.push(seq)
    await this.#input.store.write([{ type: 'del', key: journalKey(seq) }], { sync: true })
  }

  async #setAside(seq: number, cause: unknown, whyNotTorn: string): Promise<void> {
    const { store, repair } = this.#input
    if (!repair) {
      const why = cause instanceof Error ? cause.message : String(cause)
      throw new CarillonError(
        'STORE_CORRUPT',
        `journal blob ${seq} is broken (${why}), ${whyNotTorn}: ${REPAIR}`,
        { cause },
      )
    }
    const bytes = await store.get(journalKey(seq))
    this.#cut.push(seq)
    if (bytes !== undefined) {
      await store.write([{ type: 'put', key: setAsideKey(seq), value: bytes }], { sync: true })
    }
  }

  async #missing(expected: number, found: number): Promise<void> {
    if (!this.#input.repair) {
      throw new CarillonError(
        'STORE_CORRUPT',
        `journal blobs ${expected} to ${found - 1} are missing: ${REPAIR}`,
      )
    }
    for (let seq = expected; seq < found; seq++) this.#cut.push(seq)
  }

  #checkBaseless(): void {
    if (this.#baseless.size === 0 || this.#input.repair) return
    const [id] = this.#baseless
    throw new CarillonError(
      'STORE_CORRUPT',
      `the journal changes ${this.#baseless.size} tasks that neither it nor the index has, such as "${id}": ${REPAIR}`,
    )
  }
}

/** True if its bytes are those that were written, whatever they say. */
function isWhole(bytes: Uint8Array): boolean {
  try {
    openBlob(bytes)
    return true
  } catch {
    return false
  }
}

const REPAIR =
  'restore the data directory from a copy, or start once with `repair: true`, which sets broken blobs aside and goes on without them'
