/**
 * Recurrence: what ran is what a brute-force calendar says, no instant missed and none invented, except as the
 * policies for misfires and overlaps say.
 */

import type { Attempt, History, Story } from '../history.ts'
import { instantsOf } from './calendar.ts'
import type { Checker } from './checker.ts'
import { CALM_MS, excuse, overlapExcuses, runsAt, TAIL_MS, told, UNDECIDED_MS } from './completion.ts'
import { manualRuns, maybeManual, mayReplace, runsOf, seconds, type Version, versionsOf } from './story.ts'

export const recurrence: Checker = {
  name: 'recurrence',
  check(history, fail) {
    for (const story of history.stories.values()) {
      if (story.loose || story.parent !== undefined) continue
      const { versions } = versionsOf(story)
      checkInvented(history, story, fail)
      for (const version of versions) {
        const { schedule } = version.spec
        if (schedule.kind === 'at') continue
        if (schedule.kind === 'every' && schedule.from === 'completion')
          checkChain(history, story, version, fail)
        else checkCalendar(history, story, version, fail)
      }
    }
  },
}

/** Every scheduled run has an instant of some schedule that its id had. */
function checkInvented(history: History, story: Story, fail: (text: string) => void): void {
  const manual = manualRuns(story)
  const specs = story.ops.flatMap(op => (op.spec === undefined ? [] : [op.spec]))
  const upTo = history.highestWall(history.endedAt) + 5000
  const calendars = specs.map(({ schedule, madeAtWall }) => {
    if (schedule.kind === 'at') return new Set([schedule.at])
    if (schedule.kind === 'every' && schedule.from === 'completion') return undefined
    return new Set(instantsOf(schedule, madeAtWall, upTo))
  })
  if (calendars.includes(undefined)) return
  for (const [runId, [attempt]] of runsOf(story)) {
    const { instant } = attempt as Attempt
    if (manual.has(runId) || maybeManual(history, story, instant)) continue
    const moved = specs.length > 1 ? 3 : 0
    const known = calendars.some(calendar =>
      Array.from({ length: moved + 1 }, (_, i) => i).some(i => calendar?.has(instant - i)),
    )
    if (!known)
      fail(`${runId} is none of the instants of its schedule (${JSON.stringify(specs.at(-1)?.schedule)})`)
  }
}

/** Each run follows the end of the one before by the interval, and the chain does not break. */
function checkChain(history: History, story: Story, version: Version, fail: (text: string) => void): void {
  const { schedule, policy } = version.spec
  if (schedule.kind !== 'every') return
  const manual = manualRuns(story)
  const until = version.endedBy?.sentAt ?? Number.POSITIVE_INFINITY
  const seen = [...runsOf(story).values()]
    .map(attempts => attempts[0] as Attempt)
    .filter(
      each =>
        each.startedAt >= version.sentAt &&
        each.startedAt < until &&
        !manual.has(each.runId) &&
        !maybeManual(history, story, each.instant),
    )
  const ofVersion = seen.filter(each => isOf(each, version))
  for (const [i, attempt] of ofVersion.entries()) {
    const before = ofVersion[i - 1]
    if (
      before !== undefined &&
      attempt.instant !== before.instant &&
      attempt.instant < before.instant + schedule.everyMs
    ) {
      fail(`${attempt.runId} follows ${before.runId} by less than ${schedule.everyMs} ms`)
    }
  }
  const bounded = schedule.max !== undefined || schedule.end !== undefined
  if (
    bounded ||
    version.endedBy !== undefined ||
    version.pauses.length > 0 ||
    story.ops.some(op => op.unknown)
  )
    return
  const last = story.attempts.findLast(each => isOf(each, version))
  const startsAt = Math.max(version.ackAt, history.reachedAt(schedule.start ?? 0, 0))
  const quietFrom = Math.max(startsAt, last?.startedAt ?? 0)
  const allowed = schedule.everyMs + TAIL_MS + CALM_MS
  const calm = history.calmFrom(quietFrom, CALM_MS)
  if (
    policy.guarantee === 'at-least-once' &&
    history.endedAt - calm > allowed &&
    history.endedAt - history.healedAt > allowed
  ) {
    fail(
      `${story.id} has not run since ${seconds(quietFrom)}, its interval is ${schedule.everyMs} ms from completion`,
    )
  }
}

/** A later call may have asked for the very same. */
function isOf(attempt: Attempt, version: Version): boolean {
  return attempt.version?.spec?.payload === version.spec.payload
}

interface Due {
  readonly instant: number
  readonly due: number
  /** When the node came to see to it, at the latest. */
  readonly handled: number
  readonly late: boolean
}

function checkCalendar(history: History, story: Story, version: Version, fail: (text: string) => void): void {
  const { schedule, policy, madeAtWall } = version.spec
  if (schedule.kind === 'at') return
  const upTo = history.highestWall(history.endedAt)
  const instants = instantsOf(schedule, madeAtWall, upTo)
  checkCount(history, story, version, fail)
  const endsAt = Math.min(version.endedBy?.sentAt ?? Number.POSITIVE_INFINITY, history.endedAt - TAIL_MS)
  const margin = version.endedBy === undefined ? 0 : UNDECIDED_MS
  let missedSome = false
  const earlier = story.attempts.filter(each => each.startedAt < version.ackAt + 1000)
  const reached = Math.max(...earlier.map(each => each.instant))
  const batches = new Map<number, Due[]>()
  for (const [i, instant] of instants.entries()) {
    if (schedule.max !== undefined && (i >= schedule.max || missedSome)) break
    const due = Math.max(history.reachedAt(instant, version.sentAt), version.sentAt)
    const handled = history.calmFrom(Math.max(due, version.ackAt), CALM_MS)
    if (handled + margin >= endsAt) break
    // A schedule that takes another's place begins after what that one had reached by then.
    if (mayReplace(version) && (due < version.ackAt || instant <= reached)) {
      missedSome = true
      continue
    }
    const isPaused = version.pauses.some(({ from, to }) => due >= from - 2000 && due <= to + CALM_MS)
    const held = version.pauses.some(({ from, to }) => handled >= from - 2000 && handled <= to + CALM_MS)
    if (isPaused || held) {
      missedSome = true
      continue
    }
    const late =
      history.wallAt(handled) - instant > policy.misfire.afterMs - CALM_MS ||
      history.disturbed(due - 2000, handled, 'clock-jump')
    if (late) missedSome = true
    const batch = batches.get(handled)
    const each = { instant, due, handled, late }
    if (batch === undefined) batches.set(handled, [each])
    else batch.push(each)
  }
  for (const batch of batches.values()) checkBatch(history, story, version, batch, fail)
}

/** Of what came late together, the policy decides; the rest ran, each. */
function checkBatch(
  history: History,
  story: Story,
  version: Version,
  batch: readonly Due[],
  fail: (text: string) => void,
): void {
  const { policy, schedule } = version.spec
  const jumped = batch.some(({ due, handled }) => history.disturbed(due - 2000, handled, 'clock-jump'))
  if (batch.some(each => each.late)) {
    if (
      policy.misfire.kind === 'skip' ||
      policy.overlap !== 'allow' ||
      (schedule.kind !== 'at' && schedule.max !== undefined) || // what was caught up may be a later instant, which is not looked at
      jumped ||
      policy.guarantee === 'at-most-once'
    )
      return
    if (version.pauses.length > 0) return
    const some = batch.some(({ instant }) => runsAt(story, instant).length > 0)
    const { instant, handled } = batch.at(-1) as Due
    if (!some)
      fail(
        `${story.id} missed ${batch.length} instants up to ${instant}, handled at ${seconds(handled)} at the latest, and caught none up`,
      )
    return
  }
  // Those that found no room in time are missed like any other.
  if (history.queueIsShort && story.missed > 0) return
  for (const each of batch) {
    const attempts = runsAt(story, each.instant).flat()
    const why = excuse(history, story, attempts, version, each.due)
    if (why !== undefined || overlapExcuses(history, story, version, each, attempts)) continue
    fail(
      `${story.id}@${each.instant} was due at ${seconds(each.due)}, and has not completed: ${told(attempts)}; its schedule is ${JSON.stringify(version.spec.schedule)}`,
    )
  }
}

/** No more occurrences than `max`. */
function checkCount(history: History, story: Story, version: Version, fail: (text: string) => void): void {
  const { schedule } = version.spec
  if (schedule.kind === 'at' || schedule.max === undefined) return
  if (story.ops.filter(op => op.spec?.payload === version.spec.payload).length > 1) return
  const manual = manualRuns(story)
  const runs = new Set(
    story.attempts
      .filter(
        each =>
          each.instant > version.spec.madeAtWall &&
          isOf(each, version) &&
          !manual.has(each.runId) &&
          !maybeManual(history, story, each.instant),
      )
      .map(each => each.runId),
  )
  // Of what was started right before a crash nothing may be known after it, hence not counted.
  const until = version.endedBy?.ackAt ?? history.endedAt
  const lost = history.lossesBetween(version.sentAt, until)
  // While the disk was full nothing was.
  if (lost > 0 && history.disturbed(version.sentAt, until, 'disk-full')) return
  if (runs.size > schedule.max + lost)
    fail(`${story.id} has ${runs.size} occurrences, its max is ${schedule.max}`)
}
