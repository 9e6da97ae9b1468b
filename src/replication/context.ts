/**
 * The context of a range: what of it is applied, as actor -> n up to which all changes are, and holes (changes below
 * that which could not be read). A context covers a change if its effect is here; a change that is covered while its
 * record is not there has ended and was dropped (PROTOCOLS B, Merge).
 *
 * A context is a value: it is never changed, so that what is applied here, what is synced, and what each peer has
 * confirmed may be one and the same object for the many ranges in which nothing happens.
 *
 * `life` is the greatest life of a record that was dropped: an id that is made again starts above it, though nobody
 * remembers the id. It says nothing of what is covered, and is in no comparison.
 */

import { invariant } from '../invariant.ts'
import { hash32 } from '../lib/hash.ts'

export interface Dot {
  readonly actor: number
  readonly n: number
}

const NO_HOLES: readonly Dot[] = []

export class Context {
  static readonly EMPTY = new Context([], [], [], Number.NEGATIVE_INFINITY)

  /** Ascending; numbers of this process's table of actors. */
  readonly actors: readonly number[]
  readonly ns: readonly number[]
  readonly holes: readonly Dot[]
  readonly life: number
  #hash: string | undefined

  constructor(actors: readonly number[], ns: readonly number[], holes: readonly Dot[], life: number) {
    this.actors = actors
    this.ns = ns
    this.holes = holes
    this.life = life
  }

  /** In any order. */
  static from(dots: Iterable<Dot>, holes: readonly Dot[] = [], life = Number.NEGATIVE_INFINITY): Context {
    const sorted = [...dots].sort((a, b) => a.actor - b.actor)
    const actors = sorted.map(dot => dot.actor)
    const ns = sorted.map(dot => dot.n)
    return new Context(actors, ns, holes, life)
  }

  get isEmpty(): boolean {
    return this.actors.length === 0
  }

  /** Up to which n of the actor all is applied, but for the holes. */
  of(actor: number): number {
    const i = this.actors.indexOf(actor)
    return i < 0 ? 0 : (this.ns[i] as number)
  }

  /** Up to which n of the actor there is not even a hole. */
  cleanOf(actor: number): number {
    let n = this.of(actor)
    for (const hole of this.holes) if (hole.actor === actor && hole.n <= n) n = hole.n - 1
    return n
  }

  covers(actor: number, n: number): boolean {
    return this.of(actor) >= n && !this.holes.some(hole => hole.actor === actor && hole.n === n)
  }

  /** True if all changes up to these are applied, without a hole. */
  coversAll(dots: readonly Dot[]): boolean {
    return dots.every(({ actor, n }) => this.cleanOf(actor) >= n)
  }

  /** True if everything that the other covers is covered here. */
  contains(other: Context): boolean {
    if (this === other) return true
    for (let i = 0; i < other.actors.length; i++) {
      if (this.of(other.actors[i] as number) < (other.ns[i] as number)) return false
    }
    return this.holes.every(({ actor, n }) => !other.covers(actor, n))
  }

  equals(other: Context): boolean {
    return this === other || (this.contains(other) && other.contains(this))
  }

  /** With the next change of the actor. */
  advance(actor: number, n: number): Context {
    const i = this.actors.indexOf(actor)
    if (i < 0) {
      invariant(n === 1, `the first change of an actor has n 1, not ${n}`)
      return Context.from([...this.dots(), { actor, n }], this.holes, this.life)
    }
    invariant(n === (this.ns[i] as number) + 1, `change ${n} of an actor follows ${this.ns[i]}`)
    const ns = this.ns.slice()
    ns[i] = n
    return new Context(this.actors, ns, this.holes, this.life)
  }

  /** The next change of the actor could not be read. */
  withHole(actor: number, n: number): Context {
    const { actors, ns, holes, life } = this.advance(actor, n)
    return new Context(actors, ns, [...holes, { actor, n }], life)
  }

  /** With a change that is known without those before it: what lacks of these are holes. */
  withAlone(actor: number, n: number): Context {
    let context: Context = this
    while (context.of(actor) < n - 1) context = context.withHole(actor, context.of(actor) + 1)
    return context.advance(actor, n)
  }

  withLife(life: number): Context {
    return life <= this.life ? this : new Context(this.actors, this.ns, this.holes, life)
  }

  /** What either covers. */
  join(other: Context): Context {
    const life = Math.max(this.life, other.life)
    if (this.contains(other)) return this.withLife(life)
    if (other.contains(this)) return other.withLife(life)
    const ns = new Map<number, number>()
    for (const { actor, n } of [...this.dots(), ...other.dots()])
      ns.set(actor, Math.max(n, ns.get(actor) ?? 0))
    const open = (mine: Context, others: Context): Dot[] =>
      mine.holes.filter(hole => others.of(hole.actor) < hole.n || !others.covers(hole.actor, hole.n))
    const holes = open(this, other)
    for (const hole of open(other, this)) {
      if (!holes.some(each => each.actor === hole.actor && each.n === hole.n)) holes.push(hole)
    }
    return Context.from(
      [...ns].map(([actor, n]) => ({ actor, n })),
      holes,
      life,
    )
  }

  /** What all of them cover without a hole. */
  static meet(contexts: readonly Context[]): Context {
    const [first, ...rest] = contexts
    if (first === undefined) return Context.EMPTY
    if (rest.every(each => each === first) && first.holes.length === 0) return first
    const actors: number[] = []
    const ns: number[] = []
    for (const actor of first.actors) {
      let n = first.cleanOf(actor)
      for (const each of rest) n = Math.min(n, each.cleanOf(actor))
      if (n === 0) continue
      actors.push(actor)
      ns.push(n)
    }
    return new Context(actors, ns, NO_HOLES, Number.NEGATIVE_INFINITY)
  }

  /** Actor by actor; ascending. */
  *dots(): Generator<Dot> {
    for (let i = 0; i < this.actors.length; i++)
      yield { actor: this.actors[i] as number, n: this.ns[i] as number }
  }

  /**
   * Actor by actor, up to where there is no hole. A change beyond one is no cause of others: who has the same holes could
   * not tell that it has what is asked for. Who lacks it is sent no changes, but a copy.
   */
  *cleanDots(): Generator<Dot> {
    for (const actor of this.actors) {
      const n = this.cleanOf(actor)
      if (n > 0) yield { actor, n }
    }
  }

  /** The same for equal contexts on every store: a sum, so that the order of the actors is of no matter. */
  hash(nameOf: (actor: number) => string): string {
    if (this.#hash !== undefined) return this.#hash
    let [a, b] = [0, 0]
    const add = (text: string): void => {
      a = (a + hash32(text, 1)) >>> 0
      b = (b + hash32(text, 2)) >>> 0
    }
    for (const { actor, n } of this.dots()) add(`${nameOf(actor)} ${n}`)
    for (const { actor, n } of this.holes) add(`${nameOf(actor)} -${n}`)
    this.#hash = a.toString(16).padStart(8, '0') + b.toString(16).padStart(8, '0')
    return this.#hash
  }
}
