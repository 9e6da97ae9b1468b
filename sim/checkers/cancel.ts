/** Nothing starts after an acknowledged cancel, nor what falls due after an acknowledged pause, also over a restart. */

import { LATENCY_MS_MAX } from '../channel.ts'
import type { Checker } from './checker.ts'
import { manualRuns, maybeManual, redriven, seconds } from './story.ts'

const UNDER_WAY_MS = 2 * LATENCY_MS_MAX + 1

export const cancel: Checker = {
  name: 'cancel',
  check(history, fail) {
    for (const story of history.stories.values()) {
      if (story.loose) continue
      const manual = manualRuns(story)
      for (const [i, op] of story.ops.entries()) {
        if (
          op.ackAt === undefined ||
          op.outcome !== 'done' ||
          (op.method !== 'cancel' && op.method !== 'pause')
        )
          continue
        const from = op.ackAt + UNDER_WAY_MS
        const ending = op.method === 'cancel' ? ['schedule'] : ['schedule', 'resume', 'cancel']
        const to =
          story.ops.slice(i + 1).find(later => ending.includes(later.method))?.sentAt ??
          Number.POSITIVE_INFINITY
        for (const attempt of story.attempts) {
          if (attempt.startedAt <= from || attempt.startedAt >= to) continue
          if (op.method === 'pause') {
            if (history.reachedAt(attempt.instant, 0) <= from || manual.has(attempt.runId)) continue
            if (maybeManual(history, story, attempt.instant) || redriven(story, 0, attempt.startedAt))
              continue
          }
          fail(
            `${attempt.runId} started at ${seconds(attempt.startedAt)}, though a ${op.method} was acknowledged at ${seconds(op.ackAt)}`,
          )
          break
        }
      }
    }
  },
}
