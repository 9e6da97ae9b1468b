/**
 * Ranges whose records were let go of: from that instant the index counts for nothing there, and it is emptied before
 * anything that came later is written to it. On the disk a mark says up to which blob that is done, so that after a crash
 * it is done anew only where nothing that came later can be in the index.
 */

import { openJson, sealJson } from '../lib/sealed.ts'
import type { Store, StoreOp } from '../ports/store.ts'
import { allOf, allOfRange, clearedKey, rangeOfKey } from './keys.ts'

const LETTERS = ['t', 'd', 'e', 'r'] as const

export class RangeClearing {
  /** By range: the blob that says that its records go. */
  readonly #pending = new Map<number, number>()
  readonly #done = new Map<number, number>()

  /** What earlier boots have done. */
  async read(store: Store): Promise<void> {
    const cursor = store.cursor(allOf('k'))
    try {
      for (;;) {
        const page = await cursor.next(1000)
        if (page.length === 0) return
        for (const [key, value] of page)
          this.#done.set(rangeOfKey(key), openJson(value, 'the mark of an emptied range', Number))
      }
    } finally {
      await cursor.close()
    }
  }

  get isDue(): boolean {
    return this.#pending.size > 0
  }

  /** True while what the index has of the range does not count. */
  has(range: number): boolean {
    return this.#pending.has(range)
  }

  add(range: number, seq: number): void {
    this.#pending.set(range, seq)
  }

  isDone(range: number, seq: number): boolean {
    return (this.#done.get(range) ?? 0) >= seq
  }

  /** Empties what is pending, of which the journal must be synced; tells each time that the index has changed. */
  async carryOut(store: ClearingStore, changed: () => void): Promise<void> {
    for (const [range, seq] of [...this.#pending]) {
      await this.clear(store, range, seq)
      // Meanwhile the range may have come back, and gone once more.
      if (this.#pending.get(range) === seq) this.#pending.delete(range)
      changed()
    }
  }

  async clear(store: ClearingStore, range: number, seq: number): Promise<void> {
    for (const letter of LETTERS) await store.clear(allOfRange(letter, range))
    await store.write([{ type: 'put', key: clearedKey(range), value: sealJson(seq) }])
    this.#done.set(range, seq)
  }

  /** The journal begins later now: the marks of what lies before are no longer asked. */
  forgetOps(journalFrom: number): StoreOp[] {
    const ops: StoreOp[] = []
    for (const [range, seq] of this.#done) {
      if (seq >= journalFrom) continue
      this.#done.delete(range)
      ops.push({ type: 'del', key: clearedKey(range) })
    }
    return ops
  }
}

export interface ClearingStore {
  clear(range: { gte: Uint8Array; lt: Uint8Array }): Promise<void>
  /** Synced. */
  write(ops: readonly StoreOp[]): Promise<void>
}
