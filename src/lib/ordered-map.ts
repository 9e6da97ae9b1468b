/**
 * OrderedMap: a map in the order of its string keys, with snapshots: what the stores without a disk are made of.
 * A sorted list of sorted chunks, as in a B-tree of depth two: a lookup is two binary searches, an insert moves
 * at most one chunk. A million entries make some 4,000 chunks, whose list is moved only when a chunk splits.
 *
 * Snapshots are copy-on-write by chunk: taking one costs nothing, the first change of a chunk after it copies
 * that chunk, and once all snapshots are closed nothing is copied.
 *
 * Keys compare by UTF-16 unit; a key made of bytes as latin1 therefore compares as unsigned bytes.
 */

import { invariant } from '../invariant.ts'

const chunkLengthMax = 512

interface Chunk<V> {
  readonly keys: string[]
  readonly values: V[]
  /** The epoch of the map in which this chunk was made: snapshots of later epochs may hold it. */
  readonly epoch: number
}

export class OrderedMap<V> {
  #chunks: Chunk<V>[] = []
  #size = 0
  #epoch = 0
  #snapshots = 0
  /** True while a snapshot may hold the list of chunks itself. */
  #listShared = false

  get size(): number {
    return this.#size
  }

  get(key: string): V | undefined {
    const chunk = this.#chunks[chunkIndex(this.#chunks, key)]
    if (chunk === undefined) return undefined
    const at = lowerBound(chunk.keys, key)
    return chunk.keys[at] === key ? chunk.values[at] : undefined
  }

  /** Sets the value and returns the one that was there. */
  set(key: string, value: V): V | undefined {
    if (this.#chunks.length === 0) this.#list().push({ keys: [], values: [], epoch: this.#epoch })
    const index = chunkIndex(this.#chunks, key)
    const chunk = this.#writable(index)
    const at = lowerBound(chunk.keys, key)
    if (chunk.keys[at] === key) {
      const old = chunk.values[at]
      chunk.values[at] = value
      return old
    }
    this.#size++
    if (at === chunk.keys.length) {
      chunk.keys.push(key)
      chunk.values.push(value)
    } else {
      chunk.keys.splice(at, 0, key)
      chunk.values.splice(at, 0, value)
    }
    if (chunk.keys.length > chunkLengthMax) this.#split(index, chunk, at)
    return undefined
  }

  /** Deletes the key and returns the value that was there. */
  delete(key: string): V | undefined {
    const index = chunkIndex(this.#chunks, key)
    const found = this.#chunks[index]
    if (found === undefined) return undefined
    const at = lowerBound(found.keys, key)
    if (found.keys[at] !== key) return undefined
    const chunk = this.#writable(index)
    const old = chunk.values[at]
    chunk.keys.splice(at, 1)
    chunk.values.splice(at, 1)
    this.#size--
    if (chunk.keys.length < chunkLengthMax / 8) this.#shrink(index, chunk)
    return old
  }

  /** Deletes every key of [gte, lt). */
  deleteRange(gte: string, lt: string): void {
    // By chunk, since a chunk that lies wholly in the range is dropped as one.
    while (gte < lt) {
      const index = Math.max(chunkIndex(this.#chunks, gte), 0)
      let at = index
      let chunk = this.#chunks[at]
      if (chunk !== undefined && lowerBound(chunk.keys, gte) === chunk.keys.length) chunk = this.#chunks[++at]
      if (chunk === undefined) return
      const from = lowerBound(chunk.keys, gte)
      const to = lowerBound(chunk.keys, lt)
      if (from === to) return
      this.#size -= to - from
      if (from === 0 && to === chunk.keys.length) {
        this.#list().splice(at, 1)
        continue
      }
      const writable = this.#writable(at)
      writable.keys.splice(from, to - from)
      writable.values.splice(from, to - from)
      if (to - from < chunkLengthMax && writable.keys.length < chunkLengthMax / 8) this.#shrink(at, writable)
    }
  }

  /** The map as it is now, whatever is changed later; to be closed, or changes keep copying. */
  snapshot(): OrderedMapSnapshot<V> {
    this.#epoch++
    this.#snapshots++
    this.#listShared = true
    return new OrderedMapSnapshot(this.#chunks, () => {
      this.#snapshots--
      invariant(this.#snapshots >= 0, 'a snapshot is closed once')
      if (this.#snapshots === 0) this.#listShared = false
    })
  }

  /** The list of chunks, as one that may be changed. */
  #list(): Chunk<V>[] {
    if (this.#listShared) {
      this.#chunks = this.#chunks.slice()
      this.#listShared = false
    }
    return this.#chunks
  }

  #writable(index: number): Chunk<V> {
    const chunk = this.#chunks[index]
    invariant(chunk !== undefined, 'a key has a chunk')
    if (this.#snapshots === 0 || chunk.epoch === this.#epoch) return chunk
    const copy = { keys: chunk.keys.slice(), values: chunk.values.slice(), epoch: this.#epoch }
    this.#list()[index] = copy
    return copy
  }

  #split(index: number, chunk: Chunk<V>, insertedAt: number): void {
    // Keys that come in ascending order leave full chunks behind, not half-full ones.
    const appended = insertedAt === chunk.keys.length - 1
    const half = appended ? chunk.keys.length - 1 : chunk.keys.length >> 1
    const right = { keys: chunk.keys.splice(half), values: chunk.values.splice(half), epoch: this.#epoch }
    this.#list().splice(index + 1, 0, right)
  }

  /** A chunk with few keys left goes, or is joined to its neighbour. */
  #shrink(index: number, chunk: Chunk<V>): void {
    if (chunk.keys.length === 0) {
      this.#list().splice(index, 1)
      return
    }
    const next = this.#chunks[index + 1]
    if (next === undefined || chunk.keys.length + next.keys.length > chunkLengthMax / 2) return
    chunk.keys.push(...next.keys)
    chunk.values.push(...next.values)
    this.#list().splice(index + 1, 1)
  }
}

export class OrderedMapSnapshot<V> {
  #chunks: readonly Chunk<V>[]
  readonly #release: () => void
  #closed = false

  constructor(chunks: readonly Chunk<V>[], release: () => void) {
    this.#chunks = chunks
    this.#release = release
  }

  /** At most `max` entries of [gte, lt), ascending. */
  ascending(gte: string, lt: string, max: number): Array<[key: string, value: V]> {
    const entries: Array<[string, V]> = []
    let index = Math.max(chunkIndex(this.#chunks, gte), 0)
    let chunk = this.#chunks[index]
    let at = chunk === undefined ? 0 : lowerBound(chunk.keys, gte)
    while (chunk !== undefined && entries.length < max) {
      const key = chunk.keys[at]
      if (key === undefined) {
        chunk = this.#chunks[++index]
        at = 0
        continue
      }
      if (key >= lt) break
      entries.push([key, chunk.values[at] as V])
      at++
    }
    return entries
  }

  /** At most `max` entries of [gte, lt), descending. */
  descending(gte: string, lt: string, max: number): Array<[key: string, value: V]> {
    const entries: Array<[string, V]> = []
    let index = chunkIndex(this.#chunks, lt)
    let chunk = this.#chunks[index]
    let at = chunk === undefined ? -1 : lowerBound(chunk.keys, lt) - 1
    while (chunk !== undefined && entries.length < max) {
      const key = chunk.keys[at]
      if (key === undefined) {
        chunk = this.#chunks[--index]
        at = (chunk?.keys.length ?? 0) - 1
        continue
      }
      if (key < gte) break
      entries.push([key, chunk.values[at] as V])
      at--
    }
    return entries
  }

  /** Safe to call twice. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#chunks = []
    this.#release()
  }
}

/** Index of the last chunk whose first key is <= key; 0 if the key lies before all; -1 if there is no chunk. */
function chunkIndex<V>(chunks: readonly Chunk<V>[], key: string): number {
  let low = 0
  let high = chunks.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((chunks[middle]?.keys[0] as string) <= key) low = middle + 1
    else high = middle
  }
  return low === 0 ? (chunks.length === 0 ? -1 : 0) : low - 1
}

/** Index of the first key that is >= key. */
function lowerBound(keys: readonly string[], key: string): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((keys[middle] as string) < key) low = middle + 1
    else high = middle
  }
  return low
}
