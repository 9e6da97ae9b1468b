/**
 * Every knob and limit of an engine, and of a client, with its default: the rooms declare what they need, the values stand here. Each
 * says its unit, and what raising and lowering it costs.
 */

import { DEFAULT_MEMBERSHIP_OPTIONS } from './membership/options.ts'
import type { ClientOptions } from './mesh/client-relay.ts'
import type { MeshOptions } from './mesh/mesh.ts'
import { REPLICATION_DEFAULTS } from './replication/options.ts'
import type { HorizonOptions } from './schedule/horizon.ts'
import type { SchedulerOptions } from './schedule/scheduler.ts'
import type { TaskStoreOptions } from './store/task-store.ts'
import type { CallsOptions } from './work/calls.ts'
import type { DispatcherOptions } from './work/dispatcher.ts'
import type { GuestsOptions } from './work/guests.ts'
import type { LifecycleOptions } from './work/lifecycle-parts.ts'

export interface EngineOptions {
  readonly store: TaskStoreOptions
  readonly scheduler: SchedulerOptions
  readonly horizon: HorizonOptions
  readonly dispatcher: DispatcherOptions
  /** Runs of other engines' tasks, in a mesh. */
  readonly guests: GuestsOptions
  readonly lifecycle: LifecycleOptions
  readonly calls: CallsOptions
  /** Of a node with a network. */
  readonly mesh: MeshOptions
  /** Most due records that wait in memory for room in the queue. More: more memory, fewer reads of the index. */
  readonly backlogMax: number
  /** New work is refused below this much free space, bytes. More: earlier; less: the disk itself says so, later. */
  readonly freeBytesMin: number
  /** But never more than this share of the disk. */
  readonly freeShareMax: number
  /** How often free space, age of kept runs and the like are looked at, ms. */
  readonly housekeepingMs: number
}

export const DEFAULT_OPTIONS: EngineOptions = {
  store: {
    /** A power of two, fixed when the store is made. */
    ranges: 256,
    journal: {
      durability: 'sync',
      intervalMs: 1000,
      segmentBytesMax: 16 * 1024 * 1024,
      segmentChangesMax: 65_536,
      fullPatienceMs: 5000,
      idleMs: 5000,
      idleChangesMin: 1000,
      restMs: 1000,
    },
    history: {
      completedMax: 1000,
      completedMs: 3_600_000,
      deadMax: 10_000,
      deadMs: 30 * 86_400_000,
      perTaskMax: 20,
    },
    requestWindowMs: 60_000,
    fullRetryMs: 1000,
    segmentsWaitingMax: 2,
    repair: false,
    replicated: false,
    endedKeepMs: 86_400_000,
    endedBytesMax: 64 * 1024 * 1024,
  },
  scheduler: { sleepMsMax: 1000, sliceMax: 4096, sliceMs: 5 },
  horizon: { aheadMs: 60_000, loadedMax: 250_000, pageMax: 500 },
  dispatcher: { queueMax: 100_000, inFlightBytesMax: 32 * 1024 * 1024 },
  guests: { guestWindowMax: 256, announceMs: 50 },
  lifecycle: { lazyStartMs: 5, lazyStartMsMax: 100, openRunsMax: 1000, deadMs: 30 * 86_400_000 },
  backlogMax: 50_000,
  freeBytesMin: 64 * 1024 * 1024,
  freeShareMax: 0.1,
  housekeepingMs: 1000,
  mesh: {
    ...DEFAULT_MEMBERSHIP_OPTIONS,
    ownership: 'spread',
    tasks: {
      replication: REPLICATION_DEFAULTS,
      patienceMs: 5000,
      firmMs: 500,
      orphanMs: 5000,
      /** With these a connection that is stuck is cut within 5 s of when the liveness plane works. */
      stall: { quietMs: 2000, askMs: 1000, stallMs: 2500, againMs: 15_000 },
    },
    routing: {
      callDeadlineMs: 10_000,
      againMsMin: 20,
      againMsMax: 500,
      callsMax: 500_000,
      bytesMax: 256 * 1024 * 1024,
      skewMs: 60_000,
      link: { callsMax: 10_000, bytesMax: 64 * 1024 * 1024 },
    },
  },
  calls: { logTasksMax: 1000, logLinesMax: 200, waitersMax: 100_000 },
}

export const DEFAULT_CLIENT_OPTIONS: ClientOptions = {
  spares: 3,
  dialsMax: 16,
  returnMs: 2000,
  callDeadlineMs: 10_000,
  probeMs: 2000,
  silenceMs: 5000,
  peersMs: 30_000,
  unansweredMax: 200_000,
  unansweredBytesMax: 64 * 1024 * 1024,
  farewellMs: 1000,
}
