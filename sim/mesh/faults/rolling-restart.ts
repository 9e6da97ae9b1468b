/**
 * All nodes are started anew, one after the other, as when a new version is rolled out: each is stopped in an orderly way,
 * and what runs there may end, or all are killed; each is up again before it is the next one's turn.
 */

import { type MeshFault, shuffled } from './fault.ts'
import { GRACE_MS } from './restart.ts'

/** From the end of a process to its next start, and from there to the next one's turn, ms. */
const AWAY_MS = [200, 2000] as const
const PEACE_MS = [500, 4000] as const
/** A stop takes so long at most, and is over sooner where handlers are quick. */
const STOP_MS = 1500

export const rollingRestart: MeshFault = {
  name: 'rolling-restart',
  meanMs: 60_000,
  takesNodes: true,
  plan({ random, size }) {
    const amount = random.float()
    return { nodes: shuffled(random, size), lastsMs: size * (STOP_MS + AWAY_MS[1] + PEACE_MS[1]), amount }
  },
  strike({ nodesOf, random, clock, trace }, { nodes, amount = 0 }) {
    const all = nodesOf(nodes)
    const isKilled = amount > 0.7
    const between = ([least, most]: readonly [number, number]): number =>
      least + random.float() * (most - least)
    trace.note(`all ${all.length} ${isKilled ? 'are killed' : 'stop'} and start, one after the other`)
    let isOver = false
    const next = (at: number): void => {
      const node = all[at]
      if (node === undefined || isOver) return
      if (!node.isUp) return next(at + 1)
      if (isKilled) node.kill()
      const ended = isKilled ? Promise.resolve() : node.stop(GRACE_MS)
      void ended.then(() => {
        clock.setTimer(between(AWAY_MS), () => {
          node.start()
          clock.setTimer(between(PEACE_MS), () => next(at + 1))
        })
      })
    }
    next(0)
    // Whoever is down in that moment is started all the same.
    return () => {
      isOver = true
    }
  },
}
