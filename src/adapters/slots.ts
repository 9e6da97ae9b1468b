/**
 * Several processes that share one data directory, as a process manager starts them: each takes a free slot in it, which
 * is a data directory of its own (`slot-1`, `slot-2`, …) with its own store, node key and tokens, and is locked by the
 * operating system. So a slot whose process died is free at once, and the next process goes on with what that one kept.
 *
 * The lowest free slot is taken: as many processes as before find the same stores again, in whatever order they start.
 * Ports count along with slots, so that a store stays at its address, and the addresses for `join` can be written down.
 */

import { join } from 'node:path'

export function slotPath(dataDir: string, slot: number): string {
  return join(dataDir, `slot-${slot}`)
}

/** The port of the first slot is the one that is given; port 0 is any for each. */
export function portOfSlot(port: number, slot: number): number {
  return port === 0 ? 0 : port + slot - 1
}
