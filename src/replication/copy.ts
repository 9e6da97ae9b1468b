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
import type { ReplicaHost } from './host.ts'
import type { CopyChunk, CopyWant } from './messages.ts'

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
  usedAt: number

  constructor(want: CopyWant, context: Context, now: number) {
    this.copy = want.copy
    this.range = want.range
    this.context = context
    this.#buckets = new Set(want.buckets)
    this.usedAt = now
  }

  /** The chunk that is asked for: the next, or the last one again. Undefined: it is neither. */
  chunk(number: number, host: ReplicaHost, options: CopyOptions, now: number): CopyChunk | undefined {
    this.usedAt = now
    const last = this.#chunk
    if (last !== undefined && number === last.chunk) return last
    if (number !== (last?.chunk ?? -1) + 1 || (last !== undefined && last.upTo === undefined))
      return undefined
    this.#chunk = this.#make(number, last?.upTo ?? '', host, options)
    return this.#chunk
  }

  #make(number: number, after: string, host: ReplicaHost, options: CopyOptions): CopyChunk {
    const { chunkRecordsMax, chunkBytesMax } = options
    const records: Uint8Array[] = []
    let bytes = 0
    let upTo: string | undefined = after
    while (records.length < chunkRecordsMax && bytes < chunkBytesMax) {
      const heads = host.heads(this.range, upTo === '' ? undefined : upTo, chunkRecordsMax)
      if (heads.length === 0) {
        upTo = undefined
        break
      }
      for (const { id } of heads) {
        upTo = id
        if (this.#buckets.size > 0 && !this.#buckets.has(bucketOf(id))) continue
        const record = host.encode(this.range, id)
        if (record === undefined) continue
        records.push(record)
        bytes += record.length
        if (records.length >= chunkRecordsMax || bytes >= chunkBytesMax) break
      }
    }
    const extras = upTo === undefined ? host.encodeExtras(this.range) : NO_BYTES
    const { range, copy, context } = this
    return { type: 'copy-chunk', range, copy, chunk: number, after, upTo, context, records, extras }
  }
}

export class CopyReceiver {
  readonly copy: number
  readonly range: number
  readonly from: string
  readonly buckets: readonly number[]
  /** The chunk that is waited for. */
  chunk = 0
  /** It is being synced, and the next is not asked for. */
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
   * what is in it and was dropped here, as the own context covers it, stays dropped.
   */
  take(message: CopyChunk, applied: Context, host: ReplicaHost): void {
    const { range, after, upTo, context } = message
    const brought = new Set<string>()
    for (const bytes of message.records) {
      const head = host.headOf(range, bytes)
      if (upTo !== undefined && head.id > upTo) throw new CorruptBytes('a record beyond the end of its chunk')
      brought.add(head.id)
      if (head.isHere || !applied.coversAll(head.dots)) host.adopt(range, bytes)
    }
    for (let at = after; ; ) {
      const heads = host.heads(range, at === '' ? undefined : at, PAGE)
      if (heads.length === 0) break
      for (const { id, dots } of heads) {
        at = id
        if (upTo !== undefined && id > upTo) return this.#taken(message, host)
        if (brought.has(id) || (this.buckets.length > 0 && !this.buckets.includes(bucketOf(id)))) continue
        if (context.coversAll(dots)) host.drop(range, id)
      }
    }
    this.#taken(message, host)
  }

  #taken({ range, upTo, extras }: CopyChunk, host: ReplicaHost): void {
    if (upTo === undefined) host.adoptExtras(range, extras)
  }
}

const PAGE = 256
const NO_BYTES = new Uint8Array(0)
