/**
 * Replay: from the index and the blobs of earlier boots to the records that live.
 *
 * Blobs are applied in order, from the one where the meta says that the journal begins. They must follow each other
 * without a gap. A broken last blob is a torn write that nobody was told of: it is cut. A broken one before the last,
 * or one whose sum is right and which still can't be read, stops the start (STORE_CORRUPT); a repair sets it aside and
 * goes on without it, as a new store.
 *
 * What a blob says is carried out in replay-alone.ts or replay-mesh.ts. A change of this store whose base is gone is
 * one of a task that ended later: either the index knows that it has it, or its end follows in this same journal. If
 * neither holds, something is missing, and that is said rather than guessed over (PROTOCOLS, traces 11 and 23).
 */

import { CarillonError } from '../errors.ts'
import { CorruptBytes } from '../lib/bytes.ts'
import type { Store } from '../ports/store.ts'
import type { Run, TaskRecord } from '../task/record.ts'
import { type Blob, openBlob } from './blob.ts'
import type { History } from './history.ts'
import { allOf, journalKey, numberOf, setAsideKey, taskKey } from './keys.ts'
import type { Memory } from './memory.ts'
import { actorName, type Identity } from './meta.ts'
import type { Requests } from './requests.ts'
import { decodeSnapshot } from './snapshot.ts'

export interface ReplayInput<R extends Run> {
  readonly store: Store
  readonly identity: Identity
  /** Where what is replayed goes. */
  readonly memory: Memory<R>
  readonly requests: Requests
  readonly history: History
  readonly makeRun: (record: TaskRecord<R>, instant: number, manual: boolean) => R
  /** Set broken blobs aside and go on. */
  readonly repair: boolean
  /** Epoch ms. */
  readonly now: number
}

export interface Replayed {
  readonly firstSeq: number
  readonly nextSeq: number
  readonly bytes: number
  readonly changes: number
  /** Sequence numbers that were cut or set aside. */
  readonly cut: readonly number[]
}

/** Carries blobs out. */
export interface BlobReader {
  /** Decodes all of the blob before anything of it counts; throws CorruptBytes. Returns how many entries it has. */
  apply(blob: Blob, actor: number): Promise<number>
  /** Ids with a change that had no base, and whose end, or new life, did not follow. */
  readonly baseless: ReadonlySet<string>
}

export async function replay<R extends Run>(input: ReplayInput<R>, reader: BlobReader): Promise<Replayed> {
  return new Replay(input, reader).run()
}

/** What blobs change, as the index has it. */
export class Bases<R extends Run> {
  readonly #input: ReplayInput<R>
  /** Keys that the index doesn't have. */
  readonly #absent = new Set<string>()

  constructor(input: ReplayInput<R>) {
    this.#input = input
  }

  /** Brings these records into memory, if the index has them. */
  async load(places: Iterable<{ readonly range: number; readonly id: string }>): Promise<void> {
    const { store, memory } = this.#input
    const wanted = new Map<string, { readonly range: number; readonly id: string }>()
    for (const { range, id } of places) {
      // Also of a task that was made in this journal: a spill may have been cut short after its record was written.
      if (memory.find(range, id) !== undefined || memory.tombstoneOf(range, id) !== undefined) continue
      const key = `${range} ${id}`
      if (!this.#absent.has(key)) wanted.set(key, { range, id })
    }
    if (wanted.size === 0) return
    const values = await store.getMany([...wanted.values()].map(({ range, id }) => taskKey(range, id)))
    for (const [i, [key, { range, id }]] of [...wanted].entries()) {
      const value = values[i]
      const record = value === undefined ? undefined : this.#decode(id, range, value)
      if (record === undefined) this.#absent.add(key)
      else memory.put(record, true)
    }
  }

  /** A broken record of the index is no fault of the blob that changes it: that one must not be cut for it. */
  #decode(id: string, range: number, value: Uint8Array): TaskRecord<R> | undefined {
    const { makeRun, memory, repair } = this.#input
    try {
      const record = decodeSnapshot<R>(value, range, makeRun)
      record.outbox = memory.isOutbox(range, id)
      record.indexedDue = memory.dueOf(record)
      return record
    } catch (cause) {
      if (!(cause instanceof CorruptBytes)) throw cause
      if (repair) return undefined
      throw new CarillonError(
        'STORE_CORRUPT',
        `the record of task "${id}" is broken (${cause.message}): ${REPAIR}`,
        { cause },
      )
    }
  }
}

class Replay<R extends Run> {
  readonly #input: ReplayInput<R>
  readonly #reader: BlobReader
  readonly #cut: number[] = []
  #bytes = 0
  #changes = 0

  constructor(input: ReplayInput<R>, reader: BlobReader) {
    this.#input = input
    this.#reader = reader
  }

  async run(): Promise<Replayed> {
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
    const actor = this.#input.identity.actors.get(actorName(blob))
    if (actor === undefined) throw new CorruptBytes(`blob ${seq} was written by an unknown actor`)
    this.#changes += await this.#reader.apply(blob, actor)
    this.#bytes += bytes.length
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
    const { baseless } = this.#reader
    if (baseless.size === 0 || this.#input.repair) return
    const [id] = baseless
    throw new CarillonError(
      'STORE_CORRUPT',
      `the journal changes ${baseless.size} tasks that neither it nor the index has, such as "${id}": ${REPAIR}`,
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

export const REPAIR =
  'restore the data directory from a copy, or start once with `repair: true`, which sets broken blobs aside and goes on without them'
