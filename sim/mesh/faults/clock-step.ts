/** Somebody sets the wall clock of a node, by seconds or by a quarter of an hour; liveness must not care. */

import { type MeshFault, pick } from './fault.ts'

export const clockStep: MeshFault = {
  name: 'clock-step',
  meanMs: 30_000,
  takesNodes: false,
  plan({ random, size, hasTasks }) {
    const far = random.float() < 0.7 || hasTasks ? 5000 : 900_000
    const amount = Math.round((random.float() * 2 - 1) * far)
    return { nodes: [pick(random, size)], lastsMs: 1000, amount }
  },
  strike({ nodesOf, trace }, { nodes, amount = 0 }) {
    const [node] = nodesOf(nodes)
    trace.note(`the clock of ${node?.name} is set by ${amount} ms`)
    node?.stepClock(amount)
    return () => {}
  },
}
