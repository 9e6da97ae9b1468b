/** A node's process stands still for a while, and goes on as if nothing had been. */

import { between, type MeshFault, pick } from './fault.ts'

export const pause: MeshFault = {
  name: 'pause',
  meanMs: 30_000,
  takesNodes: true,
  plan: ({ random, size }) => ({ nodes: [pick(random, size)], lastsMs: between(random, 200, 30_000) }),
  strike({ nodesOf }, { nodes }) {
    const [node] = nodesOf(nodes)
    node?.pause(true)
    return () => node?.pause(false)
  },
}
