import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { hash32, rangeOf } from '../../src/lib/hash.ts'

describe('hash32', () => {
  // Vectors of MurmurHash3_x86_32 as published for the reference implementation.
  test.each([
    ['', 0, 0],
    ['', 1, 0x514e28b7],
    ['', 0xffffffff, 0x81f16f39],
    ['test', 0, 0xba6bd213],
    ['test', 0x9747b28c, 0x704b81dc],
    ['Hello, world!', 0, 0xc0363e43],
    ['Hello, world!', 0x9747b28c, 0x24884cba],
    ['The quick brown fox jumps over the lazy dog', 0, 0x2e4ff723],
    ['The quick brown fox jumps over the lazy dog', 0x9747b28c, 0x2fa826cd],
    ['aaaa', 0x9747b28c, 0x5a97808a],
    ['aaa', 0x9747b28c, 0x283e0130],
    ['aa', 0x9747b28c, 0x5d211726],
    ['a', 0x9747b28c, 0x7fa09ea6],
  ])('of "%s" with seed %d is the published one', (text, seed, hash) => {
    expect(hash32(text, seed)).toBe(hash)
  })
})

describe('rangeOf', () => {
  test('is stable for ever', () => {
    expect(['report', 'a', 'order-17', '0192f0c1b2a3d4e5f6'].map(id => rangeOf(id, 256))).toEqual([
      252, 60, 3, 144,
    ])
  })

  test('lies in the ranges, and a range of 2n ranges lies in that of n', () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 0, max: 15 }), (id, log) => {
        const range = rangeOf(id, 2 ** log)
        expect(range).toBeGreaterThanOrEqual(0)
        expect(range).toBeLessThan(2 ** log)
        expect(rangeOf(id, 2 ** (log + 1)) >> 1).toBe(range)
      }),
    )
  })

  test.each([
    ['numbers', (i: number) => String(i)],
    ['a name and a number', (i: number) => `order-${i}`],
    ['generated ids', (i: number) => `k3v9q2m7x1p${i.toString(36).padStart(7, '0')}`],
    ['padded numbers', (i: number) => String(i).padStart(18, '0')],
  ])('spreads sequential ids evenly: %s', (_name, idOf) => {
    const count = 200_000
    const seen = new Array<number>(256).fill(0)
    for (let i = 0; i < count; i++) {
      const range = rangeOf(idOf(i), 256)
      seen[range] = (seen[range] as number) + 1
    }
    const expected = count / 256
    const chiSquare = seen.reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0)
    // 255 degrees of freedom: the mean is 255, the deviation 22.6; 360 is passed by chance once in 70,000.
    expect(chiSquare).toBeLessThan(360)
  })
})
