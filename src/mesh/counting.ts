/**
 * When what a call wrote counts: every dot of it has its copies. Callers wait so long and no longer; then they are told
 * that it is written and not confirmed, and that to ask again is safe.
 */

import { CarillonError } from '../errors.ts'
import type { Copies } from '../replication/acknowledgements.ts'
import type { Dot } from '../replication/context.ts'
import type { Replication } from '../replication/replication.ts'
import type { Counted, Written } from '../work/ownership.ts'

export interface CountingOptions {
  /** How long a caller waits for copies, ms. Longer: fewer calls whose fate is unknown, later answers in a cut. */
  readonly patienceMs: number
  /** How long a cancel or pause waits beyond that for all stores, to be firm, ms. */
  readonly firmMs: number
}

export interface CountingParts {
  readonly replication: Pick<Replication, 'acknowledge'>
  /** How many stores make a change count now: the default of the mesh's size. */
  readonly copies: () => Copies
  readonly monotonic: () => number
  /** The disk has no space: that is why nothing is confirmed. */
  readonly isFull: () => boolean
}

interface Waiting {
  readonly until: number
  /** Dots that are not confirmed yet. */
  left: number
  /** Of the dot that has least. */
  copies: number
  readonly ends: Array<() => void>
  readonly done: (inTime: boolean, copies: number) => void
}

export class Counting {
  readonly #options: CountingOptions
  readonly #parts: CountingParts
  /** In the order in which their patience ends; those for all copies apart. */
  readonly #calls = new Set<Waiting>()
  readonly #firm = new Set<Waiting>()
  /** Calls that were told that it is not known. */
  notDurable = 0

  constructor(options: CountingOptions, parts: CountingParts) {
    this.#options = options
    this.#parts = parts
  }

  get waiting(): number {
    return this.#calls.size + this.#firm.size
  }

  /** When the first patience ends; Infinity: nobody waits. */
  get nextAt(): number {
    let next = Number.POSITIVE_INFINITY
    for (const among of [this.#calls, this.#firm])
      for (const { until } of among) {
        next = Math.min(next, until)
        break
      }
    return next
  }

  acknowledge(written: Written, counted: Counted): void {
    this.#wait(this.#calls, written, this.#parts.copies(), this.#options.patienceMs, (inTime, copies) => {
      if (inTime) return counted(undefined, copies)
      this.notDurable++
      counted(this.#parts.isFull() ? full() : notDurable(copies), copies)
    })
  }

  confirm(written: Written, done: (firm: boolean, copies: number) => void): void {
    this.#wait(this.#firm, written, 'all', this.#options.firmMs, done)
  }

  #wait(
    among: Set<Waiting>,
    written: Written,
    copies: Copies,
    patienceMs: number,
    done: Waiting['done'],
  ): void {
    const { replication, monotonic } = this.#parts
    const until = monotonic() + patienceMs
    const waiting: Waiting = { until, left: 1, copies: Number.POSITIVE_INFINITY, ends: [], done }
    among.add(waiting)
    const confirmed = (count: number): void => {
      waiting.copies = Math.min(waiting.copies, count)
      if (--waiting.left > 0 || !among.delete(waiting)) return
      done(true, Number.isFinite(waiting.copies) ? waiting.copies : 0)
    }
    for (const [range, dots] of written) {
      for (const dot of dots) {
        waiting.left++
        waiting.ends.push(replication.acknowledge(range, dot, copies, confirmed))
      }
    }
    confirmed(Number.POSITIVE_INFINITY)
  }

  /** Tells those whose patience is at its end. */
  tick(): void {
    const now = this.#parts.monotonic()
    for (const among of [this.#calls, this.#firm]) {
      for (const waiting of among) {
        if (waiting.until > now) break
        among.delete(waiting)
        for (const end of waiting.ends) end()
        const { copies } = waiting
        waiting.done(false, Number.isFinite(copies) ? copies : 0)
      }
    }
  }
}

/** The dots of both. */
export function joined(into: Map<number, Dot[]>, range: number, dots: readonly Dot[]): void {
  const known = into.get(range)
  if (known === undefined) {
    into.set(range, [...dots])
    return
  }
  for (const dot of dots) {
    const at = known.findIndex(({ actor }) => actor === dot.actor)
    if (at < 0) known.push(dot)
    else if ((known[at] as Dot).n < dot.n) known[at] = dot
  }
}

function notDurable(copies: number): CarillonError {
  return new CarillonError(
    'NOT_DURABLE',
    `written, but too few nodes have confirmed it in time (${copies} have): it may last or be lost; repeat the call with the same id or key to know`,
  )
}

function full(): CarillonError {
  return new CarillonError(
    'STORE_FULL',
    'no space left on the disk: the change is kept, and written as soon as there is space; to repeat it is safe with the same id or key',
  )
}
