/** The node's process dies at any instant: mostly while it writes, also while it starts. */

import { SimulatedNode } from '../node.ts'
import type { Fault } from './fault.ts'

export const crash: Fault = {
  name: 'crash',
  meanMs: 25_000,
  strike({ node, random }) {
    const powerCut = random.float() < 0.7
    node.crash({ powerCut, tear: random.float() < 0.3 ? SimulatedNode.mayTear : false })
    return undefined
  },
}
