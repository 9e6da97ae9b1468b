/** What a data directory holds, read with the store's own classes: no running node is asked, so none can talk itself out of it. */

import { openDataDir } from '../../src/adapters/data-dir.ts'
import { SystemClock } from '../../src/adapters/system-clock.ts'
import { SystemRandom } from '../../src/adapters/system-random.ts'
import { DEFAULT_OPTIONS } from '../../src/config.ts'
import { TaskStore } from '../../src/store/task-store.ts'
import { Run } from '../../src/task/record.ts'

export interface StoreListing {
  readonly store: string
  /** By range, then by task id: the tasks that have not ended. */
  readonly ranges: ReadonlyMap<number, ReadonlyMap<string, ListedTask>>
}

export interface ListedTask {
  readonly dueAt: number
  /** Equal where the records are, but for what each store forgets of the ended by itself. */
  readonly record: string
}

const PAGE = 500

/** Begins a boot of its own in the directory, so give it a copy of one that is in use. */
export async function listStore(dir: string): Promise<StoreListing> {
  const clock = new SystemClock()
  const open = await openDataDir(dir, { clock })
  const failed = (error: unknown): never => {
    throw error
  }
  const options = { ...DEFAULT_OPTIONS.store, replicated: true }
  const store = new TaskStore<Run>({ store: open.store, clock, random: new SystemRandom() }, options, {
    makeRun: (_, instant, manual) => new Run(instant, manual),
    holds: () => true,
    evicted: () => undefined,
    evictedDead: () => undefined,
    full: () => undefined,
    failed,
    stir: () => undefined,
  })
  const ranges = new Map<number, Map<string, ListedTask>>()
  try {
    const { withRecords } = await store.start()
    for (const range of withRecords) {
      const tasks = new Map<string, ListedTask>()
      for (let after: string | undefined, more = true; more; ) {
        const { heads, isLast } = await store.pageOf(range, after, PAGE)
        for (const { id, ended } of heads) {
          after = id
          const record = ended ? undefined : store.recordIn(range, id)
          if (record !== undefined)
            tasks.set(id, { dueAt: record.dueAt, record: store.canonical(record, true) })
        }
        more = !isLast
      }
      if (tasks.size > 0) ranges.set(range, tasks)
    }
    return { store: store.identity.meta.store, ranges }
  } finally {
    await open.close()
  }
}
