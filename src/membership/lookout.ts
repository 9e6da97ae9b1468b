/**
 * Lookout: whether a fresh store may take part in a founding, or has to ask first. A mesh that is there already is found
 * by the `join` addresses alone; so each of them has its chance to answer before this store helps to found another.
 *
 * Invariant F5: a store proposes, promises and accepts nothing before it has looked, and nothing while a founded mesh is
 * in sight. It has looked when each address was reached and whoever is there has said hello, or nobody is there; at the
 * latest after `foundingLookMs`, so that a machine that never answers stops no founding. The trade: a mesh that takes
 * longer than that to answer is not seen, and a second one can be founded.
 */

import type { Network } from '../ports/network.ts'
import type { Peers } from './peers.ts'
import type { Timings } from './timings.ts'

/** A peer has so many hellos' time for its own. Clients never say one. */
const HELLOS = 3

export interface LookoutParts {
  readonly network: Pick<Network, 'isSought'>
  readonly peers: Peers
}

export interface LookoutOptions {
  readonly join: readonly string[]
  readonly timings: Timings
}

export class Lookout {
  readonly #parts: LookoutParts
  readonly #options: LookoutOptions
  readonly #startedAt: number
  /** Once it has looked, it has: later dials are for those that it has found. */
  #hasLooked = false

  /** Made as the addresses are about to be dialled. */
  constructor(parts: LookoutParts, options: LookoutOptions, now: number) {
    this.#parts = parts
    this.#options = options
    this.#startedAt = now
  }

  mayFound(now: number): boolean {
    this.#hasLooked ||= this.#isDone(now)
    return this.#hasLooked && !this.meshInSight
  }

  #isDone(now: number): boolean {
    const { join, timings } = this.#options
    if (now - this.#startedAt >= timings.foundingLookMs) return true
    const { network, peers } = this.#parts
    if (join.some(address => network.isSought(address))) return false
    for (const { hello, since } of peers.unmet)
      if (hello === undefined && now - since < HELLOS * timings.helloMs) return false
    return true
  }

  /** A member of a founded mesh is connected: it could admit us. */
  get meshInSight(): boolean {
    for (const peer of this.#parts.peers.all)
      if (peer.meshId !== undefined && peer.hello?.admitted) return true
    return false
  }
}
