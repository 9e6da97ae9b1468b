/**
 * Copies of a range's records, in chunks with a cursor, while changes go on (PROTOCOLS B9). The receiver asks for each
 * chunk once the one before is synced, so the copy runs at its pace, and a lost message is asked for again.
 *
 * Every chunk brings the sender's context as of the start, and is all that the sender has between two ids. What the
 * receiver has there and the sender has not was ended and dropped if that context covers it, else it stays. Only after
 * the last chunk is synced the context is joined: joined before, it would tell others that what is yet to come had ended.
 * It is that of the start: a change made during the copy may be of a record that the cursor has already passed.
 *
 * A copy ends when either side lets go of the range. A chunk of an ended copy is refused.
 */

import { CorruptBytes } from '../lib/bytes.ts'
import { hash32 } from '../lib/hash.ts'
import type { Context } from './context.ts'
import type { RecordHead, ReplicaHost } from './host.ts'
import type { CopyChunk, CopyWant } from './messages.ts'
import { walkPages } from './paging.ts'

export interface CopyOptions {
  readonly chunkRecordsMax: number
  /** A chunk ends with the record that reaches this; it has to leave room for one record in a frame. */
  readonly chunkBytesMax: number
  /** The receiver asks again, ms. */
  readonly retryMs: number
  /** Without any chunk for so long it gives the copy up, ms. */
  readonly patienceMs: number
}

/** Parts of a range, for exchanging only what differs. */
export const BUCKETS = 64

export function bucketOf(id: string): number {
  // Another seed than that of the ranges: within a range their hashes share their top bits.
  return hash32(id, 0x5bd1e995) % BUCKETS
}

export class CopySender {
  readonly copy: number
  readonly range: number
  readonly context: Context
  readonly #buckets: ReadonlySet<number>
  #chunk: CopyChunk | undefined
  #reads = false
  usedAt: number

  constructor(want: CopyWant, context: Context, now: number) {
    this.copy = want.copy
    this.range = want.range
    this.context = context
    this.#buckets = new Set(want.buckets)
    this.usedAt = now
  }

  /**
   * Gives the chunk that is asked for: the next, or the last one again. Undefined: it is neither. Nothing while the next is
   * being read already.
   */
  chunk(
    number: number,
    host: ReplicaHost,
    options: CopyOptions,
    now: number,
    give: (chunk: CopyChunk | undefined) => void,
  ): void {
    this.usedAt = now
    const last = this.#chunk
    if (last !== undefined && number === last.chunk) return give(last)
    if (number !== (last?.chunk ?? -1) + 1 || (last !== undefined && last.upTo === undefined))
      return give(undefined)
    if (this.#reads) return
    this.#reads = true
    this.#make(number, last?.upTo ?? '', host, options, chunk => {
      this.#reads = false
      this.#chunk = chunk
      give(chunk)
    })
  }

  #make(
    number: number,
    after: string,
    host: ReplicaHost,
    options: CopyOptions,
    done: (chunk: CopyChunk) => void,
  ): void {
    const { range, copy, context } = this
    const { chunkRecordsMax, chunkBytesMax } = options
    const records: Uint8Array[] = []
    let bytes = 0
    let upTo: string | undefined = after
    const isFull = (): boolean => records.length >= chunkRecordsMax || bytes >= chunkBytesMax
    const limit = Math.min(chunkRecordsMax, SENT_PAGE)
    walkPages(host, range, after === '' ? undefined : after, limit, (heads, isLast) => {
      for (const { id } of heads) {
        if (isFull()) break
        upTo = id
        if (this.#buckets.size > 0 && !this.#buckets.has(bucketOf(id))) continue
        const record = host.encode(range, id)
        if (record === undefined) continue
        records.push(record)
        bytes += record.length
      }
      const isEnd = isLast && upTo === (heads.at(-1)?.id ?? upTo)
      if (!isEnd && !isFull()) return true
      if (isEnd) upTo = undefined
      const extras = isEnd ? host.encodeExtras(range) : NO_BYTES
      done({ type: 'copy-chunk', range, copy, chunk: number, after, upTo, context, records, extras })
      return false
    })
  }
}

/** How the chunk of a copy was taken. `over`: the copy ended meanwhile. `bad`: a record of it can't be read. */
export type Taken = 'taken' | 'over' | 'bad'

export interface ChunkTaker {
  readonly host: ReplicaHost
  /** The context as it is now. */
  applied(): Context
  isOver(): boolean
  /** A record was adopted. */
  adopted(): void
}

export class CopyReceiver {
  readonly copy: number
  readonly range: number
  readonly from: string
  readonly buckets: readonly number[]
  /** The chunk that is waited for. */
  chunk = 0
  /** What the sender had when the copy began; known from the first chunk on. */
  context: Context | undefined
  /** It is being taken or synced, and the next is not asked for. */
  syncing = false
  askedAt = Number.NEGATIVE_INFINITY
  heardAt: number

  constructor(copy: number, range: number, from: string, buckets: readonly number[], now: number) {
    this.copy = copy
    this.range = range
    this.from = from
    this.buckets = buckets
    this.heardAt = now
  }

  /** Of parts that differ at equal contexts: one of the two has lost a record, or an end, that it says it has. */
  get isRepair(): boolean {
    return this.buckets.length > 0
  }

  get want(): CopyWant {
    const { range, copy, chunk, buckets } = this
    return { type: 'copy-want', range, copy, chunk, buckets }
  }

  /** True if the chunk is the one that is waited for. */
  accepts(from: string, message: CopyChunk): boolean {
    return from === this.from && message.copy === this.copy && message.chunk === this.chunk && !this.syncing
  }

  /**
   * Takes the records of a chunk. What is here between its ends and not in it has ended if the sender's context covers it;
   * what is in it and was dropped here, as the own context covers it, stays dropped. That is asked when a record is at
   * hand: changes go on while records are read. `isOver`: the copy has ended meanwhile, and nothing more of it is taken.
   * In a repair a live record wins over none.
   */
  take(message: CopyChunk, taker: ChunkTaker, done: (outcome: Taken) => void): void {
    const { range, after, upTo } = message
    const { host } = taker
    const heads = headsOf(message, host)
    if (heads === undefined) return done('bad')
    const ids = heads.map(({ id }) => id)
    host.load(range, ids, () => {
      if (taker.isOver()) return done('over')
      if (!this.#adopt(message, heads, taker)) return done('bad')
      const brought = new Set(ids)
      walkPages(host, range, after === '' ? undefined : after, PAGE, (page, isLast) => {
        if (taker.isOver()) {
          done('over')
          return false
        }
        const isThrough = this.#compare(message, page, brought, host) || isLast
        if (isThrough && upTo === undefined) host.adoptExtras(range, message.extras)
        if (isThrough) done('taken')
        return !isThrough
      })
    })
  }

  #adopt({ range, context, records }: CopyChunk, heads: readonly RecordHead[], taker: ChunkTaker): boolean {
    const { host } = taker
    try {
      for (const [i, { id, dots, ended }] of heads.entries()) {
        const applied = taker.applied()
        const isLost = this.isRepair && !ended && context.equals(applied)
        if (!host.isHere(range, id) && applied.coversAll(dots) && !isLost) continue
        host.adopt(range, records[i] as Uint8Array)
        taker.adopted()
      }
      return true
    } catch (error) {
      if (error instanceof CorruptBytes) return false
      throw error
    }
  }

  /** Drops what ended at the sender. True: the page reaches the end of the chunk. */
  #compare(
    { range, upTo, context }: CopyChunk,
    page: readonly RecordHead[],
    brought: ReadonlySet<string>,
    host: ReplicaHost,
  ): boolean {
    for (const { id, dots, ended } of page) {
      if (upTo !== undefined && id > upTo) return true
      if (brought.has(id) || (this.buckets.length > 0 && !this.buckets.includes(bucketOf(id)))) continue
      // Live, and lost there: at contexts that were equal nothing else explains it.
      if (this.isRepair && !ended) continue
      if (context.coversAll(dots)) host.drop(range, id)
    }
    return false
  }
}

/** Undefined: a record can't be read, or has no place in the chunk. */
function headsOf({ range, upTo, records }: CopyChunk, host: ReplicaHost): RecordHead[] | undefined {
  try {
    const heads = records.map(bytes => host.headOf(range, bytes))
    return heads.every(({ id }) => upTo === undefined || id <= upTo) ? heads : undefined
  } catch (error) {
    if (error instanceof CorruptBytes) return undefined
    throw error
  }
}

const PAGE = 256
/** Fewer: a chunk of large records ends early, and the rest of its page was read for nothing. */
const SENT_PAGE = 64
const NO_BYTES = new Uint8Array(0)
