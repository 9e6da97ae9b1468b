/** What goes out for one range: what others lack, tails, digests, questions; and what is sent again in time. */

import type { Tail } from './messages.ts'
import type { Parts, Replica } from './replica.ts'

/** So often the same changes are sent before the whole is offered. */
const RESENDS_MAX = 8

export class Outgoing {
  readonly #replica: Replica
  readonly #parts: Parts

  /** Who sent changes in the turn of that list. */
  #senders = new Set<string>()
  #owed: Array<() => void> | undefined

  constructor(replica: Replica) {
    this.#replica = replica
    this.#parts = replica.parts
  }

  /** Asks what a store has; not too often. */
  askBack(from: string, now: number): void {
    const peer = this.#replica.peer(from)
    if (now - peer.askedAt < this.#parts.options.askMs) return
    peer.askedAt = now
    this.tell(from, 'ask', 0)
  }

  /** What a store lacks, or that it should copy. */
  push(to: string, now: number): void {
    const { host, options } = this.#parts
    const peer = this.#replica.peer(to)
    if (peer.confirmed !== undefined && peer.sent.contains(this.#replica.applied)) return
    const entries = this.#replica.log.lacking(this.#replica.applied, peer.sent, options.appendBytesMax)
    if (entries === undefined) {
      if (peer.confirmed === undefined || now - peer.offeredAt < options.resendMs) return
      peer.offeredAt = now
      return host.send(to, { type: 'copy-offer', range: this.#replica.range })
    }
    if (entries.length === 0) return
    peer.sending(entries, now, options.resendMs)
    host.send(to, { type: 'append', range: this.#replica.range, entries })
  }

  /** It sent changes, and is told what there is after the sync that covers all so far. */
  owesHave(to: string): void {
    const { owed } = this.#replica
    if (this.#owed !== owed) {
      const senders = new Set<string>()
      this.#owed = owed
      this.#senders = senders
      owed.push(() => {
        for (const store of senders) this.#have(store)
      })
    }
    this.#senders.add(to)
  }

  #have(to: string): void {
    const { range, synced: context } = this.#replica
    this.#parts.host.send(to, { type: 'have', range, durable: this.#parts.durable, context })
  }

  tell(to: string, kind: Tail['kind'], number: number): void {
    const { range, synced: context, lists, knowsLists: knows } = this.#replica
    const viewId = this.#parts.view().id
    const [ready, active] = [this.#replica.isReady, this.#replica.isOpen]
    this.#parts.host.send(to, {
      type: 'tail',
      range,
      kind,
      number,
      viewId,
      context,
      lists,
      knows,
      ready,
      active,
      durable: this.#parts.durable,
    })
  }

  ask(now: number): void {
    const round = this.#replica.round
    if (round === undefined) return
    round.askedAt = now
    const { self } = this.#parts
    const view = this.#parts.view()
    const isActivating = this.#replica.role === 'activating'
    // Who acts has to know what former lists had; who lets go needs the word of those that keep the range, and no more.
    const isOwner = isActivating || this.#replica.role === 'owner'
    const stores = isOwner ? this.#replica.activation.asked(round) : new Set(this.#replica.list)
    // Who acts needs what a store has once. Who lets go, or waits until somebody acts who has nothing more, asks anew: the word
    // of before may say that he does not act yet.
    for (const store of stores) {
      if (store === self || !view.isLive(store)) continue
      if (this.#replica.role === 'owner' && round.isHeard(store, self, this.#replica.applied)) continue
      if (isActivating && this.#replica.activation.hasCeased(round, store)) continue
      this.tell(store, 'ask', round.number)
    }
  }

  get #pushes(): boolean {
    return this.#replica.role === 'owner' || this.#replica.role === 'outside'
  }

  /** Nobody lacks anything that has to be sent again from here. */
  get isThrough(): boolean {
    if (!this.#pushes) return true
    const { others, applied, peers } = this.#replica
    return others.every(store => peers.get(store)?.has(applied) === true)
  }

  tickPeers(now: number): void {
    if (!this.#pushes) return
    const { options } = this.#parts
    for (const store of this.#replica.others) {
      const peer = this.#replica.peer(store)
      if (now < peer.resendAt || peer.has(this.#replica.applied)) continue
      peer.resendAt = now + peer.patienceMs(options.resendMs)
      if (peer.confirmed === undefined) this.askBack(store, now)
      else {
        peer.lags()
        // A change may need one that nobody has any more but in a record: that is only copied.
        if (++peer.resends > RESENDS_MAX) {
          peer.resends = 0
          this.#parts.host.send(store, { type: 'copy-offer', range: this.#replica.range })
        } else this.push(store, now)
      }
    }
  }

  /** Asks who acts for what is overdue, if anything is. */
  sweep(): void {
    const { self, host, options } = this.#parts
    const id = host.overdue(this.#replica.range, options.overdueMs)
    const owner = id === undefined ? undefined : this.#replica.owner()
    if (id === undefined || owner === undefined || owner === self) return
    const viewId = this.#parts.view().id
    host.send(owner, { type: 'overdue', range: this.#replica.range, id, viewId })
  }
}
