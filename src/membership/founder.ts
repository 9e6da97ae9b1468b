/**
 * Founder: when a fresh store takes part in the founding, and when it proposes. The decree itself is founding.ts.
 *
 * It proposes when all of `expect` are here, or a majority and the wait is over; the first by store id tries at once, the
 * others later, each with jitter. Before it has looked for a founded mesh, and while one is in sight, it takes no part
 * (lookout.ts): it asks to join.
 */

import type { Random } from '../ports/random.ts'
import {
  Founding,
  type FoundingEffect,
  type FoundingMessage,
  type FoundingState,
  type FoundingValue,
} from './founding.ts'
import type { Lookout } from './lookout.ts'
import type { Members } from './members.ts'
import type { FreshPeer, Hello, RefusalCode } from './messages.ts'
import type { Peers } from './peers.ts'
import type { MembershipDisk } from './persistence.ts'
import { foundingQuorum, type Timings } from './timings.ts'
import type { MemberRecord, StoreId } from './view.ts'

export interface FounderParts {
  readonly random: Random
  readonly members: Members
  readonly peers: Peers
  readonly disk: MembershipDisk
  readonly lookout: Pick<Lookout, 'mayFound'>
  send(node: string, message: FoundingMessage): void
}

export interface FounderActions {
  decided(value: FoundingValue): void
  refused(code: RefusalCode, line: string): void
}

export interface FounderOptions {
  readonly self: StoreId
  readonly expect: number
  readonly ranges: number
  readonly replicas: number
  readonly timings: Timings
  /** Seeds may know a mesh: without all of `expect` here it waits for them. */
  readonly seeded: boolean
}

export class Founder {
  readonly #options: FounderOptions
  readonly #parts: FounderParts
  readonly #actions: FounderActions
  readonly #founding: Founding
  /** Where fresh stores that we only heard of can be dialled. */
  readonly #addresses = new Map<StoreId, readonly string[]>()
  readonly #startedAt: number
  #changedAt: number
  #proposeAt: number | undefined
  #stopped = false

  constructor(
    parts: FounderParts,
    options: FounderOptions,
    actions: FounderActions,
    state: FoundingState | undefined,
    now: number,
  ) {
    this.#parts = parts
    this.#options = options
    this.#actions = actions
    this.#founding = new Founding(options.self, options.expect, state)
    this.#startedAt = now
    this.#changedAt = now
  }

  get expect(): number {
    return this.#options.expect
  }

  /** True once this store has promised: it may join only the mesh of its own founding. */
  get bound(): boolean {
    return this.#founding.bound
  }

  get stopped(): boolean {
    return this.#stopped || this.#founding.overfull
  }

  /** Fresh stores that we know, for our hello. */
  fresh(): FreshPeer[] {
    return [...this.#founding.seen]
      .filter(store => store !== this.#options.self)
      .map(store => ({ store, addresses: this.#addresses.get(store) ?? [] }))
  }

  /** Where to look for fresh stores. */
  get addresses(): string[] {
    return [...this.#addresses.values()].flat()
  }

  /** A fresh store said hello. */
  met(hello: Hello, now: number): void {
    if (hello.expect !== this.#options.expect) return
    this.#meet(hello.record.store, hello.record.addresses, now)
    for (const { store, addresses } of hello.fresh) this.#meet(store, addresses, now)
    this.#checkRoom()
  }

  /** Somebody saw more fresh stores than may take part. */
  stop(line: string): void {
    if (this.#stopped) return
    this.#stopped = true
    this.#actions.refused('TOO_MANY_FRESH', line)
  }

  receive(from: StoreId, message: FoundingMessage, now: number): void {
    if (this.#stopped) return
    // What is not answered is asked again.
    const takesPart = this.#parts.lookout.mayFound(now)
    this.#run(takesPart ? this.#founding.receive(from, message) : this.#founding.overhear(from, message))
    this.#checkRoom()
  }

  beat(now: number): void {
    if (this.stopped) return
    if (!this.#parts.lookout.mayFound(now)) {
      this.#changedAt = now
      this.#proposeAt = undefined
      return
    }
    const { expect, timings, seeded } = this.#options
    const peers = this.#freshPeers()
    const count = peers.length + 1
    const all = count === expect && !(expect === 1 && seeded)
    const settled = now - this.#changedAt >= timings.foundingSettleMs
    const waited = now - this.#startedAt >= timings.foundingWaitMs
    if (!settled || !(all || (waited && count >= foundingQuorum(expect)))) {
      this.#proposeAt = undefined
      return
    }
    const rank = peers.filter(peer => peer.store < this.#options.self).length
    this.#proposeAt ??= now + (rank + this.#parts.random.float() * 0.5) * timings.helloMs
    if (now < this.#proposeAt) return
    // Until the next try, what was lost is repeated by it; two who try in turn are parted by chance.
    this.#proposeAt = now + (2 + this.#parts.random.float() * 2 * expect) * timings.helloMs
    this.#run(this.#founding.propose(this.#valueOf(peers)))
  }

  #valueOf(peers: readonly MemberRecord[]): FoundingValue {
    const { expect, ranges, replicas } = this.#options
    const founders = [this.#parts.members.own, ...peers].sort((a, b) => (a.store < b.store ? -1 : 1))
    return { meshId: meshIdOf(this.#parts.random), expect, ranges, replicas, founders }
  }

  #meet(store: StoreId, addresses: readonly string[], now: number): void {
    if (store === this.#options.self) return
    if (this.#founding.meet(store)) this.#changedAt = now
    if (this.#founding.seen.has(store) && addresses.length > 0) this.#addresses.set(store, addresses)
  }

  #checkRoom(): void {
    if (!this.#founding.overfull) return
    const { expect } = this.#options
    this.stop(
      `at least ${this.#founding.seen.size} fresh stores are here, expect says ${expect}: two meshes could be founded; ` +
        'start only as many nodes as expect says (or raise it on all of them), and the others once the mesh is there',
    )
  }

  /** Fresh stores of the same `expect` that are connected. */
  #freshPeers(): MemberRecord[] {
    const fresh: MemberRecord[] = []
    for (const { hello, meshId } of this.#parts.peers.all) {
      if (hello?.role !== 'node' || meshId !== undefined) continue
      if (hello.expect === this.#options.expect) fresh.push(hello.record)
    }
    return fresh
  }

  #send(to: StoreId, message: FoundingMessage): void {
    const peer = this.#parts.peers.of(to)
    if (peer !== undefined) this.#parts.send(peer.node, message)
  }

  /** What has to be on disk first is; what is sent meanwhile waits behind it, as commits end in order. */
  #run(effects: readonly FoundingEffect[]): void {
    const persists = effects.some(effect => effect.type === 'persist')
    if (!persists) return this.#act(effects)
    this.#parts.disk.putFounding(this.#founding.state)
    this.#parts.disk.commit(() => this.#act(effects))
  }

  #act(effects: readonly FoundingEffect[]): void {
    for (const effect of effects) {
      if (effect.type === 'send') this.#send(effect.to, effect.message)
      else if (effect.type === 'decided') this.#actions.decided(effect.value)
      else if (effect.type === 'broadcast') {
        for (const store of this.#founding.seen) {
          if (store !== this.#options.self) this.#send(store, effect.message)
        }
      }
    }
  }
}

export function meshIdOf(random: Random): string {
  return Buffer.from(random.bytes(16)).toString('hex')
}
