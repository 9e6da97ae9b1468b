/**
 * A run in memory: what is kept of it (task/record), and where it is on its way through the dispatcher.
 */

import { Run, type TaskRecord } from '../task/record.ts'
import type { DueRun } from './due-run.ts'

export type LiveRecord = TaskRecord<LiveRun>

export class LiveRun extends Run implements DueRun {
  readonly record: LiveRecord
  place: DueRun['place'] = 'idle'
  handle = 0
  queue: DueRun['queue'] = undefined
  /** Attempts that the journal knows of; behind `attempt` until the next lazy write. */
  journaledAttempts = 0
  /** When its attempt was handed to a worker, monotonic ms. */
  handedAt = 0
  /** Latest progress, JSON. */
  progress: string | undefined = undefined

  constructor(record: LiveRecord, instant: number, manual: boolean) {
    super(instant, manual)
    this.record = record
  }

  get name(): string {
    return this.record.definition.name
  }

  get isGuest(): false {
    return false
  }

  get priority(): number {
    return this.record.definition.policy.priority
  }

  get payloadBytes(): number {
    const { end, payloadStart } = this.record.definition
    return end - payloadStart
  }

  get strict(): boolean {
    return this.record.definition.policy.guarantee !== 'at-least-once'
  }

  get timeoutMs(): number {
    return this.record.definition.policy.timeoutMs
  }
}

/** The last run of an ended task, as cancelled. */
export function cancelledLike(record: LiveRecord, now: number): LiveRun {
  const last = record.runs.at(-1)
  const run = new LiveRun(record, last?.instant ?? Math.floor(now), last?.manual ?? false)
  run.state = 'cancelled'
  run.attempt = last?.attempt ?? 0
  run.drive = last?.drive ?? 0
  run.drivenFrom = last?.drivenFrom ?? 0
  run.returned = last?.returned ?? 0
  run.version = last?.version
  run.endedAt = now
  return run
}
