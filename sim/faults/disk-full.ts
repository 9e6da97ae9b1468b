/** There is no space left on the disk for a while, or so little that new work is refused. */

import type { Fault } from './fault.ts'

export const diskFull: Fault = {
  name: 'disk-full',
  meanMs: 60_000,
  strike({ disk, random, history, trace }) {
    if (disk.isFull) return undefined
    const over = history.disturb('disk-full')
    const low = random.float() < 0.2
    if (low) disk.freeBytes = 1000
    else disk.full(true)
    trace.note(low ? 'the disk is nearly full' : 'the disk is full')
    return {
      lastsMs: 200 + random.float() ** 2 * 20_000,
      end: () => {
        disk.freeBytes = Number.POSITIVE_INFINITY
        disk.full(false)
        trace.note('the disk has space again')
        over()
      },
    }
  },
}
