// stand-in until the real one lands
export class Histogram {
  #v: number[] = []
  max = 0
  record(v: number, _count = 1) { if (this.#v.length < 10000) this.#v.push(v); if (v > this.max) this.max = v }
  percentile(p: number) { const s = [...this.#v].sort((a, b) => a - b); return s[Math.min(s.length - 1, Math.floor((s.length * p) / 100))] ?? 0 }
}
