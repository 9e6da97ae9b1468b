/** A new node joins, with an empty disk. */

import type { MeshFault } from './fault.ts'

export const join: MeshFault = {
  name: 'join',
  meanMs: 60_000,
  takesNodes: true,
  plan({ random, reserves }) {
    const node = reserves[Math.floor(random.float() * reserves.length)]
    // Once it has joined it stays, and a second strike does nothing.
    return node === undefined ? undefined : { nodes: [node], lastsMs: 10_000 }
  },
  strike({ nodesOf, trace }, { nodes }) {
    const [node] = nodesOf(nodes)
    trace.note(`${node?.name} joins`)
    node?.retire(false)
    node?.start()
    return () => {}
  },
}
