/**
 * LocalHealth: how badly we ourselves seem to be doing, 0 (well) to max (Lifeguard's local health multiplier). A node
 * that misses answers from everybody, is late with its own timers, or has to refute accusations should doubt itself
 * first: its probes wait longer before they fail. Raised before anyone else is accused.
 */

export class LocalHealth {
  readonly #max: number
  #score = 0

  constructor(max: number) {
    this.#max = max
  }

  get score(): number {
    return this.#score
  }

  /** A probe was answered in time. */
  answered(): void {
    this.#add(-1)
  }

  /** A probe failed, and of the helpers that were asked so many did not even say that they failed, too. */
  probeFailed(helpers: number, silentHelpers: number): void {
    this.#add(helpers === 0 ? 1 : silentHelpers)
  }

  /** Somebody accused us. */
  refuted(): void {
    this.#add(1)
  }

  /** A timer of ours came so late that we did not listen for `times` times what is allowed. */
  late(times: number): void {
    this.#add(Math.max(1, Math.floor(times)))
  }

  #add(points: number): void {
    this.#score = Math.min(this.#max, Math.max(0, this.#score + points))
  }
}
