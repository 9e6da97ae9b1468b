/** The disk stalls, and the power goes before it is itself again: whatever did not wait for its sync is found out. */

import type { Fault } from './fault.ts'

const SLOWER = 300

export const stallCrash: Fault = {
  name: 'stall-crash',
  meanMs: 10_000,
  strike({ diskPace, node, random, history, trace }) {
    if (diskPace.factor !== 1 || !node.isUp) return undefined
    diskPace.factor = SLOWER
    const over = history.disturb('slow-disk')
    trace.note('the disk stalls')
    return {
      lastsMs: 100 + random.float() * 400,
      end: () => {
        node.crash()
        diskPace.factor = 1
        over()
      },
    }
  },
}
