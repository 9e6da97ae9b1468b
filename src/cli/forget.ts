/** `carillon forget`: stores that will not come back go from the mesh. */

import { EXIT } from './cli-error.ts'
import type { Context } from './context.ts'
import { findNode, type NodeValues } from './find-node.ts'

export async function forget(
  context: Context,
  [who = '']: readonly string[],
  values: NodeValues,
): Promise<number> {
  const forgotten = await (await findNode(context, values)).forget(who)
  if (context.json) await context.data({ forgotten })
  for (const { store, node } of forgotten)
    await context.tell(`forgot store ${store} of node ${node.slice(-8)}`)
  return EXIT.done
}
