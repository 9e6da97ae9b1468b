/** The recording of a mesh: a lane for what concerns all, one for the users, and one for each node. */

import type { MeshHistory, NodeState } from '../mesh/history.ts'
import type { MeshPlan } from '../mesh/planner.ts'
import type { TraceNote } from '../trace.ts'
import type { Kind } from './kinds.ts'
import { ownershipItems } from './ownership.ts'
import { type Item, inOrder, type Lane, type Recording } from './recording.ts'
import { storyItems } from './stories.ts'
import { viewItems } from './views.ts'

const ALL = 0
const USERS = 1
const FIRST_NODE = 2

const FAULT_KINDS: readonly (readonly [kind: Kind, faults: readonly string[]])[] = [
  ['fault-net', ['halves', 'isolate', 'one-way', 'loss', 'flip-flop', 'slow-links', 'clog']],
  ['fault-disk', ['wipe', 'rollback', 'slow-disk', 'failed-sync']],
  ['fault-clock', ['clock-step']],
  ['fault-member', ['join', 'leave', 'replace']],
]

/** Notes that stand in a recording as items already. */
const TOLD = /^(?:ack|start|end|abort|n\d+ (?:sees|starts|joins)\b)/

export function recordMesh(history: MeshHistory, plan: MeshPlan, notes: readonly TraceNote[]): Recording {
  const { tasks } = history
  const wallOffset = tasks?.wallOffset ?? 0
  const lanes: Lane[] = [
    { name: 'mesh', title: 'the whole mesh' },
    { name: 'users', title: 'calls of clients' },
    ...plan.nodes.map(({ zone }, number) => ({
      name: `n${number}`,
      title: zone === '' ? `node ${number}` : `node ${number}, zone ${zone}`,
    })),
  ]
  const from = notes[0]?.at ?? 0
  const ranges = tasks === undefined ? 0 : (history.views[0]?.view.ranges ?? 0)
  const items = [
    ...phases(history, from),
    ...strikes(history),
    ...states(history),
    ...viewItems(history.views, history.ends, nodeLane),
    ...ownershipItems(history.acting, history.ends, {
      node: nodeLane,
      all: ALL,
      stopsAt: history.endedAt,
    }),
    ...marks(history),
    ...notes.filter(({ text }) => !TOLD.test(text)).map(noteItem),
  ]
  if (tasks !== undefined) {
    const callers = new Map<string, string>()
    const places = {
      ranges,
      caller: (hex: string) => {
        if (!callers.has(hex)) callers.set(hex, `c${callers.size}`)
        return { lane: USERS, name: callers.get(hex) as string }
      },
      worker: nodeLane,
      node: nodeLane,
      atOf: (wall: number) => wall - wallOffset,
    }
    for (const story of tasks.stories.values()) items.push(...storyItems(story, places))
  }
  return { lanes, items: inOrder(items, from, history.now), from, to: history.now, wallOffset, ranges }
}

function nodeLane(number: number): number {
  return FIRST_NODE + number
}

function phases({ healedAt, agreedAt, endedAt, tasks, now }: MeshHistory, from: number): Item[] {
  const instants: [string, number | undefined][] = [
    ['founding', from],
    ['faults and calls', tasks?.beganAt],
    ['healed: all have to agree', healedAt],
    ['agreed: at rest', agreedAt],
    ['views at rest: ranges converge', tasks?.settledAt],
    ['stop', endedAt],
  ]
  const known = instants.filter((each): each is [string, number] => Number.isFinite(each[1]))
  return known.map(([text, at], index) => ({
    kind: 'phase',
    lane: ALL,
    from: at,
    to: known[index + 1]?.[1] ?? now,
    text,
  }))
}

/** In the lane of each node that it was done to; what is done to links stands in the lane of all as well. */
function strikes({ strikes: all }: MeshHistory): Item[] {
  return all.flatMap(({ fault, from, to, nodes, others }) => {
    const kind = FAULT_KINDS.find(([, faults]) => faults.includes(fault))?.[0] ?? 'fault'
    const sides = [nodes, others].filter(side => side.length > 0)
    const text = `${fault} ${sides.map(side => side.map(node => `n${node}`).join(' ')).join(' | ') || 'all links'}`
    const item = { kind, from, to, text }
    const concerned = [...nodes, ...others].map(nodeLane)
    if (nodes.length === 0) return [{ ...item, lane: ALL }]
    const isOfLinks = kind === 'fault-net'
    const lanes = fault === 'halves' ? concerned : nodes.map(nodeLane)
    return [
      ...(isOfLinks ? [{ ...item, lane: ALL, others: concerned }] : []),
      ...lanes.map(lane => ({ ...item, lane, others: concerned.filter(each => each !== lane) })),
    ]
  })
}

const STATE_TEXTS: Readonly<Record<NodeState, string>> = {
  apart: 'is not part of the mesh',
  down: 'is down',
  starting: 'is starting',
  up: 'is up',
  'cut-off': 'is cut off from a majority',
  paused: 'stands still',
  stopping: 'is stopping or leaving',
}

function states({ states: all, starts, now }: MeshHistory): Item[] {
  const byNode = Map.groupBy(all, ({ node }) => node)
  return [...byNode].flatMap(([node, own]) =>
    own.map(({ at, state }, index): Item => {
      const to = own[index + 1]?.at ?? now
      // The boot is said a moment after the process began.
      const start =
        state === 'apart' || state === 'down'
          ? undefined
          : starts.findLast(each => each.node === node && each.at <= to)
      return {
        kind: state,
        lane: nodeLane(node),
        from: at,
        to,
        text: `n${node} ${STATE_TEXTS[state]}${state === 'starting' && start !== undefined ? `, boot ${start.boot}` : ''}`,
        details:
          start === undefined
            ? []
            : [
                ['boot', String(start.boot)],
                ['store', start.store],
                ['disk', `its ${start.disk}.`],
              ],
      }
    }),
  )
}

function marks(history: MeshHistory): Item[] {
  const { alarms, suspicions, founded, refusals, starts, tasks } = history
  const holderOf = new Map(starts.map(({ store, node }) => [store, node]))
  return [
    ...alarms.map(({ at, node, about, state, healthyMs, excuse }): Item => {
      const health =
        healthyMs === undefined ? 'it was not healthy' : `healthy for ${(healthyMs / 1000).toFixed(3)} s`
      return {
        kind: 'alarm',
        lane: nodeLane(node),
        from: at,
        text: `n${node} holds n${about} for ${state}`,
        others: [nodeLane(about)],
        details: [
          ['the truth', health],
          ['may be the word of', excuse ?? 'nobody'],
        ],
      }
    }),
    ...suspicions.map(({ at, node, about }): Item => {
      const suspect = holderOf.get(about)
      return {
        kind: 'suspicion',
        lane: nodeLane(node),
        from: at,
        text: `n${node} suspects ${suspect === undefined ? about : `n${suspect}`}`,
        others: suspect === undefined ? [] : [nodeLane(suspect)],
      }
    }),
    ...founded.map(
      ({ at, node, meshId }): Item => ({
        kind: 'member',
        lane: nodeLane(node),
        from: at,
        text: `n${node} belongs to mesh ${meshId.slice(0, 6)}`,
      }),
    ),
    ...refusals.map(
      ({ at, node, code, store }): Item => ({
        kind: 'member',
        lane: nodeLane(node),
        from: at,
        text: `n${node} is refused: ${code}`,
        details: [['store', store]],
      }),
    ),
    ...(tasks?.workerLosses ?? []).map(
      ({ at, node }): Item => ({
        kind: 'worker',
        lane: nodeLane(node),
        from: at,
        text: `n${node} loses its worker`,
      }),
    ),
    ...(tasks?.skews ?? []).map(
      ({ at, node, ms }): Item => ({
        kind: 'clock',
        lane: nodeLane(node),
        from: at,
        text: `the clock of n${node} shows the true time and ${ms} ms`,
      }),
    ),
  ]
}

function noteItem({ at, text }: TraceNote): Item {
  const [, node] = /^n(\d+)\b/.exec(text) ?? []
  return { kind: 'note', lane: node === undefined ? ALL : nodeLane(Number(node)), from: at, text }
}
