/**
 * The founding decree: one single-decree Paxos (L. Lamport, Paxos Made Simple, 2001) among fresh stores, of which there
 * are at most `expect`. The value is the mesh: its random id, its founders F, Q and R. Majorities are of `expect`, never
 * of who happens to be up, so two sides of a cut cannot both found (PROTOCOLS A, trace 14).
 *
 * Invariants
 * - F1 At most one value is decided. Broken by a promise or an acceptance that is forgotten: so both are synced before
 *   they are told, and our own promise before our own prepare is sent (a ballot is never used for two values).
 * - F2 A majority of F(expect) counts stores that are fresh, each once; a wiped store is another one.
 * - F3 Who knows of more than `expect` fresh stores takes no further part. What was seen travels with each message and
 *   lies on disk beside the promise, so that a restart does not make room for one more.
 * - F4 All take part under the same `expect`.
 * - F5 Who has not looked for a founded mesh, or sees one, takes no part: lookout.ts. It may at any time fall silent.
 *
 * Synchronous, without time: the coordinator decides when to propose. Effects come in order: what `persist` says is
 * synced before the sends after it.
 */

import { invariant } from '../invariant.ts'
import { foundingQuorum } from './timings.ts'
import type { MemberRecord, StoreId } from './view.ts'

export interface Ballot {
  readonly counter: number
  readonly store: StoreId
}

export interface FoundingValue {
  /** 32 hex digits. */
  readonly meshId: string
  readonly expect: number
  readonly ranges: number
  readonly replicas: number
  readonly founders: readonly MemberRecord[]
}

export interface Accepted {
  readonly ballot: Ballot
  readonly value: FoundingValue
}

/** What lies on disk. */
export interface FoundingState {
  readonly expect: number
  /** Fresh stores that are known to have taken part or stood ready, ourselves included. */
  readonly seen: readonly StoreId[]
  readonly promised: Ballot | undefined
  readonly accepted: Accepted | undefined
}

export type FoundingMessage =
  | {
      readonly type: 'prepare'
      readonly ballot: Ballot
      readonly expect: number
      readonly seen: readonly StoreId[]
    }
  | {
      readonly type: 'promise'
      readonly ballot: Ballot
      readonly accepted: Accepted | undefined
      readonly seen: readonly StoreId[]
    }
  | {
      readonly type: 'accept'
      readonly ballot: Ballot
      readonly value: FoundingValue
      readonly seen: readonly StoreId[]
    }
  | { readonly type: 'accepted'; readonly ballot: Ballot }
  /** A higher ballot is promised. */
  | { readonly type: 'outvoted'; readonly ballot: Ballot; readonly promised: Ballot }

export type FoundingEffect =
  | { readonly type: 'persist' }
  | { readonly type: 'send'; readonly to: StoreId; readonly message: FoundingMessage }
  /** To every fresh store that is known, but ourselves. */
  | { readonly type: 'broadcast'; readonly message: FoundingMessage }
  | { readonly type: 'decided'; readonly value: FoundingValue }

interface Proposal {
  readonly ballot: Ballot
  readonly ours: FoundingValue
  readonly promises: Map<StoreId, Accepted | undefined>
  /** Set once a majority has promised. */
  value: FoundingValue | undefined
  readonly accepts: Set<StoreId>
}

export class Founding {
  readonly #self: StoreId
  readonly #expect: number
  readonly #seen: Set<StoreId>
  #promised: Ballot | undefined
  #accepted: Accepted | undefined
  #proposal: Proposal | undefined

  constructor(self: StoreId, expect: number, state?: FoundingState) {
    invariant(state === undefined || state.expect === expect, 'a store takes part under one expect')
    this.#self = self
    this.#expect = expect
    this.#seen = new Set(state?.seen ?? [])
    this.#seen.add(self)
    this.#promised = state?.promised
    this.#accepted = state?.accepted
  }

  /** What must be on disk now. */
  get state(): FoundingState {
    return {
      expect: this.#expect,
      seen: [...this.#seen],
      promised: this.#promised,
      accepted: this.#accepted,
    }
  }

  /** True once a promise binds this store. */
  get bound(): boolean {
    return this.#promised !== undefined
  }

  get seen(): ReadonlySet<StoreId> {
    return this.#seen
  }

  /** More fresh stores than may take part. */
  get overfull(): boolean {
    return this.#seen.size > this.#expect
  }

  /** A fresh store was met. True if it was not known. Never more are kept than it takes to be overfull. */
  meet(store: StoreId): boolean {
    if (this.#seen.has(store) || this.overfull) return false
    this.#seen.add(store)
    return true
  }

  /** Asks for promises under a ballot above all that we know. */
  propose(ours: FoundingValue): FoundingEffect[] {
    invariant(ours.founders.length >= foundingQuorum(this.#expect), 'the founders are at least a quorum')
    if (this.overfull) return []
    const ballot = { counter: (this.#promised?.counter ?? 0) + 1, store: this.#self }
    this.#promised = ballot
    const proposal: Proposal = {
      ballot,
      ours,
      promises: new Map([[this.#self, this.#accepted]]),
      value: undefined,
      accepts: new Set(),
    }
    this.#proposal = proposal
    const message: FoundingMessage = { type: 'prepare', ballot, expect: this.#expect, seen: [...this.#seen] }
    return [{ type: 'persist' }, { type: 'broadcast', message }, ...this.#choose(proposal)]
  }

  /** Takes no part in what is asked, and still counts who is there (F3). */
  overhear(from: StoreId, message: FoundingMessage): FoundingEffect[] {
    this.meet(from)
    if ('seen' in message) for (const store of message.seen) this.meet(store)
    return this.overfull && this.bound ? [{ type: 'persist' }] : []
  }

  receive(from: StoreId, message: FoundingMessage): FoundingEffect[] {
    const effects = this.overhear(from, message)
    if (this.overfull) return effects
    switch (message.type) {
      case 'prepare':
        return this.#onPrepare(from, message.ballot, message.expect)
      case 'promise':
        return this.#onPromise(from, message.ballot, message.accepted)
      case 'accept':
        return this.#onAccept(from, message.ballot, message.value)
      case 'accepted':
        return this.#onAccepted(from, message.ballot)
      case 'outvoted':
        return this.#onOutvoted(message.ballot, message.promised)
    }
  }

  #onPrepare(from: StoreId, ballot: Ballot, expect: number): FoundingEffect[] {
    if (expect !== this.#expect || ballot.store !== from) return []
    if (this.#promised !== undefined && compareBallots(ballot, this.#promised) < 0) {
      const message: FoundingMessage = { type: 'outvoted', ballot, promised: this.#promised }
      return [{ type: 'send', to: from, message }]
    }
    this.#promised = ballot
    const message: FoundingMessage = {
      type: 'promise',
      ballot,
      accepted: this.#accepted,
      seen: [...this.#seen],
    }
    return [{ type: 'persist' }, { type: 'send', to: from, message }]
  }

  #onPromise(from: StoreId, ballot: Ballot, accepted: Accepted | undefined): FoundingEffect[] {
    const proposal = this.#proposal
    if (proposal === undefined || compareBallots(proposal.ballot, ballot) !== 0) return []
    if (proposal.value !== undefined || proposal.promises.has(from)) return []
    proposal.promises.set(from, accepted)
    return this.#choose(proposal)
  }

  /** With a majority of promises: the accepted value of the highest ballot, or, if there is none, our own. */
  #choose(proposal: Proposal): FoundingEffect[] {
    if (proposal.promises.size < foundingQuorum(this.#expect)) return []
    if (compareBallots(proposal.ballot, this.#promised as Ballot) !== 0) return []
    let highest: Accepted | undefined
    for (const accepted of proposal.promises.values()) {
      if (accepted === undefined) continue
      if (highest === undefined || compareBallots(accepted.ballot, highest.ballot) > 0) highest = accepted
    }
    const value = highest?.value ?? proposal.ours
    proposal.value = value
    this.#accepted = { ballot: proposal.ballot, value }
    proposal.accepts.add(this.#self)
    const message: FoundingMessage = { type: 'accept', ballot: proposal.ballot, value, seen: [...this.#seen] }
    return [{ type: 'persist' }, { type: 'broadcast', message }, ...this.#conclude(proposal)]
  }

  #onAccept(from: StoreId, ballot: Ballot, value: FoundingValue): FoundingEffect[] {
    if (value.expect !== this.#expect || ballot.store !== from) return []
    if (this.#promised !== undefined && compareBallots(ballot, this.#promised) < 0) {
      const message: FoundingMessage = { type: 'outvoted', ballot, promised: this.#promised }
      return [{ type: 'send', to: from, message }]
    }
    this.#promised = ballot
    this.#accepted = { ballot, value }
    return [{ type: 'persist' }, { type: 'send', to: from, message: { type: 'accepted', ballot } }]
  }

  #onAccepted(from: StoreId, ballot: Ballot): FoundingEffect[] {
    const proposal = this.#proposal
    if (proposal?.value === undefined || compareBallots(proposal.ballot, ballot) !== 0) return []
    proposal.accepts.add(from)
    return this.#conclude(proposal)
  }

  #conclude(proposal: Proposal): FoundingEffect[] {
    if (proposal.accepts.size < foundingQuorum(this.#expect)) return []
    invariant(proposal.value !== undefined, 'what is decided was proposed')
    return [{ type: 'decided', value: proposal.value }]
  }

  /** Gives the proposal up; the next one has a ballot above. To promise more than was asked is always safe. */
  #onOutvoted(ballot: Ballot, promised: Ballot): FoundingEffect[] {
    const proposal = this.#proposal
    if (proposal === undefined || compareBallots(proposal.ballot, ballot) !== 0) return []
    this.#proposal = undefined
    if (this.#promised !== undefined && compareBallots(promised, this.#promised) > 0) {
      this.#promised = promised
      return [{ type: 'persist' }]
    }
    return []
  }
}

export function compareBallots(a: Ballot, b: Ballot): number {
  return a.counter - b.counter || (a.store < b.store ? -1 : a.store > b.store ? 1 : 0)
}
