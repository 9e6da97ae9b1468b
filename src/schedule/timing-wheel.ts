/**
 * TimingWheel: what is due when, for up to some millions of items in memory.
 *
 * A hierarchical timing wheel (G. Varghese and T. Lauck, Hashed and Hierarchical Timing Wheels, SOSP 1987): five
 * levels of 256 slots, the lowest 1 ms wide, each next one 256 times wider, 34 years together; later items wait in an
 * overflow list. An item lies on the level of the highest digit, in base 256, in which its millisecond differs from
 * the wheel's own. So everything on one level comes before everything on the next, equal instants share a slot in the
 * order they were added, and a bitmap of occupied slots finds the next one without a tick in between.
 *
 * A wheel alone is exact to its slot. Items of the current millisecond, or of the past, lie outside the slots, in
 * `run` (a queue in order of due, where nearly all go) and `late` (a heap, for those that come out of order): so the
 * order is exact to the fraction, nothing is ever early, and a backlog at one instant costs no more than elsewhere.
 *
 * add and cancel are O(1), but for out-of-order items of the current millisecond: O(log n). An item takes 20 bytes in
 * typed arrays and its reference. They grow by doubling, which stops the world for some 10 ms at a million items, and
 * do not shrink. No clock, no timer and no callback inside: the caller says what time it is.
 */

const LEVELS = 5
const SLOTS = 256
const OVERFLOW = LEVELS * SLOTS
/** Nodes below this are the slots' own: the ring of a slot begins and ends at it. Items come after. */
const FIRST = OVERFLOW + 1
const WORDS = SLOTS / 32
/** Milliseconds in a slot, by level. */
const WIDTH = Array.from({ length: LEVELS }, (_, level) => SLOTS ** level)
/** Milliseconds in all levels together. */
const REACH = SLOTS ** LEVELS

/** In `next` of an item outside the slots; `prev` is then its position there. */
const IN_RUN = -1
const IN_LATE = -2

/**
 * A handle is a node and its generation, 26 and 25 bits: below 2^51, so that a caller who holds several wheels has two
 * bits left to say which (schedule/scheduler.ts does). Odd generations are in use, even ones free.
 */
const NODES_MAX = 2 ** 26
const GENERATIONS_MAX = 2 ** 25

export class TimingWheel<T> {
  #size = 0
  /** The wheel's own time, in whole ms: whatever lies in a slot comes after it. It never goes back but by rebase. */
  #tick = 0
  /** By level: the tick without its lowest level + 1 digits. */
  readonly #block = new Float64Array(LEVELS)

  #prev: Int32Array
  #next: Int32Array
  #due: Float64Array
  #generation: Uint32Array
  readonly #items: Array<T | undefined> = new Array(FIRST).fill(undefined)
  /** Freed nodes, linked by `next`; 0: none. */
  #free = 0
  /** The first node that was never used. */
  #fresh = FIRST

  /** A bit for each slot that is not empty, and by level a bit for each word of those that is not 0. */
  readonly #occupied = new Int32Array(LEVELS * WORDS)
  readonly #summary = new Int32Array(LEVELS)
  /** The earliest due of what was put in a slot since it was last empty: a lower bound, as that may be cancelled. */
  readonly #earliest = new Float64Array(FIRST)

  /** Nodes [head, end) in order of due; 0 where one was cancelled. */
  #run = new Int32Array(64)
  #runHead = 0
  #runEnd = 0
  #runCount = 0
  /** The latest due put in `run` since `run` and `late` were last both empty: `late` takes what is before it. */
  #runTail = Number.NEGATIVE_INFINITY

  /** A binary heap by due, then by order of add. */
  #late = new Int32Array(64)
  #lateDue = new Float64Array(64)
  #lateSequence = new Float64Array(64)
  #lateCount = 0
  #sequence = 0

  constructor(now: number, options: { readonly capacity?: number } = {}) {
    const length = FIRST + Math.max(64, options.capacity ?? 1024)
    this.#prev = new Int32Array(length)
    this.#next = new Int32Array(length)
    this.#due = new Float64Array(length)
    this.#generation = new Uint32Array(length)
    this.#emptySlots()
    this.#moveTo(tickOf(now))
  }

  get size(): number {
    return this.#size
  }

  /**
   * Returns a handle for cancel(), an integer below 2^51. `due` is in ms with a fraction, and may be past (the next advance returns it) or
   * Infinity (it is never returned).
   */
  add(due: number, item: T): number {
    if (Number.isNaN(due)) throw new RangeError('due is NaN')
    let node = this.#free
    if (node !== 0) {
      this.#free = this.#next[node] as number
    } else {
      if (this.#fresh === this.#due.length) this.#grow()
      node = this.#fresh++
    }
    const generation = (this.#generation[node] as number) + 1
    this.#generation[node] = generation
    this.#due[node] = due
    this.#items[node] = item
    this.#size++
    this.#place(node, due)
    return generation * NODES_MAX + node
  }

  /** True if the item was there. False for one that was returned or cancelled before, whatever came in its place. */
  cancel(handle: number): boolean {
    const node = this.#nodeOf(handle)
    if (node === 0) return false
    const next = this.#next[node] as number
    const prev = this.#prev[node] as number
    if (next === IN_RUN) {
      this.#run[prev] = 0
      this.#runCount--
      this.#settleReady()
    } else if (next === IN_LATE) {
      this.#removeLate(prev)
      this.#settleReady()
    } else {
      this.#next[prev] = next
      this.#prev[next] = prev
      if (prev === next) this.#markEmpty(prev)
    }
    this.#release(node)
    return true
  }

  dueOf(handle: number): number | undefined {
    const node = this.#nodeOf(handle)
    return node === 0 ? undefined : this.#due[node]
  }

  /**
   * Appends at most `max` items with due <= now to `out`, in order of due, then of add; returns how many. When it
   * returns `max` there may be more. A `now` before an earlier one is allowed.
   */
  advance(now: number, out: T[], max: number): number {
    const tick = tickOf(now)
    let count = 0
    while (count < max) {
      count += this.#takeReady(now, out, max - count)
      // What is left there is not due yet, and the slots come after it.
      if (this.#runCount + this.#lateCount > 0 || !this.#openNext(tick)) break
    }
    return count
  }

  /**
   * The earliest instant at which advance() could return something, Infinity if there is none. It is exact, unless
   * the earliest item of a slot has been cancelled: then it may be too early, and advances at what it says correct it.
   */
  nextDue(): number {
    if (this.#runCount + this.#lateCount > 0) {
      const runDue = this.#runCount > 0 ? (this.#due[this.#runFirst()] as number) : Number.POSITIVE_INFINITY
      return this.#lateCount > 0 ? Math.min(runDue, this.#lateDue[0] as number) : runDue
    }
    for (let level = 0; level < LEVELS; level++) {
      const digit = this.#firstDigit(level)
      if (digit >= 0) return this.#earliest[level * SLOTS + digit] as number
    }
    return this.#earliest[OVERFLOW] as number
  }

  /** The clock jumped: rebuilds around the new now, in either direction, keeping every item and its handle. */
  rebase(now: number): void {
    const tick = tickOf(now)
    // Items of the same instant are together in one of these, so that their order is kept.
    const nodes = new Int32Array(this.#size)
    let count = 0
    for (let i = this.#runHead; i < this.#runEnd; i++) {
      if (this.#run[i] !== 0) nodes[count++] = this.#run[i] as number
    }
    while (this.#lateCount > 0) {
      nodes[count++] = this.#late[0] as number
      this.#removeLate(0)
    }
    for (let slot = 0; slot < FIRST; slot++) {
      for (let node = this.#next[slot] as number; node !== slot; node = this.#next[node] as number) {
        nodes[count++] = node
      }
    }
    this.#emptySlots()
    this.#runCount = 0
    this.#settleReady()
    this.#moveTo(tick)
    for (const node of nodes) this.#place(node, this.#due[node] as number)
  }

  clear(): void {
    this.#emptySlots()
    this.#runCount = 0
    this.#lateCount = 0
    this.#settleReady()
    for (let node = FIRST; node < this.#fresh; node++) {
      if ((this.#generation[node] as number) % 2 === 1) this.#release(node)
    }
  }

  /** The node of a live item, or 0. */
  #nodeOf(handle: number): number {
    const node = handle & (NODES_MAX - 1)
    const generation = (handle - node) / NODES_MAX
    if (node < FIRST || node >= this.#fresh) return 0
    return generation % 2 === 1 && this.#generation[node] === generation ? node : 0
  }

  #release(node: number): void {
    const generation = (this.#generation[node] as number) + 1
    this.#generation[node] = generation
    this.#items[node] = undefined
    this.#size--
    // A node that has used up its generations is left alone for ever: no old handle may fit a new item.
    if (generation >= GENERATIONS_MAX - 1) return
    this.#next[node] = this.#free
    this.#free = node
  }

  /** Puts a node where its due belongs, after those of the same due. */
  #place(node: number, due: number): void {
    const tick = Math.floor(due)
    if (tick <= this.#tick) {
      if (due >= this.#runTail) this.#appendRun(node, due)
      else this.#pushLate(node, due)
      return
    }
    let digits = tick
    for (let level = 0; level < LEVELS; level++) {
      const block = Math.floor(digits / SLOTS)
      if (block === this.#block[level]) {
        const digit = digits - block * SLOTS
        const word = digit >> 5
        const at = level * WORDS + word
        this.#occupied[at] = (this.#occupied[at] as number) | (1 << (digit & 31))
        this.#summary[level] = (this.#summary[level] as number) | (1 << word)
        this.#link(level * SLOTS + digit, node, due)
        return
      }
      digits = block
    }
    this.#link(OVERFLOW, node, due)
  }

  #link(slot: number, node: number, due: number): void {
    const last = this.#prev[slot] as number
    this.#next[last] = node
    this.#prev[node] = last
    this.#next[node] = slot
    this.#prev[slot] = node
    if (due < (this.#earliest[slot] as number)) this.#earliest[slot] = due
  }

  #markEmpty(slot: number): void {
    this.#earliest[slot] = Number.POSITIVE_INFINITY
    if (slot === OVERFLOW) return
    const at = slot >> 5
    const bits = (this.#occupied[at] as number) & ~(1 << (slot & 31))
    this.#occupied[at] = bits
    const level = slot >> 8
    if (bits === 0) this.#summary[level] = (this.#summary[level] as number) & ~(1 << (at & (WORDS - 1)))
  }

  #emptySlots(): void {
    for (let slot = 0; slot < FIRST; slot++) {
      this.#next[slot] = slot
      this.#prev[slot] = slot
    }
    this.#occupied.fill(0)
    this.#summary.fill(0)
    this.#earliest.fill(Number.POSITIVE_INFINITY)
  }

  /** The first slot of a level that is not empty; -1 if all are. */
  #firstDigit(level: number): number {
    const summary = this.#summary[level] as number
    if (summary === 0) return -1
    const word = lowestBit(summary)
    return word * 32 + lowestBit(this.#occupied[level * WORDS + word] as number)
  }

  /**
   * Empties the first slot into lower levels, run and late, if it begins at `tick` or before, and goes to its
   * beginning. Otherwise goes to `tick`, and returns false. Run and late are empty.
   */
  #openNext(tick: number): boolean {
    for (let level = 0; level < LEVELS; level++) {
      const digit = this.#firstDigit(level)
      if (digit < 0) continue
      const start = ((this.#block[level] as number) * SLOTS + digit) * (WIDTH[level] as number)
      return this.#open(level * SLOTS + digit, start, tick)
    }
    // Like a slot, the overflow is opened where the levels begin to reach its first item, not at that item's due.
    return this.#open(OVERFLOW, Math.floor((this.#earliest[OVERFLOW] as number) / REACH) * REACH, tick)
  }

  #open(slot: number, start: number, tick: number): boolean {
    if (start > tick) {
      if (tick > this.#tick) this.#moveTo(tick)
      return false
    }
    this.#moveTo(start)
    let node = this.#next[slot] as number
    this.#next[slot] = slot
    this.#prev[slot] = slot
    this.#markEmpty(slot)
    while (node !== slot) {
      const next = this.#next[node] as number
      this.#place(node, this.#due[node] as number)
      node = next
    }
    return true
  }

  #moveTo(tick: number): void {
    this.#tick = tick
    let digits = tick
    for (let level = 0; level < LEVELS; level++) {
      digits = Math.floor(digits / SLOTS)
      if (this.#block[level] === digits) return
      this.#block[level] = digits
    }
  }

  /** Takes what is due from run and late, merged; on a tie run is first, being older. */
  #takeReady(now: number, out: T[], max: number): number {
    let count = 0
    while (count < max) {
      let node = 0
      if (this.#runCount > 0) {
        node = this.#runFirst()
        const due = this.#due[node] as number
        if (this.#lateCount > 0 && (this.#lateDue[0] as number) < due) node = 0
        else if (due > now) break
      }
      if (node !== 0) {
        this.#runHead++
        this.#runCount--
      } else {
        if (this.#lateCount === 0 || (this.#lateDue[0] as number) > now) break
        node = this.#late[0] as number
        this.#removeLate(0)
      }
      out.push(this.#items[node] as T)
      this.#release(node)
      count++
    }
    this.#settleReady()
    return count
  }

  /** The first node of run, which must not be empty. */
  #runFirst(): number {
    while (this.#run[this.#runHead] === 0) this.#runHead++
    return this.#run[this.#runHead] as number
  }

  #settleReady(): void {
    if (this.#runCount > 0) return
    this.#runHead = 0
    this.#runEnd = 0
    if (this.#lateCount === 0) this.#runTail = Number.NEGATIVE_INFINITY
  }

  #appendRun(node: number, due: number): void {
    if (this.#runEnd === this.#run.length) this.#makeRoomInRun()
    this.#run[this.#runEnd] = node
    this.#prev[node] = this.#runEnd++
    this.#next[node] = IN_RUN
    this.#runCount++
    this.#runTail = due
  }

  /** Closes the gaps of what was taken or cancelled; grows unless that gave half of the room. */
  #makeRoomInRun(): void {
    const old = this.#run
    if (this.#runCount > old.length / 2) this.#run = new Int32Array(old.length * 2)
    let end = 0
    for (let i = this.#runHead; i < this.#runEnd; i++) {
      const node = old[i] as number
      if (node === 0) continue
      this.#run[end] = node
      this.#prev[node] = end++
    }
    this.#runHead = 0
    this.#runEnd = end
  }

  #pushLate(node: number, due: number): void {
    if (this.#lateCount === this.#late.length) {
      this.#late = grown(this.#late, new Int32Array(this.#lateCount * 2))
      this.#lateDue = grown(this.#lateDue, new Float64Array(this.#lateCount * 2))
      this.#lateSequence = grown(this.#lateSequence, new Float64Array(this.#lateCount * 2))
    }
    this.#next[node] = IN_LATE
    this.#siftUp(this.#lateCount++, node, due, this.#sequence++)
  }

  /** Fills the gap at `at` with the last entry. */
  #removeLate(at: number): void {
    const last = --this.#lateCount
    if (at === last) return
    const node = this.#late[last] as number
    const due = this.#lateDue[last] as number
    const sequence = this.#lateSequence[last] as number
    let hole = at
    for (;;) {
      let child = 2 * hole + 1
      if (child >= last) break
      const right = child + 1
      if (
        right < last &&
        this.#isBefore(right, this.#lateDue[child] as number, this.#lateSequence[child] as number)
      ) {
        child = right
      }
      if (!this.#isBefore(child, due, sequence)) break
      this.#setLate(
        hole,
        this.#late[child] as number,
        this.#lateDue[child] as number,
        this.#lateSequence[child] as number,
      )
      hole = child
    }
    this.#siftUp(hole, node, due, sequence)
  }

  #siftUp(from: number, node: number, due: number, sequence: number): void {
    let hole = from
    while (hole > 0) {
      const parent = (hole - 1) >> 1
      const parentDue = this.#lateDue[parent] as number
      const parentSequence = this.#lateSequence[parent] as number
      if (parentDue < due || (parentDue === due && parentSequence < sequence)) break
      this.#setLate(hole, this.#late[parent] as number, parentDue, parentSequence)
      hole = parent
    }
    this.#setLate(hole, node, due, sequence)
  }

  #isBefore(at: number, due: number, sequence: number): boolean {
    const other = this.#lateDue[at] as number
    return other < due || (other === due && (this.#lateSequence[at] as number) < sequence)
  }

  #setLate(at: number, node: number, due: number, sequence: number): void {
    this.#late[at] = node
    this.#lateDue[at] = due
    this.#lateSequence[at] = sequence
    this.#prev[node] = at
  }

  #grow(): void {
    const length = Math.min(FIRST + (this.#due.length - FIRST) * 2, NODES_MAX)
    if (length === this.#due.length) throw new RangeError(`the wheel is full at ${this.#size} items`)
    this.#prev = grown(this.#prev, new Int32Array(length))
    this.#next = grown(this.#next, new Int32Array(length))
    this.#due = grown(this.#due, new Float64Array(length))
    this.#generation = grown(this.#generation, new Uint32Array(length))
  }
}

function tickOf(now: number): number {
  if (!Number.isFinite(now)) throw new RangeError(`now is ${now}`)
  return Math.floor(now)
}

/** Number of the lowest bit that is set. */
function lowestBit(bits: number): number {
  return 31 - Math.clz32(bits & -bits)
}

function grown<A extends Int32Array | Uint32Array | Float64Array>(from: A, to: A): A {
  to.set(from)
  return to
}
