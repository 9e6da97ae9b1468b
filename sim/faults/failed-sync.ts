/** The next fsync fails: nobody knows what the disk holds, and the engine has to stop. */

import type { Fault } from './fault.ts'

export const failedSync: Fault = {
  name: 'failed-sync',
  meanMs: 90_000,
  strike({ disk, node, history, trace, random }) {
    if (!node.isUp || disk.isFull) return undefined
    const over = history.disturb('failed-sync')
    node.mayDie = 'fsync failed'
    disk.failNextSync()
    trace.note('the next sync fails')
    return {
      lastsMs: 3000 + random.float(),
      end: () => {
        disk.failNextSync(false)
        over()
      },
    }
  },
}
