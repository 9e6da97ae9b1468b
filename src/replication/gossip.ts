/**
 * Digests of one range to the other stores of its list (PROTOCOLS B8). Each says what its sender is at, and what it last
 * heard from the receiver. Two stores are in step when each is at the same context and knows that the other knows; then none
 * goes (in-step.ts has what does). One that is not in step is told each digestMs, and asked to answer; so what was lost is said
 * again, whoever lost it.
 */

import { hash32 } from '../lib/hash.ts'
import type { Context } from './context.ts'
import type { Digest } from './messages.ts'
import type { Parts, Replica } from './replica.ts'

export class Gossip {
  readonly #replica: Replica
  readonly #parts: Parts
  #context: Context | undefined
  #ready = false
  #active = false
  #said = 0

  constructor(replica: Replica) {
    this.#replica = replica
    this.#parts = replica.parts
  }

  /** What this store is at, as a number that is another one with every change of it. */
  now(): number {
    const { synced, isReady, isOpen } = this.#replica
    if (this.#context !== synced || this.#ready !== isReady || this.#active !== isOpen) {
      this.#context = synced
      this.#ready = isReady
      this.#active = isOpen
      this.#said = numberOf(this.#hash(), isReady, isOpen)
    }
    return this.#said
  }

  #hash(): string {
    return this.#replica.synced.hash(actor => this.#parts.host.nameOf(actor))
  }

  isInStep(store: string): boolean {
    const peer = this.#replica.peers.get(store)
    return peer !== undefined && peer.knows === this.now() && peer.hash === this.#hash()
  }

  /** What it is at, as it said last; 0: it has not. */
  heardFrom(store: string): number {
    return this.#replica.peers.get(store)?.heard ?? 0
  }

  tell(to: string): void {
    const peer = this.#replica.peer(to)
    const [ready, active] = [this.#replica.isReady, this.#replica.isOpen]
    const asks = !this.isInStep(to)
    peer.digestAt = this.#parts.host.monotonic()
    this.#parts.host.send(to, {
      ...{ type: 'digest', range: this.#replica.range, hash: this.#hash() },
      ...{ ready, active, durable: this.#parts.durable, seen: peer.heard, asks },
    })
  }

  tellAll(): void {
    for (const store of this.#replica.list) if (store !== this.#parts.self) this.tell(store)
  }

  /** It says what is known of its sender, who is in step. */
  isKnown(from: string, digest: Digest): boolean {
    const peer = this.#replica.peers.get(from)
    if (peer === undefined || digest.asks || peer.knows !== digest.seen) return false
    if (this.#replica.sweep.isDisowned) return false
    if (peer.heard !== numberOf(digest.hash, digest.ready, digest.active)) return false
    return peer.said === this.#replica.synced && this.isInStep(from)
  }

  /** True if the sender is at the same context. */
  heard(from: string, { hash, ready, active, durable, seen, asks }: Digest): boolean {
    const peer = this.#replica.peer(from)
    peer.heard = numberOf(hash, ready, active)
    peer.durable = durable
    peer.knows = seen
    peer.hash = hash
    const isSame = hash === this.#hash()
    if (isSame) peer.says(this.#replica.synced, this.#parts.host.monotonic())
    if (isSame && asks) this.tell(from)
    return isSame
  }

  /** When there is a digest to send, if nothing happens until then. */
  get nextAt(): number {
    let next = Number.POSITIVE_INFINITY
    for (const store of this.#replica.others) next = Math.min(next, this.#dueAt(store))
    return next
  }

  /** Not before that, in step or not: which of it is dear to know in a busy range. Who has never been told: at once. */
  #soonestAt(store: string): number {
    const at = this.#replica.peers.get(store)?.digestAt ?? Number.NEGATIVE_INFINITY
    return at + this.#parts.options.digestMs
  }

  #dueAt(store: string): number {
    const at = this.#soonestAt(store)
    // Who has never been told may hold this store for another than it is.
    return at === Number.NEGATIVE_INFINITY || !this.isInStep(store) ? at : Number.POSITIVE_INFINITY
  }

  tick(now: number): void {
    for (const store of this.#replica.others)
      if (now >= this.#soonestAt(store) && now >= this.#dueAt(store)) this.tell(store)
  }
}

function numberOf(hash: string, ready: boolean, active: boolean): number {
  return hash32(`${hash} ${ready} ${active}`, 6)
}

/** The next of the instants, one each period, that a range has; those of many ranges are spread over it. */
export function slotAfter(at: number, periodMs: number, range: number): number {
  const phase = ((Math.imul(range + 1, 0x9e3779b1) >>> 0) / 2 ** 32) * periodMs
  return (Math.floor((at - phase) / periodMs) + 1) * periodMs + phase
}
