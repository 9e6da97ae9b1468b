/**
 * Completion and durability: every acknowledged task whose instant has come was carried out, or ended as its policy
 * says; every other is still listed; and what has ended is listed no more.
 */

import type { Attempt, History, Story } from '../history.ts'
import type { Checker } from './checker.ts'
import { mayReplace, redriven, runsOf, seconds, type Version, versionsOf } from './story.ts'

/** What falls due later than this before the end need not have ended. */
export const TAIL_MS = 25_000
/** After a disturbance the node needs this long to be itself again. */
export const CALM_MS = 3000
/** A handler with more runs waiting at the end has been given too much: who has a low priority waits for ever. */
const BUSY_RUNS = 10
/** Runs that were due less than this before their task was replaced or cancelled may have been among what ended. */
export const UNDECIDED_MS = 40_000

export const completion: Checker = {
  name: 'completion',
  check(history, fail) {
    const listed = new Map(history.listed.map(task => [task.id, task]))
    for (const story of history.stories.values()) {
      if (story.loose) continue
      if (story.parent !== undefined) {
        checkFollowUp(history, story, fail)
        continue
      }
      const { versions, isWhole } = versionsOf(story)
      for (const version of versions)
        if (version.spec.schedule.kind === 'at') checkOneShot(history, story, version, listed, fail)
      const last = versions.at(-1)
      if (last === undefined || !isWhole) continue
      const task = listed.get(story.id)
      if (last.endedBy?.method === 'cancel' && task !== undefined && !mayStayDead(story)) {
        fail(`${story.id} was cancelled, and is listed as ${task.state}`)
      }
      checkListed(history, story, last, listed, fail)
    }
  },
}

/** The runs of the instant: in any life, and moved by a millisecond or two where a replaced run was in the way. */
export function runsAt(story: Story, instant: number): Attempt[][] {
  return [...runsOf(story).values()].filter(([first]) => {
    const at = (first as Attempt).instant
    return at >= instant && at <= instant + (story.ops.length > 1 ? 3 : 0)
  })
}

/** It ended well before it was told to stop: after that its end counts for nothing. */
function hasCompleted(attempt: Attempt): boolean {
  return attempt.end === 'completed' && attempt.abortReason === undefined
}

/** Why a run that was started need not have completed; undefined if it should have. */
export function excuse(
  history: History,
  story: Story,
  attempts: readonly Attempt[],
  version: Version,
  due: number,
): string | undefined {
  const { policy } = version.spec
  const max = Math.max(0, ...attempts.map(each => each.attempt))
  if (attempts.some(hasCompleted)) return 'completed'
  if (attempts.length > 0 && policy.guarantee === 'at-most-once') return 'started'
  if (
    policy.guarantee === 'at-most-once' &&
    history.lostBetween(due - 5000, history.calmFrom(due, CALM_MS) + UNDECIDED_MS)
  )
    return 'claimed, and lost'
  if (attempts.some(each => each.end === 'fatal')) return 'fatal'
  // Whether a lost attempt had started may be lost as well: then the run was never seen to, and may be late by now.
  // The same goes for one that was still waiting for its handler.
  const seenAt = attempts.at(-1)?.startedAt ?? due
  if (policy.misfire.kind === 'skip' && history.lostBetween(seenAt, history.endedAt))
    return 'lost, and missed'
  if (max >= policy.retry.max && attempts.length > 0) return 'out of attempts'
  // Attempts that were lost on their way are spent as well.
  const from = attempts.at(-1)?.startedAt ?? due
  const lost = history.lossesBetween(from, from + UNDECIDED_MS)
  if (lost > 0 && policy.retry.max > 1 && max + lost >= policy.retry.max)
    return 'out of attempts, the last of which no handler saw'
  if (story.ends.some(end => end.state === 'failed' && attempts[0]?.runId === end.runId)) return 'failed'
  if (redriven(story, due, history.endedAt)) return 'driven by hand'
  if (history.waitingAtEnd(version.spec.name) > BUSY_RUNS) return 'its handler has more to do than it can'
  if (attempts.length === 0 && history.queueIsShort && policy.misfire.kind === 'skip') {
    if (story.missed > 0 || story.ends.some(end => end.state === 'missed')) return 'found no room in time'
  }
  return undefined
}

/** True if another run was open when this one was due, and the policy passes over or ends one of them. */
export function overlapExcuses(
  history: History,
  story: Story,
  version: Version,
  each: { readonly instant: number; readonly due: number; readonly handled: number },
  attempts: readonly Attempt[],
): boolean {
  const { overlap } = version.spec.policy
  if (overlap === 'allow') return false
  const others = [...runsOf(story).values()].filter(other => !attempts.includes(other[0] as Attempt))
  if (overlap === 'cancel-old') {
    const runId = new RegExp(`@${each.instant}$`)
    if (story.ends.some(end => end.state === 'cancelled' && runId.test(end.runId))) return true
    const last = attempts.at(-1)
    const until =
      last === undefined ? each.handled + 2000 : (last.abortedAt ?? last.endedAt ?? Number.POSITIVE_INFINITY)
    return others.some(([other]) => {
      const first = other as Attempt
      const opened = history.reachedAt(first.instant, version.sentAt)
      return first.instant > each.instant && opened <= until + 60_000
    })
  }
  return others.some(other => {
    const first = other[0] as Attempt
    const last = other.at(-1) as Attempt
    const endedAt = last.endedAt ?? Number.POSITIVE_INFINITY
    return history.reachedAt(first.instant, version.sentAt) <= each.handled + 100 && endedAt >= each.due - 100
  })
}

function checkOneShot(
  history: History,
  story: Story,
  version: Version,
  listed: ReadonlyMap<string, { readonly state: string }>,
  fail: (text: string) => void,
): void {
  const { schedule, policy } = version.spec
  if (schedule.kind !== 'at') return
  // The clock may have gone back while the call was on its way.
  const from = history.disturbed(version.sentAt, version.ackAt, 'clock-jump') ? version.ackAt : version.sentAt
  const due = Math.max(history.reachedAt(schedule.at, from), from)
  if (due > history.endedAt - TAIL_MS) return
  const handled = history.calmFrom(Math.max(due, version.ackAt), CALM_MS)
  const endsAt = version.endedBy === undefined ? Number.POSITIVE_INFINITY : version.endedBy.sentAt
  if (endsAt < handled + UNDECIDED_MS) return
  const pause = version.pauses.at(-1)
  if (pause?.to === Number.POSITIVE_INFINITY) return
  const resumed = pause === undefined ? handled : Math.max(handled, history.calmFrom(pause.to, CALM_MS))
  if (resumed > history.endedAt - TAIL_MS || resumed + UNDECIDED_MS > endsAt) return
  const attempts = runsAt(story, schedule.at).flat()
  // In place of a schedule that had reached a later instant, it comes right after that.
  if (mayReplace(version))
    attempts.push(...story.attempts.filter(each => each.version?.spec?.payload === version.spec.payload))
  const late = history.wallAt(resumed) - schedule.at
  if (attempts.length === 0 && policy.misfire.kind === 'skip' && late > policy.misfire.afterMs - CALM_MS)
    return
  // Moved clocks make it late, or late at another time.
  if (
    attempts.length === 0 &&
    policy.misfire.kind === 'skip' &&
    history.disturbed(version.sentAt, resumed + 1000, 'clock-jump')
  )
    return
  const why = excuse(history, story, attempts, version, due)
  if (
    why !== undefined ||
    overlapExcuses(history, story, version, { instant: schedule.at, due, handled }, attempts)
  )
    return
  // A run may run out of attempts that no handler ever saw: each was lost on its way.
  if (listed.get(story.id)?.state === 'dead' && history.lostBetween(version.sentAt, history.endedAt)) return
  fail(
    `${story.id} was acknowledged at ${seconds(version.ackAt)}, due at ${seconds(due)}, and has not completed: ${told(attempts)}`,
  )
}

/** What is not due yet, or paused, is listed; what has completed is not. */
function checkListed(
  history: History,
  story: Story,
  version: Version,
  listed: ReadonlyMap<string, { readonly state: string; readonly nextAt: number | null }>,
  fail: (text: string) => void,
): void {
  const { schedule } = version.spec
  if (version.endedBy !== undefined || story.ops.at(-1)?.method === 'cancel') return
  const task = listed.get(story.id)
  if (schedule.kind === 'at') {
    const due = history.reachedAt(schedule.at, version.sentAt)
    const paused = version.pauses.at(-1)?.to === Number.POSITIVE_INFINITY
    if (due > history.endedAt + 5000) {
      if (task === undefined) fail(`${story.id} is due at ${schedule.at}, and is not listed`)
      else if (task.nextAt !== schedule.at)
        fail(`${story.id} is due at ${schedule.at}, and is listed for ${task.nextAt}`)
      return
    }
    if (paused || story.ops.length > 1) return
    if (task !== undefined && task.state === 'scheduled' && due < history.endedAt - TAIL_MS) {
      fail(`${story.id} was due at ${seconds(due)}, and is still listed as scheduled`)
    }
    const completed = story.attempts.some(
      each => hasCompleted(each) && (each.endedAt as number) < history.endedAt - 5000,
    )
    if (
      task !== undefined &&
      completed &&
      version.spec.keyTtlMs === 0 &&
      task.state !== 'dead' &&
      !history.lostBetween(version.sentAt, history.endedAt)
    ) {
      fail(`${story.id} has completed, and is listed as ${task.state}`)
    }
    return
  }
  const ends = schedule.max !== undefined || schedule.end !== undefined
  if (!ends && task === undefined) fail(`${story.id} recurs, and is not listed`)
}

/** What a completed run asked for is carried out, and nothing is that no run asked for. */
function checkFollowUp(history: History, story: Story, fail: (text: string) => void): void {
  const { parent } = story
  if (parent === undefined) return
  const makers = parent.attempts.filter(hasCompleted)
  const told = history.stories.get((parent.attempts[0] as Attempt).story.id)
  // Another attempt may have had another definition, and asked for nothing.
  const accepted = told?.ends.find(
    ({ runId, state, attempt }) =>
      runId === parent.runId && state === 'completed' && makers.some(each => each.attempt === attempt),
  )
  const done = story.attempts.some(hasCompleted)
  if (story.attempts.length > 0 && makers.length === 0)
    fail(`${story.id} was started, and no run asked for it`)
  if (accepted !== undefined && accepted.at < history.endedAt - TAIL_MS && !done) {
    fail(
      `${story.id} was asked for by a run that was reported completed at ${seconds(accepted.at)}, and has not completed`,
    )
  }
}

/** A dead task that is cancelled has its record for a while: it is no loss. */
function mayStayDead(story: Story): boolean {
  return story.ops.at(-1)?.answer?.cancelled === false
}

export function told(attempts: readonly Attempt[]): string {
  if (attempts.length === 0) return 'it never started'
  return attempts
    .map(each => `${each.attempt} at ${seconds(each.startedAt)} ${each.end ?? 'runs'}`)
    .join(', ')
}
