/** A node's machine loses its power: nothing resets or refuses, and what was not synced may be lost. */

import { between, type MeshFault, pick } from './fault.ts'

export const powerCut: MeshFault = {
  name: 'power-cut',
  meanMs: 40_000,
  takesNodes: true,
  plan: ({ random, size }) => ({ nodes: [pick(random, size)], lastsMs: between(random, 50, 100_000) }),
  strike({ nodesOf }, { nodes }) {
    const [node] = nodesOf(nodes)
    node?.powerCut()
    return () => node?.start()
  },
}
