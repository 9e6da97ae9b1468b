/** Stores for the tests of the ring, and what may be drawn of them. */

import fc from 'fast-check'
import { hash64Hex } from '../../src/lib/hash64.ts'
import type { RingStore } from '../../src/ring/placement.ts'

/** The same number gives the same store. */
export function storeOf(number: number, parts: Partial<RingStore> = {}): RingStore {
  const store = hash64Hex(`store ${number}`) + hash64Hex(`store ${number}`, 1)
  return { store, node: `node-${number}`, zone: '', weight: 1, state: 'live', ...parts }
}

export function storesOf(count: number, parts: (number: number) => Partial<RingStore> = () => ({})) {
  return Array.from({ length: count }, (_, number) => storeOf(number, parts(number)))
}

interface Drawn {
  readonly max?: number
  readonly weightMax?: number
  readonly zones?: readonly string[]
  readonly states?: readonly RingStore['state'][]
}

/** 1 to `max` stores of any numbers; by default all live, of weight 1 and without a zone. */
export function arbitraryStores({ max = 24, weightMax = 1, zones = [''], states = ['live'] }: Drawn = {}) {
  return fc.uniqueArray(
    fc
      .record({
        number: fc.nat(1_000_000),
        weight: fc.integer({ min: 1, max: weightMax }),
        zone: fc.constantFrom(...zones),
        state: fc.constantFrom(...states),
      })
      .map(({ number, ...parts }) => storeOf(number, parts)),
    { minLength: 1, maxLength: max, selector: ({ store }) => store },
  )
}

export const arbitraryRanges = fc.integer({ min: 0, max: 9 }).map(log => 2 ** log)
