/** What a range is to its parts: the machine as activation, copies, and what comes in and goes out see it. */

import type { ChangeLog, LogEntry } from './change-log.ts'
import type { Context } from './context.ts'
import type { Round } from './exchange.ts'
import type { ReplicaEvents, ReplicaHost, ReplicationView } from './host.ts'
import type { FormerLists } from './lists.ts'
import type { CopyChunk, Digest, Tail, Tree } from './messages.ts'
import type { ReplicationOptions } from './options.ts'
import type { Peer } from './peer.ts'
import type { Sweep } from './sweep.ts'

export type Role = 'none' | 'replica' | 'activating' | 'owner' | 'outside' | 'deleting'

/** What the ranges of one store share. */
export interface Parts {
  readonly self: string
  readonly host: ReplicaHost
  readonly options: ReplicationOptions
  readonly events: ReplicaEvents
  /** What this store syncs outlives its process. */
  readonly durable: boolean
  /** Monotonic ms of this process's start. */
  readonly startedAt: number
  /**
   * Monotonic ms less the time in which this process was not awake: its ticks came late, so what was sent to it has not come
   * yet either. What waits for others goes by this.
   */
  awakeMs(): number
  /** This store is about to go: it takes no range over any more. */
  isLeaving(): boolean
  view(): ReplicationView
  /** Never given before in this process; the first is by chance. */
  nextNumber(): number
  /** There is something to send or to sync at the end of the turn. */
  touch(replica: Replica): void
  /** The next tick is to look at it. What is touched is woken too. */
  wake(replica: Replica): void
  /** The end of a turn that begins here: something that was read has come. */
  endTurn(): void
}

export interface Replica {
  readonly parts: Parts
  readonly range: number
  readonly log: ChangeLog
  readonly peers: ReadonlyMap<string, Peer>
  readonly sweep: Sweep
  readonly list: readonly string[]
  /** The live stores of the list but this one. */
  readonly others: readonly string[]
  /** W of the list. */
  readonly quorum: number
  /** This store has joined a copy, and has not handed the range over. */
  readonly isReady: boolean
  /** Changes of what exists may be made here. */
  readonly isOpen: boolean
  readonly holds: boolean
  /** Until then nothing has to be done, if nothing happens. */
  quietUntil: number
  /** Something comes in that is read for, or copied. */
  readonly isReceiving: boolean
  /** Grows when the range is let go: what was under way then no longer counts. */
  readonly generation: number
  readonly ready: boolean
  readonly synced: Context
  readonly applied: Context
  lists: FormerLists
  /** This process has been told of every list that the range has had. */
  knowsLists: boolean
  role: Role
  unsure: boolean
  round: Round | undefined
  released: boolean
  standIn: boolean
  hasRecords: boolean
  readonly handingOver: {
    readonly isSealed: boolean
    granted(grant: { readonly from: string; readonly number: number; readonly context: Context }): void
  }
  readonly copying: {
    readonly isComing: boolean
    brings(entry: LogEntry): boolean
    chunk(from: string, message: CopyChunk, now: number, done: () => void): void
    tree(from: string, message: Tree, now: number): void
  }
  readonly activation: {
    newRound(now: number): Round
    asked(round: Round): Set<string>
    hasCeased(round: Round, store: string): boolean
    told(store: string): void
    othersAct(): void
  }
  readonly outgoing: {
    push(to: string, now: number): void
    tell(to: string, kind: Tail['kind'], number: number): void
    ask(now: number): void
    askBack(from: string, now: number): void
    owesHave(to: string): void
  }
  readonly gossip: {
    heard(from: string, digest: Digest): boolean
    isKnown(from: string, digest: Digest): boolean
    tell(to: string): void
    tellAll(): void
  }
  peer(store: string): Peer
  owner(): string | undefined
  ownerByView(): string | undefined
  isReadyAt(store: string): boolean
  /** What a store has synced, itself included. */
  confirmed(store: string): Context
  isDurable(store: string): boolean
  settle(now: number): void
  /** What follows from what has come in. */
  received(): void
  save(): void
  /** To be told after the sync that covers all so far; another list with each turn. */
  readonly owed: Array<() => void>
  apply(entry: LogEntry): void
  joined(context: Context, now: number): void
  becomeReady(now: number): void
  tick(now: number): number
  flush(now: number): () => void
}
