/** Every call to the disk takes many times longer, as when a neighbour uses it up. */

import type { Fault } from './fault.ts'

export const slowDisk: Fault = {
  name: 'slow-disk',
  meanMs: 50_000,
  strike({ diskPace, random, history, trace }) {
    if (diskPace.factor !== 1) return undefined
    diskPace.factor = 5 + random.float() ** 2 * 400
    const over = history.disturb('slow-disk')
    trace.note(`the disk is ${diskPace.factor.toFixed(0)} times slower`)
    return {
      lastsMs: 500 + random.float() ** 2 * 15_000,
      end: () => {
        diskPace.factor = 1
        trace.note('the disk is quick again')
        over()
      },
    }
  },
}
