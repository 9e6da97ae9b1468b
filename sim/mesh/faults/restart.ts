/** A node is stopped in an orderly way, and started again. What runs there may end, or is aborted at once. */

import { between, type MeshFault, pick } from './fault.ts'

/** As `close()` has it by default. */
export const GRACE_MS = 10_000

export const restart: MeshFault = {
  name: 'restart',
  meanMs: 40_000,
  takesNodes: true,
  plan: ({ random, size }) => ({
    nodes: [pick(random, size)],
    lastsMs: between(random, 500, 30_000),
    amount: random.float(),
  }),
  strike({ nodesOf }, { nodes, amount = 0 }) {
    const [node] = nodesOf(nodes)
    const stopped = node?.stop(amount < 0.5 ? 0 : GRACE_MS)
    return () => {
      void stopped?.then(() => node?.start())
    }
  },
}
