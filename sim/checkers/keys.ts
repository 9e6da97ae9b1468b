/** One task per key: while it lives, and for its time to live after, whoever asks for the same key gets the same task. */

import type { Attempt } from '../history.ts'
import type { Checker } from './checker.ts'
import { runsOf, seconds } from './story.ts'

const GRACE_MS = 1000

export const keys: Checker = {
  name: 'keys',
  check(history, fail) {
    if (history.offsets.length > 1) return // times to live are wall time
    for (const story of history.stories.values()) {
      if (!story.id.startsWith('key-')) continue
      let before: readonly Attempt[] | undefined
      for (const [runId, attempts] of runsOf(story)) {
        const payloads = new Set(attempts.map(each => each.version?.spec?.payload))
        if (payloads.size > 1) fail(`${runId} was started with ${payloads.size} payloads`)
        const first = attempts[0] as Attempt
        if (before !== undefined) {
          const completed = before.find(each => each.end === 'completed')
          const until =
            (completed?.endedAt ?? Number.POSITIVE_INFINITY) + (first.version?.spec?.keyTtlMs ?? 0)
          // One that was sent again, though answered, may have been carried out only then.
          const repeated = (first.version?.sendCount ?? 2) > 1
          const madeBy = repeated ? first.startedAt : (first.version?.ackAt ?? first.startedAt)
          if (Math.min(madeBy, first.startedAt) + GRACE_MS < until) {
            fail(
              `${runId} started at ${seconds(first.startedAt)}, while ${(before[0] as Attempt).runId} had the key until ${seconds(until)}`,
            )
          }
        }
        before = attempts
      }
    }
  },
}
