/** What the calls about one id say: which schedule held when, and when it was paused. Shared by the checkers. */

import type { Attempt, History, Op, Spec, Story } from '../history.ts'

/** A schedule and policy that held from some instant between two bounds to some instant between two others. */
export interface Version {
  readonly op: Op
  readonly spec: Spec
  readonly sentAt: number
  readonly ackAt: number
  /** The call that ended it, if one did. */
  endedBy: Op | undefined
  /** From the sending of a pause to the answer to its resume (Infinity: never resumed). */
  readonly pauses: Array<{ readonly from: number; to: number }>
}

/** Versions of a story, as far as its calls have certain effects; `isWhole`: they all have. */
export function versionsOf(story: Story): { versions: Version[]; isWhole: boolean } {
  const versions: Version[] = []
  let isWhole = true
  let current: Version | undefined
  let pausedBefore = false
  for (const op of story.ops) {
    if (op.ackAt === undefined || op.unknown) {
      // It may have had its effect, or not: what came before is certain only up to here.
      if (current !== undefined) current.endedBy ??= op
      isWhole = false
      break
    }
    const paused: Version['pauses'][number] | undefined = current?.pauses.at(-1)
    if (op.method === 'schedule' && op.spec !== undefined) {
      if (op.outcome !== 'created' && op.outcome !== 'replaced') continue
      const same = current !== undefined && sameContent(current.spec, op.spec)
      if (current !== undefined) current.endedBy ??= op
      if (same && op.sendCount > 1) {
        isWhole = false // the answer to a repeated request does not tell a new life from what exists
        break
      }
      pausedBefore = paused !== undefined && paused.to === Number.POSITIVE_INFINITY
      current = { op, spec: op.spec, sentAt: op.sentAt, ackAt: op.ackAt, endedBy: undefined, pauses: [] }
      // Whether a replaced task stays paused is not for this checker to say.
      if (pausedBefore) current.pauses.push({ from: op.sentAt, to: Number.POSITIVE_INFINITY })
      versions.push(current)
    } else if (current === undefined) continue
    else if (op.method === 'cancel' && op.outcome === 'done') current.endedBy ??= op
    else if (op.method === 'pause' && op.outcome === 'done') {
      if (paused === undefined || paused.to !== Number.POSITIVE_INFINITY) {
        current.pauses.push({ from: op.sentAt, to: Number.POSITIVE_INFINITY })
      }
    } else if (op.method === 'resume' && op.outcome === 'done' && paused !== undefined) {
      if (paused.to === Number.POSITIVE_INFINITY) paused.to = op.ackAt
    }
  }
  return { versions, isWhole }
}

/** It took the place of another schedule: if it was sent again, only the first answer said so. */
export function mayReplace({ op }: Version): boolean {
  return op.outcome === 'replaced' || op.sendCount > 1
}

/** The attempts of each run, oldest first. */
export function runsOf(story: Story): Map<string, Attempt[]> {
  const runs = new Map<string, Attempt[]>()
  for (const attempt of story.attempts) {
    const known = runs.get(attempt.runId)
    if (known === undefined) runs.set(attempt.runId, [attempt])
    else known.push(attempt)
  }
  return runs
}

/** Runs that were asked for by hand, as far as that is known; and when others may have been. */
export function manualRuns(story: Story): Set<string> {
  const runs = new Set<string>()
  for (const op of story.ops) if (op.method === 'trigger') runs.add(String(op.answer?.run))
  return runs
}

/** True if a trigger whose answer is not known, or not the first one, could have made this instant. */
export function maybeManual(history: History, story: Story, instant: number): boolean {
  return story.ops.some(
    op =>
      op.method === 'trigger' &&
      (op.answer === undefined || op.sendCount > 1) &&
      instant >= history.wallAt(op.sentAt) - 120_000 &&
      instant <= history.highestWall(op.ackAt ?? history.endedAt) + 5,
  )
}

/** The spec that holds for a run, as its handler or its makers know it. */
export function specOf(attempt: Attempt): Spec | undefined {
  return attempt.version?.spec ?? attempt.story.parent?.spec
}

/** True if a `retry` call may have driven something of the story again in [from, to]. */
export function redriven(story: Story, from: number, to: number): boolean {
  return story.ops.some(op => op.method === 'retry' && op.sentAt <= to && (op.ackAt ?? to) >= from)
}

function sameContent(a: Spec, b: Spec): boolean {
  return a.payload === b.payload && JSON.stringify(a.schedule) === JSON.stringify(b.schedule)
}

export function seconds(at: number): string {
  return at.toFixed(3)
}
