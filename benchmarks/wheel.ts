/** The timing wheel beside a binary heap: add, cancel half, and take the rest out in order. */

import { TimingWheel } from '../src/schedule/timing-wheel.ts'
import type { Benchmark, BenchmarkResult } from './benchmark.ts'

export const wheel: Benchmark = {
  name: 'wheel',
  about: 'add 1 M timers over an hour, cancel every second one, fire the rest',
  async run({ quick, say }) {
    const n = quick ? 100_000 : 1_000_000
    const due = Float64Array.from({ length: n }, (_, i) => ((i * 2_654_435_761) % 3_600_000) + 1)
    say('wheel')
    const results: BenchmarkResult[] = []
    for (const round of ['warm-up', 'wheel']) {
      const from = performance.now()
      const timers = new TimingWheel<number>(0)
      const handles = new Float64Array(n)
      for (let i = 0; i < n; i++) handles[i] = timers.add(due[i] as number, i)
      const added = performance.now()
      for (let i = 0; i < n; i += 2) timers.cancel(handles[i] as number)
      const cancelled = performance.now()
      let fired = 0
      const out: number[] = []
      for (let now = 0; timers.size > 0; now += 100) {
        fired += timers.advance(now, out, n)
        out.length = 0
      }
      if (fired !== n / 2) throw new Error(`${fired} fired of ${n / 2}`)
      if (round === 'wheel') results.push(row('wheel', n, from, added, cancelled))
    }
    say('heap')
    const from = performance.now()
    const heap = new Heap()
    const cancelledItems = new Uint8Array(n)
    for (let i = 0; i < n; i++) heap.push(due[i] as number, i)
    const added = performance.now()
    for (let i = 0; i < n; i += 2) cancelledItems[i] = 1
    const cancelled = performance.now()
    let fired = 0
    for (let item = heap.pop(); item !== undefined; item = heap.pop()) if (cancelledItems[item] === 0) fired++
    if (fired !== n / 2) throw new Error(`${fired} fired of ${n / 2}`)
    results.push(row('binary heap, cancel by mark', n, from, added, cancelled))
    return results
  },
}

function row(name: string, n: number, from: number, added: number, cancelled: number): BenchmarkResult {
  const end = performance.now()
  return {
    name,
    n,
    perSec: (n / (end - from)) * 1000,
    addNs: ((added - from) / n) * 1e6,
    cancelNs: ((cancelled - added) / (n / 2)) * 1e6,
    fireNs: ((end - cancelled) / (n / 2)) * 1e6,
  }
}

class Heap {
  readonly #due: number[] = []
  readonly #items: number[] = []

  push(due: number, item: number): void {
    let at = this.#due.length
    while (at > 0) {
      const parent = (at - 1) >> 1
      if ((this.#due[parent] as number) <= due) break
      this.#due[at] = this.#due[parent] as number
      this.#items[at] = this.#items[parent] as number
      at = parent
    }
    this.#due[at] = due
    this.#items[at] = item
  }

  pop(): number | undefined {
    const top = this.#items[0]
    const due = this.#due.pop() as number
    const item = this.#items.pop() as number
    const length = this.#due.length
    let at = 0
    for (let child = 1; child < length; child = 2 * at + 1) {
      if (child + 1 < length && (this.#due[child + 1] as number) < (this.#due[child] as number)) child++
      if ((this.#due[child] as number) >= due) break
      this.#due[at] = this.#due[child] as number
      this.#items[at] = this.#items[child] as number
      at = child
    }
    if (length > 0) {
      this.#due[at] = due
      this.#items[at] = item
    }
    return top
  }
}
