/** What a task store is told when it is made, and what it asks of who made it. */

import type { CarillonError } from '../errors.ts'
import type { RangeState } from '../replication/host.ts'
import type { Run, TaskRecord } from '../task/record.ts'
import type { HistoryOptions } from './history.ts'
import type { JournalOptions } from './journal.ts'

export interface TaskStoreOptions {
  readonly ranges: number
  readonly journal: JournalOptions
  readonly history: HistoryOptions
  /** How long a requestId is remembered, ms. */
  readonly requestWindowMs: number
  /** How often a full disk is tried again, ms. */
  readonly fullRetryMs: number
  /** Segments that may wait to be spilled before callers have to. More: longer bursts at full speed, more memory. */
  readonly segmentsWaitingMax: number
  /** Set broken journal blobs aside at the start, and become a new store. */
  readonly repair: boolean
  /** The store is one of a mesh. One that was alone is taken over, and is never alone again. */
  readonly replicated: boolean
  /** Of a mesh: how long an ended record waits for stores that do not have its end, ms. The same at each start. */
  readonly endedKeepMs: number
  /** Most bytes of ended records in memory; beyond it the oldest go before all have their end. */
  readonly endedBytesMax: number
}

export interface TaskStoreHost<R extends Run> {
  makeRun(record: TaskRecord<R>, instant: number, manual: boolean): R
  /** True while the record must stay in memory though the index has it. */
  holds(record: TaskRecord<R>): boolean
  /** The record has left memory: the index has it, or (it is gone) nobody has. */
  evicted(record: TaskRecord<R>): void
  /** A dead task is kept no longer. */
  evictedDead(taskId: string): void
  full(full: boolean): void
  failed(error: CarillonError): void
  /** Something went on outside of a turn: have one ended. */
  stir(): void
  /** Of a mesh: the saved state of every range, as it is now. Asked when a segment of the journal is closed. */
  rangeStates?(): Iterable<readonly [range: number, state: RangeState]>
  /** Of a mesh: an ended record of this life was dropped. */
  dropped?(range: number, life: number): void
}

export interface Started {
  readonly replayedChanges: number
  readonly cut: readonly number[]
  readonly fresh: boolean
  /** Of a mesh: what the disk has of the ranges beside their records. */
  readonly states: ReadonlyMap<number, RangeState>
  /** Of a mesh: ranges with records, whether they have a state or not. */
  readonly withRecords: ReadonlySet<number>
  /** Ids of dead tasks that are kept no longer: of a mesh they may be dropped once it is there. */
  readonly evictedDead: readonly string[]
}
