/** A walk over the records of a range, a page at a time. Each is read anew, and other events come in between. */

import type { RecordHead, ReplicaHost } from './host.ts'

/** `take` is called with each page, until it returns false or there are no more. */
export function walkPages(
  host: ReplicaHost,
  range: number,
  start: string | undefined,
  limit: number,
  take: (heads: readonly RecordHead[], isLast: boolean) => boolean,
): void {
  let after = start
  const walk = (): void => {
    // A loop where pages come at once: a call in a call for each of them would fill the stack.
    for (let goesOn = true; goesOn; ) {
      goesOn = false
      let isLate = false
      host.page(range, after, limit, (heads, isLast) => {
        after = heads.at(-1)?.id ?? after
        goesOn = take(heads, isLast) && !isLast
        if (isLate && goesOn) walk()
      })
      isLate = true
    }
  }
  walk()
}
