/** The recording of one node: a lane for its engine, and one for each client, with its calls and what its handlers did. */

import type { Boot, History } from '../history.ts'
import type { TraceNote } from '../trace.ts'
import type { Kind } from './kinds.ts'
import { type Item, inOrder, type Recording } from './recording.ts'
import { storyItems } from './stories.ts'

const ENGINE = 0
const FIRST_CLIENT = 1

const DISTURBANCE_KINDS: Readonly<Record<string, Kind>> = {
  'slow-disk': 'fault-disk',
  'disk-full': 'fault-disk',
  'clock-jump': 'fault-clock',
}

/** Notes that stand in a recording as items already. */
const TOLD = /^(?:ack|start|end|abort) /

export function recordNode(
  history: History,
  clients: readonly { readonly caller: string }[],
  notes: readonly TraceNote[],
  to: number,
): Recording {
  const wallOffset = history.offsets[0]?.offset ?? 0
  const from = notes[0]?.at ?? 0
  const numbers = new Map(clients.map(({ caller }, number) => [caller, number]))
  const places = {
    ranges: 0,
    caller: (hex: string) => {
      const number = numbers.get(hex) ?? 0
      return { lane: FIRST_CLIENT + number, name: `client ${number}` }
    },
    worker: (number: number) => FIRST_CLIENT + number,
    node: () => ENGINE,
    atOf: (wall: number) => {
      const at = history.reachedAt(wall, 0)
      return Number.isFinite(at) ? at : wall - wallOffset
    },
  }
  const items: Item[] = [
    ...phases(history, from, to),
    ...history.boots.flatMap((boot, index) => stateItems(boot, history.boots[index + 1], to)),
    ...history.disturbances
      .filter(({ kind }) => kind !== 'down')
      .map(
        (each): Item => ({
          kind: DISTURBANCE_KINDS[each.kind] ?? 'fault',
          lane: ENGINE,
          from: each.from,
          to: each.to,
          text: each.kind,
        }),
      ),
    ...history.offsets.slice(1).map(
      ({ at, offset }, index): Item => ({
        kind: 'clock',
        lane: ENGINE,
        from: at,
        text: `the wall clock jumps by ${(offset - (history.offsets[index]?.offset ?? 0)).toFixed(0)} ms`,
      }),
    ),
    ...history.workersLost.map(
      ({ at, client }): Item => ({
        kind: 'worker',
        lane: FIRST_CLIENT + client,
        from: at,
        text: `client ${client} loses its connection`,
      }),
    ),
    ...notes
      .filter(({ text }) => !TOLD.test(text))
      .map(({ at, text }): Item => ({ kind: 'note', lane: ENGINE, from: at, text })),
    ...[...history.stories.values()].flatMap(story => storyItems(story, places)),
  ]
  return {
    lanes: [
      { name: 'engine', title: 'the node' },
      ...clients.map((_, number) => ({ name: `client ${number}`, title: `calls and handlers` })),
    ],
    items: inOrder(items, from, to),
    from,
    to,
    wallOffset,
    ranges: 0,
  }
}

function phases({ healedAt, endedAt }: History, from: number, to: number): Item[] {
  const instants: [string, number][] = [
    ['faults and calls', from],
    ['healed: comes to rest', healedAt],
    ['listed, stopped and started', endedAt],
  ]
  const known = instants.filter(([, at]) => Number.isFinite(at))
  return known.map(([text, at], index) => ({
    kind: 'phase',
    lane: ENGINE,
    from: at,
    to: known[index + 1]?.[1] ?? to,
    text,
  }))
}

function stateItems(boot: Boot, next: Boot | undefined, runTo: number): Item[] {
  const { number, startedAt, readyAt, how } = boot
  const nextAt = next?.startedAt ?? runTo
  const endedAt = boot.endedAt ?? nextAt
  const item = (kind: Kind, from: number, to: number, text: string): Item[] =>
    to > from ? [{ kind, lane: ENGINE, from, to, text: `boot ${number} ${text}` }] : []
  return [
    ...item('starting', startedAt, readyAt ?? endedAt, 'is starting'),
    ...(readyAt === undefined ? [] : item('up', readyAt, endedAt, 'is up')),
    ...item('down', endedAt, nextAt, `has ended: ${how ?? 'unknown'}`),
  ]
}
