/**
 * What every Store keeps. `settle` waits for a promise of the store: a virtual clock has to be driven for that.
 */

import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { CursorOptions, Store, StoreCursor, StoreOp } from '../../src/ports/store.ts'

export interface StoreUnderTest {
  readonly store: Store
  /** Another store on the same disk, once the first is closed; undefined where nothing lasts. */
  readonly again?: () => Store
  settle<T>(promise: Promise<T>): Promise<T>
  dispose(): Promise<void>
}

export function storeConformance(
  name: string,
  make: () => Promise<StoreUnderTest>,
  options: { readonly runs: number },
): void {
  describe(`${name} keeps the contract of Store`, () => {
    let subject: StoreUnderTest
    let store: Store
    let settle: StoreUnderTest['settle']

    beforeEach(async () => {
      subject = await make()
      store = subject.store
      settle = subject.settle
      await settle(store.open())
    })

    afterEach(async () => {
      await settle(store.close())
      await subject.dispose()
    })

    test('reads what was written, and undefined where nothing was', async () => {
      await settle(store.write([put('a', '1')], { sync: true }))
      expect(text(await settle(store.get(bytes('a'))))).toBe('1')
      expect(await settle(store.get(bytes('b')))).toBeUndefined()
      const many = await settle(store.getMany([bytes('b'), bytes('a'), bytes('a')]))
      expect(many.map(text)).toEqual([undefined, '1', '1'])
      expect(await settle(store.getMany([]))).toEqual([])
    })

    test('applies the operations of one write in order', async () => {
      await settle(
        store.write([put('a', '1'), del('a'), put('a', '2'), put('b', '1'), del('b')], { sync: false }),
      )
      expect(text(await settle(store.get(bytes('a'))))).toBe('2')
      expect(await settle(store.get(bytes('b')))).toBeUndefined()
    })

    test('applies writes in the order they were called, synced or not', async () => {
      const writes: Promise<void>[] = []
      for (let round = 0; round < 60; round++) {
        writes.push(store.write([put('a', `${round}`)], { sync: round % 7 === 0 }))
        if (round % 10 === 5) writes.push(store.clear({ gte: bytes('a'), lt: bytes('b') }))
        if (round % 10 === 5)
          writes.push(store.write([put('a', 'after clear'), put('c', `${round}`)], { sync: false }))
      }
      await settle(Promise.all(writes))
      expect(text(await settle(store.get(bytes('a'))))).toBe('59')
      expect(text(await settle(store.get(bytes('c'))))).toBe('55')
    })

    test('does not let a write overtake the clear that was called before it', async () => {
      const keys = Array.from({ length: 30_000 }, (_, at) => String(at).padStart(5, '0'))
      await settle(
        store.write(
          keys.map(key => put(key, 'old')),
          { sync: false },
        ),
      )
      const cleared = store.clear({ gte: bytes('00000'), lt: bytes('99999') })
      const written = store.write([put('29998', 'new')], { sync: false })
      await settle(Promise.all([cleared, written]))
      expect(shown(await readAll(settle, store, everything, 1000))).toEqual(['29998=new'])
    })

    test('takes a write of nothing', async () => {
      await settle(store.write([], { sync: false }))
      await settle(store.write([], { sync: true }))
      expect(await readAll(settle, store, everything, 10)).toEqual([])
    })

    test('keeps empty values, and values of any size, whole', async () => {
      const sizes = [0, 1, 1023, 1024, 1025, 70_000, 500_000]
      const values = sizes.map(size => Uint8Array.from({ length: size }, (_, at) => (at * 31 + size) & 255))
      for (const [at, value] of values.entries()) {
        await settle(store.write([{ type: 'put', key: bytes(`${at}`), value }], { sync: true }))
      }
      for (const [at, value] of values.entries()) {
        expect(same(await settle(store.get(bytes(`${at}`))), value)).toBe(true)
      }
    })

    test('keeps its own copy, and gives the caller one', async () => {
      const op = put('a', '1')
      await settle(store.write([op], { sync: true }))
      op.key.fill(0)
      if (op.type === 'put') op.value.fill(0)
      const read = await settle(store.get(bytes('a')))
      expect(text(read)).toBe('1')
      read?.fill(0)
      expect(text(await settle(store.get(bytes('a'))))).toBe('1')
    })

    test('hands out plain Uint8Arrays', async () => {
      await settle(store.write([put('a', '1')], { sync: true }))
      const read = await settle(store.get(bytes('a')))
      expect(read?.constructor).toBe(Uint8Array)
      const [entry] = await readAll(settle, store, everything, 10)
      expect(entry?.map(part => part.constructor)).toEqual([Uint8Array, Uint8Array])
    })

    test('compares keys as unsigned bytes, a prefix first', async () => {
      const keys = [[0], [0, 0], [0, 255], [1], [127], [128], [128, 0], [254, 1], [255], [255, 254]]
      const shuffled = [...keys].sort(
        (a, b) => (((a[0] ?? 0) * 7 + a.length) % 5) - (((b[0] ?? 0) * 7 + b.length) % 5),
      )
      await settle(
        store.write(
          shuffled.map(key => ({ type: 'put', key: Uint8Array.from(key), value: Uint8Array.from(key) })),
          { sync: true },
        ),
      )
      const range = { gte: Uint8Array.of(0), lt: Uint8Array.of(255, 255) }
      const read = await readAll(settle, store, range, 3)
      expect(read.map(([key]) => [...key])).toEqual(keys)
      const reversed = await readAll(settle, store, { ...range, reverse: true }, 3)
      expect(reversed.map(([key]) => [...key])).toEqual(keys.toReversed())
    })

    test('reads a range from gte to before lt, in pages of at most max', async () => {
      await settle(
        store.write(
          ['a', 'b', 'c', 'd', 'e'].map(key => put(key, key)),
          { sync: true },
        ),
      )
      const cursor = store.cursor({ gte: bytes('b'), lt: bytes('e') })
      expect((await settle(cursor.next(2))).map(([key]) => text(key))).toEqual(['b', 'c'])
      expect((await settle(cursor.next(2))).map(([key]) => text(key))).toEqual(['d'])
      expect(await settle(cursor.next(2))).toEqual([])
      expect(await settle(cursor.next(2))).toEqual([])
      await settle(cursor.close())
      await settle(cursor.close())
      expect(await readAll(settle, store, { gte: bytes('c'), lt: bytes('c') }, 2)).toEqual([])
      expect(await readAll(settle, store, { gte: bytes('d'), lt: bytes('c') }, 2)).toEqual([])
    })

    test('leaves values out when asked to', async () => {
      await settle(store.write([put('a', '1'), put('b', '2')], { sync: true }))
      const read = await readAll(settle, store, { ...everything, values: false }, 10)
      expect(read.map(([key, value]) => [text(key), value.length])).toEqual([
        ['a', 0],
        ['b', 0],
      ])
    })

    test('reads to the end although pages come back short', async () => {
      const value = new Uint8Array(300_000)
      const ops = Array.from(
        { length: 12 },
        (_, at): StoreOp => ({ type: 'put', key: Uint8Array.of(at + 1), value }),
      )
      await settle(store.write(ops, { sync: true }))
      expect(await readAll(settle, store, everything, 1000)).toHaveLength(12)
    })

    test('reads the snapshot of the moment the cursor was made', async () => {
      await settle(store.write([put('a', '1'), put('b', '1'), put('c', '1')], { sync: false }))
      const cursor = store.cursor(everything)
      const backwards = store.cursor({ ...everything, reverse: true })
      await settle(store.write([put('b', '2'), del('c'), put('d', '2')], { sync: true }))
      expect(shown(await settle(cursor.next(1)))).toEqual(['a=1'])
      await settle(store.clear({ gte: bytes('a'), lt: bytes('z') }))
      expect(shown(await settle(cursor.next(10)))).toEqual(['b=1', 'c=1'])
      expect(shown(await settle(backwards.next(10)))).toEqual(['c=1', 'b=1', 'a=1'])
      await settle(Promise.all([cursor.close(), backwards.close()]))
      expect(await readAll(settle, store, everything, 10)).toEqual([])
    })

    test('clears the range and nothing else', async () => {
      const keys = Array.from({ length: 3000 }, (_, at) => String(at).padStart(4, '0'))
      await settle(
        store.write(
          keys.map(key => put(key, key)),
          { sync: false },
        ),
      )
      await settle(store.clear({ gte: bytes('0500'), lt: bytes('2750') }))
      const left = await readAll(settle, store, everything, 1000)
      expect(left.map(([key]) => text(key))).toEqual(keys.filter(key => key < '0500' || key >= '2750'))
    })

    test('waits in close for the writes under way, and is closed twice safely', async () => {
      const writes = Array.from({ length: 20 }, (_, at) =>
        store.write([put(`${at}`, 'x')], { sync: at % 2 === 0 }),
      )
      const closed = store.close()
      await settle(Promise.all([...writes, closed]))
      await settle(store.close())
      await expect(settle(store.write([put('a', '1')], { sync: true }))).rejects.toMatchObject({
        code: 'CLOSED',
      })
      await expect(settle(store.get(bytes('a')))).rejects.toMatchObject({ code: 'CLOSED' })
      if (subject.again === undefined) return
      store = subject.again()
      await settle(store.open())
      expect(await readAll(settle, store, everything, 100)).toHaveLength(20)
    })

    test('reports the space of the disk', async () => {
      const { freeBytes, totalBytes } = await settle(store.space())
      expect(freeBytes).toBeGreaterThan(0)
      expect(totalBytes).toBeGreaterThanOrEqual(freeBytes)
    })

    test('reopens in place without losing anything', async () => {
      await settle(store.write([put('a', '1')], { sync: true }))
      await settle(store.reopen())
      expect(text(await settle(store.get(bytes('a'))))).toBe('1')
      await settle(store.write([put('b', '1')], { sync: true }))
      expect(text(await settle(store.get(bytes('b'))))).toBe('1')
    })

    test('agrees with a plain map on any sequence of calls', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(anyStep, { maxLength: 60 }), async steps => {
          await settle(store.clear(everything))
          const model = new Map<string, string>()
          const cursors: Array<{ cursor: StoreCursor; expected: string[] }> = []
          try {
            for (const step of steps) await takeStep(step, model, cursors)
            expect(shown(await readAll(settle, store, everything, 7))).toEqual(modelRange(model, everything))
          } finally {
            for (const { cursor } of cursors) await settle(cursor.close())
          }
        }),
        { numRuns: options.runs },
      )
    })

    async function takeStep(
      step: Step,
      model: Map<string, string>,
      cursors: Array<{ cursor: StoreCursor; expected: string[] }>,
    ): Promise<void> {
      if (step.kind === 'write') {
        const ops = step.ops.map(([key, value]) => (value === null ? del(key) : put(key, value)))
        await settle(store.write(ops, { sync: step.sync }))
        for (const [key, value] of step.ops) {
          if (value === null) model.delete(key)
          else model.set(key, value)
        }
      } else if (step.kind === 'get') {
        expect(text(await settle(store.get(bytes(step.key))))).toBe(model.get(step.key))
      } else if (step.kind === 'getMany') {
        const read = await settle(store.getMany(step.keys.map(bytes)))
        expect(read.map(text)).toEqual(step.keys.map(key => model.get(key)))
      } else if (step.kind === 'clear') {
        await settle(store.clear({ gte: bytes(step.gte), lt: bytes(step.lt) }))
        for (const key of [...model.keys()]) if (key >= step.gte && key < step.lt) model.delete(key)
      } else if (step.kind === 'cursor') {
        const range = { gte: bytes(step.gte), lt: bytes(step.lt), reverse: step.reverse }
        cursors.push({ cursor: store.cursor(range), expected: modelRange(model, range) })
      } else if (step.kind === 'next') {
        const open = cursors[step.cursor % Math.max(cursors.length, 1)]
        if (open === undefined) return
        const page = shown(await settle(open.cursor.next(step.max)))
        expect(page).toEqual(open.expected.slice(0, page.length))
        expect(page.length > 0 || open.expected.length === 0).toBe(true)
        expect(page.length).toBeLessThanOrEqual(step.max)
        open.expected.splice(0, page.length)
      } else {
        for (const { cursor } of cursors.splice(0)) await settle(cursor.close())
        await settle(store.reopen())
      }
    }
  })
}

type Step =
  | { kind: 'write'; sync: boolean; ops: Array<[key: string, value: string | null]> }
  | { kind: 'get'; key: string }
  | { kind: 'getMany'; keys: string[] }
  | { kind: 'clear'; gte: string; lt: string }
  | { kind: 'cursor'; gte: string; lt: string; reverse: boolean }
  | { kind: 'next'; cursor: number; max: number }
  | { kind: 'reopen' }

const anyKey = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 4 })
const anyValue = fc.string({ unit: fc.constantFrom('x', 'y'), maxLength: 3 })
const anyRange = { gte: anyKey, lt: anyKey }

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      sync: fc.boolean(),
      ops: fc.array(fc.tuple(anyKey, fc.option(anyValue)), { maxLength: 12 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('get' as const), key: anyKey }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('getMany' as const), keys: fc.array(anyKey) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('clear' as const), ...anyRange }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('cursor' as const), ...anyRange, reverse: fc.boolean() }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('next' as const),
      cursor: fc.nat(),
      max: fc.integer({ min: 1, max: 9 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reopen' as const) }) },
)

const everything = { gte: Uint8Array.of(0), lt: Uint8Array.of(255, 255, 255) }

async function readAll(
  settle: StoreUnderTest['settle'],
  store: Store,
  options: CursorOptions,
  max: number,
): Promise<Array<[Uint8Array, Uint8Array]>> {
  const cursor = store.cursor(options)
  const entries: Array<[Uint8Array, Uint8Array]> = []
  for (;;) {
    const page = await settle(cursor.next(max))
    if (page.length === 0) break
    entries.push(...page)
  }
  await settle(cursor.close())
  return entries
}

function modelRange(model: Map<string, string>, range: CursorOptions): string[] {
  const gte = text(range.gte) as string
  const lt = text(range.lt) as string
  const keys = [...model.keys()].filter(key => key >= gte && key < lt).sort()
  if (range.reverse === true) keys.reverse()
  return keys.map(key => `${key}=${model.get(key)}`)
}

function shown(entries: Array<[Uint8Array, Uint8Array]>): string[] {
  return entries.map(([key, value]) => `${text(key)}=${text(value)}`)
}

function put(key: string, value: string): StoreOp {
  return { type: 'put', key: bytes(key), value: bytes(value) }
}

function del(key: string): StoreOp {
  return { type: 'del', key: bytes(key) }
}

function bytes(latin1: string): Uint8Array {
  return Uint8Array.from(latin1, char => char.charCodeAt(0))
}

function text(value: Uint8Array | undefined): string | undefined {
  return value && Buffer.from(value).toString('latin1')
}

function same(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && Buffer.compare(a, b) === 0
}
