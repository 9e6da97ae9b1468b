/** What the calls about one id say of what must come of it; and a story told in words, for who reads a report. */

import { LATENCY_MS_MAX } from '../../channel.ts'
import type { Attempt } from '../../history.ts'
import type { MeshHistory } from '../history.ts'
import type { MeshOp, MeshStory } from '../tasks/task-history.ts'
import { seconds } from './checker.ts'
import { wasShaken } from './trouble.ts'

/** A run that is on its way to a handler while a call is answered. */
export const UNDER_WAY_MS = 2 * LATENCY_MS_MAX + 1

/** The definition that holds in the end. */
export interface Holding {
  readonly op: MeshOp
  readonly ackAt: number
  readonly isPaused: boolean
  /** When it could go on after its last pause; undefined: it never paused. */
  readonly resumedAt: number | undefined
}

/** `nothing`: it was cancelled, or never made. `unknown`: the answers leave more than one possibility. */
export function holdingOf(history: MeshHistory, story: MeshStory): Holding | 'nothing' | 'unknown' {
  const changes = story.ops.filter(({ method }) => method !== 'trigger' && method !== 'retry')
  const [first, last] = [changes[0], changes.at(-1)]
  if (first === undefined || last === undefined) return 'nothing'
  // Of two that came to two owners one wins, and who of them is not said here.
  if (changes.length > 1 && wasShaken(history, first.sentAt, last.ackAt ?? history.endedAt)) return 'unknown'
  let holding: Holding | undefined
  for (const op of changes) {
    if (op.ackAt === undefined || op.unknown) return 'unknown'
    const isRepeated = op.sendCount > 1
    const { ackAt } = op
    if (op.method === 'schedule') {
      if (op.outcome === 'exists' && !isRepeated && holding !== undefined) continue
      if (op.outcome !== 'created' && op.outcome !== 'replaced') return 'unknown'
      // A paused task stays so when it is replaced, and not in a new life.
      if (holding?.isPaused) return 'unknown'
      holding = { op, ackAt, isPaused: false, resumedAt: undefined }
    } else if (op.outcome !== 'done') {
      if (isRepeated) return 'unknown'
    } else if (op.method === 'cancel') {
      if (op.answer?.cancelled === true) holding = undefined
      else if (isRepeated) return 'unknown'
    } else if (holding !== undefined && op.method === 'pause') holding = { ...holding, isPaused: true }
    else if (holding !== undefined && op.method === 'resume')
      holding = { ...holding, isPaused: false, resumedAt: ackAt }
  }
  return holding ?? 'nothing'
}

/** The attempts of each run, in the order of their starts. */
export function runsOf(story: MeshStory): Map<string, Attempt[]> {
  const runs = new Map<string, Attempt[]>()
  for (const attempt of story.attempts.toSorted((a, b) => a.startedAt - b.startedAt)) {
    const known = runs.get(attempt.runId)
    if (known === undefined) runs.set(attempt.runId, [attempt])
    else known.push(attempt)
  }
  return runs
}

export function hasCompleted(attempt: Attempt): boolean {
  return attempt.end === 'completed'
}

/** It came to an end: completed, failed for good, or out of attempts. */
export function isOver(attempts: readonly Attempt[]): boolean {
  return attempts.some(each => {
    const max = (each.version?.spec ?? each.story.parent?.spec)?.policy.retry.max ?? 1
    return hasCompleted(each) || each.end === 'fatal' || (hasNotDone(each) && each.attempt >= max)
  })
}

/** It failed, or its worker was lost with it: which counts as an attempt, too. */
function hasNotDone({ end }: Attempt): boolean {
  return end === 'failed' || end === 'orphaned' || end === 'killed'
}

/** All that is known of an id, and what happened to its nodes meanwhile: a line each, in order. */
export function told(history: MeshHistory, story: MeshStory): string {
  const lines: { readonly at: number; readonly text: string }[] = []
  const maker = story.parent?.attempts[0]?.story as MeshStory | undefined
  for (const op of [...(maker?.ops ?? []), ...story.ops]) {
    const of = op.spec === undefined ? '' : ` ${JSON.stringify(op.spec.schedule)}`
    lines.push({
      at: op.sentAt,
      text: `${op.method} n=${op.n} of ${op.caller.slice(0, 4)} is sent to n${op.sends[0]?.node}${of}`,
    })
    for (const { at, node } of op.sends.slice(1))
      lines.push({ at, text: `${op.method} n=${op.n}: again to n${node}` })
    for (const { at, node, code } of op.answers) {
      lines.push({ at, text: `${op.method} n=${op.n}: n${node} answers ${code}` })
    }
    if (op.ackAt !== undefined) {
      const answer = op.answer === undefined ? '' : ` ${JSON.stringify(op.answer)}`
      lines.push({ at: op.ackAt, text: `${op.method} n=${op.n} is acknowledged: ${op.outcome}${answer}` })
    }
  }
  for (const each of [...(maker?.attempts ?? []), ...story.attempts]) {
    const name = `${each.runId} attempt ${each.attempt} on n${each.client}`
    lines.push({ at: each.startedAt, text: `${name} starts, its clock shows ${each.startedWall}` })
    if (each.endedAt !== undefined)
      lines.push({ at: each.endedAt, text: `${name} is ${each.end}${reason(each)}` })
  }
  const instants = [...lines.map(({ at }) => at), ...dueOf(history, story)]
  const [from, to] = [Math.min(...instants), Math.min(history.endedAt, Math.max(...instants) + AFTER_MS)]
  for (const { fault, nodes, others, ...strike } of history.strikes) {
    if (strike.from > to || strike.to < from) continue
    const whom = `${fault} ${nodes.map(each => `n${each}`).join(' ')}${others.length > 0 ? ' | ' : ''}${others.map(each => `n${each}`).join(' ')}`
    lines.push({ at: strike.from, text: `- ${whom}` })
    if (strike.to <= to) lines.push({ at: strike.to, text: `- ${whom} ends` })
  }
  for (const { at, node } of history.ends)
    if (at >= from && at <= to) lines.push({ at, text: `- n${node} ends` })
  for (const { at, node, boot } of history.starts)
    if (at >= from && at <= to) lines.push({ at, text: `- n${node} starts, boot ${boot}` })
  for (const { at, node } of history.tasks?.workerLosses ?? [])
    if (at >= from && at <= to) lines.push({ at, text: `- n${node} loses its worker` })
  const all = lines
    .sort((a, b) => a.at - b.at)
    .map(({ at, text }) => `      ${seconds(at).padStart(12)} ${text}`)
  // How it began, and how it ended: what recurs has much in between.
  if (all.length > LINES_MAX) all.splice(LINES_MAX / 4, all.length - LINES_MAX, '               ...')
  return all.join('\n')
}

const LINES_MAX = 80
/** What happens a little later may be why nothing came of it, ms. */
const AFTER_MS = 5000

function dueOf(history: MeshHistory, story: MeshStory): number[] {
  return story.ops.flatMap(({ spec }) =>
    spec?.schedule.kind === 'at' ? [history.tasks?.atOf(spec.schedule.at) ?? 0] : [],
  )
}

function reason({ abortReason }: Attempt): string {
  return abortReason === undefined ? '' : `, after it was aborted: ${abortReason}`
}
