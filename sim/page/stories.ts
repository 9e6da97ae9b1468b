/** What users asked for and what handlers did, as items of a recording: the same for one node and for a mesh. */

import { rangeOf } from '../../src/lib/hash.ts'
import type { Attempt, Op, Story } from '../history.ts'
import type { Kind } from './kinds.ts'
import type { Detail, Item } from './recording.ts'

export interface StoryPlaces {
  /** 0: ranges are not shown. */
  readonly ranges: number
  /** The lane of a call, by its caller. */
  caller(hex: string): { readonly lane: number; readonly name: string }
  /** The lane of what ran at a client, or at a node of a mesh. */
  worker(number: number): number
  /** The lane of the node that a call was sent to; undefined: there is one only. */
  node(number: number): number
  atOf(wall: number): number
}

/** As a mesh has it: with each sending and each answer. */
interface SentOp extends Op {
  readonly sends?: readonly { readonly at: number; readonly node: number }[]
  readonly answers?: readonly { readonly at: number; readonly node: number; readonly code: string }[]
}

const GOOD = new Set(['created', 'replaced', 'exists', 'done'])

export function storyItems(story: Story, places: StoryPlaces): Item[] {
  const range = places.ranges === 0 ? undefined : rangeOf(story.id, places.ranges)
  const of = { task: story.id, range }
  return [
    ...story.ops.flatMap(op => callItems(op, of, places)),
    ...story.attempts.flatMap(attempt => attemptItems(attempt, of, places)),
    ...story.ends.map(
      ({ runId, state, at, from }): Item => ({
        ...of,
        kind: 'ended',
        lane: places.node(0),
        from: at,
        text: `${runId} is reported ${state} by ${from === 'event' ? 'an event' : 'an answer'}`,
      }),
    ),
  ]
}

function callItems(op: SentOp, of: Pick<Item, 'task' | 'range'>, places: StoryPlaces): Item[] {
  const { method, n, ackAt, outcome, sends = [], answers = [] } = op
  const { lane, name } = places.caller(op.caller)
  const call = `${method} ${op.target} n=${n} of ${name}`
  const kind: Kind =
    ackAt === undefined ? 'unanswered' : GOOD.has(outcome as string) || op.unknown ? 'call' : 'refused'
  const said = ackAt === undefined ? 'never answered' : `${outcome}${op.unknown ? ', effect unknown' : ''}`
  const others = [...new Set(sends.map(({ node }) => places.node(node)))]
  return [
    {
      ...of,
      kind,
      lane,
      from: op.sentAt,
      to: ackAt ?? Number.POSITIVE_INFINITY,
      text: `${call}: ${said}`,
      others,
      details: detailsOf(op, places),
    },
    ...(op.spec?.schedule.kind === 'at'
      ? [{ ...of, kind: 'due' as const, lane, from: places.atOf(op.spec.schedule.at), text: `due: ${call}` }]
      : []),
    ...sends.map(
      ({ at, node }, index): Item => ({
        ...of,
        kind: 'send',
        lane: places.node(node),
        from: at,
        text: `${index === 0 ? 'sent' : 'sent again'} to n${node}: ${call}`,
      }),
    ),
    ...answers.map(
      ({ at, node, code }): Item => ({
        ...of,
        kind: GOOD.has(code) ? 'answer' : 'no-answer',
        lane: places.node(node),
        from: at,
        text: `n${node} answers ${code}: ${call}`,
      }),
    ),
  ]
}

function detailsOf({ spec, answer, sendCount, madeAtWall }: Op, places: StoryPlaces): Detail[] {
  const details: Detail[] = [['made at', wall(madeAtWall)]]
  if (sendCount > 1) details.push(['sent', `${sendCount} times`])
  if (answer !== undefined) details.push(['answer', JSON.stringify(answer)])
  if (spec === undefined) return details
  const { name, schedule, policy, conduct, keyTtlMs, ifAbsent } = spec
  details.push(['handler', name], ['schedule', JSON.stringify(schedule)])
  if (schedule.kind === 'at') details.push(['due', instant(schedule.at, places)])
  if (ifAbsent) details.push(['if absent', keyTtlMs > 0 ? `key kept ${keyTtlMs} ms` : 'yes'])
  details.push(['policy', JSON.stringify(policy)], ['its handler will', JSON.stringify(conduct)])
  return details
}

function attemptItems(attempt: Attempt, of: Pick<Item, 'task' | 'range'>, places: StoryPlaces): Item[] {
  const { runId, startedAt, endedAt, end, abortedAt, abortReason } = attempt
  const name = `${runId} attempt ${attempt.attempt}`
  const kind: Kind = end === undefined ? 'running' : end === 'fatal' ? 'failed' : end
  const lane = places.worker(attempt.client)
  const items: Item[] = [
    {
      ...of,
      kind,
      lane,
      from: startedAt,
      to: endedAt ?? Number.POSITIVE_INFINITY,
      text: `${name}${attempt.version === undefined ? '' : `, asked for by n=${attempt.version.n}`}`,
      details: [
        ['run', runId],
        ['attempt', String(attempt.attempt)],
        ['end', end ?? 'it runs'],
        ['its instant', instant(attempt.instant, places)],
        ['late', `${(startedAt - places.atOf(attempt.instant)).toFixed(0)} ms`],
        ['its clock showed', wall(attempt.startedWall)],
        ['received', `${((startedAt - attempt.receivedAt) / 1000).toFixed(3)} s before`],
        ['life of the task', `${attempt.life}`],
        ['process', `the ${attempt.boot}. of the engine`],
        ...(attempt.fence === undefined ? [] : [['fence', attempt.fence] as const]),
        ...(attempt.payloadFault === undefined ? [] : [['wrong payload', attempt.payloadFault] as const]),
        ...(abortReason === undefined ? [] : [['told to stop', abortReason] as const]),
        ...(attempt.result === undefined ? [] : [['result', attempt.result] as const]),
      ],
    },
  ]
  if (abortedAt !== undefined)
    items.push({
      ...of,
      kind: 'abort',
      lane,
      from: abortedAt,
      text: `${name} is told to stop: ${abortReason}`,
    })
  return items
}

function instant(at: number, places: StoryPlaces): string {
  return `${wall(at)}, ${(places.atOf(at) / 1000).toFixed(3)} s`
}

function wall(ms: number): string {
  return new Date(ms).toISOString()
}
