/**
 * The words, and the one table of what may follow what.
 *
 * - task: what a user schedules: id, handler name, payload, schedule, policy.
 * - occurrence: one scheduled instant of a task (or one trigger by hand).
 * - run: the carrying out of one occurrence; its id is its idempotency key.
 * - attempt: one try of a run.
 *
 * A task is `scheduled` while an instant lies ahead, `running` while a run of it is open and none lies ahead,
 * `paused` while its user holds it; it ends as `completed`, `cancelled`, `missed` or `dead` (its last run failed for
 * good, or its end is not known). A dead task is kept, and can be driven again.
 */

import { CarillonError } from '../errors.ts'
import { invariant } from '../invariant.ts'

export const TASK_STATES = [
  'scheduled',
  'running',
  'paused',
  'completed',
  'cancelled',
  'missed',
  'dead',
] as const
export type TaskState = (typeof TASK_STATES)[number]

/**
 * queued: due, waits for a worker or for a run before it. running: handed to a worker. retrying: an attempt failed,
 * the next has its instant. The rest are ends: completed; failed (no attempts left, or not retryable); cancelled;
 * missed (nobody was there in time, and the policy says not to catch up); skipped (overlap); unknown (strict: an
 * attempt was started, and whether it ended is not known).
 */
export const RUN_STATES = [
  'queued',
  'running',
  'retrying',
  'completed',
  'failed',
  'cancelled',
  'missed',
  'skipped',
  'unknown',
] as const
export type RunState = (typeof RUN_STATES)[number]
export type RunEnd = 'completed' | 'failed' | 'cancelled' | 'missed' | 'skipped' | 'unknown'

/** From each state of a run to those that may follow. `failed` and `unknown` may be driven again by a user. */
const RUN_NEXT: Readonly<Record<RunState, readonly RunState[]>> = {
  queued: ['running', 'cancelled', 'missed', 'skipped'],
  running: ['queued', 'retrying', 'completed', 'failed', 'cancelled', 'unknown'],
  retrying: ['queued', 'cancelled', 'skipped', 'failed'],
  completed: [],
  failed: ['queued'],
  cancelled: [],
  missed: [],
  skipped: [],
  unknown: ['queued'],
}

export function isRunEnd(state: RunState): state is RunEnd {
  return state !== 'queued' && state !== 'running' && state !== 'retrying'
}

export function canFollow(from: RunState, to: RunState): boolean {
  return RUN_NEXT[from].includes(to)
}

/** A move made by the engine itself: an illegal one is a bug. */
export function checkMove(from: RunState, to: RunState): void {
  invariant(canFollow(from, to), `a run may not go from ${from} to ${to}`)
}

/** A move asked for by a user: an illegal one is an error that says so. */
export function checkRequestedMove(runId: string, from: RunState, to: RunState): void {
  if (!canFollow(from, to)) {
    const allowed = RUN_STATES.filter(state => canFollow(state, to)).join(', ')
    throw new CarillonError(
      'CONFLICT',
      `run ${runId} is ${from}: only a run that is ${allowed} can become ${to}`,
    )
  }
}
