/** What happens when: virtual time without promises, so that a world of some minutes runs in some milliseconds. */

interface Item {
  readonly at: number
  readonly seq: number
  readonly run: () => void
}

export class Agenda {
  now = 0
  #seq = 0
  readonly #heap: Item[] = []

  after(ms: number, run: () => void): void {
    const heap = this.#heap
    const item = { at: this.now + Math.max(0, ms), seq: this.#seq++, run }
    heap.push(item)
    let i = heap.length - 1
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (!isBefore(item, heap[parent] as Item)) break
      heap[i] = heap[parent] as Item
      i = parent
    }
    heap[i] = item
  }

  /** Runs everything up to then. */
  until(at: number): void {
    for (let item = this.#heap[0]; item !== undefined && item.at <= at; item = this.#heap[0]) {
      this.#pop()
      this.now = item.at
      item.run()
    }
    this.now = at
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop() as Item
    if (heap.length === 0) return
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Item, heap[child] as Item)) child++
      if (!isBefore(heap[child] as Item, last)) break
      heap[i] = heap[child] as Item
      i = child
    }
    heap[i] = last
  }
}

function isBefore(a: Item, b: Item): boolean {
  return a.at < b.at || (a.at === b.at && a.seq < b.seq)
}
