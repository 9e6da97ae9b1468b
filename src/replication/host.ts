/**
 * What replication needs of the rest: the view as a value, and a host that keeps records and journal. What must be on the
 * disk before a message goes out goes through `afterSync`, and the journal is in order: what is synced covers all that was
 * given before.
 *
 * Most records are on the disk. Those that a call is about are brought into memory first (`load`, `page`), which may call
 * back later, and stay there until that call back returns; all else is synchronous, and works on what is in memory. Other
 * events come in between, so nothing that was read before is relied on after.
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
  /** All stores that were admitted and not removed, whatever their state. */
  roster(): Iterable<string>
  /** All stores that are live. */
  live(): Iterable<string>
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
  /** Its process can be asked: it may be late, but is not known to be gone. */
  isConnected(store: string): boolean
  /** Best effort: what does not arrive is sent again. */
  send(store: string, message: Message): void

  /** The actor under which this process writes a range: its own; of a range that it let go of since, a fresh one. */
  mintActor(range: number): number
  /** The task that a change is about. Throws CorruptBytes, only where `apply` does. */
  idOf(bytes: Uint8Array): string
  /** Brings records into memory, or finds that they are nowhere. Calls back in the same call if nothing has to be read. */
  load(range: number, ids: readonly string[], done: () => void): void
  /**
   * Records in the order of their ids, after the given one, up to so many; `isLast`: there are none after these. As they
   * are at the moment of the call back, and in memory then. It may give fewer, but one at least if there is any.
   */
  page(
    range: number,
    after: string | undefined,
    limit: number,
    done: (heads: readonly RecordHead[], isLast: boolean) => void,
  ): void

  /**
   * Journals another store's change and applies it to its record, which is loaded. Throws CorruptBytes if it can't be
   * read.
   */
  apply(range: number, actor: number, n: number, bytes: Uint8Array): void
  /** Journals a record that was copied, and merges it into the one that is there, which is loaded. Throws CorruptBytes. */
  adopt(range: number, bytes: Uint8Array): void
  /** A record of the page has ended, and everybody has its end: it goes. Not a change: nobody is told. */
  drop(range: number, id: string): void
  /** Journals what is kept of a range beside its records; it counts from the sync that covers it on. */
  saveState(range: number, state: RangeState): void
  /** Journals that the range is no longer kept: its context is gone. The records go with deleteRecords. */
  deleteState(range: number): void
  deleteRecords(range: number): void

  /** A record of the page as it is now, as bytes that mean the same on every store; undefined if it is not there. */
  encode(range: number, id: string): Uint8Array | undefined
  /** What a copied record says of itself. Throws CorruptBytes. */
  headOf(range: number, bytes: Uint8Array): RecordHead
  /** There is a record of the id, which is loaded. */
  isHere(range: number, id: string): boolean
  /** What else a copy has to bring: requestIds that are remembered. */
  encodeExtras(range: number): Uint8Array
  adoptExtras(range: number, bytes: Uint8Array): void

  /** Something of the range still runs here: custody waits for it, since its end is written here. */
  isBusy(range: number): boolean
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
  /** The next tick is wanted sooner than was said. */
  awake(): void
  unsure(range: number): void
  hole(range: number, actor: number, n: number): void
}
