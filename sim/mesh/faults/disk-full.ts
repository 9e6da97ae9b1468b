/** There is no space left on a node's disk for a while: it waits, and whoever asks is told. */

import { between, type MeshFault, pick } from './fault.ts'

export const diskFull: MeshFault = {
  name: 'disk-full',
  meanMs: 40_000,
  takesNodes: true,
  plan: ({ random, size }) => ({ nodes: [pick(random, size)], lastsMs: between(random, 200, 30_000) }),
  strike({ nodesOf, trace }, { nodes }) {
    const [node] = nodesOf(nodes)
    trace.note(`the disk of ${node?.name} is full`)
    node?.fillDisk(true)
    return () => {
      trace.note(`the disk of ${node?.name} has space again`)
      node?.fillDisk(false)
    }
  },
}
