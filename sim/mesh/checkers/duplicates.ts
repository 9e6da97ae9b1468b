/**
 * A run is started again after its attempt failed. After it completed, or while it is under way, that needs a reason in
 * what was done to the nodes that had it (repetition.ts). Those are counted.
 */

import type { Attempt } from '../../history.ts'
import type { MeshHistory } from '../history.ts'
import type { MeshStory } from '../tasks/task-history.ts'
import { type MeshChecker, seconds } from './checker.ts'
import { reasonForBoth } from './repetition.ts'
import { hasCompleted, runsOf, told } from './task-story.ts'

export const duplicates: MeshChecker = {
  name: 'duplicates',
  check(history, _plan, fail) {
    for (const story of history.tasks?.stories.values() ?? []) {
      for (const attempts of runsOf(story).values()) {
        history.count('runs')
        for (const [at, attempt] of attempts.entries()) {
          // In the end all stop, one after the other.
          if (attempt.startedAt > history.endedAt) continue
          const before = rivalOf(attempts.slice(0, at), attempt)
          if (before !== undefined) judge(history, story, before, attempt, fail)
        }
      }
    }
  },
}

/** The attempt because of which this one should not be: one that completed, or the latest that runs. */
function rivalOf(earlier: readonly Attempt[], { startedAt }: Attempt): Attempt | undefined {
  return (
    earlier.find(hasCompleted) ??
    earlier.findLast(({ end, endedAt }) => {
      const hasFailed = (end === 'failed' || end === 'fatal') && (endedAt as number) <= startedAt
      return !hasFailed
    })
  )
}

function judge(
  history: MeshHistory,
  story: MeshStory,
  before: Attempt,
  attempt: Attempt,
  fail: (text: string) => void,
): void {
  const reason = reasonForBoth(history, before, attempt)
  const kind = hasCompleted(before) ? 'completed twice' : 'twice at once'
  if (reason !== undefined) return history.count(`duplicates, ${kind}: ${reason}`)
  fail(
    `${attempt.runId} started on n${attempt.client} at ${seconds(attempt.startedAt)}; the attempt of ${seconds(before.startedAt)} on n${before.client} ${before.end === undefined ? 'still runs' : `is ${before.end}`}, and nothing was the matter\n${told(history, story)}`,
  )
}
