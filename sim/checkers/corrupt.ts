/** What a handler sees is what was sent, and what is reported as a result is what a handler returned. */

import type { Checker } from './checker.ts'
import { seconds } from './story.ts'

export const corrupt: Checker = {
  name: 'corrupt',
  check(history, fail) {
    for (const story of history.stories.values()) {
      for (const attempt of story.attempts) {
        if (attempt.payloadFault !== undefined) {
          fail(
            `${attempt.runId} at ${seconds(attempt.startedAt)}: nobody sent what it saw: ${attempt.payloadFault}`,
          )
        }
        if (story.ops.length === 0 && story.parent === undefined)
          fail(`${attempt.runId}: nobody made this task`)
      }
      for (const end of story.ends) {
        if (end.state !== 'completed') continue
        const results = story.attempts.filter(each => each.runId === end.runId).map(each => each.result)
        const result = JSON.stringify(end.result)
        if (results.some(each => each !== undefined && JSON.stringify(JSON.parse(each)) === result)) continue
        fail(
          `${end.runId} is reported completed with ${result}; its handlers returned ${JSON.stringify(results)}`,
        )
      }
    }
  },
}
