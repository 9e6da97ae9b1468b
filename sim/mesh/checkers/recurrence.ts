/**
 * What recurs ran when a brute-force calendar says (checkers/calendar.ts, nothing of src): no run has an instant that is none
 * of its schedules', and of the schedule that holds in the end no instant is missed: where nothing is the matter not one, and
 * where all that was missed is to be caught up, not one in any trouble either.
 */

import type { CronSchedule, EverySchedule } from '../../../src/task/schedule.ts'
import { instantsOf } from '../../checkers/calendar.ts'
import type { Attempt } from '../../history.ts'
import type { MeshHistory } from '../history.ts'
import type { MeshStory, TaskHistory } from '../tasks/task-history.ts'
import { type MeshChecker, seconds } from './checker.ts'
import { TAIL_MS } from './durability.ts'
import { type Holding, holdingOf, isOver, runsOf, told } from './task-story.ts'
import { LATE_MS_MAX, MOVED_MS, SETTLE_MS } from './timeliness.ts'
import { wasTroubled } from './trouble.ts'

/** Nobody is kept from a range for longer: so many instants may have to be caught up at once. */
const AWAY_MS_MAX = 300_000

export const recurrence: MeshChecker = {
  name: 'recurrence',
  check(history, _plan, fail) {
    const { tasks } = history
    if (tasks === undefined) return
    for (const story of tasks.stories.values()) {
      if (story.loose || story.parent !== undefined) continue
      const found =
        invented(history, tasks, story) ?? missed(history, tasks, story) ?? tooMany(history, tasks, story)
      if (found !== undefined) fail(`${found}\n${told(history, story)}`)
    }
  },
}

/** A run that nobody asked for by hand, at an instant that is in no calendar. */
function invented(history: MeshHistory, tasks: TaskHistory, story: MeshStory): string | undefined {
  const specs = story.ops.flatMap(({ spec }) => (spec === undefined ? [] : [spec]))
  if (!specs.some(({ schedule }) => schedule.kind !== 'at')) return undefined
  const upTo = latestWall(tasks, history.endedAt) + MOVED_MS
  const known = new Set<number>()
  for (const { schedule, madeAtWall } of specs) {
    if (schedule.kind === 'at') known.add(schedule.at)
    else for (const instant of instantsOf(schedule, madeAtWall, upTo)) known.add(instant)
  }
  // In the place of another a schedule moves out of the way of what was there.
  const moved = specs.length > 1 ? MOVED_MS : 0
  for (const [runId, [first]] of runsOf(story)) {
    const { instant } = first as Attempt
    if (isByHand(history, tasks, story, runId, instant)) continue
    let isKnown = false
    for (let by = 0; by <= moved; by++) isKnown ||= known.has(instant - by)
    if (!isKnown)
      return `${runId} is at none of the instants of its schedule ${JSON.stringify(specs.at(-1)?.schedule)}`
  }
  return undefined
}

/** An instant of the schedule that holds in the end, at which nothing ran. */
function missed(history: MeshHistory, tasks: TaskHistory, story: MeshStory): string | undefined {
  const holding = recurringOf(history, story)
  if (holding === undefined) return undefined
  const { op, ackAt, resumedAt, isPaused, schedule } = holding
  if (isPaused) return undefined
  const until = history.endedAt - TAIL_MS
  // Which of a few are carried out depends on how many were passed over in some trouble.
  if (schedule.max !== undefined && wasTroubled(history, op.sentAt - SETTLE_MS, until)) return undefined
  const from = Math.max(ackAt, resumedAt ?? 0) + 1000
  const { policy, madeAtWall } = op.spec as NonNullable<typeof op.spec>
  const { kind, max } = policy.misfire
  const all = instantsOf(schedule, madeAtWall, tasks.wallOffset + until)
  const ran = new Set<number>()
  for (const attempts of runsOf(story).values())
    if (isOver(attempts)) ran.add((attempts[0] as Attempt).instant)
  for (const [at, instant] of all.slice(0, schedule.max).entries()) {
    const due = tasks.atOf(instant)
    if (due < from) continue
    const next = all[at + max]
    const isCaughtUp =
      kind === 'all' && resumedAt === undefined && (next === undefined || next - instant > AWAY_MS_MAX)
    const isTroubled = wasTroubled(history, due - SETTLE_MS, due + LATE_MS_MAX)
    if (isTroubled && !isCaughtUp) continue
    let isThere = false
    for (let by = 0; by <= MOVED_MS; by++) isThere ||= ran.has(instant + by)
    if (!isThere) {
      const how = isTroubled ? 'never caught up' : 'passed over'
      return `${story.id} was due at ${seconds(due)}, and that was ${how}; its schedule is ${JSON.stringify(schedule)}`
    }
  }
  return undefined
}

/** More runs than were asked for; two that act and don't know of each other may each count for themselves. */
function tooMany(history: MeshHistory, tasks: TaskHistory, story: MeshStory): string | undefined {
  const holding = recurringOf(history, story)
  if (holding === undefined || holding.schedule.max === undefined) return undefined
  const { op, schedule } = holding
  if (wasTroubled(history, op.sentAt - SETTLE_MS, history.endedAt)) return undefined
  let count = 0
  for (const [runId, [first]] of runsOf(story)) {
    const { version, instant } = first as Attempt
    if (version === op && !isByHand(history, tasks, story, runId, instant)) count++
  }
  const { max } = schedule
  return max !== undefined && count > max
    ? `${story.id} has ${count} occurrences, its max is ${max}`
    : undefined
}

function recurringOf(
  history: MeshHistory,
  story: MeshStory,
): (Holding & { readonly schedule: CronSchedule | EverySchedule }) | undefined {
  const holding = holdingOf(history, story)
  if (holding === 'nothing' || holding === 'unknown') return undefined
  const schedule = holding.op.spec?.schedule
  return schedule === undefined || schedule.kind === 'at' ? undefined : { ...holding, schedule }
}

/** A trigger made it, or may have: one that was sent again may have made two. */
function isByHand(
  history: MeshHistory,
  tasks: TaskHistory,
  story: MeshStory,
  runId: string,
  instant: number,
): boolean {
  return story.ops.some(({ method, answer, sendCount, isRouted, sentAt, ackAt }) => {
    if (method !== 'trigger') return false
    if (answer?.run === runId) return true
    if (answer !== undefined && sendCount === 1 && !isRouted) return false
    const at = tasks.atOf(instant)
    const skewMs = latestWall(tasks, 0) - tasks.wallOffset
    return at >= sentAt - skewMs - MOVED_MS && at <= (ackAt ?? history.endedAt) + skewMs + MOVED_MS
  })
}

/** What the clock that goes most wrong may show. */
function latestWall({ skews, wallOffset }: TaskHistory, at: number): number {
  return at + wallOffset + Math.max(0, ...skews.map(({ ms }) => Math.abs(ms)))
}
