/**
 * Reads of a store's records: some at once, some later and in any order, as from a disk of which some is in memory. What is
 * read is in memory until the call back returns, and whoever works on another record is told on.
 */

import type { World } from './world.ts'

export class Reads {
  readonly #world: World
  readonly #store: string
  readonly #isUp: () => boolean
  /** `range id` of what the call back at hand may work on. */
  readonly #loaded = new Set<string>()

  constructor(world: World, store: string, isUp: () => boolean) {
    this.#world = world
    this.#store = store
    this.#isUp = isUp
  }

  /** `find`: called when the records come; gives the ids of those that are in memory while `done` runs. */
  read(range: number, find: () => { readonly ids: Iterable<string>; readonly done: () => void }): void {
    const run = (): void => {
      if (!this.#isUp()) return
      const { ids, done } = find()
      const added: string[] = []
      for (const id of ids) {
        const key = `${range} ${id}`
        if (this.#loaded.has(key)) continue
        this.#loaded.add(key)
        added.push(key)
      }
      done()
      for (const key of added) this.#loaded.delete(key)
    }
    const ms = this.#world.readMs(this.#store)
    if (ms === 0) run()
    else this.#world.agenda.after(ms, run)
  }

  mustHave(range: number, id: string): void {
    if (this.#loaded.has(`${range} ${id}`)) return
    this.#world.history.broken.push(`reads: ${id} of range ${range} is not in memory at ${this.#store}`)
  }
}
