/**
 * Changes of which only a copied record tells (trace 64). A copy that ends half way, as its source has lost its disk, may
 * leave a record with dots that no context covers, since nobody else has these changes. A call that waits for copies of
 * one, a repeated creation mostly, would wait for ever.
 *
 * So who acts, and is asked for a change that its context does not cover, looks after a while whether a record has that very
 * dot. Then it is applied here, and the context says so: of that change alone, those before it that are not known are
 * holes. Nobody else can be sent it, so the others copy the range, and have it too. Should the source come back with what is
 * a hole here, its copy fills it.
 */

import type { Dot } from './context.ts'
import { walkPages } from './paging.ts'
import type { Replica } from './replica.ts'

/** More that are missing before it: it stays as it is. */
const HOLES_MAX = 256
/** More that are waited for at once: these are looked for when they are asked for again. */
const WANTED_MAX = 64
const PAGE = 256

export class Orphans {
  readonly #replica: Replica
  /** Since when somebody waits for it. */
  readonly #wanted = new Map<string, Dot & { readonly since: number }>()
  #reads = false

  constructor(replica: Replica) {
    this.#replica = replica
  }

  get isBusy(): boolean {
    return this.#wanted.size > 0
  }

  /** Somebody waits for copies of this change. */
  wants({ actor, n }: Dot): void {
    const { applied, parts } = this.#replica
    const missing = n - applied.of(actor)
    if (missing <= 0 || missing > HOLES_MAX || this.#wanted.size >= WANTED_MAX) return
    const key = `${actor} ${n}`
    if (!this.#wanted.has(key)) this.#wanted.set(key, { actor, n, since: parts.host.monotonic() })
  }

  tick(now: number): void {
    const { role, copying, applied, parts } = this.#replica
    for (const [key, { actor, n }] of this.#wanted) if (applied.of(actor) >= n) this.#wanted.delete(key)
    if (role !== 'owner') this.#wanted.clear()
    // What comes in may be covered at its end.
    if (this.#wanted.size === 0 || this.#reads || copying.isComing) return
    const late = [...this.#wanted.values()].filter(({ since }) => now - since >= parts.options.resendMs * 2)
    if (late.length > 0) this.#look(late)
  }

  #look(dots: readonly Dot[]): void {
    const { range, generation, parts } = this.#replica
    this.#reads = true
    walkPages(parts.host, range, undefined, PAGE, (heads, isLast) => {
      const goesOn = generation === this.#replica.generation && this.#replica.role === 'owner'
      if (goesOn) for (const head of heads) for (const dot of head.dots) if (has(dots, dot)) this.#claim(dot)
      if (goesOn && !isLast) return true
      this.#reads = false
      // Of what no record has nothing is known: it is looked for when it is asked for again.
      for (const { actor, n } of dots) this.#wanted.delete(`${actor} ${n}`)
      parts.endTurn()
      return false
    })
  }

  #claim({ actor, n }: Dot): void {
    const { applied, parts } = this.#replica
    if (applied.of(actor) >= n) return
    this.#replica.joined(applied.withAlone(actor, n), parts.host.monotonic())
    parts.touch(this.#replica)
  }

  clear(): void {
    this.#wanted.clear()
    this.#reads = false
  }
}

function has(dots: readonly Dot[], { actor, n }: Dot): boolean {
  return dots.some(each => each.actor === actor && each.n === n)
}
