/** `carillon peers`: the nodes of the mesh, as the asked one sees them. */

import { CliError, EXIT } from './cli-error.ts'
import type { Context } from './context.ts'
import { findNode, type NodeValues } from './find-node.ts'
import { tableLines } from './table.ts'

const COLUMNS = [
  { title: 'node' },
  { title: 'state' },
  { title: 'address', yields: 1 },
  { title: 'zone', yields: 2 },
  { title: 'weight', right: true },
  { title: '' },
] as const

export async function peers(context: Context, _: readonly string[], values: NodeValues): Promise<number> {
  const node = await findNode(context, values)
  const { mesh, store } = await node.status()
  if (mesh === null)
    throw new CliError(EXIT.failed, 'CONFLICT', 'this node is alone: it was started without --listen')
  if (context.json) {
    await context.data(mesh)
    return EXIT.done
  }
  const rows = mesh.stores.map(each => [
    each.node.slice(-8),
    each.suspect ? `${each.state}?` : each.state,
    each.addresses.join(', '),
    each.zone,
    String(each.weight),
    each.store === store ? 'this node' : '',
  ])
  for (const line of tableLines(COLUMNS, rows, context.width)) await context.say(line)
  const { owned, unsure, kept, of } = mesh.ranges
  const doubt = unsure === 0 ? '' : ` (${unsure} of them unsure)`
  await context.say(`\nthis node acts for ${owned} of ${of} ranges${doubt}, and keeps ${kept}`)
  for (const { code, line } of mesh.refusals) await context.say(context.paint('yellow', `${code}: ${line}`))
  return EXIT.done
}
