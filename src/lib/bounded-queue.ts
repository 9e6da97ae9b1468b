/**
 * Deque: a first-in-first-out queue on a ring buffer. An array's shift() moves every item once the array is long;
 * this one never does. What happens when it is full is the caller's to decide: push then says false.
 */

const CAPACITY_MIN = 16

export class Deque<T> implements Iterable<T> {
  /** Most items it takes. */
  readonly max: number
  #ring: Array<T | undefined> = new Array(CAPACITY_MIN).fill(undefined)
  #head = 0
  #length = 0

  constructor(max = Number.POSITIVE_INFINITY) {
    if (!(max >= 0)) throw new RangeError(`max is ${max}`)
    this.max = max
  }

  get length(): number {
    return this.#length
  }

  /** Adds at the end; false, and nothing is added, when it is full. */
  push(item: T): boolean {
    if (this.#length >= this.max) return false
    if (this.#length === this.#ring.length) this.#resize(this.#length * 2)
    this.#ring[(this.#head + this.#length) & (this.#ring.length - 1)] = item
    this.#length++
    return true
  }

  /** Adds at the front: for what was taken out and has to go back first. False when it is full. */
  unshift(item: T): boolean {
    if (this.#length >= this.max) return false
    if (this.#length === this.#ring.length) this.#resize(this.#length * 2)
    this.#head = (this.#head - 1) & (this.#ring.length - 1)
    this.#ring[this.#head] = item
    this.#length++
    return true
  }

  /** Takes the first item; undefined if there is none. */
  shift(): T | undefined {
    if (this.#length === 0) return undefined
    const item = this.#ring[this.#head]
    this.#ring[this.#head] = undefined
    this.#head = (this.#head + 1) & (this.#ring.length - 1)
    this.#length--
    const capacity = this.#ring.length
    if (capacity > 1024 && this.#length < capacity / 8) this.#resize(capacity / 2)
    return item
  }

  peek(): T | undefined {
    return this.#length === 0 ? undefined : this.#ring[this.#head]
  }

  clear(): void {
    this.#ring = new Array(CAPACITY_MIN).fill(undefined)
    this.#head = 0
    this.#length = 0
  }

  /** First to last. The queue must not be changed meanwhile. */
  *[Symbol.iterator](): IterableIterator<T> {
    for (let i = 0; i < this.#length; i++) yield this.#ring[(this.#head + i) & (this.#ring.length - 1)] as T
  }

  #resize(capacity: number): void {
    const ring = new Array<T | undefined>(capacity).fill(undefined)
    for (let i = 0; i < this.#length; i++) ring[i] = this.#ring[(this.#head + i) & (this.#ring.length - 1)]
    this.#ring = ring
    this.#head = 0
  }
}
