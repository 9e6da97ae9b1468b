/**
 * Messages of the replication plane, one range each; many go in one frame (codec.ts). Whoever sends is known by the
 * connection. Every answer goes out after the sync that covers what it says (A3).
 *
 * PROTOCOLS names more of them than there are here: an exchange of tails says all that `want`, a custody's question and
 * an offer at a start would say, so they are one message with a number.
 */

import type { LogEntry } from './change-log.ts'
import type { Context } from './context.ts'
import type { FormerLists } from './lists.ts'

/** Changes, in an order in which each has its causes before it. */
export interface Append {
  readonly type: 'append'
  readonly range: number
  readonly entries: readonly LogEntry[]
}

/** Changes have arrived: this is all that the sender has synced of the range. */
export interface Have {
  readonly type: 'have'
  readonly range: number
  /** What the sender has outlives it: it has a disk. */
  readonly durable: boolean
  readonly context: Context
}

/**
 * Every store of the list has synced `context`, without a hole; and all that any of them had when it said so is in `upTo`,
 * which the sender has. No former list is open by the sender's view.
 */
export interface Stable {
  readonly type: 'stable'
  readonly range: number
  readonly viewId: string
  readonly context: Context
  readonly upTo: Context
}

/**
 * What the sender has synced of the range. `ask`: an answer is wanted, with the same number. Whoever gets one sends what
 * the sender lacks, and asks back for what it lacks itself.
 */
export interface Tail {
  readonly type: 'tail'
  readonly range: number
  readonly kind: 'ask' | 'answer' | 'tell'
  readonly number: number
  readonly viewId: string
  readonly context: Context
  readonly lists: FormerLists
  /** With the list of its view these are all that the range has had: none may be missing (activation.ts). */
  readonly knows: boolean
  readonly ready: boolean
  /** The sender acts for the range. */
  readonly active: boolean
  /** As in `Have`. */
  readonly durable: boolean
}

/** Gossip: a hash of what the sender has synced, and what it heard. */
export interface Digest {
  readonly type: 'digest'
  readonly range: number
  readonly hash: string
  readonly ready: boolean
  readonly active: boolean
  /** As in `Have`. */
  readonly durable: boolean
  /** A hash of the last digest that the sender had from the receiver; 0: it had none. */
  readonly seen: number
  /** The receiver should answer: the sender does not know that both are at the same and know it. */
  readonly asks: boolean
}

/** Of the ranges in which the sender holds the receiver for in step (in-step.ts): how many, and what both are at in each. */
export interface InStep {
  readonly type: 'in-step'
  /** Of no meaning. */
  readonly range: 0
  readonly count: number
  readonly sum: number
}

/** The sender no longer holds the changes that the receiver lacks: it should copy the records. */
export interface CopyOffer {
  readonly type: 'copy-offer'
  readonly range: number
}

/** The next chunk of a copy, please; all before is synced here. Buckets: of which parts of the range, all if empty. */
export interface CopyWant {
  readonly type: 'copy-want'
  readonly range: number
  readonly copy: number
  readonly chunk: number
  readonly buckets: readonly number[]
}

/** Records after `after` up to `upTo` in the order of ids: all that the sender has of these. */
export interface CopyChunk {
  readonly type: 'copy-chunk'
  readonly range: number
  readonly copy: number
  readonly chunk: number
  readonly after: string
  /** Of the last chunk, undefined: the end of the range. */
  readonly upTo: string | undefined
  /** The sender's context when the copy began. */
  readonly context: Context
  readonly records: readonly Uint8Array[]
  readonly extras: Uint8Array
}

/** The sender no longer has the range, or has forgotten this copy: nothing of it may be joined. */
export interface CopyEnd {
  readonly type: 'copy-end'
  readonly range: number
  readonly copy: number
}

/** Hashes over (id, version) of the sender's live records, at a context of this hash. */
export interface Tree {
  readonly type: 'tree'
  readonly range: number
  readonly at: string
  readonly buckets: readonly number[]
}

/** A graceful change of owner: the sender has sealed the range, and this is all it knows. */
export interface Activate {
  readonly type: 'activate'
  readonly range: number
  readonly number: number
  readonly context: Context
}

export interface Activated {
  readonly type: 'activated'
  readonly range: number
  readonly number: number
}

/** An occurrence of that task should have started two seconds ago. */
export interface Overdue {
  readonly type: 'overdue'
  readonly range: number
  readonly id: string
  readonly viewId: string
}

/** By this view the sender is not the owner. */
export interface Disown {
  readonly type: 'disown'
  readonly range: number
  readonly viewId: string
}

/** A follow-up, as the caller's library fixed it: create it if it is not there. */
export interface Relay {
  readonly type: 'relay'
  /** Where it belongs. */
  readonly range: number
  readonly source: number
  readonly id: string
  readonly definition: Uint8Array
  /** Who waits for the answer. */
  readonly origin: string
  /** How often it may still be handed on by one who is not the owner. */
  readonly hops: number
}

/** The follow-up is acknowledged: it is there, or has been. */
export interface Relayed {
  readonly type: 'relayed'
  readonly range: number
  readonly source: number
  readonly id: string
}

export type Message =
  | Append
  | Have
  | Stable
  | Tail
  | Digest
  | InStep
  | CopyOffer
  | CopyWant
  | CopyChunk
  | CopyEnd
  | Tree
  | Activate
  | Activated
  | Overdue
  | Disown
  | Relay
  | Relayed
