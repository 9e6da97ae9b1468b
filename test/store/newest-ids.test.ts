/** Which ids need not be looked for in the index. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { idHeadOf } from '../../src/lib/made-ids.ts'
import type { Store, StoreCursor } from '../../src/ports/store.ts'
import { taskKey } from '../../src/store/keys.ts'
import { NewestIds } from '../../src/store/newest-ids.ts'

const NOW = Date.UTC(2026, 10, 28)
const made = (ms: number): string => `${idHeadOf(ms)}00abcdefg`
const id = fc.oneof(
  fc.integer({ min: -5, max: 5 }).map(s => made(NOW + s * 1000)),
  fc.constantFrom('0', '00', '0zz', '1', 'nightly', 'Z', '0mzzzzzzzzzzzzzzzz'),
)

/** An index with these tasks of range 3, as far as it is read here. */
function indexOf(ids: readonly string[]): Store {
  const keys = ids.map(each => taskKey(3, each)).sort(Buffer.compare)
  const cursor = ({ gte, lt }: { readonly gte: Uint8Array; readonly lt: Uint8Array }): StoreCursor => {
    const found = keys.filter(key => Buffer.compare(key, gte) >= 0 && Buffer.compare(key, lt) < 0)
    return {
      // Fewer than asked for, as a store may.
      next: async max => found.splice(0, Math.min(max, 2)).map(key => [key, new Uint8Array(0)]),
      close: async () => undefined,
    }
  }
  return { cursor } as unknown as Store
}

test('what is in the index, before a start or since, is never said to be above it', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(id, { maxLength: 6 }),
      fc.array(id, { maxLength: 6 }),
      async (before, since) => {
        const newest = new NewestIds()
        await newest.read(indexOf(before), before.length > 0 ? [3] : [], idHeadOf(NOW))
        for (const each of since) newest.note(3, each)
        for (const each of [...before, ...since]) expect(newest.isAbove(3, each)).toBe(false)
      },
    ),
    { numRuns: 300 },
  )
})

test('ids that are made now are above it, range by range', async () => {
  const newest = new NewestIds()
  await newest.read(indexOf([made(NOW - 5000), 'nightly']), [3], idHeadOf(NOW))
  expect(newest.isAbove(3, made(NOW))).toBe(true)
  expect(newest.isAbove(3, made(NOW - 1))).toBe(false)
  newest.note(3, made(NOW + 10))
  expect(newest.isAbove(3, made(NOW + 10))).toBe(false)
  expect(newest.isAbove(3, made(NOW + 11))).toBe(true)
  expect(newest.isAbove(4, made(NOW))).toBe(true)
  expect(newest.isAbove(3, 'nightly')).toBe(false)
})

test('with too many ids of the future nothing is above them', async () => {
  const newest = new NewestIds()
  const future = Array.from({ length: 1000 }, (_, i) => made(NOW + i))
  await newest.read(indexOf(future), [3], idHeadOf(NOW))
  expect(newest.isAbove(3, made(NOW + 3_600_000))).toBe(false)
})
