import { expect, test } from 'vitest'
import { hash32 } from '../../src/lib/hash.ts'
import { SeededRandom } from '../../src/lib/seeded-random.ts'

/** The reference code of xoshiro128**, word for word, on bigints. */
function reference(state: number[]): () => number {
  const mask = 0xffff_ffffn
  const s = state.map(word => BigInt(word >>> 0))
  const rotl = (x: bigint, k: bigint) => ((x << k) | (x >> (32n - k))) & mask
  return () => {
    const [s0, s1, s2, s3] = s as [bigint, bigint, bigint, bigint]
    const result = (rotl((s1 * 5n) & mask, 7n) * 9n) & mask
    const t = (s1 << 9n) & mask
    const c = s2 ^ s0
    const d = s3 ^ s1
    s[1] = s1 ^ c
    s[0] = s0 ^ d
    s[2] = c ^ t
    s[3] = rotl(d, 11n)
    return Number(result)
  }
}

test('draws what the reference code draws', () => {
  const published = reference([1, 2, 3, 4])
  expect([published(), published(), published(), published()]).toEqual([11520, 0, 5927040, 70819200])
  for (const seed of ['0', '7', 'a/b']) {
    const expected = reference([hash32(seed, 1), hash32(seed, 2), hash32(seed, 3), hash32(seed, 4) | 1])
    const random = new SeededRandom(seed)
    for (let i = 0; i < 1000; i++) expect(random.uint32()).toBe(expected())
  }
})

test('the same seed gives the same draws for ever', () => {
  const random = new SeededRandom(7)
  expect([random.uint32(), random.uint32()]).toEqual([3739905783, 4194305725])
  expect(new SeededRandom(7).bytes(6)).toEqual(new Uint8Array([247, 110, 234, 222, 189, 6]))
  expect(new SeededRandom('7').float()).toBe(new SeededRandom(7).float())
})

test('a fork does not depend on what was drawn before it, nor on other forks', () => {
  const random = new SeededRandom(1)
  const early = random.fork('disk')
  random.float()
  random.fork('clock').float()
  expect(random.fork('disk').bytes(16)).toEqual(early.bytes(16))
  expect(random.fork('clock').bytes(16)).not.toEqual(random.fork('disk').bytes(16))
  expect(random.fork('disk').bytes(16)).not.toEqual(new SeededRandom(2).fork('disk').bytes(16))
})

test('neighbouring seeds have nothing in common', () => {
  // Of 32 bits half differ, give or take; over 1000 pairs the mean is within 16 +- 1.
  let differing = 0
  for (let seed = 0; seed < 1000; seed++) {
    let bits = new SeededRandom(seed).uint32() ^ new SeededRandom(seed + 1).uint32()
    for (; bits !== 0; bits &= bits - 1) differing++
  }
  expect(Math.abs(differing / 1000 - 16)).toBeLessThan(1)
})
