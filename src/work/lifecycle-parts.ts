/** What the life of a run needs of the rest, and what it counts. */

import type { CarillonError } from '../errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { Random } from '../ports/random.ts'
import type { TaskStore } from '../store/task-store.ts'
import type { EngineEvent } from '../wire/calls.ts'
import type { LazyStartsOptions } from './lazy-starts.ts'
import type { LiveRecord, LiveRun } from './live-run.ts'

export interface LifecycleOptions extends LazyStartsOptions {
  /** Most open runs of one task. */
  readonly openRunsMax: number
  /** How long a dead task can be driven again, ms. */
  readonly deadMs: number
}

export interface LifecycleParts {
  readonly store: TaskStore<LiveRun>
  readonly clock: Clock
  readonly random: Random
  /** Epoch ms with a fraction. */
  readonly now: () => number
  /** Arms the record for its due instant, or disarms it. */
  readonly rearm: (record: LiveRecord) => void
  /** There is no room in the queue: the record waits for some. */
  readonly defer: (record: LiveRecord) => void
  readonly emit: (event: EngineEvent) => void
  /** True if somebody listens to `run` and `retry` events. */
  readonly wantsRunEvents: () => boolean
  /** A run has ended; called before the sync that covers it. */
  readonly ended: (record: LiveRecord, run: LiveRun) => void
  readonly log: (run: LiveRun, json: string) => void
  /** Makes a follow-up task of a run of that range, in the same commit as the completion; returns it if it waits in that range. */
  readonly followUp: (definition: Uint8Array, range: number) => LiveRecord | undefined
  /** Follow-ups of a run of the record, whose completion was written just now, may go where they belong once that counts. */
  readonly handOn: (record: LiveRecord, followUps: readonly LiveRecord[]) => void
  /** Why a follow-up can't be made, if so: then the run has failed. */
  readonly followUpRefusal: (definitions: readonly Uint8Array[]) => CarillonError | undefined
  /** Runs of the range may be started here. */
  readonly acts: (range: number) => boolean
  /** The record is due, and somebody else acts for it. */
  readonly passedBy: (record: LiveRecord) => void
  /** The run was begun by somebody who may still be at it; it is watched. */
  readonly isElsewhere: (run: LiveRun) => boolean
}

export interface Counters {
  created: number
  completed: number
  failed: number
  retried: number
  missed: number
}
