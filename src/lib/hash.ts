/**
 * The hash of ids: MurmurHash3 (x86, 32 bits; Appleby, public domain), of the bytes of an ASCII string. A task's
 * range follows from it, and stays with what is on disk, so the function can never change: the tests pin published
 * vectors. It is not for secrets: who chooses ids can choose them for one range.
 */

/** 0 to 2^32-1. Meant for ASCII; of other characters only the low 8 bits count. */
export function hash32(text: string, seed = 0): number {
  const length = text.length
  const tail = length & ~3
  let h = seed | 0
  for (let i = 0; i < tail; i += 4) {
    h ^= scrambled(
      (text.charCodeAt(i) & 255) |
        ((text.charCodeAt(i + 1) & 255) << 8) |
        ((text.charCodeAt(i + 2) & 255) << 16) |
        (text.charCodeAt(i + 3) << 24),
    )
    h = (h << 13) | (h >>> 19)
    h = (Math.imul(h, 5) + 0xe6546b64) | 0
  }
  if (length > tail) {
    let k = 0
    for (let i = length - 1; i >= tail; i--) k = (k << 8) | (text.charCodeAt(i) & 255)
    h ^= scrambled(k)
  }
  h ^= length
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/** Which of `ranges` equal parts of the hash space an id falls in: the top bits of the hash. At most 65,536. */
export function rangeOf(id: string, ranges: number): number {
  return Math.floor((hash32(id) * ranges) / 0x1_0000_0000)
}

function scrambled(word: number): number {
  const k = Math.imul(word, 0xcc9e2d51)
  return Math.imul((k << 15) | (k >>> 17), 0x1b873593)
}
