/**
 * What was acknowledged is there: each task whose instant has come was carried out, each trigger too, each follow-up of
 * a completed run; and what lies ahead is in all stores that should have it. It may be late; it may not be lost.
 */

import type { MeshHistory } from '../history.ts'
import type { MeshStory, TaskHistory } from '../tasks/task-history.ts'
import { type MeshChecker, seconds } from './checker.ts'
import { type Holding, hasCompleted, holdingOf, isOver, runsOf, told, UNDER_WAY_MS } from './task-story.ts'
import { wasTroubled } from './trouble.ts'

/** What is due later than this before the end need not have ended: attempts fail, and wait for the next. */
export const TAIL_MS = 30_000

export const durability: MeshChecker = {
  name: 'durability',
  check(history, plan, fail) {
    const { tasks } = history
    if (tasks === undefined) return
    for (const story of tasks.stories.values()) {
      const lost = lostOf(history, tasks, story)
      if (lost !== undefined) fail(`${lost}\n${told(history, story)}`)
    }
    if (plan.tasks !== undefined && tasks.stories.size === 0) fail('nobody asked for anything')
  },
}

/** What of a story is lost, in a sentence. */
function lostOf(history: MeshHistory, tasks: TaskHistory, story: MeshStory): string | undefined {
  if (story.parent !== undefined) return lostFollowUp(history, story)
  if (story.loose) return lostOfMany(history, story)
  const holding = holdingOf(history, story)
  if (holding === 'nothing' || holding === 'unknown') return undefined
  const { schedule } = holding.op.spec as NonNullable<Holding['op']['spec']>
  if (schedule.kind === 'at')
    return lostOneShot(history, tasks, story, holding, schedule.at) ?? lostTrigger(history, story)
  if (schedule.max === undefined && !isEverywhere(tasks, story.id)) {
    return `${story.id} recurs, and ${whereIs(tasks, story.id)}`
  }
  return lostTrigger(history, story)
}

function lostOneShot(
  history: MeshHistory,
  tasks: TaskHistory,
  story: MeshStory,
  holding: Holding,
  instant: number,
): string | undefined {
  const due = Math.max(tasks.atOf(instant), holding.ackAt, holding.resumedAt ?? 0)
  const { op } = holding
  const attempts = story.attempts.filter(each => each.version === op)
  if (isOver(attempts)) return undefined
  if (holding.isPaused || due > history.endedAt + 5000) {
    if (attempts.length > 0 || isEverywhere(tasks, story.id)) return undefined
    return `${story.id} was acknowledged at ${seconds(holding.ackAt)}, lies ahead, and ${whereIs(tasks, story.id)}`
  }
  if (due > history.endedAt - TAIL_MS) return undefined
  const misfire = op.spec?.policy.misfire.kind
  if (misfire === 'skip' && wasTroubled(history, op.sentAt, history.endedAt)) return undefined
  return `${story.id} was acknowledged at ${seconds(holding.ackAt)}, due at ${seconds(due)}, and was not carried out`
}

/** A run by hand that was acknowledged, of a task that nobody changed later. */
function lostTrigger(history: MeshHistory, story: MeshStory): string | undefined {
  const runs = runsOf(story)
  for (const [at, op] of story.ops.entries()) {
    if (op.method !== 'trigger' || op.outcome !== 'done' || op.ackAt === undefined) continue
    const changed = story.ops.slice(at + 1).some(({ method }) => method === 'schedule' || method === 'cancel')
    if (changed || op.ackAt > history.endedAt - TAIL_MS) continue
    const run = String(op.answer?.run)
    if (isOver(runs.get(run) ?? [])) continue
    return `${run} was asked for by hand, acknowledged at ${seconds(op.ackAt)}, and was not carried out`
  }
  return undefined
}

/** Many asked for it, and at least one was told that it is made now. */
function lostOfMany(history: MeshHistory, story: MeshStory): string | undefined {
  const made = story.ops.find(
    ({ outcome, ackAt, spec }) =>
      outcome === 'created' && ackAt !== undefined && spec?.policy.misfire.kind !== 'skip',
  )
  if (made?.spec?.schedule.kind !== 'at' || made.ackAt === undefined) return undefined
  const due = Math.max(history.tasks?.atOf(made.spec.schedule.at) ?? 0, made.ackAt)
  if (due > history.endedAt - TAIL_MS || isOver(story.attempts)) return undefined
  return `${story.id} was made at ${seconds(made.ackAt)}, and was never carried out`
}

/** A completion carries what follows; if it was lost with its node, the run was carried out again. */
function lostFollowUp(history: MeshHistory, story: MeshStory): string | undefined {
  const makers = story.parent?.attempts ?? []
  if (story.attempts.length > 0 && !makers.some(hasCompleted))
    return `${story.id} was started, and no run asked for it`
  const [maker] = makers
  const ofRun = maker?.story.attempts.filter(({ runId }) => runId === maker.runId) ?? []
  const last = ofRun.toSorted((a, b) => a.startedAt - b.startedAt).at(-1)
  if (last === undefined || !hasCompleted(last) || !makers.includes(last)) return undefined
  // What was cancelled or replaced meanwhile has ended so, whatever its handler says later.
  const isChanged = last.story.ops.some(
    ({ method, sentAt, ackAt }) =>
      (method === 'cancel' || method === 'schedule') &&
      sentAt <= (last.endedAt as number) + UNDER_WAY_MS &&
      (ackAt ?? history.endedAt) >= last.startedAt,
  )
  if (isChanged || last.abortReason !== undefined || isOver(story.attempts)) return undefined
  // Its instant is by the clock of the node where the run was, which may have been wrong.
  const schedule = story.parent?.spec.schedule
  const instant = schedule?.kind === 'at' ? (history.tasks?.atOf(schedule.at) ?? 0) : 0
  const due = Math.max(last.endedAt as number, instant)
  if (due > history.endedAt + 5000 && history.tasks !== undefined && story.attempts.length === 0) {
    if (isEverywhere(history.tasks, story.id)) return undefined
    return `${story.id} follows ${last.runId}, lies ahead, and ${whereIs(history.tasks, story.id)}`
  }
  if (due > history.endedAt - TAIL_MS) return undefined
  return `${story.id} follows ${last.runId}, which completed at ${seconds(last.endedAt as number)}, and was not carried out`
}

/** Each store that is listed for the range in which it was found has it; true if the engines do not tell. */
function isEverywhere({ inspections }: TaskHistory, id: string): boolean {
  const holder = inspections.find(({ records }) => records.has(id))
  if (holder === undefined) return inspections.length === 0
  return inspections.every(
    ({ range, isListed, records }) => range !== holder.range || !isListed || records.has(id),
  )
}

function whereIs({ inspections }: TaskHistory, id: string): string {
  const holders = inspections.filter(({ records }) => records.has(id))
  if (holders.length === 0) return 'no store has it'
  const { range } = holders[0] as (typeof holders)[0]
  const listed = inspections.filter(each => each.range === range && each.isListed)
  return `of n${listed.map(({ node }) => node).join(' n')} only n${holders.map(({ node }) => node).join(' n')} have it`
}
