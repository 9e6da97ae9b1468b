/**
 * Peers: who is connected, which store speaks there, and whom to dial. The lower node id dials; the higher one helps
 * when nothing stands for a while, when it cut a stuck connection itself, or to see whether a reset was a crash. Seeds
 * are dialled for ever: they are how a mesh that was cut in two finds itself again.
 */

import type { Network } from '../ports/network.ts'
import type { Hello } from './messages.ts'
import type { MemberRecord, StoreId } from './view.ts'

/** How long an address of another mesh is left alone. */
const FOREIGN_MS = 600_000
/** Most addresses and nodes that are kept for that, or for when they were lost; beyond, they are dialled sooner. */
const KEPT_MAX = 4096

export interface Peer {
  readonly node: string
  readonly address: string | undefined
  readonly since: number
  /** What it said of itself; undefined until its hello is here. */
  hello: Hello | undefined
  /** Its mesh as of that hello. */
  meshId: string | undefined
  /** It has our hello. */
  confirmed: boolean
  nextHelloAt: number
  nextStateAt: number
  nextJoinAt: number
  /** See `renew`. */
  isRenewed: boolean
}

export class Peers {
  readonly #network: Pick<Network, 'self' | 'connect' | 'forget'>
  readonly #byNode = new Map<string, Peer>()
  readonly #byStore = new Map<StoreId, Peer>()
  /** Connected, and one side may lack the other's hello; who has both leaves it when it is next looked at. */
  readonly #unmet = new Set<Peer>()
  readonly #dialled = new Set<string>()
  /** Addresses where another mesh was found, and until when they are not dialled: addresses move. */
  readonly #foreign = new Map<string, number>()
  readonly #lostAt = new Map<string, number>()

  constructor(network: Pick<Network, 'self' | 'connect' | 'forget'>) {
    this.#network = network
  }

  get(node: string): Peer | undefined {
    return this.#byNode.get(node)
  }

  of(store: StoreId): Peer | undefined {
    return this.#byStore.get(store)
  }

  get all(): IterableIterator<Peer> {
    return this.#byNode.values()
  }

  /** With whom the hellos are not through yet: mostly nobody, so that a beat costs no look at each peer. */
  get unmet(): Iterable<Peer> {
    for (const peer of this.#unmet) if (peer.confirmed && peer.hello !== undefined) this.#unmet.delete(peer)
    return this.#unmet
  }

  /** With somebody the hellos are not through yet. */
  get hasUnmet(): boolean {
    for (const _ of this.unmet) return true
    return false
  }

  /** Somebody is connected. */
  get hasAny(): boolean {
    return this.#byNode.size > 0
  }

  connected(node: string, address: string | undefined, now: number): Peer {
    this.disconnected(node, now)
    const peer: Peer = {
      node,
      address,
      since: now,
      hello: undefined,
      meshId: undefined,
      confirmed: false,
      nextHelloAt: now,
      nextStateAt: now,
      nextJoinAt: now,
      isRenewed: false,
    }
    this.#byNode.set(node, peer)
    this.#unmet.add(peer)
    this.#lostAt.delete(node)
    return peer
  }

  /** Its connection is about to be cut by us, for a new one. */
  renew(node: string): void {
    const peer = this.#byNode.get(node)
    if (peer !== undefined) peer.isRenewed = true
  }

  /** The store that spoke there, if any. */
  disconnected(node: string, now: number): StoreId | undefined {
    const peer = this.#byNode.get(node)
    if (peer === undefined) return undefined
    this.#byNode.delete(node)
    this.#unmet.delete(peer)
    // Clients come and go under new ids, and say nothing here: nobody dials them.
    const isKept = (peer.hello !== undefined || peer.isRenewed) && this.#lostAt.size < KEPT_MAX
    if (isKept) this.#lostAt.set(node, peer.isRenewed ? Number.NEGATIVE_INFINITY : now)
    const store = peer.hello?.record.store
    if (store !== undefined && this.#byStore.get(store) === peer) this.#byStore.delete(store)
    return store
  }

  introduced(peer: Peer, hello: Hello, meshId: string | undefined): void {
    const before = peer.hello?.record.store
    if (before !== undefined && this.#byStore.get(before) === peer) this.#byStore.delete(before)
    peer.hello = hello
    peer.meshId = meshId
    this.#byStore.set(hello.record.store, peer)
  }

  /** Another mesh is there: it is not dialled for a while. */
  foreign(address: string, now: number): void {
    if (this.#foreign.size < KEPT_MAX) this.#foreign.set(address, now + FOREIGN_MS)
  }

  /** Peers that said hello and are no members: what strangers cost is bounded. Those who wait for an answer don't count. */
  strangers(isMember: (store: StoreId) => boolean): number {
    let count = 0
    for (const { hello } of this.#byNode.values())
      if (hello !== undefined && !isMember(hello.record.store)) count++
    return count
  }

  /** Dials and forgets, so that exactly what is wanted now is dialled. */
  dial(wanted: DialWish, now: number): void {
    const addresses = new Set<string>()
    for (const seed of wanted.seeds) addresses.add(seed)
    for (const member of wanted.members) {
      if (!this.#wants(member, wanted, now)) continue
      for (const address of member.addresses) addresses.add(address)
    }
    for (const own of wanted.own) addresses.delete(own)
    for (const [foreign, until] of this.#foreign) {
      if (now < until) addresses.delete(foreign)
      else this.#foreign.delete(foreign)
    }
    for (const address of this.#dialled) {
      if (addresses.has(address)) continue
      this.#dialled.delete(address)
      this.#network.forget(address)
    }
    for (const address of addresses) {
      if (this.#dialled.has(address)) continue
      this.#dialled.add(address)
      this.#network.connect(address)
    }
  }

  #wants(member: MemberRecord, wanted: DialWish, now: number): boolean {
    const { node, store } = member
    if (node === this.#network.self) return false
    if (this.#network.self < node) return true
    if (this.#byNode.has(node)) return false
    if (wanted.crashWaits(store)) return true
    let lostAt = this.#lostAt.get(node)
    if (lostAt === undefined) {
      lostAt = now
      this.#lostAt.set(node, now)
    }
    return now - lostAt >= wanted.fallbackMs
  }
}

export interface DialWish {
  readonly seeds: readonly string[]
  readonly own: readonly string[]
  readonly members: Iterable<MemberRecord>
  readonly fallbackMs: number
  /** A refused redial of this store would be a vote. */
  crashWaits(store: StoreId): boolean
}
