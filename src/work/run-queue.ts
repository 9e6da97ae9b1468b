/**
 * The runs of one handler that wait for a worker: higher priority first, then in the order in which they came.
 *
 * A withdrawn run stays in its place until its turn comes, and is then passed over: it is told by its handle, which is
 * new at each offer. So withdrawing is O(1); when most places are such, they are cleared.
 */

import { Deque } from '../lib/bounded-queue.ts'
import type { DueRun, Line } from './due-run.ts'

/** So many withdrawn runs may keep their places, whatever else waits. */
const WITHDRAWN_MAX = 64

interface Level<R> {
  readonly priority: number
  readonly runs: Deque<R>
  /** By place, the handle of the offer. */
  readonly handles: Deque<number>
}

export class RunQueue<R extends DueRun> implements Line {
  readonly name: string
  /** Highest priority first. Almost always there is one. */
  #levels: Array<Level<R>> = []
  #withdrawn = 0
  #waiting = 0
  /** It is among those that take turns. */
  inTurns = false
  /** The user was told that nobody runs this handler. */
  told = false

  constructor(name: string) {
    this.name = name
  }

  /** Runs that are really waiting. */
  get waiting(): number {
    return this.#waiting
  }

  /** Places that are taken, also by withdrawn runs. */
  get length(): number {
    return this.#waiting + this.#withdrawn
  }

  push(run: R): void {
    const { runs, handles } = this.#levelOf(run.priority)
    runs.push(run)
    handles.push(run.handle)
    this.#waiting++
  }

  /** Puts a run before the others of its priority. */
  unshift(run: R): void {
    const { runs, handles } = this.#levelOf(run.priority)
    runs.unshift(run)
    handles.unshift(run.handle)
    this.#waiting++
  }

  /** Takes the next one out. */
  shift(): R | undefined {
    for (const { runs, handles } of this.#levels) {
      for (let run = runs.shift(); run !== undefined; run = runs.shift()) {
        if (run.handle === handles.shift()) {
          this.#waiting--
          return run
        }
        this.#withdrawn--
      }
    }
    return undefined
  }

  /** One of those waiting has got another handle, or none. */
  withdraw(): void {
    this.#waiting--
    this.#withdrawn++
    if (this.#waiting === 0) {
      this.#levels = []
      this.#withdrawn = 0
    } else if (this.#withdrawn > this.#waiting + WITHDRAWN_MAX) this.#clearWithdrawn()
  }

  #clearWithdrawn(): void {
    for (const { runs, handles } of this.#levels) {
      for (let left = runs.length; left > 0; left--) {
        const run = runs.shift() as R
        const handle = handles.shift() as number
        if (run.handle !== handle) continue
        runs.push(run)
        handles.push(handle)
      }
    }
    this.#withdrawn = 0
  }

  #levelOf(priority: number): Level<R> {
    let at = 0
    for (const level of this.#levels) {
      if (level.priority === priority) return level
      if (level.priority < priority) break
      at++
    }
    const level = { priority, runs: new Deque<R>(), handles: new Deque<number>() }
    this.#levels.splice(at, 0, level)
    return level
  }
}
