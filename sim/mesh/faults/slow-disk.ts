/** The disk of a node takes many times longer, as when a neighbour uses it up. */

import { between, type MeshFault, pick } from './fault.ts'

export const slowDisk: MeshFault = {
  name: 'slow-disk',
  meanMs: 45_000,
  takesNodes: false,
  plan: ({ random, size }) => ({
    nodes: [pick(random, size)],
    lastsMs: between(random, 500, 20_000),
    amount: 5 + random.float() ** 2 * 400,
  }),
  strike({ nodesOf, trace }, { nodes, amount = 10 }) {
    const [node] = nodesOf(nodes)
    trace.note(`the disk of ${node?.name} is ${amount.toFixed(0)} times slower`)
    node?.slowDisk(amount)
    return () => node?.slowDisk(1)
  },
}
