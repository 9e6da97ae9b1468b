/** Contexts against sets of dots, which is what they stand for. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Context, type Dot } from '../../src/replication/context.ts'
import { runs } from '../support/tasks.ts'

const ACTORS = 3
const N_MAX = 5

const log = fc.record({ n: fc.nat(N_MAX), hole: fc.nat(N_MAX) })
const context = fc.array(log, { minLength: ACTORS, maxLength: ACTORS }).map(logs => {
  const dots = logs.map(({ n }, actor) => ({ actor, n })).filter(({ n }) => n > 0)
  const holes = logs.flatMap(({ n, hole }, actor) => (hole > 0 && hole <= n ? [{ actor, n: hole }] : []))
  return Context.from(dots, holes)
})

const ALL: readonly Dot[] = Array.from({ length: ACTORS * N_MAX }, (_, i) => ({
  actor: i % ACTORS,
  n: 1 + Math.floor(i / ACTORS),
}))
/** What it covers. */
const setOf = (each: Context): string[] =>
  ALL.filter(({ actor, n }) => each.covers(actor, n)).map(({ actor, n }) => `${actor} ${n}`)

test('a join covers what either does', () => {
  fc.assert(
    fc.property(context, context, (a, b) => {
      const both = new Set([...setOf(a), ...setOf(b)])
      expect(new Set(setOf(a.join(b)))).toEqual(both)
      expect(new Set(setOf(b.join(a)))).toEqual(both)
      expect(a.join(a).equals(a)).toBe(true)
    }),
    runs(1000),
  )
})

test('one contains another if it covers all that the other does', () => {
  fc.assert(
    fc.property(context, context, (a, b) => {
      const mine = new Set(setOf(a))
      // A log that reaches further is more, also where all beyond is holes: its next change is another one.
      const reaches = [...b.dots()].every(({ actor, n }) => a.of(actor) >= n)
      expect(a.contains(b)).toBe(reaches && setOf(b).every(each => mine.has(each)))
    }),
    runs(1000),
  )
})

test('what all cover without a hole is their meet', () => {
  fc.assert(
    fc.property(fc.array(context, { minLength: 1, maxLength: 4 }), all => {
      const meet = Context.meet(all)
      for (const { actor, n } of ALL)
        expect(meet.covers(actor, n)).toBe(all.every(each => each.cleanOf(actor) >= n))
    }),
    runs(500),
  )
})

test('equal ones have one hash, whatever the numbers of their actors, and others have another', () => {
  const names = ['aa', 'bb', 'cc']
  const renamed = (each: Context): Context =>
    Context.from(
      [...each.dots()].map(({ actor, n }) => ({ actor: ACTORS - 1 - actor, n })),
      each.holes.map(({ actor, n }) => ({ actor: ACTORS - 1 - actor, n })),
    )
  fc.assert(
    fc.property(context, context, (a, b) => {
      const hash = a.hash(actor => names[actor] as string)
      expect(renamed(a).hash(actor => names[ACTORS - 1 - actor] as string)).toBe(hash)
      expect(b.hash(actor => names[actor] as string) === hash).toBe(a.equals(b))
    }),
    runs(1000),
  )
})

test('a log has no gaps', () => {
  const one = Context.EMPTY.advance(4, 1)
  expect(() => one.advance(4, 3)).toThrow('invariant')
  expect(() => one.advance(5, 2)).toThrow('invariant')
  expect(one.advance(4, 2).of(4)).toBe(2)
  expect(one.withHole(4, 2).cleanOf(4)).toBe(1)
})

test('a change that is known alone is covered, and nothing that is missing before it', () => {
  fc.assert(
    fc.property(context, fc.nat(ACTORS - 1), fc.integer({ min: 1, max: N_MAX }), (each, actor, n) => {
      if (each.of(actor) >= n) return
      const before = setOf(each)
      expect(new Set(setOf(each.withAlone(actor, n)))).toEqual(new Set([...before, `${actor} ${n}`]))
    }),
    runs(500),
  )
})
