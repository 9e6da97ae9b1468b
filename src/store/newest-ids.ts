/**
 * Ids that libraries make sort by the time at which they are made, so most that come are above all that the index has, and
 * need not be looked for there. For each range: an id that none in the index is above, of those that begin as made ones do.
 * What a user calls so himself only makes the bound higher than it has to be.
 */

import type { Store } from '../ports/store.ts'
import { taskIdOf, taskKey } from './keys.ts'

/** The first character of a made id, as long as its nine digits of time begin with a zero: until 2059. Later ones are looked for. */
const FIRST = '0'
const BEHIND = '1'
/** Above every id: it is not known what the index has. */
const UNKNOWN = '\uffff'
/** Beyond so many ids of the future of one range it is not looked for the last. */
const FUTURE_MAX = 1000

export class NewestIds {
  /** By range; those that are missing have none. */
  readonly #bounds = new Map<number, string>()

  /** It is about to be in the index. */
  note(range: number, id: string): void {
    if (id.startsWith(FIRST) && id > (this.#bounds.get(range) ?? '')) this.#bounds.set(range, id)
  }

  /** True if the id certainly is not in the index. */
  isAbove(range: number, id: string): boolean {
    return id.startsWith(FIRST) && id > (this.#bounds.get(range) ?? '')
  }

  /** Of ranges of which the index has anything, as it is now: what is not of the future lies below `nowId`. */
  async read(store: Store, ranges: Iterable<number>, nowId: string): Promise<void> {
    for (const range of ranges) this.#bounds.set(range, await boundOf(store, range, nowId))
  }
}

async function boundOf(store: Store, range: number, nowId: string): Promise<string> {
  const cursor = store.cursor({ gte: taskKey(range, nowId), lt: taskKey(range, BEHIND), values: false })
  try {
    let bound = nowId
    for (let count = 0; ; ) {
      // It may give fewer than there are: only nothing is the end.
      const page = await cursor.next(FUTURE_MAX)
      const last = page.at(-1)
      if (last === undefined) return bound
      bound = taskIdOf(last[0])
      count += page.length
      if (count >= FUTURE_MAX) return UNKNOWN
    }
  } finally {
    await cursor.close()
  }
}
