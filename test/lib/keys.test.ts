import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CorruptBytes } from '../../src/lib/bytes.ts'
import { compareBytes, getF64, getU64, prefixEnd, prefixRange, putF64, putU64 } from '../../src/lib/keys.ts'

const f64Key = (value: number): Uint8Array => {
  const key = new Uint8Array(8)
  putF64(key, 0, value)
  return key
}
const u64Key = (value: number): Uint8Array => {
  const key = new Uint8Array(8)
  putU64(key, 0, value)
  return key
}
const key = fc.uint8Array({ maxLength: 6 })

describe('keys', () => {
  test('u64 keeps order and value', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.maxSafeNat(), (a, b) => {
        expect(Math.sign(compareBytes(u64Key(a), u64Key(b)))).toBe(Math.sign(a - b))
        expect(getU64(u64Key(a), 0)).toBe(a)
      }),
    )
    expect(Buffer.from(u64Key(2 ** 53 - 1)).toString('hex')).toBe('001fffffffffffff')
    expect(Buffer.from(u64Key(1)).toString('hex')).toBe('0000000000000001')
    for (const value of [-1, 0.5, 2 ** 53, Number.NaN]) expect(() => u64Key(value)).toThrow(RangeError)
    expect(() => getU64(new Uint8Array(8).fill(255), 0)).toThrow(CorruptBytes)
    expect(() => getU64(new Uint8Array(8), 1)).toThrow(CorruptBytes)
    expect(() => putU64(new Uint8Array(8), 1, 0)).toThrow(RangeError)
  })

  test('f64 keeps order and value, instants before 1970 and infinities too', () => {
    const number = fc.oneof(
      fc.double({ noNaN: true }),
      fc.integer({ min: -8.64e15, max: 8.64e15 }),
      fc.constantFrom(0, -0, Number.MIN_VALUE, -Number.MIN_VALUE, Number.MAX_VALUE, -1, 1.8e12),
    )
    fc.assert(
      fc.property(number, number, (a, b) => {
        const order = a === b ? 0 : a < b ? -1 : 1
        expect(Math.sign(compareBytes(f64Key(a), f64Key(b)))).toBe(order)
        expect(getF64(f64Key(a), 0)).toBe(a + 0)
      }),
      { numRuns: 2000 },
    )
    expect(() => f64Key(Number.NaN)).toThrow(RangeError)
  })

  test('puts follow each other at the position they return', () => {
    const out = new Uint8Array(17)
    expect(putU64(out, putF64(out, 1, -5), 7)).toBe(17)
    expect([getF64(out, 1), getU64(out, 9)]).toEqual([-5, 7])
  })

  test('compareBytes orders as Buffer.compare does', () => {
    fc.assert(
      fc.property(key, key, (a, b) => {
        expect(Math.sign(compareBytes(a, b))).toBe(Buffer.compare(a, b))
      }),
    )
  })

  test('a key lies in the range of a prefix exactly if it begins with it', () => {
    const small = fc.uint8Array({ maxLength: 4, min: 253 })
    fc.assert(
      fc.property(small, small, (prefix, key) => {
        fc.pre(prefix.some(byte => byte !== 255))
        const { gte, lt } = prefixRange(prefix)
        const begins = prefix.every((byte, i) => key[i] === byte)
        expect(compareBytes(key, gte) >= 0 && compareBytes(key, lt) < 0).toBe(begins)
      }),
      { numRuns: 2000 },
    )
    expect(() => prefixEnd(new Uint8Array([255, 255]))).toThrow(RangeError)
    expect(() => prefixEnd(new Uint8Array())).toThrow(RangeError)
  })
})
