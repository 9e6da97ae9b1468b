/**
 * What all that keep a range have of it: that much is no longer held for sending, and what ended there may go. It is asked
 * for anew only when somebody has confirmed more, or there is somebody else to confirm.
 */

import { Context } from './context.ts'
import type { Replica } from './replica.ts'

export class Stability {
  readonly replica: Replica
  #isNews = true
  #told = Context.EMPTY

  constructor(replica: Replica) {
    this.replica = replica
  }

  /** Something was confirmed, or the list is another one. */
  news(): void {
    this.#isNews = true
  }

  check(): void {
    if (!this.#isNews) return
    this.#isNews = false
    const { parts, range, list, log, synced } = this.replica
    if (log.length > 0) {
      const others = list.filter(store => store !== parts.self)
      log.trim(Context.meet([synced, ...others.map(store => this.replica.confirmed(store))]))
    }
    const stable = this.stable()
    if (stable === this.#told || this.#told.contains(stable)) return
    this.#told = stable
    parts.host.stable(range, stable)
  }

  /**
   * What all that keep or kept the range have, and with it all that they had. An ended record of which everybody has the
   * end may still get a change that one of them made before it heard: with the record gone that would be a new task.
   */
  stable(): Context {
    const { parts, list, lists, peers, synced } = this.replica
    const contexts = [synced]
    const stores = new Set([...list, ...lists.open.flatMap(({ members }) => members)])
    for (const store of stores) {
      if (store === parts.self) continue
      const said = peers.get(store)?.said
      if (said === undefined || !synced.contains(said)) return Context.EMPTY
      contexts.push(said)
    }
    return Context.meet(contexts)
  }

  clear(): void {
    this.#told = Context.EMPTY
  }
}
