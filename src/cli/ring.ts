/** `carillon ring`: who acts for the ranges of the mesh, who keeps them, and how even that is; or of one id. */

import type { RangeView, RingView } from '../task/views.ts'
import { EXIT } from './cli-error.ts'
import type { Context } from './context.ts'
import { findNode, type NodeValues } from './find-node.ts'
import { tableLines } from './table.ts'
import { printable } from './text-width.ts'

const NODE_COLUMNS = [
  { title: 'node' },
  { title: 'stores', yields: 1 },
  { title: 'weight', right: true },
  { title: 'acts for', right: true },
  { title: 'share', right: true },
  { title: 'keeps', right: true },
] as const

const LIST_COLUMNS = [{ title: 'node' }, { title: 'state' }, { title: 'copy' }, { title: '' }] as const

export async function ring(context: Context, [id]: readonly string[], values: NodeValues): Promise<number> {
  const view = await (await findNode(context, values)).ring(id)
  if (context.json) await context.data(view)
  else if (view.range === null) await showNodes(context, view)
  else await showRange(context, view.range, view.ranges)
  return EXIT.done
}

async function showNodes(context: Context, view: RingView): Promise<void> {
  const rows = view.nodes.map(({ node, stores, weight, owned, share, kept }) => [
    node.slice(-8),
    stores.map(({ store, state }) => `${store.slice(0, 8)} ${state}`).join(', '),
    String(weight),
    String(owned),
    `${(share * 100).toFixed(1)} %`,
    String(kept),
  ])
  for (const line of tableLines(NODE_COLUMNS, rows, context.width)) await context.say(line)
  await context.say(
    `\n${view.ranges} ranges, each kept by ${view.replicas} where there are as many; ${balanceOf(view)}`,
  )
  if (view.unowned > 0) await context.say(context.paint('yellow', `nobody acts for ${view.unowned} of them`))
}

/** The most that a node acts for, as a multiple of what its weight is worth. */
function balanceOf({ nodes, ranges }: RingView): string {
  const live = nodes.filter(({ stores }) => stores.some(({ state }) => state === 'live'))
  const weights = live.reduce((sum, { weight }) => sum + weight, 0)
  const most = Math.max(0, ...live.map(({ owned, weight }) => (owned * weights) / (ranges * weight)))
  return `the busiest node acts for ${most.toFixed(2)} times its even share`
}

async function showRange(context: Context, { id, range, list }: RangeView, of: number): Promise<void> {
  await context.say(`${printable(id)} is in range ${range} of ${of}\n`)
  const rows = list.map(({ node, state, ready, acts }) => [
    node.slice(-8),
    state,
    ready === null ? 'not known here' : ready ? 'ready' : 'being copied',
    acts ? 'acts' : '',
  ])
  for (const line of tableLines(LIST_COLUMNS, rows, context.width)) await context.say(line)
  if (!list.some(({ acts }) => acts)) await context.say(context.paint('yellow', '\nnobody acts for it'))
}
