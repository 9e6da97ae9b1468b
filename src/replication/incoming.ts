/** What comes in for one range: changes, tails, digests, and what others say of their part. */

import { CorruptBytes } from '../lib/bytes.ts'
import type { LogEntry } from './change-log.ts'
import type { Received, Taker } from './inbox.ts'
import type { FormerLists } from './lists.ts'
import type { Append, Digest, Tail } from './messages.ts'
import type { Parts, Replica } from './replica.ts'

export class Incoming implements Taker {
  readonly #replica: Replica
  readonly #parts: Parts

  constructor(replica: Replica) {
    this.#replica = replica
    this.#parts = replica.parts
  }

  take({ from, message }: Received, done: () => void): void {
    const replica = this.#replica
    const now = this.#parts.host.monotonic()
    const taken = (): void => {
      replica.received()
      done()
    }
    // What says nothing new makes no turn: of idle ranges nothing else comes.
    if (message.type === 'digest' && replica.gossip.isKnown(from, message)) return done()
    if (message.type === 'copy-chunk') return replica.copying.chunk(from, message, now, taken)
    if (message.type === 'tail') this.#tail(from, message, now)
    else if (message.type === 'digest') this.#digest(from, message, now)
    else if (message.type === 'tree') replica.copying.tree(from, message, now)
    else if (message.type === 'activate')
      replica.handingOver.granted({ from, number: message.number, context: message.context })
    taken()
  }

  endTurn(): void {
    this.#parts.endTurn()
  }

  /**
   * Reads the records of all that is not applied yet, in any of these, and takes them. Also of what does not follow: a copy
   * may be joined meanwhile, and then it does.
   */
  takeAppends(appends: readonly Received<Append>[], done: () => void): void {
    const { range, generation } = this.#replica
    const ids = new Set<string>()
    for (const { message } of appends) for (const entry of message.entries) this.#addId(entry, ids)
    const take = (): void => {
      if (generation !== this.#replica.generation) return
      for (const { from, message } of appends) this.#append(from, message, this.#parts.host.monotonic())
      this.#replica.received()
      done()
    }
    if (ids.size === 0) take()
    else this.#parts.host.load(range, [...ids], take)
  }

  #addId({ actor, n, bytes }: LogEntry, ids: Set<string>): void {
    if (this.#replica.applied.of(actor) >= n) return
    try {
      ids.add(this.#parts.host.idOf(bytes))
    } catch (error) {
      // It becomes a hole when it is applied.
      if (!(error instanceof CorruptBytes)) throw error
    }
  }

  #append(from: string, { entries }: Append, now: number): void {
    this.#replica.peer(from).appendedAt = now
    let [isNews, gap] = [false, false]
    for (const entry of entries) {
      if (this.#replica.applied.of(entry.actor) >= entry.n) isNews = true
      else if (this.#replica.copying.brings(entry)) continue
      else if (this.#follows(entry)) {
        this.#replica.apply(entry)
        isNews = true
      } else gap = true
    }
    if (this.#replica.role === 'none') this.#replica.settle(now)
    if (isNews) this.#replica.outgoing.owesHave(from)
    if (gap && now - this.#replica.peer(from).askedAt >= this.#parts.options.askMs) {
      this.#replica.peer(from).askedAt = now
      this.#replica.outgoing.tell(from, 'tell', 0)
    }
  }

  /** It is the next of its actor, and its causes are applied. */
  #follows({ actor, n, after }: LogEntry): boolean {
    return this.#replica.applied.of(actor) === n - 1 && this.#replica.applied.coversAll(after)
  }

  #tail(from: string, message: Tail, now: number): void {
    const { number, viewId, context, ready, active, durable } = message
    const isSameView = viewId === this.#parts.view().id
    const peer = this.#replica.peer(from)
    peer.durable = durable
    peer.says(context, now)
    if (!isSameView) this.#parts.host.exchangeViews(from)
    this.#hears(from, ready, active, now)
    if (message.kind === 'ask' && number > 0) this.#yields(from, now)
    this.#joinLists(message.lists, now)
    // Of another view its list may be one that is not known here.
    if (message.knows && isSameView) this.#replica.knowsLists = true
    if (message.kind === 'tell') this.#replica.activation.told(from)
    if (message.kind === 'answer')
      this.#replica.round?.answered(from, number, { viewId, context, ready, active, durable })
    if (this.#replica.role === 'none') this.#replica.settle(now)
    // Others than those of the list are not to have it: what they get they would have to let go of again.
    const isListed = this.#replica.list.includes(from)
    if (isListed) this.#replica.outgoing.push(from, now)
    if (message.kind === 'ask')
      this.#replica.owed.push(() => this.#replica.outgoing.tell(from, 'answer', number))
    else if (message.kind === 'tell' && !this.#replica.applied.contains(context))
      this.#replica.outgoing.askBack(from, now)
  }

  #joinLists(others: FormerLists, now: number): void {
    const before = this.#replica.lists
    const lists = before.join(others)
    if (lists === before) return
    this.#replica.lists = lists
    if (this.#replica.list.includes(this.#parts.self) || this.#replica.holds) this.#replica.save()
    // Who was asked before did not know of this list. One that is over is no reason to ask.
    if (this.#replica.role === 'owner' && lists.open.some(list => !before.all.includes(list)))
      this.#replica.round = this.#replica.activation.newRound(now)
  }

  #digest(from: string, digest: Digest, now: number): void {
    this.#hears(from, digest.ready, digest.active, now)
    if (this.#replica.gossip.heard(from, digest)) return
    // Changes are on their way, or come from there: that they are not all there yet is no news.
    const { appendedAt, resendAt } = this.#replica.peer(from)
    if (now >= resendAt && now - appendedAt >= this.#parts.options.digestMs)
      this.#replica.outgoing.askBack(from, now)
  }

  #hears(from: string, ready: boolean, active: boolean, now: number): void {
    const peer = this.#replica.peer(from)
    peer.active = active
    if (active) this.#replica.activation.othersAct()
    if (active && from === this.#replica.owner()) this.#replica.sweep.reset()
    const yields =
      active &&
      this.#replica.standIn &&
      this.#replica.list.indexOf(from) < this.#replica.list.indexOf(this.#parts.self)
    if (yields) this.#replica.standIn = false
    if (peer.ready === ready && !yields) return
    peer.ready = ready
    this.#replica.settle(now)
  }

  /** Who is to act by the view is there, and asks before it does: nobody stands in for it. */
  #yields(from: string, now: number): void {
    if (!this.#replica.standIn || from !== this.#replica.ownerByView()) return
    this.#replica.standIn = false
    this.#replica.settle(now)
  }

  disown(from: string): void {
    const viewId = this.#parts.view().id
    this.#parts.host.send(from, { type: 'disown', range: this.#replica.range, viewId })
  }

  disowned(from: string, viewId: string, now: number): void {
    const { self, host, options } = this.#parts
    const mine = this.#parts.view().id
    this.#replica.peer(from).active = false
    if (from !== this.#replica.owner() || this.#replica.role !== 'replica') return
    if (viewId !== mine) host.exchangeViews(from)
    if (!this.#replica.sweep.disowned(mine, now, options.overdueMs)) return
    if (!this.#parts.view().isLive(self)) return
    this.#replica.standIn = true
    this.#replica.settle(now)
  }
}
