/**
 * Which starts of stores are over. A change names the start that wrote it; of an attempt that it began, that tells whether
 * it may still run. Starts that were replaced by a later one, or whose store is away, are over.
 */

import type { View } from '../membership/view.ts'
import { START_PREFIX_BYTES } from '../task/version.ts'

export class Starts {
  readonly #self: string
  /** By what the actors of a start have in common; true: it is the latest of its store, which is live. */
  readonly #isLive = new Map<string, boolean>()
  readonly #latest = new Map<string, string>()

  constructor(self: string) {
    this.#self = prefixOf(self)
  }

  update({ stores }: View): void {
    const members = new Set<string>()
    for (const { store, startId: whole, state } of stores) {
      const startId = prefixOf(whole)
      members.add(store)
      const before = this.#latest.get(store)
      if (before !== undefined && before !== startId) this.#isLive.set(before, false)
      this.#latest.set(store, startId)
      this.#isLive.set(startId, state === 'live')
    }
    for (const [store, startId] of this.#latest) if (!members.has(store)) this.#isLive.set(startId, false)
  }

  /** Undefined: nobody has heard of this start. What this process itself began, and does not know of, is over. */
  isLive(startId: string): boolean | undefined {
    const prefix = prefixOf(startId)
    return prefix === this.#self ? false : this.#isLive.get(prefix)
  }
}

function prefixOf(startId: string): string {
  return startId.slice(0, 2 * START_PREFIX_BYTES)
}
