import type { Random } from '../src/ports/random.ts'
/** splitmix32-ish */
export class SeededRandom implements Random {
  #s: number
  constructor(seed: number) {
    this.#s = seed >>> 0
  }
  #u(): number {
    this.#s = (this.#s + 0x9e3779b9) | 0
    let t = this.#s ^ (this.#s >>> 16)
    t = Math.imul(t, 0x21f0aaad)
    t ^= t >>> 15
    t = Math.imul(t, 0x735a2d97)
    t ^= t >>> 15
    return t >>> 0
  }
  float(): number {
    return (this.#u() * 2 ** 21 + (this.#u() >>> 11)) / 2 ** 53
  }
  bytes(length: number): Uint8Array {
    const b = new Uint8Array(length)
    for (let i = 0; i < length; i++) b[i] = this.#u() & 255
    return b
  }
}
