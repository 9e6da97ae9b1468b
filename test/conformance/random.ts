import { describe, expect, test } from 'vitest'
import type { Random } from '../../src/ports/random.ts'

export function randomConformance(name: string, make: () => Random): void {
  describe(`${name} keeps the contract of Random`, () => {
    test('draws floats of [0, 1) that fill the range evenly', () => {
      const random = make()
      const buckets = new Array<number>(10).fill(0)
      for (let draw = 0; draw < 20_000; draw++) {
        const float = random.float()
        expect(float >= 0 && float < 1).toBe(true)
        const bucket = Math.floor(float * 10)
        buckets[bucket] = (buckets[bucket] ?? 0) + 1
      }
      // 2000 each, sigma 42: seven sigma.
      for (const count of buckets) expect(Math.abs(count - 2000)).toBeLessThan(300)
    })

    test('draws floats with more than 32 bits', () => {
      const random = make()
      const floats = Array.from({ length: 64 }, () => random.float())
      expect(floats.some(float => (float * 2 ** 32) % 1 !== 0)).toBe(true)
      expect(new Set(floats).size).toBe(64)
    })

    test.each([0, 1, 7, 16, 4096, 4097, 100_000])('draws %i bytes', length => {
      expect(make().bytes(length)).toHaveLength(length)
    })

    test('draws bytes of every value, evenly', () => {
      const bytes = make().bytes(100_000)
      const counts = new Array<number>(256).fill(0)
      for (const byte of bytes) counts[byte] = (counts[byte] ?? 0) + 1
      // 391 each, sigma 20: seven sigma.
      for (const count of counts) expect(Math.abs(count - 391)).toBeLessThan(140)
    })

    test('never hands the same bytes out twice, and leaves them to the caller', () => {
      const random = make()
      const first = random.bytes(16)
      const copy = Uint8Array.from(first)
      const seen = new Set([String(first)])
      for (let draw = 0; draw < 2000; draw++) seen.add(String(random.bytes(16)))
      expect(seen.size).toBe(2001)
      expect(first).toEqual(copy)
      first.fill(0)
      expect(random.bytes(16)).not.toEqual(first)
    })
  })
}
