/** A node loses its power in the middle of a write: the last blob of its journal is cut short or garbled. Nobody was told of it. */

import { between, type MeshFault, pick } from './fault.ts'

export const tornWrite: MeshFault = {
  name: 'torn-write',
  meanMs: 30_000,
  takesNodes: true,
  plan: ({ random, size }) => ({ nodes: [pick(random, size)], lastsMs: between(random, 50, 30_000) }),
  strike({ nodesOf }, { nodes }) {
    const [node] = nodesOf(nodes)
    node?.powerCut(true)
    return () => node?.start()
  },
}
