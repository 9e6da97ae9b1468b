/** The copies of one range that are under way: one at most that comes in, one for each store that takes one. */

import { CorruptBytes } from '../lib/bytes.ts'
import { differing, treeOf } from './anti-entropy.ts'
import { CopyReceiver, CopySender } from './copy.ts'
import type { CopyChunk, CopyEnd, CopyOffer, CopyWant, Tree } from './messages.ts'
import type { Replica } from './replica.ts'

export class Copying {
  readonly #replica: Replica
  readonly #out = new Map<string, CopySender>()
  #in: CopyReceiver | undefined
  #treeAt = Number.NaN

  constructor(replica: Replica) {
    this.#replica = replica
  }

  get isReceiving(): boolean {
    return this.#in !== undefined
  }

  receive(from: string, message: CopyOffer | CopyWant | CopyChunk | CopyEnd, now: number): void {
    switch (message.type) {
      case 'copy-offer':
        if (this.#in === undefined) this.begin(from, [], now)
        break
      case 'copy-want':
        this.#want(from, message, now)
        break
      case 'copy-chunk':
        this.#chunk(from, message, now)
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
    const chunk =
      sender?.copy === message.copy ? sender.chunk(message.chunk, host, options.copy, now) : undefined
    host.send(from, chunk ?? { type: 'copy-end', range, copy: message.copy })
  }

  #chunk(from: string, message: CopyChunk, now: number): void {
    const copy = this.#in
    const replica = this.#replica
    const { host } = replica.parts
    if (copy === undefined || !copy.accepts(from, message)) return
    try {
      copy.take(message, replica.applied, host)
    } catch (error) {
      if (!(error instanceof CorruptBytes)) throw error
      this.#in = undefined
      return
    }
    copy.heardAt = now
    copy.syncing = true
    replica.hasRecords = true
    replica.settle(now)
    replica.owe(() => this.#synced(copy, message))
    replica.parts.touch(replica)
  }

  /** A chunk is on the disk: the next, or the context. */
  #synced(copy: CopyReceiver, message: CopyChunk): void {
    if (this.#in !== copy) return
    const now = this.#replica.parts.host.monotonic()
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
    const { parts, range, applied, synced } = this.#replica
    const { host } = parts
    const at = synced.hash(actor => host.nameOf(actor))
    if (applied !== synced || at !== message.at || this.#in !== undefined) return
    const buckets = differing(treeOf(range, host), message.buckets)
    if (buckets.length > 0) this.begin(from, buckets, now)
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

  #tickTree(now: number): void {
    const { parts, range, role, applied, synced, list } = this.#replica
    const { self, host, options } = parts
    if (role !== 'owner' && role !== 'replica') return
    if (Number.isNaN(this.#treeAt)) this.#treeAt = now
    if (now - this.#treeAt < options.treeMs || applied !== synced) return
    this.#treeAt = now
    const at = synced.hash(actor => host.nameOf(actor))
    const buckets = treeOf(range, host)
    for (const store of list) {
      if (store !== self && parts.view().isLive(store)) host.send(store, { type: 'tree', range, at, buckets })
    }
  }

  /** The range is let go: in both directions nothing of it goes on. */
  end(): void {
    const { parts, range } = this.#replica
    for (const [store, { copy }] of this.#out) parts.host.send(store, { type: 'copy-end', range, copy })
    this.#out.clear()
    this.#in = undefined
  }
}
