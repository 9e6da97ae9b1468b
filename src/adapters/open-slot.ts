/** Takes a slot of a data directory (slots.ts): it loads LevelDB, and so belongs to the engine's thread. */

import { access } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { CarillonError, isCarillonError } from '../errors.ts'
import { type DataDir, type DataDirOptions, openDataDir } from './data-dir.ts'
import { slotPath } from './slots.ts'

export interface OpenSlot extends DataDir {
  readonly slot: number
}

const RETRY_MS = 100
const WAIT_MS = 5000

/**
 * Opens the lowest free one of `count` slots. Rejects with `STORE_LOCKED` if all are taken, also after a wait; with
 * `STORE_FORMAT` if the directory itself is a node's; and as openDataDir.
 */
export async function openSlot(givenPath: string, count: number, options: DataDirOptions): Promise<OpenSlot> {
  const path = resolve(givenPath)
  await assertNoNodes(path)
  const { clock, waitMs = WAIT_MS } = options
  const until = clock.monotonic() + waitMs
  for (;;) {
    for (let slot = 1; slot <= count; slot++) {
      try {
        return { slot, ...(await openDataDir(slotPath(path, slot), { ...options, waitMs: 0 })) }
      } catch (error) {
        if (!isCarillonError(error, 'STORE_LOCKED')) throw error
        if (slot === count && clock.monotonic() >= until) throw allTaken(path, count, error)
      }
    }
    await new Promise<void>(resolve => clock.setTimer(RETRY_MS, resolve))
  }
}

/** What was kept without slots would lie there, and nobody act for it. */
async function assertNoNodes(path: string): Promise<void> {
  const isNode = await access(join(path, 'FORMAT')).then(
    () => true,
    () => false,
  )
  if (!isNode) return
  const message =
    `${path} is the data directory of one node that was started without slots: move what is in it to ` +
    `${slotPath(path, 1)} while that node is closed, or name another directory`
  throw new CarillonError('STORE_FORMAT', message)
}

function allTaken(path: string, count: number, cause: unknown): CarillonError {
  const message =
    `all ${count} slots of the data directory ${path} are taken by other processes. ` +
    'Give more slots, the same number to all, or end one of them'
  return new CarillonError('STORE_LOCKED', message, { cause })
}
