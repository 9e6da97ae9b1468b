/** The wall clock of a node runs too fast, or too slow, by up to a twentieth; then somebody sets it right. */

import { between, type MeshFault, pick } from './fault.ts'

const STEP_MS = 1000
/** In a second, ms. */
const DRIFT_MS_MAX = 50

export const clockDrift: MeshFault = {
  name: 'clock-drift',
  meanMs: 40_000,
  takesNodes: false,
  plan: ({ random, size }) => ({
    nodes: [pick(random, size)],
    lastsMs: between(random, 10_000, 90_000),
    amount: Math.round((random.float() * 2 - 1) * DRIFT_MS_MAX),
  }),
  strike({ nodesOf, clock, trace }, { nodes, amount = 0 }) {
    const [node] = nodesOf(nodes)
    trace.note(`the clock of ${node?.name} is off by ${amount} ms more each second`)
    let drifted = 0
    let isOver = false
    const drift = (): void => {
      if (isOver) return
      node?.stepClock(amount)
      drifted += amount
      clock.setTimer(STEP_MS, drift)
    }
    drift()
    return () => {
      isOver = true
      node?.stepClock(-drifted)
    }
  },
}
