/**
 * How much of a handler an engine takes for another one: what its own workers could take beyond what they have, and what
 * waits here for them. Pure functions, for the table test.
 */

export interface HandlerLoad {
  /** What the near workers take of it together. */
  readonly window: number
  /** What they have of that. */
  readonly used: number
  /** What waits here for one of them. */
  readonly waiting: number
  /** How many more may wait here. */
  readonly queueRoom: number
  /** Of those used and waiting, what came from the engine that is told. */
  readonly held: number
}

/**
 * The window that is announced. What is held of it is part of it, since the other side counts that as used. So one that
 * is busy announces what it holds, and none if it holds nothing: then the runs go to others, or wait where they are.
 *
 * All links are offered the same free places. When several engines take them at once, some of their runs wait here.
 */
export function guestWindow({ window, used, waiting, queueRoom, held }: HandlerLoad, max: number): number {
  const free = Math.min(Math.max(0, window - used - waiting), queueRoom)
  return Math.min(max, held + free)
}
