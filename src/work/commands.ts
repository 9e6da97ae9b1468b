/**
 * The calls that change a task that exists: cancel, pause, resume, trigger, and retry of what failed. Each is carried
 * out at once on the record, and answered when that counts, with how many copies it has; a repeated request gets the
 * first one's answer.
 */

import { CarillonError } from '../errors.ts'
import type { TaskStore } from '../store/task-store.ts'
import { parseRunId } from '../task/ids.ts'
import { NEVER } from '../task/record.ts'
import { checkRequestedMove, isRunEnd } from '../task/task.ts'
import type { Lifecycle } from './lifecycle.ts'
import type { LiveRecord, LiveRun } from './live-run.ts'

export type Command = 'cancel' | 'pause' | 'resume' | 'trigger' | 'retry'

export interface CommandParts {
  readonly lifecycle: Lifecycle
  readonly now: () => number
  /** A fresh version stamp. */
  readonly hlc: () => number
  readonly store: TaskStore<LiveRun>
  /** The requestId of the call: it is journaled with what the call changes. */
  readonly request: { readonly caller: string; readonly n: number }
  readonly rearm: (record: LiveRecord) => void
}

/** Carries the command out, and returns its answer. `record` is undefined if there is no such task now. */
export function carryOut(
  parts: CommandParts,
  method: Command,
  id: string,
  record: LiveRecord | undefined,
): object {
  if (method === 'cancel') return cancel(parts, id, record)
  if (record === undefined || record.cancelled) {
    throw new CarillonError('NOT_FOUND', `no task "${idOf(id)}" to ${method}: it never was, or it has ended`)
  }
  if (method === 'pause') return pause(parts, record)
  if (method === 'resume') return resume(parts, record)
  if (method === 'trigger') return trigger(parts, record)
  return retry(parts, id, record)
}

/** The task of a task id or run id. */
export function idOf(id: string): string {
  return parseRunId(id)?.taskId ?? id
}

function cancel(parts: CommandParts, id: string, record: LiveRecord | undefined): object {
  const answer = { id }
  const named = parseRunId(id)
  if (record === undefined) return { ...answer, cancelled: false }
  if (named === undefined) {
    const over = record.nextAt === NEVER && !record.hasOpenRun
    if (over && !record.runs.some(run => run.state === 'failed' || run.state === 'unknown')) {
      return { ...answer, cancelled: false }
    }
    record.cancel(parts.hlc(), parts.store.actorOf(record.range))
    const cancelled = { ...answer, cancelled: true }
    parts.lifecycle.cancelTask(record, { ...parts.request, answer: JSON.stringify(cancelled) })
    return cancelled
  }
  const run = record.findRun(named.instant)
  if (run === undefined || isRunEnd(run.state)) return { ...answer, cancelled: false }
  const cancelled = { ...answer, cancelled: true }
  parts.lifecycle.cancelRun(run, 'cancelled', { ...parts.request, answer: JSON.stringify(cancelled) })
  return cancelled
}

/** Runs that are queued or under way go on; nothing scheduled starts until resume. */
function pause(parts: CommandParts, record: LiveRecord): object {
  const answer = { id: record.id, paused: true }
  if (record.paused) return answer
  if (record.nextAt === NEVER) {
    throw new CarillonError('CONFLICT', `task "${record.id}" has no instant ahead that could be paused`)
  }
  setPaused(parts, record, true)
  journaled(parts, record, undefined, answer)
  parts.rearm(record)
  return answer
}

/** What was due meanwhile is passed over; a one-shot whose instant has passed fires now. */
function resume(parts: CommandParts, record: LiveRecord): object {
  const answer = { id: record.id, resumed: record.paused }
  if (!record.paused) return answer
  setPaused(parts, record, false)
  const recurrence = parts.lifecycle.occurrences.recurrence(record)
  const now = Math.floor(parts.now())
  if (recurrence !== undefined && record.nextAt <= now) record.next = recurrence.next(now) ?? NEVER
  journaled(parts, record, undefined, answer)
  parts.lifecycle.settle(record)
  return answer
}

function trigger(parts: CommandParts, record: LiveRecord): object {
  const run = parts.lifecycle.occurrences.openManual(record, parts.now())
  const answer = journaled(parts, record, [run], { id: record.id, run: parts.lifecycle.runId(run) })
  parts.lifecycle.settle(record)
  return answer
}

function retry(parts: CommandParts, id: string, record: LiveRecord): object {
  const named = parseRunId(id)
  const run =
    named === undefined
      ? record.runs.findLast(each => each.state === 'failed' || each.state === 'unknown')
      : record.findRun(named.instant)
  if (run === undefined) {
    throw new CarillonError(
      'NOT_FOUND',
      `task "${record.id}" has no failed run${named === undefined ? '' : ` ${id}`} to retry`,
    )
  }
  const runId = parts.lifecycle.runId(run)
  if (record.definition.policy.guarantee === 'at-most-once') {
    throw new CarillonError(
      'CONFLICT',
      `run ${runId} is at-most-once: it is never started again; schedule a new task`,
    )
  }
  // An attempt that is lost goes back to the queue as well, but nobody may ask for that while it runs.
  if (!isRunEnd(run.state))
    throw new CarillonError('CONFLICT', `run ${runId} is ${run.state}: it has not failed`)
  checkRequestedMove(runId, run.state, 'queued')
  parts.lifecycle.redrive(run)
  const answer = journaled(parts, record, [run], { id: record.id, run: runId })
  parts.lifecycle.settle(record)
  return answer
}

/** Writes what the command changed (whether it is paused, or runs) with its request; returns the answer. */
function journaled(
  parts: CommandParts,
  record: LiveRecord,
  runs: readonly LiveRun[] | undefined,
  answer: object,
): object {
  const request = { ...parts.request, answer: JSON.stringify(answer) }
  parts.store.updated(
    record,
    runs === undefined ? { times: true, register: 'paused', request } : { times: true, runs, request },
  )
  return answer
}

function setPaused(parts: CommandParts, record: LiveRecord, paused: boolean): void {
  record.setPaused(paused, parts.hlc(), parts.store.actorOf(record.range))
}
