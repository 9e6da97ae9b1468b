/**
 * Pieces of ordered binary keys: what they encode sorts as numbers do when the bytes are compared as unsigned.
 * The store's keys are put together from them. Each `put` writes 8 bytes at a position and returns the next one;
 * each `get` reads what may come from a damaged disk, and throws CorruptBytes.
 */

import { CorruptBytes } from './bytes.ts'

/** Width of each number below, bytes. */
export const KEY_NUMBER_BYTES = 8

/** Big-endian, of an integer from 0 to 2^53-1. */
export function putU64(out: Uint8Array, at: number, value: number): number {
  if (!Number.isSafeInteger(value) || value < 0)
    throw new RangeError(`${value} is not an integer from 0 to 2^53-1`)
  return putWords(out, at, Math.floor(value / WORD), value >>> 0)
}

export function getU64(bytes: Uint8Array, at: number): number {
  const value = getWord(bytes, at) * WORD + getWord(bytes, at + 4)
  if (!Number.isSafeInteger(value)) throw new CorruptBytes(`key holds ${value}, more than 2^53-1`)
  return value
}

/** Any number but NaN, negative and infinite ones too; -0 counts as 0. An instant is such a number of milliseconds. */
export function putF64(out: Uint8Array, at: number, value: number): number {
  if (Number.isNaN(value)) throw new RangeError('NaN has no place in an order')
  scratch.setFloat64(0, value + 0) // -0 + 0 is 0
  const high = scratch.getUint32(0)
  const low = scratch.getUint32(4)
  // IEEE 754 sorts by its bits, but for the sign: positive ones get the top bit, negative ones are turned around.
  return high >= SIGN ? putWords(out, at, ~high >>> 0, ~low >>> 0) : putWords(out, at, high + SIGN, low)
}

export function getF64(bytes: Uint8Array, at: number): number {
  const high = getWord(bytes, at)
  const low = getWord(bytes, at + 4)
  scratch.setUint32(0, high >= SIGN ? high - SIGN : ~high)
  scratch.setUint32(4, high >= SIGN ? low : ~low)
  return scratch.getFloat64(0)
}

/** The first key after all that begin with `prefix`. */
export function prefixEnd(prefix: Uint8Array): Uint8Array {
  let last = prefix.length - 1
  while (last >= 0 && prefix[last] === 255) last--
  if (last < 0) throw new RangeError('no key comes after a prefix of nothing but 0xff')
  const end = prefix.slice(0, last + 1)
  end[last] = (end[last] as number) + 1
  return end
}

/** The range of all keys that begin with `prefix`. */
export function prefixRange(prefix: Uint8Array): { readonly gte: Uint8Array; readonly lt: Uint8Array } {
  return { gte: prefix, lt: prefixEnd(prefix) }
}

/** Below 0, 0 or above 0, as unsigned bytes; a prefix comes before what it begins. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const difference = (a[i] as number) - (b[i] as number)
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

const WORD = 0x1_0000_0000
const SIGN = 0x8000_0000
const scratch = new DataView(new ArrayBuffer(8))

function putWords(out: Uint8Array, at: number, high: number, low: number): number {
  if (!(at >= 0 && at + 8 <= out.length)) throw new RangeError(`8 bytes at ${at} of ${out.length}`)
  out[at] = high >>> 24
  out[at + 1] = high >>> 16
  out[at + 2] = high >>> 8
  out[at + 3] = high
  out[at + 4] = low >>> 24
  out[at + 5] = low >>> 16
  out[at + 6] = low >>> 8
  out[at + 7] = low
  return at + 8
}

function getWord(bytes: Uint8Array, at: number): number {
  if (!(at >= 0 && at + 4 <= bytes.length)) throw new CorruptBytes(`4 bytes at ${at} of ${bytes.length}`)
  const top = bytes[at] as number
  const rest =
    ((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)
  return top * 0x100_0000 + rest
}
