/**
 * Entries of the task index, read a page at a time. A cursor may give fewer than it was asked for, as large values fill
 * its buffer: only an empty answer is the end. A page of large tasks is cut short, so that it costs no more memory.
 */

import type { CursorOptions, StoreCursor } from '../ports/store.ts'

export interface TaskEntries {
  readonly entries: ReadonlyArray<readonly [key: Uint8Array, value: Uint8Array]>
  readonly isLast: boolean
}

/** No page is read further than this. More: fewer reads of a long list, and more memory for each. */
const PAGE_BYTES_MAX = 4 * 1024 * 1024

/** Up to `limit` tasks from the one key on, below the other. */
export async function readEntries(
  store: { cursor(options: CursorOptions): StoreCursor },
  gte: Uint8Array,
  lt: Uint8Array,
  limit: number,
): Promise<TaskEntries> {
  const entries: Array<[Uint8Array, Uint8Array]> = []
  let bytes = 0
  const cursor = store.cursor({ gte, lt })
  try {
    while (entries.length < limit && bytes < PAGE_BYTES_MAX) {
      const more = await cursor.next(limit - entries.length)
      if (more.length === 0) return { entries, isLast: true }
      for (const entry of more) {
        entries.push(entry)
        bytes += entry[1].length
      }
    }
    return { entries, isLast: false }
  } finally {
    await cursor.close()
  }
}
