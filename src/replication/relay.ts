/**
 * Follow-ups that belong to another range (PROTOCOLS B7). They are records of the range of the run that asked for them,
 * journaled before its completion, so that whoever has the completion has them too. The owner of that range relays each to
 * the owner of the other with "create if absent" until it is acknowledged there, and then ends it: at once when the completion
 * has its copies, and then again and again; a new owner finds it among its records, and goes on. Their ids are `runId/k`, so one that is relayed twice is made once.
 */

import type { FollowUp, ReplicaHost } from './host.ts'
import type { Relay, Relayed } from './messages.ts'
import type { Replica } from './replica.ts'

const HOPS_MAX = 2

export class Relays {
  readonly #host: ReplicaHost
  readonly #self: string
  readonly #retryMs: number
  readonly #replicaOf: (range: number) => Replica | undefined
  #sentAt = Number.NEGATIVE_INFINITY
  #hasAny = true

  constructor(
    host: ReplicaHost,
    self: string,
    retryMs: number,
    replicaOf: (range: number) => Replica | undefined,
  ) {
    this.#host = host
    this.#self = self
    this.#retryMs = retryMs
    this.#replicaOf = replicaOf
  }

  tick(replicas: Iterable<Replica>, now: number): void {
    if (now - this.#sentAt < this.#retryMs) return
    this.#sentAt = now
    this.#hasAny = false
    for (const replica of replicas) {
      if (!replica.isOpen || !replica.holds) continue
      for (const followUp of this.#host.outbox(replica.range)) {
        this.#hasAny = true
        this.send(followUp, replica)
      }
    }
  }

  /** When something may have to be sent again. What has come up since is sent by who brought it, and found at any later tick. */
  get nextAt(): number {
    return this.#hasAny ? this.#sentAt + this.#retryMs : Number.POSITIVE_INFINITY
  }

  send(followUp: FollowUp, source: Replica): void {
    const { range, id } = followUp
    const to = this.#ownerOf(range, source)
    if (to === this.#self) this.#host.relay(followUp, () => this.#host.relayed(followUp.source, id))
    else if (to !== undefined) {
      this.#host.send(to, { type: 'relay', ...followUp, origin: this.#self, hops: HOPS_MAX })
    }
  }

  #ownerOf(range: number, source: Replica): string | undefined {
    const replica = this.#replicaOf(range)
    if (replica !== undefined) return replica.owner()
    const view = source.parts.view()
    return view.list(range).find(store => view.isLive(store))
  }

  receive(message: Relay | Relayed): void {
    const { range, source, id } = message
    if (message.type === 'relayed') return this.#host.relayed(source, id)
    const replica = this.#replicaOf(range)
    const { origin, hops } = message
    if (replica?.isOpen === true) {
      return this.#host.relay(message, () => this.#host.send(origin, { type: 'relayed', range, source, id }))
    }
    // Who holds nothing of a range does not know which of its list is ready; who is in the list does.
    const to = replica?.owner()
    if (to !== undefined && to !== this.#self && hops > 0) this.#host.send(to, { ...message, hops: hops - 1 })
  }
}
