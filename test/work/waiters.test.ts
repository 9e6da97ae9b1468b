import { expect, test } from 'vitest'
import { Waiters } from '../../src/work/waiters.ts'

const [anna, bert] = [{}, {}]

test('who waits for an id is told once, in the order in which they came', () => {
  const waiters = new Waiters(10)
  waiters.add('a', { owner: anna, call: 1 })
  waiters.add('b', { owner: anna, call: 2 })
  waiters.add('a', { owner: bert, call: 1 })
  expect(waiters.take('a')).toEqual([
    { owner: anna, call: 1 },
    { owner: bert, call: 1 },
  ])
  expect(waiters.take('a')).toEqual([])
  expect(waiters.size).toBe(1)
})

test('a call is given up alone, an owner with all its calls', () => {
  const waiters = new Waiters(10)
  for (const call of [1, 2, 3]) waiters.add('a', { owner: anna, call })
  waiters.add('a', { owner: bert, call: 2 })
  waiters.remove(anna, 2)
  waiters.remove(anna, 99)
  expect(waiters.size).toBe(3)
  waiters.remove(anna)
  waiters.remove(anna)
  expect(waiters.size).toBe(1)
  expect(waiters.take('a')).toEqual([{ owner: bert, call: 2 }])
  expect(waiters.size).toBe(0)
})

test('no more than are allowed', () => {
  const waiters = new Waiters(1)
  waiters.add('a', { owner: anna, call: 1 })
  expect(() => waiters.add('b', { owner: anna, call: 2 })).toThrow(/1 calls already wait/)
  waiters.take('a')
  waiters.add('b', { owner: anna, call: 2 })
})

// One after the other through a list of all it took minutes, and the engine did nothing else.
test('a hundred thousand who wait for the same task are given up within seconds', () => {
  const waiters = new Waiters(100_000)
  for (let call = 0; call < 100_000; call++) waiters.add('a', { owner: anna, call })
  for (let call = 0; call < 100_000; call++) waiters.remove(anna, call)
  expect(waiters.size).toBe(0)
  expect(waiters.take('a')).toEqual([])
}, 20_000)

test('a call that waits again waits once', () => {
  const waiters = new Waiters(10)
  waiters.add('a', { owner: anna, call: 1 })
  waiters.add('b', { owner: anna, call: 1 })
  expect(waiters.size).toBe(1)
  expect(waiters.take('a')).toEqual([])
  expect(waiters.remove(anna, 1)).toBe(true)
  expect(waiters.remove(anna, 1)).toBe(false)
})
