import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Roster } from '../../src/membership/roster.ts'
import { joinRecords, MEMBER_STATES, type MemberRecord, type StoreId } from '../../src/membership/view.ts'
import { ViewHasher, viewIdOf } from '../../src/membership/view-id.ts'
import { recordOf, startIdOf, storeId } from '../support/membership.ts'

const LIMITS = { membersMax: 100, marksMax: 100 }

const anyRecord = (stores: number) =>
  fc
    .record({
      number: fc.nat(stores - 1),
      boot: fc.integer({ min: 1, max: 3 }),
      incarnation: fc.nat(2),
      state: fc.constantFrom(...MEMBER_STATES),
      weight: fc.integer({ min: 1, max: 2 }),
      start: fc.nat(1),
    })
    .map(({ number, start, ...more }) => recordOf(number, { ...more, startId: startIdOf(start) }))

type Word = { readonly record: MemberRecord } | { readonly removed: StoreId }
const anyWord = fc.oneof(
  { weight: 6, arbitrary: anyRecord(3).map((record): Word => ({ record })) },
  { weight: 1, arbitrary: fc.nat(2).map((number): Word => ({ removed: storeId(number) })) },
)

function rosterOf(words: readonly Word[]): Roster {
  const roster = new Roster(LIMITS)
  for (const word of words) {
    if ('record' in word) roster.merge(word.record)
    else roster.remove(word.removed)
  }
  return roster
}

function contentOf(roster: Roster) {
  const records = [...roster.records].sort((a, b) => (a.store < b.store ? -1 : 1))
  return { records, marks: [...roster.marks].sort(), live: roster.liveCount, id: roster.hash(16, 3) }
}

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length === 0) return [[]]
  return items.flatMap((item, i) => permutations(items.toSpliced(i, 1)).map(rest => [item, ...rest]))
}

test('the join of records is commutative, associative and idempotent', () => {
  const one = anyRecord(1)
  fc.assert(
    fc.property(one, one, one, (a, b, c) => {
      expect(joinRecords(a, b)).toEqual(joinRecords(b, a))
      expect(joinRecords(joinRecords(a, b), c)).toEqual(joinRecords(a, joinRecords(b, c)))
      expect(joinRecords(a, a)).toEqual(a)
    }),
    { numRuns: 2000 },
  )
})

test('the higher boot wins, then the incarnation, then the worse state', () => {
  const live = recordOf(1, { boot: 2, incarnation: 5 })
  expect(joinRecords(live, { ...live, state: 'away' }).state).toBe('away')
  expect(joinRecords({ ...live, state: 'away' }, { ...live, state: 'gone' }).state).toBe('gone')
  expect(joinRecords({ ...live, state: 'gone' }, { ...live, incarnation: 6 }).state).toBe('live')
  expect(
    joinRecords({ ...live, incarnation: 9, state: 'gone' }, { ...live, boot: 3, incarnation: 0 }).boot,
  ).toBe(3)
})

test('rosters that heard the same end alike, in every order and with repetitions (trace 13)', () => {
  fc.assert(
    fc.property(fc.array(anyWord, { minLength: 2, maxLength: 5 }), words => {
      const expected = contentOf(rosterOf(words))
      for (const order of permutations(words)) {
        expect(contentOf(rosterOf(order))).toEqual(expected)
        expect(contentOf(rosterOf([...order, ...order]))).toEqual(expected)
      }
    }),
    { numRuns: 150 },
  )
})

test('what two rosters tell each other makes them one, also through a third', () => {
  const words = fc.array(anyWord, { maxLength: 12 })
  fc.assert(
    fc.property(words, words, (mine, yours) => {
      const [a, b, third] = [rosterOf(mine), rosterOf(yours), rosterOf([])]
      const tell = (from: Roster, to: Roster) => {
        for (const store of [...from.marks]) to.remove(store)
        for (const record of [...from.records]) to.merge(record)
      }
      tell(a, third)
      tell(b, third)
      tell(third, a)
      tell(third, b)
      expect(contentOf(a)).toEqual(contentOf(b))
      expect(contentOf(a)).toEqual(contentOf(rosterOf([...mine, ...yours])))
    }),
  )
})

test('a removed store stays removed, whatever is said of it later', () => {
  const roster = rosterOf([{ record: recordOf(1) }, { record: recordOf(2) }])
  expect(roster.remove(storeId(1))).toBe(true)
  expect(roster.merge(recordOf(1, { boot: 99 }))).toBe(false)
  expect(roster.has(storeId(1))).toBe(false)
  expect(roster.size).toBe(1)
  expect(roster.liveCount).toBe(1)
})

test('the bounds hold: no member beyond the most, and the oldest mark goes', () => {
  const roster = new Roster({ membersMax: 2, marksMax: 2 })
  for (let i = 1; i <= 3; i++) roster.merge(recordOf(i))
  expect(roster.size).toBe(2)
  for (let i = 10; i < 13; i++) roster.remove(storeId(i))
  expect([...roster.marks]).toEqual([storeId(11), storeId(12)])
})

test('the id of a view is that of its content: no order, and every part counts', () => {
  const stores = [1, 2, 3, 4].map(number => recordOf(number))
  const id = viewIdOf(stores, 16, 3)
  for (const order of permutations(stores)) expect(viewIdOf(order, 16, 3)).toBe(id)
  expect(id).toMatch(/^[0-9a-f]{16}$/)
  const changes: Partial<MemberRecord>[] = [
    { node: 'x' },
    { store: storeId(9) },
    { boot: 2 },
    { state: 'away' },
    { weight: 2 },
    { zone: 'b' },
  ]
  const ids = changes.map(change => viewIdOf([{ ...stores[0]!, ...change }, ...stores.slice(1)], 16, 3))
  const all = [id, ...ids, viewIdOf(stores, 32, 3), viewIdOf(stores, 16, 2), viewIdOf(stores.slice(1), 16, 3)]
  expect(new Set(all).size).toBe(all.length)
  // What does not count: addresses and incarnations differ between views that mean the same.
  expect(viewIdOf([{ ...stores[0]!, incarnation: 7, addresses: [] }, ...stores.slice(1)], 16, 3)).toBe(id)
})

test('an id that is kept up to date is that of the list at once', () => {
  fc.assert(
    fc.property(fc.array(anyRecord(8), { maxLength: 30 }), records => {
      const hasher = new ViewHasher()
      const here = new Map<string, MemberRecord>()
      for (const record of records) {
        const before = here.get(record.store)
        if (before !== undefined) hasher.remove(before)
        hasher.add(record)
        here.set(record.store, record)
        expect(hasher.id(16, 3)).toBe(viewIdOf(here.values(), 16, 3))
      }
      for (const record of here.values()) hasher.remove(record)
      expect(hasher.id(16, 3)).toBe(viewIdOf([], 16, 3))
    }),
  )
})
