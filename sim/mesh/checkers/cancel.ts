/**
 * Nothing starts after an acknowledged cancel, and nothing that falls due after an acknowledged pause.
 *
 * Firm, all stores of the range's lists have it: only who was cut off may start it still, as a stand-in with an old copy.
 * Not firm, one that takes over may have found too few that knew of it: that needs a reason in what was done to the mesh,
 * and a crash alone is none.
 */

import type { MeshHistory } from '../history.ts'
import type { MeshOp, MeshStory } from '../tasks/task-history.ts'
import { type MeshChecker, seconds } from './checker.ts'
import { told, UNDER_WAY_MS } from './task-story.ts'
import { reasonToRepeat, wasDeaf, wereSeveralDown } from './trouble.ts'

export const cancel: MeshChecker = {
  name: 'cancel',
  check(history, _plan, fail) {
    for (const story of history.tasks?.stories.values() ?? []) {
      if (story.loose) continue
      for (const [at, op] of story.ops.entries()) {
        const { answer, ackAt, method } = op
        if (ackAt === undefined || op.outcome !== 'done') continue
        const holds = method === 'cancel' ? answer?.cancelled === true : method === 'pause'
        if (holds) checkStarts(history, story, op, at, fail)
      }
    }
  },
}

function checkStarts(
  history: MeshHistory,
  story: MeshStory,
  op: MeshOp,
  place: number,
  fail: (text: string) => void,
): void {
  const from = (op.ackAt as number) + UNDER_WAY_MS
  // What is asked for later may start it again.
  const later = story.ops.slice(place + 1).find(({ method }) => method !== 'pause')
  const to = Math.min(later?.sentAt ?? Number.POSITIVE_INFINITY, repeatedAt(history, story, op))
  const isFirm = op.answer?.firm === true
  const isSettled = settledBefore(history, story, op)
  for (const attempt of story.attempts) {
    const { startedAt, client, instant } = attempt
    if (startedAt <= from || startedAt >= to) continue
    // A pause leaves alone what was reached before it.
    if (op.method === 'pause' && (history.tasks?.atOf(instant) ?? 0) <= from) continue
    const reason = wasDeaf(history, client, startedAt)
      ? 'cut off'
      : isFirm && isSettled
        ? undefined
        : reasonToRepeat(history, {
            node: client,
            since: op.sentAt,
            settledAt: op.ackAt as number,
            until: startedAt,
          })
    if (reason !== undefined) {
      history.count(`started after a cancel: ${reason}`)
      continue
    }
    return fail(
      `${attempt.runId} started on n${client} at ${seconds(startedAt)}, though a ${isFirm ? 'firm ' : ''}${op.method} was acknowledged at ${seconds(op.ackAt as number)}\n${told(history, story)}`,
    )
  }
}

/**
 * When an earlier call came again and may have had an effect: a refused one is not remembered, so it is a new one that may be
 * carried out; one that was carried out is known to who acts, unless so many were down that it acts unsure.
 */
function repeatedAt(history: MeshHistory, story: MeshStory, op: MeshOp): number {
  let first = Number.POSITIVE_INFINITY
  for (const { method, outcome, sends, answers } of story.ops) {
    if (method === 'pause' || method === 'cancel') continue
    const isRefused = outcome !== undefined && !CARRIED_OUT.includes(outcome)
    for (const { at } of sends.slice(1)) {
      if (at < op.sentAt || at >= first) continue
      const mayAct = answers.some(each => each.at >= at && each.code !== outcome && each.code !== 'NOT_OWNER')
      if (isRefused ? mayAct : wereSeveralDown(history, at)) first = at
    }
  }
  return first
}

const CARRIED_OUT = ['created', 'replaced', 'exists', 'done']

/** It changed what all knew: a change that somebody else made meanwhile may beat it where two acted at once. */
function settledBefore(history: MeshHistory, story: MeshStory, op: MeshOp): boolean {
  const first = story.ops[0] as MeshOp
  return story.ops.every(each => !wasDeaf(history, each.answers.at(-1)?.node ?? 0, each.ackAt ?? 0))
    ? !wasDeaf(history, op.answers.at(-1)?.node ?? 0, first.sentAt)
    : false
}
