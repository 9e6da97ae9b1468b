/**
 * Timeliness: no handler starts before its instant has come on the wall clock; a failed attempt is tried again no
 * sooner than its policy says; and once everything is healed, what falls due starts at once.
 */

import type { Attempt, History } from '../history.ts'
import type { Checker } from './checker.ts'
import { runsOf, seconds, specOf } from './story.ts'

/** Latest start after the instant once all is well, ms. */
const LATE_MS_MAX = 1500
const UNSEEN_MS = 1100
const SETTLE_MS = 30_000

export const timeliness: Checker = {
  name: 'timeliness',
  check(history, fail) {
    for (const story of history.stories.values()) {
      // Manual runs and replaced schedules move out of the way of a run with the same instant, by a millisecond.
      const grace = story.id.startsWith('m.') ? 0 : 5
      for (const [runId, attempts] of runsOf(story)) {
        for (const attempt of attempts) {
          const wall = history.highestWall(attempt.startedAt)
          // The engine looks at the wall clock each second: until then it goes by the clock before the jump.
          const unseen = history.disturbed(attempt.receivedAt - UNSEEN_MS, attempt.receivedAt, 'clock-jump')
          if (attempt.instant > wall + grace && !unseen) {
            fail(
              `${runId} started at ${seconds(attempt.startedAt)}, ${attempt.instant - wall} ms before its instant`,
            )
          }
        }
        for (const [i, attempt] of attempts.entries())
          if (i > 0) checkBackoff(history, attempts[i - 1] as Attempt, attempt, fail)
        checkLate(history, attempts[0] as Attempt, fail)
      }
    }
  },
}

function checkBackoff(
  history: History,
  before: Attempt,
  attempt: Attempt,
  fail: (text: string) => void,
): void {
  const spec = specOf(before)
  if (
    spec === undefined ||
    before.end !== 'failed' ||
    before.endedAt === undefined ||
    before.abortReason !== undefined
  )
    return
  const { retry } = spec.policy
  if (retry.jitter || retry.kind === 'immediate' || before.boot !== attempt.boot) return
  if (attempt.attempt !== before.attempt + 1 || before.attempt % retry.max === 0) return
  if (
    before.story.ops.some(op => op.method === 'retry') ||
    before.story.ops.some(op => op.method === 'schedule' && (op.ackAt ?? 0) > before.startedAt) || // another policy
    history.disturbed(before.startedAt, attempt.startedAt)
  )
    return
  const step = retry.kind === 'fixed' ? retry.baseMs : retry.baseMs * 2 ** ((before.attempt - 1) % retry.max)
  const waited = attempt.startedAt - before.endedAt
  const least = Math.min(step, retry.maxDelayMs)
  // The retry's instant is kept in wall time, whose grain is a millisecond.
  if (waited < least - 2)
    fail(`${attempt.runId} was tried again after ${waited.toFixed(1)} ms, its policy says ${least}`)
}

function checkLate(history: History, attempt: Attempt, fail: (text: string) => void): void {
  const spec = specOf(attempt)
  if (spec === undefined || spec.policy.overlap === 'queue-one' || spec.name !== 'quick') return
  if (attempt.story.ops.some(op => op.method === 'resume')) return
  const madeAt = attempt.story.parent?.attempts.find(each => each.end === 'completed')?.endedAt ?? 0
  const due = Math.max(madeAt, history.reachedAt(attempt.instant, history.healedAt))
  if (due < history.healedAt + SETTLE_MS || due > history.endedAt || attempt.startedAt < due) return
  const late = attempt.startedAt - due
  history.counters['lateness max'] = Math.max(history.counters['lateness max'] ?? 0, Math.ceil(late))
  if (late > LATE_MS_MAX)
    fail(`${attempt.runId} started ${late.toFixed(0)} ms late, long after all was healed`)
}
