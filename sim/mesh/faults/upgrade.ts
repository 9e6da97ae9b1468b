/**
 * All nodes get another version, one after the other, whose wire the one before does not know: who has it is let in by
 * those alone that have it as well. Nothing can be promised meanwhile but that nothing is lost.
 */

import { type MeshFault, shuffled } from './fault.ts'
import { GRACE_MS } from './restart.ts'

/** From one node's turn to the next, ms. */
const TURN_MS = [1000, 5000] as const

export const upgrade: MeshFault = {
  name: 'upgrade',
  meanMs: 60_000,
  takesNodes: true,
  plan: ({ random, size, isGentle }) =>
    isGentle ? undefined : { nodes: shuffled(random, size), lastsMs: size * TURN_MS[1] },
  strike({ nodes: all, nodesOf, random, clock, trace }, { nodes }) {
    const wire = Math.max(...all.map(node => node.wire)) + 1
    trace.note(`all get wire ${wire}, one after the other`)
    let isOver = false
    const next = ([node, ...rest]: ReturnType<typeof nodesOf>): void => {
      if (node === undefined || isOver) return
      void node.stop(GRACE_MS).then(() => {
        node.wire = wire
        node.start()
      })
      clock.setTimer(TURN_MS[0] + random.float() * (TURN_MS[1] - TURN_MS[0]), () => next(rest))
    }
    next(nodesOf(nodes))
    return () => {
      isOver = true
      for (const node of all) {
        if (node.wire === wire) continue
        const wasUp = node.isUp
        if (wasUp) node.kill()
        node.wire = wire
        if (wasUp) node.start()
      }
    }
  },
}
