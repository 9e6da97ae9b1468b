/** A node is stopped in an orderly way, and started again. */

import { between, type MeshFault, pick } from './fault.ts'

export const restart: MeshFault = {
  name: 'restart',
  meanMs: 40_000,
  takesNodes: true,
  plan: ({ random, size }) => ({ nodes: [pick(random, size)], lastsMs: between(random, 500, 30_000) }),
  strike({ nodesOf }, { nodes }) {
    const [node] = nodesOf(nodes)
    const stopped = node?.stop()
    return () => {
      void stopped?.then(() => node?.start())
    }
  },
}
