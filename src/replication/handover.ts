/**
 * A graceful change of owner (PROTOCOLS B9). The owner seals the range: nothing is started, writes wait. It sends its last
 * tail, and asks the next store of the list to go on from there. Once that one has applied all of it, it knows every
 * acknowledged change, acts at once, and says so; the source then counts as not ready, and is passed over. Without an
 * answer in time the source goes on. A range is sealed for a tail only, never for a copy (trace 7).
 */

import type { Context } from './context.ts'
import type { Replica } from './replica.ts'

/** At the source. */
interface Seal {
  readonly number: number
  readonly to: string
  readonly endsAt: number
  askedAt: number
}

/** At the next owner: it goes on once it has all of this. */
interface Grant {
  readonly from: string
  readonly number: number
  readonly context: Context
}

export class HandingOver {
  readonly #replica: Replica
  #seal: Seal | undefined
  #grant: Grant | undefined

  constructor(replica: Replica) {
    this.#replica = replica
  }

  get isSealed(): boolean {
    return this.#seal !== undefined
  }

  /** Seals the range for the next of its list. False: there is none. */
  begin(now: number): boolean {
    const { role, others, parts, range, outgoing } = this.#replica
    if (role !== 'owner' || this.#seal !== undefined) return false
    const to = others.find(store => this.#replica.isReadyAt(store))
    if (to === undefined) return false
    const endsAt = now + parts.options.sealMs
    this.#seal = { number: parts.nextNumber(), to, endsAt, askedAt: Number.NEGATIVE_INFINITY }
    parts.host.disarm(range)
    outgoing.push(to, now)
    this.tick(now)
    return true
  }

  /** The source no longer acts, by its view. */
  cancel(): void {
    this.#seal = undefined
  }

  tick(now: number): void {
    const seal = this.#seal
    if (seal === undefined) return
    const { parts, range, unsure, applied } = this.#replica
    const { host, options } = parts
    if (now >= seal.endsAt || !this.#replica.isReadyAt(seal.to)) {
      this.#seal = undefined
      host.arm(range, unsure)
    } else if (now - seal.askedAt >= options.askMs) {
      seal.askedAt = now
      host.send(seal.to, { type: 'activate', range, number: seal.number, context: applied })
    }
  }

  granted(grant: Grant): void {
    // Who goes itself takes nothing over, and says so at once.
    if (this.#replica.role === 'replica' && !this.#replica.isReady) this.#replica.gossip.tell(grant.from)
    else this.#grant = grant
  }

  /** Acts, once all that the source had is applied here. */
  take(): void {
    const grant = this.#grant
    const replica = this.#replica
    if (grant === undefined || !replica.applied.contains(grant.context)) return
    this.#grant = undefined
    const { self, host } = replica.parts
    const { range } = replica
    if (replica.role === 'replica' && replica.isReady) {
      replica.peer(grant.from).ready = false
      if (replica.owner() === self) {
        replica.role = 'owner'
        host.arm(range, false)
        replica.gossip.tellAll()
      }
    }
    if (replica.role !== 'owner') return
    replica.owed.push(() => host.send(grant.from, { type: 'activated', range, number: grant.number }))
  }

  activated(from: string, number: number, now: number): void {
    if (this.#seal?.number !== number || this.#seal.to !== from) return
    const replica = this.#replica
    // It is disarmed since the seal.
    this.#seal = undefined
    replica.released = true
    replica.role = 'replica'
    replica.round = undefined
    replica.unsure = false
    replica.settle(now)
    replica.gossip.tellAll()
  }
}
