/**
 * SeededRandom: chance that replays. The same seed gives the same numbers on every machine and in every version, as
 * a simulation's seed is worth nothing otherwise. xoshiro128** (D. Blackman and S. Vigna, Scrambled Linear
 * Pseudorandom Number Generators, 2018): 16 bytes of state, period 2^128-1. It is not for secrets.
 */

import type { Random } from '../ports/random.ts'
import { hash32 } from './hash.ts'

export class SeededRandom implements Random {
  readonly #seed: string
  #a: number
  #b: number
  #c: number
  #d: number

  constructor(seed: number | string) {
    this.#seed = String(seed)
    this.#a = hash32(this.#seed, 1) | 0
    this.#b = hash32(this.#seed, 2) | 0
    this.#c = hash32(this.#seed, 3) | 0
    this.#d = hash32(this.#seed, 4) | 1 // all four 0 would stay so
  }

  /**
   * A generator of its own for one purpose. It depends on the seed and the label alone, not on what was drawn: more
   * draws in one place change nothing in another.
   */
  fork(label: string): SeededRandom {
    return new SeededRandom(`${this.#seed}/${label}`)
  }

  /** Uniform in [0, 1), with 53 bits. */
  float(): number {
    const high = this.uint32() >>> 5
    const low = this.uint32() >>> 6
    return (high * 0x400_0000 + low) / 2 ** 53
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    let word = 0
    for (let i = 0; i < length; i++) {
      word = (i & 3) === 0 ? this.uint32() : word >>> 8
      bytes[i] = word
    }
    return bytes
  }

  /** Uniform integer from 0 to 2^32-1. */
  uint32(): number {
    const product = Math.imul(this.#b, 5)
    const result = Math.imul((product << 7) | (product >>> 25), 9)
    const shifted = this.#b << 9
    this.#c ^= this.#a
    this.#d ^= this.#b
    this.#b ^= this.#c
    this.#a ^= this.#d
    this.#c ^= shifted
    this.#d = (this.#d << 11) | (this.#d >>> 21)
    return result >>> 0
  }
}
