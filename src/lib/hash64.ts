/**
 * The 64-bit hash: MurmurHash3 x86_128 (Appleby, public domain), its first two 32-bit lanes. That variant has only
 * 32-bit words inside, so it runs on plain numbers; the x64 one and xxh64 would need BigInt or halves. Places on the
 * ring and ids of views follow from it, and every node of a mesh must find the same, so it can never change. It is
 * not for secrets, and no defence against who chooses the input.
 */

export interface Hash64 {
  /** The upper 32 bits, 0 to 2^32-1. */
  readonly hi: number
  /** The lower 32 bits, 0 to 2^32-1. */
  readonly lo: number
}

/** Of bytes, or of a text's UTF-8. */
export function hash64(input: Uint8Array | string, seed = 0): Hash64 {
  const [hi, lo] = hash128(input, seed)
  return { hi, lo }
}

/** {@link hash64} as 16 lower-case hex digits. */
export function hash64Hex(input: Uint8Array | string, seed = 0): string {
  const [hi, lo] = hash128(input, seed)
  return hi.toString(16).padStart(8, '0') + lo.toString(16).padStart(8, '0')
}

/** All four lanes, as the reference has them: the published vectors are of these. */
export function hash128(
  input: Uint8Array | string,
  seed = 0,
): [h1: number, h2: number, h3: number, h4: number] {
  const bytes = typeof input === 'string' ? Buffer.from(input) : input
  const length = bytes.length
  const tail = length & ~15
  let h1 = seed | 0
  let h2 = h1
  let h3 = h1
  let h4 = h1
  for (let i = 0; i < tail; i += 16) {
    h1 = (Math.imul(rotated(h1 ^ scrambled1(word(bytes, i)), 19) + h2, 5) + 0x561ccd1b) | 0
    h2 = (Math.imul(rotated(h2 ^ scrambled2(word(bytes, i + 4)), 17) + h3, 5) + 0x0bcaa747) | 0
    h3 = (Math.imul(rotated(h3 ^ scrambled3(word(bytes, i + 8)), 15) + h4, 5) + 0x96cd1c35) | 0
    h4 = (Math.imul(rotated(h4 ^ scrambled4(word(bytes, i + 12)), 13) + h1, 5) + 0x32ac3b17) | 0
  }
  // Past the end of the array `word` reads zeros, and the scramble of 0 is 0: the tail needs no cases.
  if (length > tail) {
    h1 ^= scrambled1(word(bytes, tail))
    h2 ^= scrambled2(word(bytes, tail + 4))
    h3 ^= scrambled3(word(bytes, tail + 8))
    h4 ^= scrambled4(word(bytes, tail + 12))
  }
  h1 ^= length
  h2 ^= length
  h3 ^= length
  h4 ^= length
  h1 = (h1 + h2 + h3 + h4) | 0
  h2 = mixed32(h2 + h1)
  h3 = mixed32(h3 + h1)
  h4 = mixed32(h4 + h1)
  h1 = mixed32(h1)
  h1 = (h1 + h2 + h3 + h4) >>> 0
  return [h1, (h2 + h1) >>> 0, (h3 + h1) >>> 0, (h4 + h1) >>> 0]
}

/** The last step of MurmurHash3 alone: every bit of a 32-bit word reaches every other. One to one; 0 stays 0. */
export function mixed32(word: number): number {
  let h = word
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/** Four bytes from `at` on, little-endian; those past the end are 0. */
function word(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  )
}

function rotated(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits))
}

const C1 = 0x239b961b
const C2 = 0xab0e9789
const C3 = 0x38b34ae5
const C4 = 0xa1e38b93

function scrambled1(k: number): number {
  return Math.imul(rotated(Math.imul(k, C1), 15), C2)
}

function scrambled2(k: number): number {
  return Math.imul(rotated(Math.imul(k, C2), 16), C3)
}

function scrambled3(k: number): number {
  return Math.imul(rotated(Math.imul(k, C3), 17), C4)
}

function scrambled4(k: number): number {
  return Math.imul(rotated(Math.imul(k, C4), 18), C1)
}
