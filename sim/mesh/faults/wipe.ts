/** A node comes back with an empty disk: it is a new member that has nothing, and the old store stays away. */

import { between, type MeshFault, pick } from './fault.ts'

export const wipe: MeshFault = {
  name: 'wipe',
  meanMs: 60_000,
  takesNodes: true,
  renewsStore: true,
  plan: ({ random, size }) => ({ nodes: [pick(random, size)], lastsMs: between(random, 50, 20_000) }),
  strike({ nodesOf, random }, { nodes }) {
    const [node] = nodesOf(nodes)
    if (random.float() < 0.5) node?.kill()
    else node?.powerCut()
    return () => {
      node?.wipe()
      node?.start()
    }
  },
}
