/** Every link loses packets, up to a third. */

import { between, type MeshFault } from './fault.ts'

export const loss: MeshFault = {
  name: 'loss',
  meanMs: 40_000,
  takesNodes: false,
  plan: ({ random }) => ({
    nodes: [],
    lastsMs: between(random, 5000, 120_000),
    amount: random.float() < 0.3 ? 0.3 : 0.3 * random.float(),
  }),
  strike({ nodes, disturb, trace }, { amount = 0.3 }) {
    trace.note(`every link loses ${(amount * 100).toFixed(0)} %`)
    return disturb(nodes, nodes, { loss: amount, duplicate: 0.05, late: 0.02 })
  },
}
