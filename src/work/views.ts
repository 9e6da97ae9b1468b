/** What callers see of records and runs (task/views), made from what is kept. Payload and results are decoded here only. */

import type { EndedRun } from '../store/history.ts'
import { runIdOf } from '../task/ids.ts'
import { NEVER, type Run, type TaskRecord } from '../task/record.ts'
import { isRunEnd, type TaskState } from '../task/task.ts'
import type { RunView, TaskView } from '../task/views.ts'
import type { LiveRecord, LiveRun } from './live-run.ts'

export function stateOf(record: TaskRecord): TaskState {
  if (record.cancelled) return 'cancelled'
  if (record.paused) return 'paused'
  if (record.nextAt !== NEVER) return 'scheduled'
  if (record.hasOpenRun) return 'running'
  const last = record.runs.at(-1)
  if (last === undefined || last.state === 'completed') return 'completed'
  if (last.state === 'failed' || last.state === 'unknown') return 'dead'
  return last.state === 'cancelled' ? 'cancelled' : 'missed'
}

export function taskView(record: LiveRecord): TaskView {
  const { definition } = record
  return {
    id: record.id,
    name: definition.name,
    state: stateOf(record),
    schedule: definition.schedule,
    policy: definition.policy,
    payload: definition.hasPayload ? parsed(definition.payload) : undefined,
    createdAt: definition.madeAt,
    nextAt: finite(record.nextAt),
    lastAt: finite(record.lastAt),
    occurrences: record.fired,
    open: record.runs
      .filter(run => !isRunEnd(run.state))
      .map(run => runView(record, run, runIdOf(record.id, record.life, record.firstLife, run.instant))),
  }
}

export function runView(record: LiveRecord, run: LiveRun, id: string): RunView {
  const view = viewOf(record.id, record.definition.name, id, run)
  return run.progress === undefined ? view : { ...view, progress: parsed(Buffer.from(run.progress)) }
}

export function endedView(ended: EndedRun): RunView {
  const { taskId, life, firstLife, run } = ended
  return viewOf(taskId, ended.name, runIdOf(taskId, life, firstLife, run.instant), run)
}

function viewOf(task: string, name: string, id: string, run: Run): RunView {
  const ended = isRunEnd(run.state)
  const body = run.body.length === 0 ? undefined : parsed(run.body)
  return {
    id,
    task,
    name,
    state: run.state,
    scheduledAt: run.instant,
    manual: run.manual,
    attempt: run.attempt,
    startedAt: run.startedAt === 0 ? null : run.startedAt,
    endedAt: ended ? run.endedAt : null,
    retryAt: run.state === 'retrying' ? run.retryAt : null,
    ...(body === undefined
      ? {}
      : run.state === 'completed'
        ? { result: body }
        : { error: body as RunView['error'] & object }),
  }
}

function finite(instant: number): number | null {
  return Number.isFinite(instant) ? instant : null
}

/** JSON that this library wrote; a broken one shows as such and breaks nothing. */
function parsed(bytes: Uint8Array): unknown {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString()
  try {
    return JSON.parse(text)
  } catch {
    return { name: 'Unreadable', message: text.slice(0, 200) }
  }
}
