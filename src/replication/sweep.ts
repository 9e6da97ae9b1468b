/**
 * The overdue sweep (PROTOCOLS B5): a replica that knows of an occurrence which should have started, and of no attempt, asks
 * the owner of its view. An owner by both views is late or has it started already; one that disowns the range has
 * another view. Views are exchanged; if it is still nobody's after that, the replica acts itself (trace 9).
 */

export class Sweep {
  #viewId = ''
  #disownedAt = Number.NaN

  /** The owner of this store's view says that it is not. True if the replica is to act. */
  disowned(viewId: string, now: number, patienceMs: number): boolean {
    if (this.#viewId !== viewId || Number.isNaN(this.#disownedAt)) {
      this.#viewId = viewId
      this.#disownedAt = now
      return false
    }
    return now - this.#disownedAt >= patienceMs
  }

  get isDisowned(): boolean {
    return !Number.isNaN(this.#disownedAt)
  }

  /** Somebody acts for the range. */
  reset(): void {
    this.#disownedAt = Number.NaN
  }
}
