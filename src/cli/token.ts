/** `carillon token`: a join token, by itself on a line, for `$(...)`. */

import { EXIT } from './cli-error.ts'
import type { Context } from './context.ts'
import { findNode, type NodeValues } from './find-node.ts'

export interface TokenValues extends NodeValues {
  readonly ttl?: string
}

export async function token(context: Context, _: readonly string[], values: TokenValues): Promise<number> {
  const node = await findNode(context, values)
  const text = await node.token({ ttl: values.ttl })
  if (context.json) await context.data({ token: text })
  else await context.say(text)
  return EXIT.done
}
