/** The engine's process is stopped for a while, and goes on as if nothing had been. */

import type { Fault } from './fault.ts'

export const pause: Fault = {
  name: 'pause',
  meanMs: 40_000,
  strike({ node, random, history, trace }) {
    const { process } = node
    if (process === undefined || process.isDead) return undefined
    const over = history.disturb('pause')
    process.stop(true)
    trace.note('the engine is stopped')
    return {
      lastsMs: 20 + random.float() ** 3 * 20_000,
      end: () => {
        process.stop(false)
        trace.note('the engine goes on')
        over()
      },
    }
  },
}
