/** A bar on stderr while something takes longer than a second: in a terminal only, and gone when it is done. */

import type { Context } from './context.ts'
import { lengthText } from './times.ts'

const SHOWN_AFTER_MS = 1000
const REDRAWN_MS = 100
const CELLS = 24

export class ProgressBar {
  readonly #context: Context
  readonly #what: string
  readonly #total: number
  readonly #startedAt: number
  #drawnAt = Number.NEGATIVE_INFINITY

  constructor(context: Context, what: string, total: number) {
    this.#context = context
    this.#what = what
    this.#total = total
    this.#startedAt = context.now
  }

  /** `done` of the total so far. */
  show(done: number): void {
    const { now, world, json } = this.#context
    const passed = now - this.#startedAt
    if (json || world.stderr.isTTY !== true || passed < SHOWN_AFTER_MS || now - this.#drawnAt < REDRAWN_MS)
      return
    this.#drawnAt = now
    const share = this.#total === 0 ? 1 : Math.min(1, done / this.#total)
    const full = Math.round(share * CELLS)
    const left = share === 0 ? '' : `, ${lengthText((passed / share) * (1 - share))} left`
    const text = `${this.#what} [${'#'.repeat(full)}${'-'.repeat(CELLS - full)}] ${done}/${this.#total}${left}`
    world.stderr.write(`\r\x1b[K${text.slice(0, (world.stderr.columns ?? 80) - 1)}`)
  }

  /** Takes the bar away. */
  end(): void {
    if (this.#drawnAt === Number.NEGATIVE_INFINITY) return
    this.#drawnAt = Number.NEGATIVE_INFINITY
    this.#context.world.stderr.write('\r\x1b[K')
  }
}
