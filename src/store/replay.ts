/**
 * Replay: from the index and the blobs of earlier boots to the records that live.
 *
 * Blobs are applied in order, from the one where the meta says that the journal begins. They must follow each other
 * without a gap. A broken last blob is a torn write that nobody was told of: it is cut. A broken one before the last
 * stops the start (STORE_CORRUPT); a repair sets it aside and goes on without it, as a new store.
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
import type { History } from './history.ts'
import { allOf, journalKey, numberOf, setAsideKey, taskKey } from './keys.ts'
import { actorName, type Identity } from './meta.ts'
import type { RequestLog } from './requests.ts'
import { decodeSnapshot } from './snapshot.ts'

/** Per actor and range, the last n whose effect the index has. */
export type Context = Map<number, Float64Array>

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
  /** Ids with a change that had no base; their end must follow. */
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
    let broken: { seq: number; cause: unknown } | undefined
    const cursor = store.cursor({ ...allOf('j'), gte: journalKey(firstSeq) })
    try {
      for (;;) {
        const page = await cursor.next(8)
        if (page.length === 0) break
        for (const [key, bytes] of page) {
          if (broken !== undefined) await this.#setAside(broken.seq, broken.cause)
          broken = undefined
          const at = numberOf(key)
          if (at !== seq) await this.#missing(seq, at)
          try {
            await this.#apply(at, bytes)
          } catch (error) {
            if (!(error instanceof CorruptBytes)) throw error
            broken = { seq: at, cause: error }
          }
          seq = at + 1
        }
      }
    } finally {
      await cursor.close()
    }
    if (broken !== undefined) await this.#cutTail(broken.seq)
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
      steps.push({ change: readChange(body), actor, range, n })
    }
    return steps
  }

  async #loadBases(steps: readonly Step[]): Promise<void> {
    const { store, makeRun } = this.#input
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
      const record = decodeSnapshot<R>(value, range, makeRun)
      record.indexedDue = record.dueAt
      this.#records.set(id, record)
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
    const base = this.#records.get(change.id)
    if (base?.includes(actor, n)) return
    if (base === undefined && this.#covers(actor, range, n)) {
      return // ended and dropped, and the index knows it
    }
    const merged = applyChange(base, change, { actor, n, range, makeRun })
    if (merged.kind === 'none') {
      if (base === undefined) this.#baseless.add(change.id)
      if (change.dropped) this.#baseless.delete(change.id)
      return
    }
    const record = merged.kind === 'record' ? merged.record : (base as TaskRecord<R>)
    for (const run of change.runs) {
      if (run.state === 'queued') history.remove(record.id)
      if (isRunEnd(run.state))
        history.add(record, run, change.dropped || (record.nextAt === NEVER && !record.hasOpenRun))
    }
    if (base !== undefined && record !== base) record.indexedDue = base.indexedDue
    const tombstone = this.#tombstones.get(change.id)
    if (merged.kind === 'record') {
      if (tombstone !== undefined) record.indexedDue = tombstone.indexedDue
      this.#tombstones.delete(change.id)
      this.#records.set(change.id, record)
      return
    }
    if (record.definition.recurring) history.removeRecurring(record)
    this.#records.delete(change.id)
    this.#baseless.delete(change.id)
    if (!Number.isNaN(record.indexedDue)) this.#tombstones.set(change.id, record)
  }

  /** The last blob is torn: it was never acknowledged, and goes. */
  async #cutTail(seq: number): Promise<void> {
    this.#cut.push(seq)
    await this.#input.store.write([{ type: 'del', key: journalKey(seq) }], { sync: true })
  }

  async #setAside(seq: number, cause: unknown): Promise<void> {
    const { store, repair } = this.#input
    if (!repair) {
      const why = cause instanceof Error ? cause.message : String(cause)
      throw new CarillonError(
        'STORE_CORRUPT',
        `journal blob ${seq} is broken (${why}), and others follow it: ${REPAIR}`,
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

const REPAIR =
  'restore the data directory from a copy, or start once with `repair: true`, which sets broken blobs aside and goes on without them'
