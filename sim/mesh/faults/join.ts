/** New nodes join, with empty disks: one, or several at once. */

import { type MeshFault, namesOf, pick, shuffled } from './fault.ts'

export const join: MeshFault = {
  name: 'join',
  meanMs: 30_000,
  takesNodes: true,
  plan({ random, reserves }) {
    if (reserves.length === 0) return undefined
    const joining = shuffled(random, reserves.length).slice(0, 1 + pick(random, reserves.length))
    // Once it has joined it stays, and a second strike does nothing.
    return { nodes: joining.map(at => reserves[at] as number), lastsMs: 10_000 }
  },
  strike({ nodesOf, trace }, { nodes }) {
    const joining = nodesOf(nodes)
    trace.note(`${namesOf(joining)} join`)
    for (const node of joining) {
      node.retire(false)
      node.start()
    }
    return () => {}
  },
}
