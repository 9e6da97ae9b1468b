/**
 * What callers see of tasks and runs: plain JSON values, the same over the API, the CLI and HTTP. Instants are epoch
 * ms. The words are those of task/task.ts.
 */

import type { Policy } from './policy.ts'
import type { Schedule } from './schedule.ts'
import type { RunState, TaskState } from './task.ts'

export interface TaskView {
  readonly id: string
  readonly name: string
  readonly state: TaskState
  readonly schedule: Schedule
  readonly policy: Policy
  /** JSON value as it was given. */
  readonly payload: unknown
  readonly createdAt: number
  /** The next scheduled instant, or null. */
  readonly nextAt: number | null
  /** The latest scheduled instant that was reached, or null. */
  readonly lastAt: number | null
  /** Scheduled occurrences so far. */
  readonly occurrences: number
  /** Runs that have not ended, oldest first. */
  readonly open: readonly RunView[]
}

export interface RunView {
  /** The run id, which is the idempotency key. */
  readonly id: string
  readonly task: string
  readonly name: string
  readonly state: RunState
  readonly scheduledAt: number
  /** True: triggered by hand, not scheduled. */
  readonly manual: boolean
  /** Attempts started so far. */
  readonly attempt: number
  readonly startedAt: number | null
  readonly endedAt: number | null
  /** When the next attempt starts, while it waits for one. */
  readonly retryAt: number | null
  readonly result?: unknown
  readonly error?: {
    readonly name: string
    readonly message: string
    readonly code?: string | undefined
    readonly stack?: string | undefined
  }
  readonly progress?: unknown
}

/** Who acts for the ranges of a mesh, and who keeps them, as one node sees it. */
export interface RingView {
  /** 16 hex digits: equal on all nodes that see the same. */
  readonly view: string
  /** Q, and R: how many stores keep each range, where there are as many. */
  readonly ranges: number
  readonly replicas: number
  readonly nodes: ReadonlyArray<{
    readonly node: string
    readonly stores: ReadonlyArray<{ readonly store: string; readonly state: 'live' | 'away' | 'gone' }>
    readonly weight: number
    /** Ranges for which it acts, and in whose lists it is. */
    readonly owned: number
    readonly kept: number
    /** Of all ranges those for which it acts, 0 to 1. */
    readonly share: number
  }>
  /** Ranges for which nobody acts. */
  readonly unowned: number
  /** The range of the id that was asked for. */
  readonly range: RangeView | null
}

export interface RangeView {
  readonly id: string
  readonly range: number
  /** In the order in which they would act. */
  readonly list: ReadonlyArray<{
    readonly store: string
    readonly node: string
    readonly state: 'live' | 'away' | 'gone'
    readonly acts: boolean
    /** It has all that was acknowledged before it came into the list; null: the asked node does not keep the range. */
    readonly ready: boolean | null
  }>
}

/** How far a node is that leaves the mesh. */
export interface DrainView {
  /** Others take its ranges; its runs end; others copy what it holds; it leaves the roster; it has left. */
  readonly step: 'ranges' | 'runs' | 'copies' | 'leaving' | 'left'
  /** Ranges for which it acts still, attempts that run here still, and ranges of which it has copies still. */
  readonly acting: number
  readonly running: number
  readonly holding: number
}

/** A node's view of its mesh. */
export interface MeshView {
  /** 32 hex digits; null before it was founded, or joined. */
  readonly id: string | null
  /** This store belongs to it. */
  readonly admitted: boolean
  /** 16 hex digits: equal on all nodes that see the same. */
  readonly view: string
  /** W: copies that make a change acknowledged; null while this store belongs to no mesh. */
  readonly quorum: number | null
  /**
   * Ranges for which this node acts; of these, for how many it may not know every acknowledged change; those that it
   * keeps copies of; and how many there are.
   */
  readonly ranges: {
    readonly owned: number
    readonly unsure: number
    readonly kept: number
    readonly of: number
    /** Of all: with fewer live and ready copies than R, or than there are stores, as far as this node knows. */
    readonly belowReplicas: number
    /** Of all: with so few live stores that no change is acknowledged now. */
    readonly belowQuorum: number
    /** Copies of ranges that come here, or go out from here. */
    readonly copying: number
  }
  readonly stores: ReadonlyArray<{
    readonly store: string
    readonly node: string
    readonly boot: number
    readonly state: 'live' | 'away' | 'gone'
    /** Under accusation: counts as live until the trial ends. */
    readonly suspect: boolean
    readonly zone: string
    readonly weight: number
    readonly addresses: readonly string[]
    /** Its node's wall clock less this one's, ms; null: not measured. Right to half a round trip. */
    readonly skewMs: number | null
  }>
  /** Null: it does not leave. */
  readonly draining: DrainView | null
  /** Why somebody did not let this store in, or it had to stop: the latest of each kind. */
  readonly refusals: ReadonlyArray<{ readonly code: string; readonly line: string }>
}

export interface StatusView {
  readonly store: string
  readonly boot: number
  readonly startedAt: number
  readonly now: number
  readonly durable: boolean
  readonly durability: 'sync' | 'interval'
  /** False while the disk is full. */
  readonly takesWork: boolean
  readonly tasks: { readonly inMemory: number; readonly armed: number; readonly dead: number }
  readonly runs: { readonly queued: number; readonly running: number }
  readonly counters: {
    readonly created: number
    readonly completed: number
    readonly failed: number
    readonly retried: number
    readonly missed: number
    readonly commits: number
  }
  /** Handler start minus scheduled instant, of the runs since the start, ms. */
  readonly latenessMs: { readonly p50: number; readonly p99: number; readonly max: number }
  /** Times that the scheduler woke up, since the start. */
  readonly wakeUps: number
  /** Handlers that somebody runs here now, in the order of their names. */
  readonly handlers: readonly string[]
  /** Handlers with waiting runs and nobody to run them. */
  readonly withoutWorker: ReadonlyArray<{ readonly name: string; readonly waiting: number }>
  readonly journalBytes: number
  readonly freeBytes: number | null
  /** Null: this node is alone. */
  readonly mesh: MeshView | null
}
