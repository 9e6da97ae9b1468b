/** The runs of one handler that wait for a worker: higher priority first, then in the order in which they came. */

import { Deque } from '../lib/bounded-queue.ts'
import type { DueRun } from './due-run.ts'

export class RunQueue<R extends DueRun> {
  readonly name: string
  /** Highest priority first. Almost always there is one. */
  readonly #levels: Array<{ readonly priority: number; readonly runs: Deque<R> }> = []
  /** Runs that are really waiting; withdrawn ones are passed over when their turn comes. */
  waiting = 0
  /** The user was told that nobody runs this handler. */
  told = false

  constructor(name: string) {
    this.name = name
  }

  push(run: R): void {
    this.#levelOf(run.priority).push(run)
    this.waiting++
  }

  /** Takes the next one out. */
  shift(): R | undefined {
    for (const { runs } of this.#levels) {
      for (let run = runs.shift(); run !== undefined; run = runs.shift()) {
        if (run.place !== 'queued') continue
        this.waiting--
        return run
      }
    }
    return undefined
  }

  #levelOf(priority: number): Deque<R> {
    let at = 0
    for (const level of this.#levels) {
      if (level.priority === priority) return level.runs
      if (level.priority < priority) break
      at++
    }
    const runs = new Deque<R>()
    this.#levels.splice(at, 0, { priority, runs })
    return runs
  }
}
