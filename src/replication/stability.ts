/**
 * What all that keep a range have of it: that much is no longer held for sending, and what ended there may go. It is asked
 * for anew only when somebody has confirmed more, or there is somebody else to confirm.
 *
 * Stores that keep a range are at the same context only when nothing happens there. Who acts hears from all of them how far
 * they are, and tells them what follows: what all have, and what they have to have themselves before that counts (trace 60).
 */

import { Context } from './context.ts'
import type { Stable } from './messages.ts'
import type { Replica } from './replica.ts'

export class Stability {
  readonly replica: Replica
  #isNews = true
  /** What the host knows of. */
  #told = Context.EMPTY
  /** What follows from what the others have said, by this view; what was said of it last, and when. */
  #found = Context.EMPTY
  #said = Context.EMPTY
  #saidAt = Number.NEGATIVE_INFINITY
  /** What was heard of it and waits for what it includes; a later word waits behind, as there is always a later one. */
  #heard: Stable | undefined
  #later: Stable | undefined

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
    const { parts, list, log, synced } = this.replica
    if (log.length > 0) {
      const confirmed = [synced]
      for (const store of list) if (store !== parts.self) confirmed.push(this.replica.confirmed(store))
      log.trim(Context.meet(confirmed))
    }
    this.#takeHeard()
    this.#found = this.stable()
    this.#tell(this.#found)
  }

  #tell(stable: Context): void {
    if (this.#told.contains(stable)) return
    this.#told = stable
    this.replica.parts.host.stable(this.replica.range, stable)
  }

  /** Tells the others, if there is anything new. */
  tick(now: number): void {
    const { parts, role, range, others, lists, synced: upTo } = this.replica
    if (role !== 'owner' || lists.open.length > 0 || this.#said.contains(this.#found)) return
    if (now - this.#saidAt < parts.options.stableMs) return
    const context = this.#found
    this.#said = context
    this.#saidAt = now
    for (const store of others) {
      // Who is at the same context knows it by itself.
      if (this.replica.peers.get(store)?.has(upTo)) continue
      parts.host.send(store, { type: 'stable', range, viewId: parts.view().id, context, upTo })
    }
  }

  /** It counts for the list of the view by which it was said, and as long as no former one is open here. */
  heard(from: string, stable: Stable): void {
    const { parts, list } = this.replica
    if (stable.viewId !== parts.view().id || !list.includes(from)) return
    if (this.#heard === undefined) this.#heard = stable
    else this.#later = stable
  }

  #takeHeard(): void {
    const { parts, lists, synced, log } = this.replica
    while (this.#heard !== undefined && synced.contains(this.#heard.upTo)) {
      const { context, viewId } = this.#heard
      this.#heard = this.#later
      this.#later = undefined
      if (viewId !== parts.view().id || lists.open.length > 0) continue
      log.trim(context)
      this.#tell(context)
    }
  }

  /**
   * What all that keep or kept the range have, and with it all that they had. An ended record of which everybody has the
   * end may still get a change that one of them made before it heard: with the record gone that would be a new task.
   */
  stable(): Context {
    const { list, lists, synced } = this.replica
    const contexts = [synced]
    const isWhole =
      this.#addSaid(list, contexts) && lists.open.every(({ members }) => this.#addSaid(members, contexts))
    return isWhole ? Context.meet(contexts) : Context.EMPTY
  }

  /** False: one of them has not said what it has, or has what is not here. */
  #addSaid(stores: readonly string[], contexts: Context[]): boolean {
    const { parts, peers, synced } = this.replica
    for (const store of stores) {
      if (store === parts.self) continue
      const said = peers.get(store)?.said
      if (said === undefined || !synced.contains(said)) return false
      contexts.push(said)
    }
    return true
  }

  /** By another view, of other stores, it has to be said again. */
  viewChanged(): void {
    this.#found = Context.EMPTY
    this.#said = Context.EMPTY
    this.#heard = undefined
    this.#later = undefined
    this.#isNews = true
  }

  clear(): void {
    this.#told = Context.EMPTY
    this.viewChanged()
  }
}
