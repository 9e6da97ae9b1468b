/** A node leaves the mesh for good. */

import { type MeshFault, pick } from './fault.ts'

/** Those who stay are a list of three. */
const LEFT_MIN = 4

export const leave: MeshFault = {
  name: 'leave',
  meanMs: 90_000,
  takesNodes: true,
  renewsStore: true,
  // Half of the nodes and more stay (the planner's bound on stores that are lost).
  plan: ({ random, size }) =>
    Math.floor(size / 2) + 1 < LEFT_MIN ? undefined : { nodes: [pick(random, size)], lastsMs: 10_000 },
  strike({ nodesOf }, { nodes }) {
    const [node] = nodesOf(nodes)
    void node?.leave()
    node?.retire(true)
    return () => {}
  },
}
