/**
 * MemoryStore: the Store port without a disk, for a node that was given no data directory. Everything is gone
 * with the process, and `durable` says so.
 *
 * Keys, and values up to 1 KB, are kept as latin1 strings: a typed array costs some 200 bytes whatever its length,
 * a string 16. Longer values are kept as copies outside the JavaScript heap.
 */

import { CarillonError } from '../errors.ts'
import { OrderedMap } from '../lib/ordered-map.ts'
import type { CursorOptions, KeyRange, Store, StoreCursor, StoreOp } from '../ports/store.ts'

const stringBytesMax = 1024

export class MemoryStore implements Store {
  readonly durable = false
  #map = new OrderedMap<string | Uint8Array>()
  #open = false

  async open(): Promise<void> {
    this.#open = true
  }

  async write(ops: readonly StoreOp[], _options: { readonly sync: boolean }): Promise<void> {
    this.#assertOpen()
    for (const op of ops) {
      if (op.type === 'put') this.#map.set(toLatin1(op.key), pack(op.value))
      else this.#map.delete(toLatin1(op.key))
    }
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    this.#assertOpen()
    return unpack(this.#map.get(toLatin1(key)))
  }

  async getMany(keys: readonly Uint8Array[]): Promise<Array<Uint8Array | undefined>> {
    this.#assertOpen()
    return keys.map(key => unpack(this.#map.get(toLatin1(key))))
  }

  cursor(options: CursorOptions): StoreCursor {
    this.#assertOpen()
    const snapshot = this.#map.snapshot()
    const { reverse = false, values = true } = options
    let gte = toLatin1(options.gte)
    let lt = toLatin1(options.lt)
    return {
      next: async max => {
        this.#assertOpen()
        const entries = reverse ? snapshot.descending(gte, lt, max) : snapshot.ascending(gte, lt, max)
        const last = entries.at(-1)?.[0]
        // The least key above `last` is `last` and a zero byte.
        if (last !== undefined && reverse) lt = last
        else if (last !== undefined) gte = `${last}\0`
        return entries.map(([key, value]) => [
          fromLatin1(key),
          values ? (unpack(value) as Uint8Array) : new Uint8Array(0),
        ])
      },
      close: async () => snapshot.close(),
    }
  }

  async clear(range: KeyRange): Promise<void> {
    this.#assertOpen()
    this.#map.deleteRange(toLatin1(range.gte), toLatin1(range.lt))
  }

  async reopen(): Promise<void> {
    this.#assertOpen()
  }

  async space(): Promise<{ freeBytes: number; totalBytes: number }> {
    return { freeBytes: Infinity, totalBytes: Infinity }
  }

  /** The entries stay until the store is collected, so that a closed store can be opened again, as a disk can. */
  async close(): Promise<void> {
    this.#open = false
  }

  #assertOpen(): void {
    if (!this.#open) throw new CarillonError('CLOSED', 'the memory store is not open')
  }
}

/** Bytes as a string with one char each, so that strings compare as the bytes do. */
export function toLatin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}

export function fromLatin1(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length)
  if (text.length > 64) Buffer.from(bytes.buffer).write(text, 'latin1')
  else for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at)
  return bytes
}

function pack(value: Uint8Array): string | Uint8Array {
  return value.byteLength <= stringBytesMax ? toLatin1(value) : Uint8Array.from(value)
}

function unpack(value: string | Uint8Array | undefined): Uint8Array | undefined {
  if (value === undefined) return undefined
  return typeof value === 'string' ? fromLatin1(value) : Uint8Array.from(value)
}
