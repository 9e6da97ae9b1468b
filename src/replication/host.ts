/**
 * What replication needs of the rest: the view as a value, and a host that keeps records and journal. Everything is
 * called and told synchronously; only `afterSync` calls back later. What must be on the disk before a message goes out
 * goes through `afterSync`, and the journal is in order: what is synced covers all that was given before.
 */

import type { Context, Dot } from './context.ts'
import type { FormerLists } from './lists.ts'
import type { Message } from './messages.ts'

export interface ReplicationView {
  /** 16 hex digits; equal for equal content. */
  readonly id: string
  /** W; Infinity for a store that is neither founded nor admitted. */
  readonly quorum: number
  /** The preference list of a range, with its stand-ins. */
  list(range: number): readonly string[]
  isLive(store: string): boolean
  /** When a store was found gone, epoch ms; undefined: it is not. */
  goneSince(store: string): number | undefined
}

/** What is kept of a range beside its records. */
export interface RangeState {
  readonly context: Context
  readonly lists: FormerLists
  /** The list as it was when this was written, and its W: it becomes former if the view at a start has another. */
  readonly list: readonly string[]
  readonly quorum: number
  /** It has joined a copy since it came into the list, or was there at the founding. */
  readonly ready: boolean
}

/** A record as an exchange sees it. */
export interface RecordHead {
  readonly id: string
  readonly dots: readonly Dot[]
  /** Ended records are kept until the whole list has confirmed the end; they are in no hash. */
  readonly ended: boolean
}

export interface ReplicaHost {
  /** Epoch ms: orders the times of one list, nothing else. */
  now(): number
  monotonic(): number
  nameOf(actor: number): string
  /** Calls back once all that was given to the host so far is synced. */
  afterSync(done: () => void): void
  /** Best effort: what does not arrive is sent again. */
  send(store: string, message: Message): void

  /** The actor under which this process writes a range: its own; of a range that it let go of since, a fresh one. */
  mintActor(range: number): number
  /** Journals another store's change and applies it to its record. Throws CorruptBytes if it can't be read. */
  apply(range: number, actor: number, n: number, bytes: Uint8Array): void
  /** Journals a record that was copied, and merges it into the one that is there. Throws CorruptBytes. */
  adopt(range: number, bytes: Uint8Array): void
  /** A record has ended, and everybody has its end: it goes. Not a change: nobody is told. */
  drop(range: number, id: string): void
  /** Journals what is kept of a range beside its records; it counts from the sync that covers it on. */
  saveState(range: number, state: RangeState): void
  /** Journals that the range is no longer kept: its context is gone. The records go with deleteRecords. */
  deleteState(range: number): void
  deleteRecords(range: number): void

  /** Records of a range in the order of their ids, after the given one. */
  heads(range: number, after: string | undefined, limit: number): readonly RecordHead[]
  /** A record as it is now, as bytes that mean the same on every store; undefined if it is not there. */
  encode(range: number, id: string): Uint8Array | undefined
  /** What a copied record says of itself, and whether there is one of its id here. Throws CorruptBytes. */
  headOf(range: number, bytes: Uint8Array): RecordHead & { readonly isHere: boolean }
  /** What else a copy has to bring: requestIds that are remembered. */
  encodeExtras(range: number): Uint8Array
  adoptExtras(range: number, bytes: Uint8Array): void

  /** What ends here may be dropped, and ended runs pruned, where all their dots are covered by this. */
  stable(range: number, context: Context): void
  /** From now on this store acts for the range. `unsure`: it may not know every acknowledged change. */
  arm(range: number, unsure: boolean): void
  /** It acts no longer: nothing of the range is started from here on. */
  disarm(range: number): void
  /** An occurrence of the range that is overdue, and of which no attempt is known here. */
  overdue(range: number, beforeMs: number): string | undefined
  /** Follow-ups of the range's runs that belong to other ranges, and are not acknowledged there yet. */
  outbox(range: number): readonly FollowUp[]
  /** Creates a follow-up if it is not there; `done` once that is acknowledged. */
  relay(followUp: FollowUp, done: () => void): void
  /** The follow-up is acknowledged where it belongs: nobody has to relay it any more. */
  relayed(source: number, id: string): void
  /** Views are to be exchanged with a store: its view differs. */
  exchangeViews(store: string): void
}

/** A task that a run asked for, while it waits in the range of that run. */
export interface FollowUp {
  /** The range of the run. */
  readonly source: number
  /** Where its id belongs. */
  readonly range: number
  readonly id: string
  readonly definition: Uint8Array
}

/** What goes on, for counters and tests. */
export interface ReplicaEvents {
  unsure(range: number): void
  hole(range: number, actor: number, n: number): void
}
