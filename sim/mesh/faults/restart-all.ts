/** The whole mesh goes down, in an orderly way or without power, and comes up again, node by node. */

import { between, type MeshFault, shuffled } from './fault.ts'

const SPREAD_MS_MAX = 8000

export const restartAll: MeshFault = {
  name: 'restart-all',
  meanMs: 90_000,
  takesNodes: true,
  plan: ({ random, size }) => ({
    nodes: shuffled(random, size),
    lastsMs: between(random, 1000, 40_000),
    amount: random.float(),
  }),
  strike({ nodes: all, random, clock, trace }, { amount = 0 }) {
    const up = all.filter(node => node.isUp)
    trace.note(`all ${up.length} go down`)
    const stopped = up.map(node => {
      if (amount < 0.5) return node.stop()
      node.powerCut()
      return Promise.resolve()
    })
    return () => {
      for (const [at, node] of up.entries()) {
        const spread = random.float() * SPREAD_MS_MAX
        void stopped[at]?.then(() => clock.setTimer(spread, () => node.start()))
      }
    }
  },
}
