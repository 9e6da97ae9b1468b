/** The node dies several times in a row, each time soon after it was started: also in the middle of a replay. */

import type { Fault } from './fault.ts'

export const crashLoop: Fault = {
  name: 'crash-loop',
  meanMs: 120_000,
  strike({ node, random, clock }) {
    let isOver = false
    const again = (left: number): void => {
      if (isOver) return
      node.crash({ powerCut: random.float() < 0.5 })
      if (left === 0) return
      clock.setTimer(1 + random.float() * 10, () => node.start())
      clock.setTimer(12 + random.float() ** 3 * 800, () => again(left - 1))
    }
    again(2 + Math.floor(random.float() * 4))
    const end = (): void => {
      isOver = true
    }
    return { lastsMs: 10_000, end }
  },
}
