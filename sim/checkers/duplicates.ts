/**
 * Duplicates: a run is tried again only when the attempt before failed, timed out, was lost with its engine or its
 * worker, or when a user asked for it; and never after its end was reported.
 */

import { LATENCY_MS_MAX } from '../channel.ts'
import type { Attempt, History, Story } from '../history.ts'
import type { Checker } from './checker.ts'
import { redriven, runsOf, seconds, specOf } from './story.ts'

/** A run that is on its way to a handler while its end is reported to somebody else. */
const UNDER_WAY_MS = 2 * LATENCY_MS_MAX + 1

export const duplicates: Checker = {
  name: 'duplicates',
  check(history, fail) {
    for (const story of history.stories.values()) {
      for (const [runId, attempts] of runsOf(story)) {
        for (const [i, attempt] of attempts.entries()) {
          if (i > 0) checkAgain(history, story, attempts[i - 1] as Attempt, attempt, fail)
          checkAfterEnd(story, attempt, fail)
        }
        if (attempts.length > 1) history.count('runs with several attempts')
        if (attempts.filter(each => each.end === 'completed').length > 1) history.count(`completed twice`)
        checkBudget(history, story, runId, attempts, fail)
      }
    }
  },
}

function checkAgain(
  history: History,
  story: Story,
  before: Attempt,
  attempt: Attempt,
  fail: (text: string) => void,
): void {
  const spec = specOf(before)
  const { startedAt } = attempt
  const failed = before.end === 'failed' || before.end === 'fatal'
  if (failed && (before.endedAt as number) <= startedAt) return
  const timeoutMs = spec?.policy.timeoutMs ?? 0
  if (timeoutMs > 0 && startedAt >= before.startedAt + timeoutMs - 2) return
  if (history.lostBetween(before.receivedAt - UNDER_WAY_MS, startedAt)) return
  if (before.end === 'failed' || redriven(story, before.startedAt, startedAt)) return
  const how = before.end ?? 'still running'
  fail(
    `${attempt.runId} was started again at ${seconds(startedAt)}; the attempt of ${seconds(before.startedAt)} is ${how}, and nothing was lost`,
  )
}

function checkAfterEnd(story: Story, attempt: Attempt, fail: (text: string) => void): void {
  for (const end of story.ends) {
    if (end.runId !== attempt.runId || end.at + UNDER_WAY_MS >= attempt.startedAt) continue
    // Replaced and replaced back: calls that overlap may give a one-shot an instant again that was cancelled.
    if (end.state === 'cancelled' && story.loose) continue
    if (end.state === 'failed' || end.state === 'unknown') {
      if (redriven(story, end.at - 60_000, attempt.startedAt)) continue
    }
    return fail(
      `${attempt.runId} was started at ${seconds(attempt.startedAt)}, though it was reported ${end.state} at ${seconds(end.at)}`,
    )
  }
}

/** A run has no more attempts than its policy grants, those apart that a crash took back. */
function checkBudget(
  history: History,
  story: Story,
  runId: string,
  attempts: readonly Attempt[],
  fail: (text: string) => void,
): void {
  const first = attempts[0] as Attempt
  const spec = specOf(first)
  if (spec === undefined || story.loose || spec.policy.guarantee !== 'at-least-once') return
  if (story.ops.some(op => op.method === 'retry') || attempts.some(each => specOf(each) !== spec)) return
  const counted = attempts.filter(each => each.end === 'failed' && each.abortReason !== 'disconnected')
  const last = attempts.at(-1) as Attempt
  if (history.lostBetween(first.startedAt, last.startedAt)) return
  if (counted.length > spec.policy.retry.max) {
    fail(`${runId} failed ${counted.length} times, its policy grants ${spec.policy.retry.max} attempts`)
  }
  if (attempts.some((each, i) => each.end === 'fatal' && i < attempts.length - 1))
    fail(`${runId} was tried again after a fatal error`)
}
