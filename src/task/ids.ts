/**
 * Names of things, as branded strings: a TaskId cannot be passed where a handler's name is wanted.
 *
 * A run's id is its idempotency key: `taskId@scheduledAt`, and `taskId~life@scheduledAt` when an ended id was
 * created again, so that no two occurrences ever share one. `@ ~ /` are not allowed in users' ids, so the three
 * parts, and the ids of follow-ups (`runId/k`), can't collide with a task's.
 */

export type TaskId = string & { readonly __brand: 'TaskId' }
export type RunId = string & { readonly __brand: 'RunId' }

/** Instants are epoch milliseconds; `life` counts the lives of the id, of which the first is not named. */
export function runIdOf(taskId: string, life: number, firstLife: boolean, instant: number): RunId {
  return (firstLife ? `${taskId}@${instant}` : `${taskId}~${life}@${instant}`) as RunId
}

/** Takes a run id apart; undefined if it is not one. */
export function parseRunId(
  runId: string,
): { taskId: TaskId; life: number | undefined; instant: number } | undefined {
  const at = runId.lastIndexOf('@')
  if (at <= 0) return undefined
  const instant = Number(runId.slice(at + 1))
  if (!Number.isSafeInteger(instant) || String(instant) !== runId.slice(at + 1)) return undefined
  const head = runId.slice(0, at)
  const tilde = head.lastIndexOf('~')
  if (tilde <= 0 || head.indexOf('/', tilde) !== -1)
    return { taskId: head as TaskId, life: undefined, instant }
  const life = Number(head.slice(tilde + 1))
  return Number.isSafeInteger(life) ? { taskId: head.slice(0, tilde) as TaskId, life, instant } : undefined
}
