/**
 * The runs of one handler that wait for a worker: higher priority first, then in the order in which they came.
 *
 * A withdrawn run stays in its place until its turn comes, and is then passed over: it is told by its handle, which is
 * new at each offer. So withdrawing is O(1); when most places are such, they are cleared.
 *
 * Guests stand in a line of their own, so that they are in nobody's way where only a far worker has room, which they
 * never go to. Handles grow, so of the heads of both lines the one with the lesser handle came first.
 */

import { Deque } from '../lib/bounded-queue.ts'
import type { DueRun, Line } from './due-run.ts'

/** So many withdrawn runs may keep their places, whatever else waits. */
const WITHDRAWN_MAX = 64

interface Places<R> {
  readonly runs: Deque<R>
  /** By place, the handle of the offer. */
  readonly handles: Deque<number>
}

interface Level<R> {
  readonly priority: number
  readonly own: Places<R>
  readonly guests: Places<R>
}

export class RunQueue<R extends DueRun> implements Line {
  readonly name: string
  /** Highest priority first. Almost always there is one. */
  #levels: Array<Level<R>> = []
  #withdrawn = 0
  #waiting = 0
  #guestsWaiting = 0
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

  /** Those of them that may go to any worker. */
  get ownWaiting(): number {
    return this.#waiting - this.#guestsWaiting
  }

  /** Places that are taken, also by withdrawn runs. */
  get length(): number {
    return this.#waiting + this.#withdrawn
  }

  push(run: R): void {
    const { runs, handles } = this.#placesOf(run)
    runs.push(run)
    handles.push(run.handle)
    this.#count(run, 1)
  }

  /** Puts a run before the others of its priority. */
  unshift(run: R): void {
    const { runs, handles } = this.#placesOf(run)
    runs.unshift(run)
    handles.unshift(run.handle)
    this.#count(run, 1)
  }

  /** Takes the next one out. */
  shift(): R | undefined {
    if (this.#guestsWaiting === 0) return this.shiftOwn()
    for (const { own, guests } of this.#levels) {
      this.#passOver(own)
      this.#passOver(guests)
      const first = guests.handles.peek() ?? Number.POSITIVE_INFINITY
      const run =
        first < (own.handles.peek() ?? Number.POSITIVE_INFINITY) ? this.#take(guests) : this.#take(own)
      if (run !== undefined) return run
    }
    return undefined
  }

  /** Takes the next one out that is no guest. */
  shiftOwn(): R | undefined {
    for (const { own } of this.#levels) {
      const run = this.#take(own)
      if (run !== undefined) return run
    }
    return undefined
  }

  /** One of those waiting has got another handle, or none. */
  withdraw(run: R): void {
    this.#count(run, -1)
    this.#withdrawn++
    if (this.#waiting === 0) {
      this.#levels = []
      this.#withdrawn = 0
    } else if (this.#withdrawn > this.#waiting + WITHDRAWN_MAX) this.#clearWithdrawn()
  }

  #count(run: R, by: 1 | -1): void {
    this.#waiting += by
    if (run.isGuest) this.#guestsWaiting += by
  }

  #take({ runs, handles }: Places<R>): R | undefined {
    for (let run = runs.shift(); run !== undefined; run = runs.shift()) {
      if (run.handle === handles.shift()) {
        this.#count(run, -1)
        return run
      }
      this.#withdrawn--
    }
    return undefined
  }

  /** Takes withdrawn runs away from the head of a line. */
  #passOver({ runs, handles }: Places<R>): void {
    for (let run = runs.peek(); run !== undefined && run.handle !== handles.peek(); run = runs.peek()) {
      runs.shift()
      handles.shift()
      this.#withdrawn--
    }
  }

  #clearWithdrawn(): void {
    for (const { own, guests } of this.#levels) {
      for (const { runs, handles } of [own, guests]) {
        for (let left = runs.length; left > 0; left--) {
          const run = runs.shift() as R
          const handle = handles.shift() as number
          if (run.handle !== handle) continue
          runs.push(run)
          handles.push(handle)
        }
      }
    }
    this.#withdrawn = 0
  }

  #placesOf(run: R): Places<R> {
    const level = this.#levelOf(run.priority)
    return run.isGuest ? level.guests : level.own
  }

  #levelOf(priority: number): Level<R> {
    let at = 0
    for (const level of this.#levels) {
      if (level.priority === priority) return level
      if (level.priority < priority) break
      at++
    }
    const level: Level<R> = {
      priority,
      own: { runs: new Deque<R>(), handles: new Deque<number>() },
      guests: { runs: new Deque<R>(), handles: new Deque<number>() },
    }
    this.#levels.splice(at, 0, level)
    return level
  }
}
