/** What `carillon status` says of a node's mesh. */

import type { MeshView } from '../task/views.ts'
import type { Context } from './context.ts'
import { printable } from './text-width.ts'
import { lengthText } from './times.ts'

export type StatusRow = readonly [title: string, text: string]

/** In a mesh of so many stores one copy is enough, as one down must not stop the other. */
const PAIR = 2
/** More is told, ms: tasks of one node come visibly early or late for people at another. */
const SKEW_TOLD_MS = 500

export function meshRows(mesh: MeshView): StatusRow[] {
  const { stores, ranges, quorum, view, draining } = mesh
  const { owned, unsure, kept, of, belowReplicas, copying } = ranges
  const states = (['live', 'away', 'gone'] as const).flatMap(state => {
    const count = stores.filter(each => each.state === state).length
    return count === 0 ? [] : [`${count} ${state}`]
  })
  if (quorum === null) return [['mesh', 'none yet: this node acts for nothing, and waits to be let in']]
  const short =
    belowReplicas === 0 ? `all ${of} ranges have theirs` : `${belowReplicas} of ${of} ranges lack some`
  return [
    ['mesh', `stores: ${states.join(', ')}; view ${view}`],
    ['ranges', `acts for ${owned} of ${of}${unsure === 0 ? '' : ` (${unsure} unsure)`}, keeps ${kept}`],
    ['copies', `${short}; ${copying} under way here`],
    ['clocks', clocks(mesh)],
    ['writes', stores.length === PAIR ? 'count with one copy' : `count with ${quorum} copies`],
    ...(draining === null ? [] : [['leaving', `step: ${draining.step}`] as const]),
  ]
}

function clocks({ stores }: MeshView): string {
  const known = stores.flatMap(({ state, skewMs }) => (state === 'live' && skewMs !== null ? [skewMs] : []))
  const apart = Math.max(0, ...known) - Math.min(0, ...known)
  return known.length < PAIR ? 'not compared yet' : `${lengthText(apart)} apart at most`
}

/** What somebody should look at. */
export async function sayMeshTroubles(context: Context, mesh: MeshView): Promise<void> {
  const { stores, ranges, quorum, refusals } = mesh
  const say = (style: 'red' | 'yellow', text: string): Promise<void> =>
    context.say(context.paint(style, text))
  if (quorum !== null && ranges.belowQuorum > 0)
    await say(
      'red',
      `no change of ${ranges.belowQuorum} ranges is acknowledged: too few of their stores are live`,
    )
  if (quorum !== null && stores.length === PAIR)
    await say(
      'yellow',
      'two stores: what is acknowledged while one is away is lost with the other; a third one ends that',
    )
  for (const { node, skewMs } of stores) {
    if (skewMs === null || Math.abs(skewMs) < SKEW_TOLD_MS) continue
    const how = `${lengthText(Math.abs(skewMs))} ${skewMs > 0 ? 'ahead of' : 'behind'}`
    await say(
      'yellow',
      `the clock of node ${node.slice(-8)} is ${how} this node's: what it fires comes by its clock`,
    )
  }
  const gone = stores.filter(({ state }) => state === 'gone')
  for (const { store, node } of gone)
    await say(
      'yellow',
      `store ${store.slice(0, 8)} of node ${node.slice(-8)} is gone; if for good: carillon forget ${store.slice(0, 8)}`,
    )
  for (const { code, line } of refusals) await say('yellow', `${code}: ${printable(line)}`)
}
