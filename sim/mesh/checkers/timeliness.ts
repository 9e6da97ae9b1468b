/**
 * Nothing starts before its instant, by the clock of the node that starts it; and where nothing is the matter, what falls
 * due starts at once.
 */

import type { Attempt } from '../../history.ts'
import type { MeshHistory } from '../history.ts'
import type { MeshStory, TaskHistory } from '../tasks/task-history.ts'
import { type MeshChecker, seconds } from './checker.ts'
import { runsOf, told } from './task-story.ts'
import { wasTroubled } from './trouble.ts'

/** Latest start after the instant where nothing is the matter: the precision of a task is a second. */
export const LATE_MS_MAX = 1500
/** After trouble, and before it, for so long nothing is asked: a take-over waits for who may not answer. */
export const SETTLE_MS = 30_000
/** By so much a replaced schedule or a trigger moves out of the way of another run, ms. */
export const MOVED_MS = 5

export const timeliness: MeshChecker = {
  name: 'timeliness',
  check(history, _plan, fail) {
    const { tasks } = history
    if (tasks === undefined) return
    for (const story of tasks.stories.values()) {
      const found = earlyStart(tasks, story) ?? lateStart(history, tasks, story)
      if (found !== undefined) fail(`${found}\n${told(history, story)}`)
    }
  },
}

function earlyStart(tasks: TaskHistory, story: MeshStory): string | undefined {
  const grace = story.ops.length > 1 ? MOVED_MS : 0
  for (const { runId, instant, client, startedAt } of story.attempts) {
    const wall = Math.floor(tasks.highestWall(client, startedAt))
    if (instant > wall + grace)
      return `${runId} started on n${client} at ${seconds(startedAt)}, ${instant - wall} ms before its instant`
  }
  return undefined
}

function lateStart(history: MeshHistory, tasks: TaskHistory, story: MeshStory): string | undefined {
  // When a pause ends, or a run is driven by hand, is not in its instant.
  if (story.loose || story.ops.some(({ method }) => method !== 'schedule' && method !== 'trigger'))
    return undefined
  for (const [runId, attempts] of runsOf(story)) {
    const first = attempts[0] as Attempt
    const due = Math.max(tasks.atOf(first.instant), madeAt(story, first))
    const late = first.startedAt - due
    if (late <= 0 || wasTroubled(history, due - SETTLE_MS, first.startedAt)) continue
    history.most('lateness max, ms', Math.ceil(late))
    if (late > LATE_MS_MAX)
      return `${runId} started ${late.toFixed(0)} ms late, and nothing was the matter for long`
  }
  return undefined
}

/** From when on the mesh knew of it. */
function madeAt(story: MeshStory, first: Attempt): number {
  if (story.parent !== undefined) {
    const ends = story.parent.attempts.map(({ endedAt }) => endedAt ?? 0)
    return Math.max(...ends)
  }
  const known = story.ops.flatMap(({ ackAt, sends }) => [ackAt ?? 0, ...sends.map(({ at }) => at)])
  return Math.max(0, ...known.filter(at => at <= first.startedAt))
}
