/**
 * SystemRandom: unpredictable randomness from the operating system. It draws 4 KB at a time, since a call into
 * the generator costs a microsecond whatever its length, and erases what it has handed out.
 */

import { randomFillSync } from 'node:crypto'
import type { Random } from '../ports/random.ts'

const poolBytes = 4096

export class SystemRandom implements Random {
  readonly #pool = Buffer.alloc(poolBytes)
  #used = poolBytes

  float(): number {
    const at = this.#take(7)
    // 53 bits: all that a double in [0, 1) can hold.
    const high = this.#pool.readUInt32LE(at)
    const low = this.#pool.readUIntLE(at + 4, 3) & 0x1fffff
    this.#pool.fill(0, at, at + 7)
    return (high * 2 ** 21 + low) / 2 ** 53
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    if (length > poolBytes) return randomFillSync(bytes)
    const at = this.#take(length)
    bytes.set(this.#pool.subarray(at, at + length))
    this.#pool.fill(0, at, at + length)
    return bytes
  }

  #take(length: number): number {
    if (this.#used + length > poolBytes) {
      randomFillSync(this.#pool)
      this.#used = 0
    }
    const at = this.#used
    this.#used += length
    return at
  }
}
