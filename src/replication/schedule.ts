/**
 * Which of many a tick looks at: those in which something goes on, and those whose time has come. The others cost nothing.
 * One may be looked at for nothing, where its time was another one before.
 */

const GRAIN_MS = 100
const STEPS_MAX = 1000

export class Schedule<T> {
  readonly #awake = new Set<T>()
  readonly #later = new Map<number, Set<T>>()
  #passed = Number.NaN
  /** No slot that is later comes before this. */
  #first = Number.POSITIVE_INFINITY

  wake(each: T): void {
    this.#awake.add(each)
  }

  delete(each: T): void {
    this.#awake.delete(each)
  }

  /** When something is to be looked at; -Infinity: something goes on. It may be for nothing. */
  get nextAt(): number {
    return this.#awake.size > 0 ? Number.NEGATIVE_INFINITY : this.#first * GRAIN_MS
  }

  /** `look` says when it is to be looked at again. */
  tick(now: number, look: (each: T) => number): void {
    this.#wakeUntil(Math.floor(now / GRAIN_MS))
    for (const each of this.#awake) {
      const at = look(each)
      if (at > now) this.#putOff(each, at)
    }
  }

  #putOff(each: T, at: number): void {
    this.#awake.delete(each)
    if (at === Number.POSITIVE_INFINITY) return
    const slot = Math.ceil(at / GRAIN_MS)
    this.#first = Math.min(this.#first, slot)
    const others = this.#later.get(slot)
    if (others === undefined) this.#later.set(slot, new Set([each]))
    else others.add(each)
  }

  #wakeUntil(slot: number): void {
    this.#wakeSlots(slot)
    if (this.#first > slot) return
    this.#first = Number.POSITIVE_INFINITY
    for (const each of this.#later.keys()) this.#first = Math.min(this.#first, each)
  }

  #wakeSlots(slot: number): void {
    const count = slot - this.#passed
    this.#passed = slot
    // After a long sleep most steps would be empty.
    if (!(count <= STEPS_MAX)) {
      for (const each of [...this.#later.keys()]) if (each <= slot) this.#wakeAll(each)
      return
    }
    for (let each = slot - count + 1; each <= slot; each++) this.#wakeAll(each)
  }

  #wakeAll(slot: number): void {
    const all = this.#later.get(slot)
    if (all === undefined) return
    this.#later.delete(slot)
    for (const each of all) this.#awake.add(each)
  }
}
