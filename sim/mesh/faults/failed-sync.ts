/** A sync of a node's disk fails: nobody knows what it holds, and the engine has to stop; it is started again. */

import { between, type MeshFault, pick } from './fault.ts'

export const failedSync: MeshFault = {
  name: 'failed-sync',
  meanMs: 60_000,
  takesNodes: true,
  plan: ({ random, size }) => ({ nodes: [pick(random, size)], lastsMs: between(random, 2000, 20_000) }),
  strike({ nodesOf, trace }, { nodes }) {
    const [node] = nodesOf(nodes)
    trace.note(`the next sync of ${node?.name} fails`)
    node?.failSync(true)
    return () => {
      node?.failSync(false)
      node?.start()
    }
  },
}
