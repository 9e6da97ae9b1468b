/** Ten nodes, or all but two, die in the same instant. */

import { between, type MeshFault, shuffled } from './fault.ts'

export const massCrash: MeshFault = {
  name: 'mass-crash',
  meanMs: 90_000,
  takesNodes: true,
  plan({ random, size }) {
    const count = Math.min(10, size - 2)
    if (count < 2) return undefined
    const nodes = shuffled(random, size).slice(0, count)
    return { nodes, lastsMs: between(random, 5000, 90_000), amount: random.float() }
  },
  strike({ nodesOf }, { nodes, amount = 0 }) {
    const dead = nodesOf(nodes)
    // Killed, without power, or some of each.
    for (const [at, node] of dead.entries()) {
      if (amount < 0.4 || (amount > 0.8 && at % 2 === 0)) node.kill()
      else node.powerCut()
    }
    return () => {
      for (const node of dead) node.start()
    }
  },
}
