/**
 * Machines have more to do than they can: all that reaches the processes of one, or of all at once, comes late by seconds:
 * frames, timers, and the ends of writes. How late changes all the time. Nobody is down, and nobody is cut off.
 */

import { between, type MeshFault, namesOf, pick, shuffled } from './fault.ts'

/** How late it gets, ms: this at least at the worst moments, and that at most. */
const WORST_MS = [1000, 8000] as const
/** It is another lag after about this, ms. */
const CHANGES_MS = [500, 3000] as const

export const busyMachine: MeshFault = {
  name: 'busy-machine',
  meanMs: 30_000,
  takesNodes: false,
  plan({ random, size }) {
    const isShared = random.float() < 0.6
    return {
      // All processes are on one machine, or one has a machine of its own.
      nodes: isShared ? shuffled(random, size) : [pick(random, size)],
      lastsMs: between(random, 2000, 30_000),
      amount: between(random, ...WORST_MS),
    }
  },
  strike({ nodesOf, random, clock, trace }, { nodes, amount = 1000 }) {
    const busy = nodesOf(nodes)
    trace.note(`${namesOf(busy)} are up to ${amount.toFixed(0)} ms late`)
    let isOver = false
    const change = (): void => {
      if (isOver) return
      for (const node of busy) node.lag(Math.max(1, amount * random.float()))
      clock.setTimer(CHANGES_MS[0] + random.float() * (CHANGES_MS[1] - CHANGES_MS[0]), change)
    }
    change()
    return () => {
      isOver = true
      for (const node of busy) node.lag(0)
    }
  },
}
