/**
 * Strict tasks: an at-most-once run starts once, ever. The attempts of an exactly-once run have fences that grow, and
 * one of its completions is accepted.
 */

import type { Checker } from './checker.ts'
import { runsOf, seconds, specOf } from './story.ts'

export const strict: Checker = {
  name: 'strict',
  check(history, fail) {
    for (const story of history.stories.values()) {
      for (const [runId, attempts] of runsOf(story)) {
        const guarantee = attempts
          .map(each => specOf(each)?.policy.guarantee)
          .find(each => each !== undefined)
        if (guarantee === undefined) continue
        if (guarantee === 'at-most-once' && attempts.length > 1) {
          fail(
            `${runId} is at-most-once, and was started at ${attempts.map(each => seconds(each.startedAt)).join(', ')}`,
          )
        }
        let fence = ''
        for (const attempt of attempts) {
          if (guarantee === 'at-least-once') {
            if (attempt.fence !== undefined) fail(`${runId} is at-least-once, and has a fence`)
          } else if (attempt.fence === undefined) fail(`${runId} is ${guarantee}, and has no fence`)
          else if (attempt.fence <= fence) fail(`${runId} has fence ${attempt.fence} after ${fence}`)
          else fence = attempt.fence
        }
      }
      const accepted = new Map<string, string>()
      for (const end of story.ends) {
        if (end.state !== 'completed') continue
        const result = JSON.stringify(end.result)
        const before = accepted.get(end.runId)
        if (before !== undefined && before !== result)
          fail(`${end.runId} was reported with two results: ${before} and ${result}`)
        accepted.set(end.runId, result)
      }
    }
  },
}
