import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { OrderedMap, type OrderedMapSnapshot } from '../../src/lib/ordered-map.ts'

const last = '\uffff'

describe('OrderedMap', () => {
  test('agrees with a sorted plain map through splits, joins and snapshots', () => {
    fc.assert(
      fc.property(fc.array(anyStep, { maxLength: 40 }), steps => {
        const map = new OrderedMap<number>()
        const model = new Map<string, number>()
        const snapshots: Array<{ snapshot: OrderedMapSnapshot<number>; expected: Array<[string, number]> }> =
          []
        for (const [turn, step] of steps.entries()) {
          if (step.kind === 'snapshot') {
            snapshots.push({ snapshot: map.snapshot(), expected: sorted(model) })
          } else if (step.kind === 'close') {
            snapshots.shift()?.snapshot.close()
          } else if (step.kind === 'deleteRange') {
            map.deleteRange(name(step.from), name(step.from + step.count))
            for (const key of [...model.keys()]) {
              if (key >= name(step.from) && key < name(step.from + step.count)) model.delete(key)
            }
          } else {
            for (let at = 0; at < step.count; at++) {
              // A stride that is coprime to the number of keys: scattered, and each once.
              const key = name(step.from + (step.scattered ? at * 1237 : at))
              const before = model.get(key)
              if (step.kind === 'set') expect(map.set(key, turn)).toBe(before)
              else expect(map.delete(key)).toBe(before)
              if (step.kind === 'set') model.set(key, turn)
              else model.delete(key)
            }
          }
          expect(map.size).toBe(model.size)
        }
        expect(all(map)).toEqual(sorted(model))
        for (const [key, value] of model) expect(map.get(key)).toBe(value)
        for (const { snapshot, expected } of snapshots) {
          expect(snapshot.ascending('', last, Infinity)).toEqual(expected)
          expect(snapshot.descending('', last, Infinity)).toEqual(expected.toReversed())
        }
      }),
      { numRuns: 60 },
    )
  })

  test('reads any range, in both directions, up to max', () => {
    const map = new OrderedMap<number>()
    for (let at = 0; at < 5000; at += 2) map.set(name(at), at)
    const snapshot = map.snapshot()
    fc.assert(
      fc.property(anyPlace, anyPlace, fc.integer({ min: 1, max: 2000 }), (from, to, max) => {
        const inside = sorted(new Map(snapshot.ascending('', last, Infinity))).filter(
          ([key]) => key >= name(from) && key < name(to),
        )
        expect(snapshot.ascending(name(from), name(to), max)).toEqual(inside.slice(0, max))
        expect(snapshot.descending(name(from), name(to), max)).toEqual(inside.toReversed().slice(0, max))
      }),
      { numRuns: 40 },
    )
  })

  test('is empty at first, and after everything was deleted', () => {
    const map = new OrderedMap<number>()
    expect(all(map)).toEqual([])
    expect(map.delete('a')).toBeUndefined()
    map.deleteRange('', last)
    for (let at = 0; at < 2000; at++) map.set(name(at), at)
    for (let at = 0; at < 2000; at++) map.delete(name(at))
    expect(all(map)).toEqual([])
    expect(map.size).toBe(0)
    map.set('a', 1)
    expect(all(map)).toEqual([['a', 1]])
  })
})

const keyCount = 3000
const anyPlace = fc.integer({ min: 0, max: keyCount - 1 })
const anyRun = { from: anyPlace, count: fc.integer({ min: 1, max: 1200 }) }

const anyStep = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('set' as const), ...anyRun, scattered: fc.boolean() }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('delete' as const), ...anyRun, scattered: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('deleteRange' as const), ...anyRun }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('snapshot' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('close' as const) }) },
)

function name(at: number): string {
  return String(at < keyCount * 2 ? at : at % keyCount).padStart(5, '0')
}

function all(map: OrderedMap<number>): Array<[string, number]> {
  const snapshot = map.snapshot()
  const entries = snapshot.ascending('', last, Infinity)
  snapshot.close()
  return entries
}

function sorted(model: ReadonlyMap<string, number>): Array<[string, number]> {
  return [...model].sort(([a], [b]) => (a < b ? -1 : 1))
}
