/** The wall clock of a node is wrong for a while: by milliseconds, or by up to ten minutes; then somebody sets it right. */

import { between, type MeshFault, pick } from './fault.ts'

const SKEW_MS_MAX = 600_000

export const clockSkew: MeshFault = {
  name: 'clock-skew',
  meanMs: 25_000,
  takesNodes: false,
  plan({ random, size }) {
    // As many small ones as large ones.
    const far = 5 * (SKEW_MS_MAX / 5) ** random.float()
    const amount = Math.round(random.float() < 0.5 ? far : -far)
    return { nodes: [pick(random, size)], lastsMs: between(random, 2000, 60_000), amount }
  },
  strike({ nodesOf, trace }, { nodes, amount = 0 }) {
    const [node] = nodesOf(nodes)
    trace.note(`the clock of ${node?.name} is wrong by ${amount} ms`)
    node?.stepClock(amount)
    return () => node?.stepClock(-amount)
  },
}
