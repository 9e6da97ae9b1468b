/**
 * The calls that change a task that exists: cancel, pause, resume, trigger, and retry of what failed. Each is carried
 * out at once on the record, and answered when the journal has it; a repeated request gets the first one's answer.
 */

import { CarillonError } from '../errors.ts'
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
  readonly updated: (record: LiveRecord, runs: readonly LiveRun[] | undefined, register: boolean) => void
  readonly rearm: (record: LiveRecord) => void
}

/** Carries the command out, and returns its answer. `record` is undefined if there is no such task now. */
export function carryOut(parts: CommandParts, method: Command, id: string, record: LiveRecord | undefined): object {
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
  const answer = { id, firm: true, copies: 1 }
  const named = parseRunId(id)
  if (record === undefined) return { ...answer, cancelled: false }
  if (named === undefined) {
    const over = record.nextAt === NEVER && !record.hasOpenRun
    if (over && !record.runs.some(run => run.state === 'failed' || run.state === 'unknown')) {
      return { ...answer, cancelled: false }
    }
    record.hlc = parts.hlc()
    parts.lifecycle.cancelTask(record)
    return { ...answer, cancelled: true }
  }
  const run = record.findRun(named.instant)
  if (run === undefined || isRunEnd(run.state)) return { ...answer, cancelled: false }
  parts.lifecycle.cancelRun(run, 'cancelled')
  return { ...answer, cancelled: true }
}

/** Runs that are queued or under way go on; nothing scheduled starts until resume. */
function pause(parts: CommandParts, record: LiveRecord): object {
  if (!record.paused) {
    if (record.nextAt === NEVER) {
      throw new CarillonError('CONFLICT', `task "${record.id}" has no instant ahead that could be paused`)
    }
    record.paused = true
    newVersion(parts, record)
    parts.updated(record, undefined, true)
    parts.rearm(record)
  }
  return { id: record.id, paused: true, firm: true, copies: 1 }
}

/** What was due meanwhile is passed over; a one-shot whose instant has passed fires now. */
function resume(parts: CommandParts, record: LiveRecord): object {
  const resumed = record.paused
  if (resumed) {
    record.paused = false
    newVersion(parts, record)
    const recurrence = parts.lifecycle.recurrence(record)
    const now = Math.floor(parts.now())
    if (recurrence !== undefined && record.nextAt <= now) record.next = recurrence.next(now) ?? NEVER
    parts.updated(record, undefined, true)
    parts.lifecycle.settle(record)
  }
  return { id: record.id, resumed, copies: 1 }
}

function trigger(parts: CommandParts, record: LiveRecord): object {
  const run = parts.lifecycle.openManual(record, parts.now())
  parts.updated(record, [run], false)
  parts.lifecycle.settle(record)
  return { id: record.id, run: parts.lifecycle.runId(run), copies: 1 }
}

function retry(parts: CommandParts, id: string, record: LiveRecord): object {
  const named = parseRunId(id)
  const run =
    named === undefined
      ? record.runs.findLast(each => each.state === 'failed' || each.state === 'unknown')
      : record.findRun(named.instant)
  if (run === undefined) {
    throw new CarillonError('NOT_FOUND', `task "${record.id}" has no failed run${named === undefined ? '' : ` ${id}`} to retry`)
  }
  const runId = parts.lifecycle.runId(run)
  if (record.definition.policy.guarantee === 'at-most-once') {
    throw new CarillonError('CONFLICT', `run ${runId} is at-most-once: it is never started again; schedule a new task`)
  }
  checkRequestedMove(runId, run.state, 'queued')
  parts.lifecycle.redrive(run)
  parts.updated(record, [run], false)
  parts.lifecycle.settle(record)
  return { id: record.id, run: runId, copies: 1 }
}

function newVersion(parts: CommandParts, record: LiveRecord): void {
  record.rev++
  record.hlc = parts.hlc()
}
