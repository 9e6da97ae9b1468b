/**
 * Attempts of which the journal does not know yet that they run. One that ends soon is never written as running; one that
 * takes longer than attempts do at the moment is, so that a handler that kills its process runs out of attempts, and who
 * takes over knows of it. Under load all take longer, and to write each of them would make the load.
 */

import type { Clock, Timer } from '../ports/clock.ts'
import type { LiveRun } from './live-run.ts'

export interface LazyStartsOptions {
  /** An attempt that runs this long is journaled, ms: at the least, and at the most if others take long as well. */
  readonly lazyStartMs: number
  readonly lazyStartMsMax: number
}

interface Started {
  readonly run: LiveRun
  /** When the run was handed out: it may have come back untouched, and be handed out again. */
  readonly at: number
}

/** Longer than this many times what attempts take: it is a long one. */
const TIMES = 4
/** How much one attempt says of how long they take. */
const SHARE = 1 / 16

export class LazyStarts {
  readonly #options: LazyStartsOptions
  readonly #clock: Clock
  readonly #write: (runs: readonly LiveRun[]) => void
  /** In the order in which they were handed out. */
  #started: Started[] = []
  #timer: Timer | undefined
  /** How long attempts take that are not long, ms. */
  #tookMs = 0

  constructor(options: LazyStartsOptions, clock: Clock, write: (runs: readonly LiveRun[]) => void) {
    this.#options = options
    this.#clock = clock
    this.#write = write
  }

  get #waitMs(): number {
    const { lazyStartMs, lazyStartMsMax } = this.#options
    return Math.min(lazyStartMsMax, Math.max(lazyStartMs, this.#tookMs * TIMES))
  }

  add(run: LiveRun): void {
    run.handedAt = this.#clock.monotonic()
    this.#started.push({ run, at: run.handedAt })
    this.#arm()
  }

  /** An attempt has ended. */
  ended(run: LiveRun): void {
    const tookMs = this.#clock.monotonic() - run.handedAt
    if (tookMs <= this.#options.lazyStartMsMax) this.#tookMs += (tookMs - this.#tookMs) * SHARE
  }

  stop(): void {
    this.#timer?.cancel()
  }

  #arm(): void {
    const [oldest] = this.#started
    if (this.#timer !== undefined || oldest === undefined) return
    const inMs = oldest.at + this.#waitMs - this.#clock.monotonic()
    this.#timer = this.#clock.setTimer(Math.max(1, inMs), () => this.#due())
  }

  #due(): void {
    this.#timer = undefined
    const before = this.#clock.monotonic() - this.#waitMs
    let due = 0
    while (due < this.#started.length && !isYounger(this.#started[due] as Started, before)) due++
    const runs = this.#started.slice(0, due).filter(isOpen)
    this.#started = this.#started.slice(due)
    if (runs.length > 0) this.#write(runs.map(({ run }) => run))
    this.#arm()
  }
}

/** It was handed out later; one that has ended keeps nobody waiting. */
function isYounger(started: Started, monotonic: number): boolean {
  return isOpen(started) && started.at > monotonic
}

function isOpen({ run, at }: Started): boolean {
  return run.state === 'running' && run.handedAt === at && !run.record.gone
}
