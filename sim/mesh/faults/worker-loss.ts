/** The session of a node's worker closes while attempts run, and now and then the worker's process ends. */

import { between, type MeshFault, pick } from './fault.ts'

export const workerLoss: MeshFault = {
  name: 'worker-loss',
  meanMs: 25_000,
  takesNodes: false,
  plan: ({ random, size }) => ({
    nodes: [pick(random, size)],
    lastsMs: between(random, 50, 10_000),
    amount: random.float(),
  }),
  strike({ nodesOf, loseWorker, trace }, { nodes, amount = 0 }) {
    const [node] = nodesOf(nodes)
    if (node === undefined) return () => {}
    trace.note(`the worker of ${node.name} ${amount < 0.5 ? 'is cut off' : 'dies'}`)
    return loseWorker(node, amount >= 0.5)
  },
}
