/**
 * Makes room where a walk found none: the way of swaps from members at their bound to one below it (an augmenting
 * path, breadth first, so the shortest). Such a range is rare; without this the bound would be a hope.
 */

export interface Swaps {
  /** How many members. */
  readonly size: number
  /** Members that may give one of their places up so that it can be used where room is missing. */
  readonly wanted: Iterable<number>
  /** Below its bound. */
  hasRoom(member: number): boolean
  /** Each range at which `member` could be replaced, and by whom. */
  replacements(member: number): Iterable<{ readonly range: number; readonly by: number }>
}

export interface Swap {
  readonly range: number
  readonly member: number
  readonly by: number
}

/** The swaps, last one first: each gives room to the member of the next; the last one's is a wanted one. */
export function swapsFor(swaps: Swaps): Swap[] | undefined {
  const reachedBy: (Swap | undefined)[] = new Array(swaps.size)
  const reached = new Uint8Array(swaps.size)
  const queue: number[] = []
  for (const member of swaps.wanted) {
    reached[member] = 1
    queue.push(member)
  }
  for (let i = 0; i < queue.length; i++) {
    const member = queue[i] as number
    for (const { range, by } of swaps.replacements(member)) {
      if (reached[by] === 1) continue
      reached[by] = 1
      reachedBy[by] = { range, member, by }
      if (swaps.hasRoom(by)) return pathTo(by, reachedBy)
      queue.push(by)
    }
  }
  return undefined
}

function pathTo(member: number, reachedBy: readonly (Swap | undefined)[]): Swap[] {
  const path: Swap[] = []
  for (let swap = reachedBy[member]; swap !== undefined; swap = reachedBy[swap.member]) path.push(swap)
  return path
}
