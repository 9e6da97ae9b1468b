/**
 * Drain: a node gives all that it has to the others, and leaves the mesh for good. Step by step, and no step begins before
 * the one before has ended:
 *
 *   ranges    the next stores of the lists act for its ranges
 *   runs      what runs here ends here
 *   copies    it is out of every list (others copy what it held), and keeps what it has until custody lets go of it:
 *             until each store that keeps a range now has confirmed all of it
 *   leaving   its store is removed from the roster
 *
 * It waits for as long as that takes, and says what is left: a store that is away in a list holds it up until it is back, or
 * gone. A process that ends meanwhile is a member still, and its next start is as before; what was drained comes back to it.
 */

import type { Membership } from '../membership/membership.ts'
import type { Clock } from '../ports/clock.ts'
import type { DrainView } from '../task/views.ts'
import type { MeshTasks } from './tasks.ts'

/** How often it looks. */
const LOOK_MS = 50
/** How long ranges are handed over at a time: one that nobody takes is offered again. */
const HAND_OVER_MS = 3000

export interface DrainParts {
  readonly clock: Clock
  readonly tasks: Pick<MeshTasks, 'handOver' | 'status' | 'holding'>
  readonly membership: Pick<Membership, 'withdraw' | 'leave' | 'isAdmitted'>
  /** Attempts that run here. */
  readonly running: () => number
  /** The next start of this data directory is another store. */
  readonly renew: () => Promise<void>
}

export class Drain {
  readonly #parts: DrainParts
  #step: DrainView['step'] = 'ranges'

  constructor(parts: DrainParts) {
    this.#parts = parts
  }

  get view(): DrainView {
    const { tasks, running } = this.#parts
    return { step: this.#step, acting: tasks.status().acting, running: running(), holding: tasks.holding }
  }

  /** Resolves when the store has left; or after `limitMs` a step, when it leaves with what was not done. */
  async run(limitMs = Number.POSITIVE_INFINITY): Promise<void> {
    const { tasks, membership, running, renew } = this.#parts
    await this.#until(async () => {
      await tasks.handOver(Math.min(limitMs, HAND_OVER_MS))
      return tasks.status().acting === 0
    }, limitMs)
    this.#step = 'runs'
    await this.#until(() => running() === 0, limitMs)
    this.#step = 'copies'
    // Somebody may have forgotten this store meanwhile.
    if (membership.isAdmitted) membership.withdraw()
    await this.#until(() => tasks.holding === 0, limitMs)
    this.#step = 'leaving'
    if (membership.isAdmitted) await membership.leave()
    await renew()
    this.#step = 'left'
  }

  async #until(isDone: () => boolean | Promise<boolean>, limitMs: number): Promise<void> {
    const { clock } = this.#parts
    const until = clock.monotonic() + limitMs
    while (!(await isDone()) && clock.monotonic() < until)
      await new Promise<void>(resolve => clock.setTimer(LOOK_MS, resolve))
  }
}
