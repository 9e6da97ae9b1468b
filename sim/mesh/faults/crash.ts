/** A node's process is killed, and starts again: soon, later, or after it was taken for gone. */

import { between, type MeshFault, pick } from './fault.ts'

export const crash: MeshFault = {
  name: 'crash',
  meanMs: 30_000,
  takesNodes: true,
  plan: ({ random, size }) => ({ nodes: [pick(random, size)], lastsMs: between(random, 50, 100_000) }),
  strike({ nodesOf }, { nodes }) {
    const [node] = nodesOf(nodes)
    node?.kill()
    return () => node?.start()
  },
}
