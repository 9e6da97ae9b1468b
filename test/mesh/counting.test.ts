/** A call counts when all that it wrote has its copies, and its caller waits so long and no longer. */

import { expect, test } from 'vitest'
import type { CarillonError } from '../../src/errors.ts'
import { Counting, joined } from '../../src/mesh/counting.ts'
import type { Copies } from '../../src/replication/acknowledgements.ts'
import type { Dot } from '../../src/replication/context.ts'

interface Asked extends Dot {
  readonly range: number
  readonly copies: Copies
  readonly done: (copies: number) => void
  isGivenUp: boolean
}

function bed(isFull = false) {
  const asked: Asked[] = []
  const at = { now: 0 }
  const counting = new Counting(
    { patienceMs: 5000, firmMs: 500 },
    {
      replication: {
        acknowledge: (range, dot, copies, done) => {
          const each: Asked = { ...dot, range, copies, done, isGivenUp: false }
          asked.push(each)
          return () => {
            each.isGivenUp = true
          }
        },
      },
      copies: () => 'majority',
      monotonic: () => at.now,
      isFull: () => isFull,
    },
  )
  return { counting, asked, at }
}

const TWO = new Map([
  [1, [{ actor: 0, n: 4 }]],
  [2, [{ actor: 0, n: 9 }]],
])

test('a call is answered once, with the copies of what has least', () => {
  const { counting, asked } = bed()
  const told: Array<[CarillonError | undefined, number]> = []
  counting.acknowledge(TWO, (error, copies) => told.push([error, copies]))
  expect(asked.map(({ range, n, copies }) => [range, n, copies])).toEqual([
    [1, 4, 'majority'],
    [2, 9, 'majority'],
  ])
  asked[0]?.done(3)
  expect(told).toEqual([])
  asked[1]?.done(2)
  expect(told).toEqual([[undefined, 2]])
  expect(counting.waiting).toBe(0)
})

test('without enough copies in time it is told that this is not known, and no more', () => {
  const { counting, asked, at } = bed()
  const told: Array<[string | undefined, number]> = []
  counting.acknowledge(TWO, (error, copies) => told.push([error?.code, copies]))
  asked[0]?.done(2)
  at.now = 4999
  counting.tick()
  expect(told).toEqual([])
  at.now = 5000
  counting.tick()
  expect(told).toEqual([['NOT_DURABLE', 2]])
  expect(asked.map(({ isGivenUp }) => isGivenUp)).toEqual([true, true])
  asked[1]?.done(2)
  expect(told).toHaveLength(1)
  expect(counting.notDurable).toBe(1)
})

test('on a full disk it is told why', () => {
  const { counting, at } = bed(true)
  const told: Array<string | undefined> = []
  counting.acknowledge(TWO, error => told.push(error?.code))
  at.now = 6000
  counting.tick()
  expect(told).toEqual(['STORE_FULL'])
})

test('firm is what all stores have in time', () => {
  const { counting, asked, at } = bed()
  const told: Array<[boolean, number]> = []
  counting.confirm(TWO, (firm, copies) => told.push([firm, copies]))
  expect(asked.every(({ copies }) => copies === 'all')).toBe(true)
  for (const each of asked) each.done(3)
  counting.confirm(TWO, (firm, copies) => told.push([firm, copies]))
  at.now = 500
  counting.tick()
  expect(told).toEqual([
    [true, 3],
    [false, 0],
  ])
})

test('of one actor in one range only the latest change is waited for', () => {
  const into = new Map<number, Dot[]>()
  joined(into, 1, [{ actor: 0, n: 4 }])
  joined(into, 1, [
    { actor: 0, n: 5 },
    { actor: 3, n: 1 },
  ])
  joined(into, 1, [{ actor: 0, n: 2 }])
  joined(into, 2, [{ actor: 0, n: 1 }])
  expect([...into]).toEqual([
    [
      1,
      [
        { actor: 0, n: 5 },
        { actor: 3, n: 1 },
      ],
    ],
    [2, [{ actor: 0, n: 1 }]],
  ])
})
