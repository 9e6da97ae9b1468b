/**
 * The nodes that a client is connected to: one is its gateway, a few more are spares, so that a fail-over costs no dial.
 * Holds as many connections as wanted, and no more, but for nodes of one name; says which node may be the next gateway.
 */

import type { Clock } from '../ports/clock.ts'
import type { DialFailure, DisconnectReason, Network } from '../ports/network.ts'
import type { Random } from '../ports/random.ts'
import { AddressBook } from './address-book.ts'

export interface GatewaysOptions {
  /** Connections beside the gateway's. More: a fail-over while several nodes fail at once needs no dial. Less: nodes hold fewer. Default: 3. */
  readonly spares: number
  /** Addresses dialled at a time while connections are missing. More: a node is found sooner where many addresses are dead. Default: 16. */
  readonly dialsMax: number
  /** A node that failed as a gateway is not tried again for so long, ms. Less: a client that knows one node only is back sooner, and asks one that is ill more often. Default: 2,000. */
  readonly returnMs: number
}

interface Connected {
  readonly address: string | undefined
  /** Monotonic ms: not before then. */
  notBefore: number
}

export class Gateways {
  readonly #network: Network
  readonly #clock: Clock
  readonly #random: Random
  readonly #options: GatewaysOptions
  readonly #book: AddressBook
  readonly #nodes = new Map<string, Connected>()
  /** Addresses that the network was asked to hold. */
  readonly #held = new Set<string>()
  #isFirst = true

  constructor(
    ports: { readonly network: Network; readonly clock: Clock; readonly random: Random },
    options: GatewaysOptions,
    join: readonly string[],
  ) {
    this.#network = ports.network
    this.#clock = ports.clock
    this.#random = ports.random
    this.#options = options
    this.#book = new AddressBook(join)
  }

  /** False: enough are connected, and this one is let go. */
  connected(node: string, address: string | undefined): boolean {
    if (address !== undefined) this.#book.reached(address)
    // A name may stand for many nodes: it is dialled as a whole, so who is let go would be dialled again and again.
    const isShared = [...this.#nodes.values()].some(each => address !== undefined && each.address === address)
    if (this.#nodes.size > this.#options.spares && !isShared) {
      if (address !== undefined) this.#forget(address)
      this.#network.disconnect(node)
      return false
    }
    this.#nodes.set(node, { address, notBefore: 0 })
    this.dial()
    return true
  }

  disconnected(node: string, why: DisconnectReason): void {
    const address = this.#nodes.get(node)?.address
    if (address !== undefined) this.#book.failed(address, DISCONNECTED[why])
    if (this.#nodes.delete(node)) this.dial()
  }

  dialFailed(address: string, why: DialFailure): void {
    this.#book.failed(address, DIAL_FAILED[why])
  }

  told(addresses: readonly string[]): void {
    this.#book.told(addresses)
    this.dial()
  }

  /** The node gave no session, or did not keep it: it is not chosen again for a while. */
  failed(node: string, why: string): void {
    const known = this.#nodes.get(node)
    if (known === undefined) return
    known.notBefore = this.#clock.monotonic() + this.#options.returnMs
    if (known.address !== undefined) this.#book.failed(known.address, why)
  }

  /** The connection is of no use: it is ended, and dialled anew. */
  drop(node: string, why: string): void {
    this.failed(node, why)
    if (!this.#nodes.delete(node)) return
    this.#network.disconnect(node)
    this.dial()
  }

  /** The first one that is there; later any, so that those who lose one node don't all go to the same next. */
  choose(): string | undefined {
    const now = this.#clock.monotonic()
    const ready = [...this.#nodes].filter(([, { notBefore }]) => notBefore <= now).map(([node]) => node)
    const node = this.#isFirst ? ready[0] : ready[Math.floor(this.#random.float() * ready.length)]
    if (node !== undefined) this.#isFirst = false
    return node
  }

  /** Dials while connections are missing, each time what failed longest ago. */
  dial(): void {
    const standing = new Set<string>()
    for (const { address } of this.#nodes.values()) if (address !== undefined) standing.add(address)
    const isFull = this.#nodes.size > this.#options.spares
    const others = isFull ? [] : this.#book.next(this.#options.dialsMax, standing)
    const wanted = new Set([...standing, ...others])
    for (const address of [...this.#held]) if (!wanted.has(address)) this.#forget(address)
    for (const address of wanted) {
      if (this.#held.has(address)) continue
      this.#held.add(address)
      this.#network.connect(address)
    }
  }

  /** Nobody is connected, and at each address somebody is who lets nobody in. */
  get areClosed(): boolean {
    return this.#nodes.size === 0 && this.#book.haveAllFailed(DIAL_FAILED.rejected)
  }

  get text(): string {
    return this.#book.text()
  }

  #forget(address: string): void {
    this.#held.delete(address)
    this.#network.forget(address)
  }
}

const DIAL_FAILED: Readonly<Record<DialFailure, string>> = {
  refused: 'nobody listens there',
  unreachable: 'it cannot be reached',
  timeout: 'no answer in time',
  rejected: 'it let nobody in: its mesh.name or mesh.secret is another, or it is no node',
}

const DISCONNECTED: Readonly<Record<DisconnectReason, string>> = {
  closed: 'it closed the connection',
  reset: 'the connection broke',
  timeout: 'it no longer answered',
}
