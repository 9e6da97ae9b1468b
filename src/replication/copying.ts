/** The copies of one range that are under way: one at most that comes in, one for each store that takes one. */

import { differing, treeOf } from './anti-entropy.ts'
import type { Dot } from './context.ts'
import { type ChunkTaker, CopyReceiver, CopySender } from './copy.ts'
import { slotAfter } from './gossip.ts'
import type { CopyChunk, CopyEnd, CopyOffer, CopyWant, Tree } from './messages.ts'
import type { Replica } from './replica.ts'

export class Copying {
  readonly #replica: Replica
  readonly #out = new Map<string, CopySender>()
  #in: CopyReceiver | undefined
  /** When the records are compared next. */
  #treeAt = Number.NaN
  #readsTree = false

  constructor(replica: Replica) {
    this.#replica = replica
  }

  /** The copy that comes in. */
  get incoming(): CopyReceiver | undefined {
    return this.#in
  }

  /** The whole of the range comes in. */
  get isComing(): boolean {
    return this.#in?.isRepair === false
  }

  /** Copies that come in, and that go out. */
  get underWay(): number {
    return (this.#in === undefined ? 0 : 1) + this.#out.size
  }

  /** Something goes on that has its times. */
  get isBusy(): boolean {
    return this.#in !== undefined || this.#out.size > 0 || this.#readsTree
  }

  /**
   * The copy that comes in has the effect of this change, or of its end: it is not applied beside. The record that it made
   * would stay, with all later changes of it covered by the context that is joined at the end.
   */
  brings({ actor, n }: Dot): boolean {
    const copy = this.#in
    return copy !== undefined && copy.buckets.length === 0 && copy.context?.covers(actor, n) === true
  }

  /** It has not ended: what comes of it counts. */
  isCurrent(copy: CopyReceiver): boolean {
    return this.#in === copy
  }

  receive(from: string, message: CopyOffer | CopyWant | CopyEnd, now: number): void {
    switch (message.type) {
      case 'copy-offer':
        if (this.#in === undefined) this.begin(from, [], now)
        break
      case 'copy-want':
        this.#want(from, message, now)
        break
      case 'copy-end':
        if (this.#in?.from === from && this.#in.copy === message.copy) this.#in = undefined
        break
    }
  }

  begin(from: string, buckets: readonly number[], now: number): void {
    const { parts, range } = this.#replica
    this.#in = new CopyReceiver(parts.nextNumber(), range, from, buckets, now)
    this.#ask(now)
  }

  #ask(now: number): void {
    const copy = this.#in
    if (copy === undefined) return
    copy.askedAt = now
    this.#replica.parts.host.send(copy.from, copy.want)
  }

  #want(from: string, message: CopyWant, now: number): void {
    const { parts, range, applied, holds } = this.#replica
    const { host, options } = parts
    let sender = this.#out.get(from)
    if (sender?.copy !== message.copy && message.chunk === 0 && holds) {
      sender = new CopySender(message, applied, now)
      this.#out.set(from, sender)
    }
    const end: CopyEnd = { type: 'copy-end', range, copy: message.copy }
    if (sender?.copy !== message.copy) return host.send(from, end)
    let isLate = false
    sender.chunk(message.chunk, host, options.copy, now, chunk => {
      // The range may be let go while the chunk is read, or what is in it synced: it may have a change that a crash undoes.
      const give = (): void => {
        if (this.#out.get(from) === sender) host.send(from, chunk ?? end)
      }
      if (this.#isSynced) return give()
      this.#replica.owed.push(give)
      parts.touch(this.#replica)
      if (isLate) parts.endTurn()
    })
    isLate = true
  }

  get #isSynced(): boolean {
    const { synced, applied } = this.#replica
    return this.#in === undefined && synced.contains(applied)
  }

  /** Takes a chunk, if it is the one that is waited for; calls back when it is taken, or refused. */
  chunk(from: string, message: CopyChunk, now: number, done: () => void): void {
    const copy = this.#in
    const replica = this.#replica
    const { host } = replica.parts
    if (copy === undefined || !copy.accepts(from, message)) return done()
    copy.heardAt = now
    copy.syncing = true
    copy.context = message.context
    const taker: ChunkTaker = {
      host,
      applied: () => replica.applied,
      isOver: () => !this.isCurrent(copy),
      adopted: () => {
        replica.hasRecords = true
        replica.parts.touch(replica)
      },
    }
    copy.take(message, taker, outcome => {
      if (outcome === 'bad' && this.isCurrent(copy)) this.#in = undefined
      if (outcome === 'taken') {
        replica.settle(host.monotonic())
        replica.owed.push(() => this.#synced(copy, message))
        replica.parts.touch(replica)
      }
      done()
    })
  }

  /** A chunk is on the disk: the next, or the context. */
  #synced(copy: CopyReceiver, message: CopyChunk): void {
    if (!this.isCurrent(copy)) return
    const now = this.#replica.parts.host.monotonic()
    copy.heardAt = now
    copy.syncing = false
    copy.chunk++
    if (message.upTo !== undefined) return this.#ask(now)
    this.#in = undefined
    // Parts of a range say nothing of the rest.
    if (copy.buckets.length > 0) return
    this.#replica.joined(message.context, now)
    this.#replica.outgoing.tell(copy.from, 'tell', 0)
  }

  tree(from: string, message: Tree, now: number): void {
    const { synced, parts } = this.#replica
    if (synced.hash(actor => parts.host.nameOf(actor)) !== message.at) return
    this.#readTree(mine => {
      const buckets = differing(mine, message.buckets)
      if (buckets.length > 0) this.begin(from, buckets, now)
    })
  }

  /** The sums at the context of now; not if that moves while they are read. */
  #readTree(done: (sums: readonly number[]) => void): void {
    const replica = this.#replica
    const { applied, parts, range } = replica
    if (applied !== replica.synced || this.#in !== undefined || this.#readsTree) return
    this.#readsTree = true
    const isStill = (): boolean => replica.applied === applied && this.#in === undefined
    treeOf(range, parts.host, isStill, sums => {
      this.#readsTree = false
      if (sums !== undefined) done(sums)
    })
  }

  tick(now: number): void {
    const { parts } = this.#replica
    const { retryMs, patienceMs } = parts.options.copy
    const copy = this.#in
    if (copy !== undefined) {
      if (now - copy.heardAt >= patienceMs) this.#in = undefined
      else if (!copy.syncing && now - copy.askedAt >= retryMs) this.#ask(now)
    }
    for (const [store, sender] of this.#out) if (now - sender.usedAt >= patienceMs) this.#out.delete(store)
    this.#tickTree(now)
  }

  /** When there is something to do, if nothing happens until then. */
  get nextAt(): number {
    return Number.isNaN(this.#treeAt) ? Number.NEGATIVE_INFINITY : this.#treeAt
  }

  #tickTree(now: number): void {
    const { parts, range, role, applied, synced } = this.#replica
    const { host, options } = parts
    if (role !== 'owner' && role !== 'replica') return
    if (Number.isNaN(this.#treeAt)) this.#treeAt = slotAfter(now, options.treeMs, range)
    if (now < this.#treeAt || applied !== synced) return
    this.#treeAt = slotAfter(now, options.treeMs, range)
    const at = synced.hash(actor => host.nameOf(actor))
    this.#readTree(buckets => {
      for (const store of this.#replica.others) host.send(store, { type: 'tree', range, at, buckets })
    })
  }

  /** The range is let go: in both directions nothing of it goes on. */
  end(): void {
    const { parts, range } = this.#replica
    for (const [store, { copy }] of this.#out) parts.host.send(store, { type: 'copy-end', range, copy })
    this.#out.clear()
    this.#in = undefined
  }
}
