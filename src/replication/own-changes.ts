/** What this store writes in one range: its actor there, and the causes that its next change goes with. */

import type { Context, Dot } from './context.ts'

const NONE: readonly Dot[] = Object.freeze([])

export class OwnChanges {
  #actor: number | undefined
  /** What was applied of others since the own change before. */
  readonly #after = new Map<number, number>()

  /** The actor under which the next change is written, and its n. */
  next(applied: Context, mint: () => number): Dot {
    this.#actor ??= mint()
    return { actor: this.#actor, n: applied.of(this.#actor) + 1 }
  }

  /** Something of another actor was applied, up to that n. */
  saw(actor: number, n: number): void {
    this.#after.set(actor, n)
  }

  sawAll(dots: Iterable<Dot>, before: Context): void {
    for (const { actor, n } of dots) if (before.of(actor) < n) this.#after.set(actor, n)
  }

  /** The causes of a change that is written now; the next one needs only what comes from here on. */
  takeCauses(): readonly Dot[] {
    if (this.#after.size === 0) return NONE
    const causes = [...this.#after].map(([actor, n]) => ({ actor, n }))
    this.#after.clear()
    return causes
  }

  clear(): void {
    this.#actor = undefined
    this.#after.clear()
  }
}
