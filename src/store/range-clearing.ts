/**
 * Ranges whose records were let go of: from that instant the index counts for nothing there. It is emptied once the entry
 * that says so is synced, and before anything that came later is written to it. After a crash it is emptied again: all that
 * came to the range since is in the journal behind that entry, as no later segment is spilled before that one is gone.
 */

import type { KeyRange } from '../ports/store.ts'
import { allOfRange } from './keys.ts'

const LETTERS = ['t', 'd', 'e', 'r'] as const

interface Clearable {
  clear(range: KeyRange): Promise<void>
}

export class RangeClearing {
  /** How often each was let go of. */
  readonly #pending = new Map<number, number>()

  get isDue(): boolean {
    return this.#pending.size > 0
  }

  /** True while what the index has of the range does not count. */
  has(range: number): boolean {
    return this.#pending.has(range)
  }

  add(range: number): void {
    this.#pending.set(range, (this.#pending.get(range) ?? 0) + 1)
  }

  /** Empties what is pending, of which the journal must be synced; tells each time that the index has changed. */
  async carryOut(store: Clearable, changed: () => void): Promise<void> {
    for (const [range, times] of [...this.#pending]) {
      await clearRange(store, range)
      // Meanwhile the range may have come back, and gone once more.
      if (this.#pending.get(range) === times) this.#pending.delete(range)
      changed()
    }
  }
}

/** Nothing of the range is left in the index. */
export async function clearRange(store: Clearable, range: number): Promise<void> {
  for (const letter of LETTERS) await store.clear(allOfRange(letter, range))
}
