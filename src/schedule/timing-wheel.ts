// stand-in until the real one lands
interface E<T> { due: number; item: T; handle: number; dead: boolean }
export class TimingWheel<T> {
  #heap: E<T>[] = []
  #by = new Map<number, E<T>>()
  #n = 0
  constructor(_now: number, _o?: { capacity?: number }) {}
  get size() { return this.#by.size }
  add(due: number, item: T): number {
    const e = { due, item, handle: ++this.#n, dead: false }
    this.#by.set(e.handle, e)
    const h = this.#heap
    let i = h.length
    h.push(e)
    while (i > 0) { const p = (i - 1) >> 1; if (h[p]!.due <= due) break; h[i] = h[p]!; i = p }
    h[i] = e
    return e.handle
  }
  cancel(x: number): boolean { const e = this.#by.get(x); if (!e) return false; e.dead = true; this.#by.delete(x); this.#trim(); return true }
  dueOf(x: number) { return this.#by.get(x)?.due }
  #trim() { while (this.#heap.length && this.#heap[0]!.dead) this.#pop(); if (this.#heap.length > 1000 && this.#heap.length > 3 * this.#by.size) { this.#heap = [...this.#by.values()].sort((a, b) => a.due - b.due) } }
  #pop(): E<T> { const h = this.#heap; const top = h[0]!; const last = h.pop()!; if (h.length) { let i = 0; for (;;) { let c = 2 * i + 1; if (c >= h.length) break; if (c + 1 < h.length && h[c + 1]!.due < h[c]!.due) c++; if (h[c]!.due >= last.due) break; h[i] = h[c]!; i = c } h[i] = last } return top }
  advance(now: number, out: T[], max: number): number {
    let n = 0
    this.#trim()
    while (n < max && this.#heap.length > 0 && this.#heap[0]!.due <= now) { const e = this.#pop(); if (e.dead) continue; this.#by.delete(e.handle); out.push(e.item); n++ }
    return n
  }
  nextDue() { this.#trim(); return this.#heap[0]?.due ?? Infinity }
  rebase(_now: number) {}
  clear() { this.#heap = []; this.#by.clear() }
}
