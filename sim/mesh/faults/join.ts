/** A new node joins, with an empty disk. */

import type { MeshFault } from './fault.ts'

export const join: MeshFault = {
  name: 'join',
  meanMs: 60_000,
  takesNodes: true,
  plan({ random, reserves }) {
    const node = reserves[Math.floor(random.float() * reserves.length)]
    // The planner drops a second strike on the same one: it stays from then on.
    return node === undefined ? undefined : { nodes: [node], lastsMs: Number.MAX_SAFE_INTEGER }
  },
  strike({ nodesOf, trace }, { nodes }) {
    const [node] = nodesOf(nodes)
    trace.note(`${node?.name} joins`)
    node?.retire(false)
    node?.start()
    return () => {}
  },
}
