import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { hash64, hash64Hex, hash128, mixed32 } from '../../src/lib/hash64.ts'

const hexOf = (lanes: readonly number[]) => lanes.map(lane => lane.toString(16).padStart(8, '0')).join('')

describe('hash128', () => {
  // Made with mmh3 5.3.0 (hash_bytes, x64arch=False), which wraps the reference implementation.
  test.each([
    ['', 0, '00000000000000000000000000000000'],
    ['', 123, 'fedc524526f3e79926f3e79926f3e799'],
    ['', 0xffffffff, '051e08a9989d49f7989d49f7989d49f7'],
    ['a', 0, 'a794933c5556b01b5556b01b5556b01b'],
    ['ab', 0, '158451df25be301025be301025be3010'],
    ['abc', 0, '75cdc6d1a2b006a5a2b006a5a2b006a5'],
    ['foo', 0xffffffff, '0d4f03eec5d2f78dc5d2f78dc5d2f78d'],
    ['0123456789abcdef', 0, 'fb7d440936aed30a48ad1d9b572b3bfd'],
    ['0123456789abcdef0', 123, '7591f1f4ffe7a5b9edf5d596bc607bdf'],
    ['I will not buy this record, it is scratched.', 0, 'a0a9683b25ac5e40d9af2895890dddf5'],
    ['The quick brown fox jumps over the lazy dog', 0, '2f1583c3ecee2c675d7bf66ce5e91d2c'],
    ['naïve — ☃', 0, '2014d6ffe9a2f86f59d6a04e0f39fcae'],
  ])('of "%s" with seed %d is that of the reference', (text, seed, hex) => {
    expect(hexOf(hash128(text, seed))).toBe(hex)
    expect(hash64Hex(text, seed)).toBe(hex.slice(0, 16))
  })

  test('has the verification value that SMHasher publishes for MurmurHash3_x86_128', () => {
    // SMHasher's VerificationTest: keys {}, {0}, {0, 1} ... of 0 to 255 bytes, seed 256 - length, hash of the hashes.
    const hashes = Buffer.alloc(256 * 16)
    for (let length = 0; length < 256; length++) {
      const key = Uint8Array.from({ length }, (_, i) => i)
      hash128(key, 256 - length).forEach((lane, i) => {
        hashes.writeUInt32LE(lane, length * 16 + i * 4)
      })
    }
    expect(hash128(hashes)[0]).toBe(0xb3ece62a >>> 0)
  })
})

describe('hash64', () => {
  test('of a text is that of its UTF-8, wherever the bytes lie in their buffer', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.nat(5), fc.nat(), (text, offset, seed) => {
        const bytes = Buffer.from(text)
        const buffer = new Uint8Array(bytes.length + offset + 20).fill(0xaa)
        buffer.set(bytes, offset)
        expect(hash64(buffer.subarray(offset, offset + bytes.length), seed)).toEqual(hash64(text, seed))
      }),
    )
  })

  test.each([4, 8, 15, 16, 32, 33])(
    'flips half of its bits when one bit of %d bytes flips',
    { timeout: 60_000 },
    length => {
      const samples = 4000
      const flips = new Uint32Array(length * 8 * 64)
      const key = new Uint8Array(length)
      for (let sample = 0; sample < samples; sample++) {
        for (let i = 0; i < length; i += 4) {
          const word = mixed32(Math.imul(sample + 1, 0x9e3779b9) ^ (i << 8))
          for (let j = 0; j < 4 && i + j < length; j++) key[i + j] = word >>> (8 * j)
        }
        const from = hash64(key)
        for (let bit = 0; bit < length * 8; bit++) {
          key[bit >> 3]! ^= 1 << (bit & 7)
          const to = hash64(key)
          key[bit >> 3]! ^= 1 << (bit & 7)
          const hi = from.hi ^ to.hi
          const lo = from.lo ^ to.lo
          for (let out = 0; out < 32; out++) {
            flips[bit * 64 + out]! += (lo >>> out) & 1
            flips[bit * 64 + 32 + out]! += (hi >>> out) & 1
          }
        }
      }
      // The deviation of one cell is 0.8 %; six of them are passed by chance once in 500 million cells.
      let worst = 0
      for (const count of flips) worst = Math.max(worst, Math.abs(count / samples - 0.5))
      expect(worst).toBeLessThan(0.048)
    },
  )
})

test('mixed32 is one to one, and zero stays zero', () => {
  expect(mixed32(0)).toBe(0)
  const seen = new Set<number>()
  for (let i = 0; i < 100_000; i++) seen.add(mixed32(i))
  expect(seen.size).toBe(100_000)
})
