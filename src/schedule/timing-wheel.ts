/**
 * A hierarchical timing wheel (Varghese and Lauck, 1987) on typed arrays: add and cancel are O(1), and nothing happens
 * while nothing is due. It has no timer and calls nobody: who owns it asks when something is due, sleeps, and advances.
 *
 * Five levels of 64 slots, a tick of one millisecond. An item lies at the level of the highest group of six bits in
 * which its tick differs from the wheel's; when the wheel enters that slot's span, its items move down. A bitmap per
 * level tells where the next ones are. What is more than 12 days ahead waits in a list of its own until the wheel is
 * rebased, every six days.
 *
 * Never early: an item's tick is its due instant rounded up, and the wheel's is now rounded down.
 */

import { invariant } from '../invariant.ts'

const BITS = 6
const SLOTS = 1 << BITS
const LEVELS = 5
const SPAN = 2 ** (BITS * LEVELS)
const OVERFLOW = LEVELS * SLOTS
const FREE = -1
const READY = -2
const NIL = -1
/** A handle is an item's index and how often that index was used: a stale one is told from a fresh one. */
const INDEX_MAX = 2 ** 26
const USES_MAX = 2 ** 24

export class TimingWheel<T> {
  #base: number
  /** Ticks since the base. */
  #now = 0
  #size = 0
  #due: Float64Array
  #next: Int32Array
  #prev: Int32Array
  #slot: Int16Array
  #uses: Uint32Array
  #items: Array<T | undefined>
  #free: number[] = []
  #used = 0
  readonly #head = new Int32Array(OVERFLOW + 1).fill(NIL)
  readonly #tail = new Int32Array(OVERFLOW + 1).fill(NIL)
  /** Two words a level: which slots have items. */
  readonly #occupied = new Uint32Array(LEVELS * 2)
  /** Items that are due, in order; from #readyAt on. Cancelled ones are skipped. */
  #ready: number[] = []
  #readyAt = 0

  constructor(now: number, options: { readonly capacity?: number } = {}) {
    const capacity = Math.max(16, options.capacity ?? 1024)
    this.#base = Math.floor(now)
    this.#due = new Float64Array(capacity)
    this.#next = new Int32Array(capacity)
    this.#prev = new Int32Array(capacity)
    this.#slot = new Int16Array(capacity).fill(FREE)
    this.#uses = new Uint32Array(capacity)
    this.#items = new Array<T | undefined>(capacity).fill(undefined)
  }

  get size(): number {
    return this.#size
  }

  /** Adds an item that is due at an instant in ms; one that is due already comes with the next advance. */
  add(due: number, item: T): number {
    invariant(!Number.isNaN(due), 'an instant is a number')
    const index = this.#free.pop() ?? this.#fresh()
    this.#due[index] = due
    this.#items[index] = item
    this.#size++
    this.#insert(index)
    return (this.#uses[index] as number) * INDEX_MAX + index
  }

  /** False if the item of this handle has come or was cancelled before. */
  cancel(handle: number): boolean {
    const index = this.#indexOf(handle)
    if (index === undefined) return false
    // An item in the ready list stays there, and is passed over: its index is free only then.
    if (this.#slot[index] === READY) this.#items[index] = undefined
    else this.#unlink(index)
    this.#retire(index, this.#slot[index] !== READY)
    return true
  }

  dueOf(handle: number): number | undefined {
    const index = this.#indexOf(handle)
    return index === undefined ? undefined : (this.#due[index] as number)
  }

  /** Appends at most `max` items that are due, in order of their instants; equal ones as they were added. */
  advance(now: number, out: T[], max: number): number {
    let count = 0
    for (;;) {
      count += this.#deliver(now, out, max - count)
      if (count >= max || !this.#step(Math.floor(now) - this.#base)) return count
    }
  }

  /** The instant up to which it is safe to sleep: something is due then, or a step nearer to it. Infinity if empty. */
  nextDue(): number {
    const first = this.#firstReady()
    if (first !== undefined) return this.#due[first] as number
    for (let level = 0; level < LEVELS; level++) {
      const slot = this.#nextOccupied(level)
      if (slot >= 0) return this.#base + this.#startOf(level, slot)
    }
    return this.#head[OVERFLOW] === NIL ? Number.POSITIVE_INFINITY : this.#base + SPAN / 2
  }

  /** Rebuilds the wheel around a new now, in either direction, with every item. */
  rebase(now: number): void {
    const indexes: number[] = []
    for (let i = this.#readyAt; i < this.#ready.length; i++) {
      const index = this.#ready[i] as number
      if (this.#items[index] === undefined && this.#slot[index] === READY) this.#release(index)
      else indexes.push(index)
    }
    for (let slot = 0; slot <= OVERFLOW; slot++) {
      for (let index = this.#head[slot] as number; index !== NIL; index = this.#next[index] as number) indexes.push(index)
    }
    indexes.sort((a, b) => (this.#due[a] as number) - (this.#due[b] as number))
    this.#head.fill(NIL)
    this.#tail.fill(NIL)
    this.#occupied.fill(0)
    this.#ready = []
    this.#readyAt = 0
    this.#base = Math.floor(now)
    this.#now = 0
    for (const index of indexes) this.#insert(index)
  }

  clear(): void {
    for (let index = 0; index < this.#used; index++) {
      if (this.#slot[index] === FREE) continue
      this.#uses[index] = ((this.#uses[index] as number) + 1) % USES_MAX
      this.#items[index] = undefined
      this.#slot[index] = FREE
    }
    this.#free = Array.from({ length: this.#used }, (_, i) => this.#used - 1 - i)
    this.#head.fill(NIL)
    this.#tail.fill(NIL)
    this.#occupied.fill(0)
    this.#ready = []
    this.#readyAt = 0
    this.#size = 0
  }

  #indexOf(handle: number): number | undefined {
    const index = handle % INDEX_MAX
    if (!(index < this.#used) || this.#slot[index] === FREE || this.#items[index] === undefined) return undefined
    return Math.floor(handle / INDEX_MAX) === this.#uses[index] ? index : undefined
  }

  #insert(index: number): void {
    const tick = Math.ceil(this.#due[index] as number) - this.#base
    if (tick <= this.#now) return this.#makeReady(index)
    if (tick >= SPAN) return this.#link(index, OVERFLOW)
    const level = Math.floor((31 - Math.clz32(tick ^ this.#now)) / BITS)
    const slot = (tick >>> (level * BITS)) & (SLOTS - 1)
    this.#link(index, level * SLOTS + slot)
    const word = level * 2 + (slot >>> 5)
    this.#occupied[word] = (this.#occupied[word] as number) | (1 << (slot & 31))
  }

  /** Into the list of what is due, behind everything that is due no later. */
  #makeReady(index: number): void {
    this.#slot[index] = READY
    const ready = this.#ready
    const due = this.#due[index] as number
    let at = ready.length
    while (at > this.#readyAt && (this.#due[ready[at - 1] as number] as number) > due) at--
    if (at === ready.length) ready.push(index)
    else ready.splice(at, 0, index)
  }

  #deliver(now: number, out: T[], max: number): number {
    let count = 0
    while (count < max) {
      const index = this.#firstReady()
      if (index === undefined || (this.#due[index] as number) > now) break
      this.#readyAt++
      out.push(this.#items[index] as T)
      this.#retire(index, true)
      count++
    }
    if (this.#readyAt > 1024 && this.#readyAt * 2 > this.#ready.length) {
      this.#ready = this.#ready.slice(this.#readyAt)
      this.#readyAt = 0
    }
    return count
  }

  #firstReady(): number | undefined {
    while (this.#readyAt < this.#ready.length) {
      const index = this.#ready[this.#readyAt] as number
      if (this.#items[index] !== undefined) return index
      this.#readyAt++
      this.#release(index)
    }
    if (this.#readyAt > 0) {
      this.#ready.length = 0
      this.#readyAt = 0
    }
    return undefined
  }

  /** Moves on to the next slot that has something, but not beyond `target`; false once there. */
  #step(target: number): boolean {
    if (this.#now >= target) {
      if (this.#now < SPAN / 2) return false
      this.rebase(this.#base + this.#now)
      return true
    }
    for (let level = 0; level < LEVELS; level++) {
      const slot = this.#nextOccupied(level)
      if (slot < 0) continue
      const start = this.#startOf(level, slot)
      if (start > target) break
      this.#now = start
      this.#empty(level, slot)
      return true
    }
    this.#now = target
    return this.#now >= SPAN / 2
  }

  /** What lay in the slot goes down to its place, or is due. */
  #empty(level: number, slot: number): void {
    const at = level * SLOTS + slot
    let index = this.#head[at] as number
    this.#head[at] = NIL
    this.#tail[at] = NIL
    this.#occupied[level * 2 + (slot >>> 5)] = (this.#occupied[level * 2 + (slot >>> 5)] as number) & ~(1 << (slot & 31))
    while (index !== NIL) {
      const next = this.#next[index] as number
      this.#insert(index)
      index = next
    }
  }

  /** The next slot of the level, after the wheel's own, that has items; -1 if there is none in this turn of it. */
  #nextOccupied(level: number): number {
    const after = ((this.#now >>> (level * BITS)) & (SLOTS - 1)) + 1
    for (let word = after >>> 5; word < 2; word++) {
      let bits = this.#occupied[level * 2 + word] as number
      if (word === after >>> 5) bits = (bits & (-1 << (after & 31))) >>> 0
      if (bits !== 0) return word * 32 + (31 - Math.clz32(bits & -bits))
    }
    return -1
  }

  /** The first tick of a slot. */
  #startOf(level: number, slot: number): number {
    const above = (level + 1) * BITS
    return Math.floor(this.#now / 2 ** above) * 2 ** above + slot * 2 ** (level * BITS)
  }

  #link(index: number, slot: number): void {
    const tail = this.#tail[slot] as number
    this.#slot[index] = slot
    this.#next[index] = NIL
    this.#prev[index] = tail
    if (tail === NIL) this.#head[slot] = index
    else this.#next[tail] = index
    this.#tail[slot] = index
  }

  #unlink(index: number): void {
    const slot = this.#slot[index] as number
    const next = this.#next[index] as number
    const prev = this.#prev[index] as number
    if (prev === NIL) this.#head[slot] = next
    else this.#next[prev] = next
    if (next === NIL) this.#tail[slot] = prev
    else this.#prev[next] = prev
    if (this.#head[slot] !== NIL || slot === OVERFLOW) return
    const word = (slot >>> BITS) * 2 + ((slot & (SLOTS - 1)) >>> 5)
    this.#occupied[word] = (this.#occupied[word] as number) & ~(1 << (slot & 31))
  }

  /** The item has come or was cancelled: its handle is stale from now on. */
  #retire(index: number, release: boolean): void {
    this.#items[index] = undefined
    this.#uses[index] = ((this.#uses[index] as number) + 1) % USES_MAX
    this.#size--
    if (release) this.#release(index)
  }

  #release(index: number): void {
    this.#slot[index] = FREE
    this.#free.push(index)
  }

  #fresh(): number {
    const capacity = this.#due.length
    if (this.#used === capacity) this.#grow(capacity * 2)
    return this.#used++
  }

  #grow(capacity: number): void {
    invariant(capacity <= INDEX_MAX, 'a wheel holds at most 2^26 items')
    this.#due = grown(new Float64Array(capacity), this.#due)
    this.#next = grown(new Int32Array(capacity), this.#next)
    this.#prev = grown(new Int32Array(capacity), this.#prev)
    this.#slot = grown(new Int16Array(capacity).fill(FREE), this.#slot)
    this.#uses = grown(new Uint32Array(capacity), this.#uses)
    this.#items.length = capacity
  }
}

function grown<A extends { set(from: A): void }>(to: A, from: A): A {
  to.set(from)
  return to
}
