import { expect, test } from 'vitest'
import { RunQueue } from '../../src/work/run-queue.ts'
import { TestRun } from './test-bed.ts'

function queued(queue: RunQueue<TestRun>, handle: number, priority = 0, isGuest = false): TestRun {
  const run = new TestRun(`r${handle}`, queue.name, { priority, isGuest })
  run.handle = handle
  queue.push(run)
  return run
}

function withdraw(queue: RunQueue<TestRun>, run: TestRun): void {
  run.handle = 0
  queue.withdraw(run)
}

test('the places of withdrawn runs stay few, however many are withdrawn while others wait', () => {
  const queue = new RunQueue<TestRun>('a')
  const kept = [queued(queue, 1, 5), queued(queue, 2), queued(queue, 3, -5)]
  for (let handle = 10; handle < 10_000; handle++) {
    withdraw(queue, queued(queue, handle, handle % 2))
    expect(queue.waiting).toBe(3)
    expect(queue.length).toBeLessThan(100)
  }
  expect([queue.shift(), queue.shift(), queue.shift(), queue.shift()]).toEqual([...kept, undefined])
  expect(queue.length).toBe(0)
})

test('nothing is kept when the last one is withdrawn', () => {
  const queue = new RunQueue<TestRun>('a')
  const runs = [1, 2, 3].map(handle => queued(queue, handle))
  for (const run of runs) withdraw(queue, run)
  expect(queue.length).toBe(0)
  expect(queue.shift()).toBeUndefined()
})

test('a run put back goes before the others of its priority, and after those above', () => {
  const queue = new RunQueue<TestRun>('a')
  for (const handle of [1, 2]) queued(queue, handle)
  queued(queue, 3, 1)
  const back = new TestRun('back', 'a', {})
  back.handle = 4
  queue.unshift(back)
  expect([queue.shift(), queue.shift(), queue.shift()].map(run => run?.id)).toEqual(['r3', 'back', 'r1'])
})

test('guests and others go by priority, then as they came; where guests may not go they are passed over', () => {
  const queue = new RunQueue<TestRun>('a')
  const guests = [1, 3, 6].map(handle => queued(queue, handle, 0, true))
  for (const handle of [2, 4, 5]) queued(queue, handle)
  queued(queue, 7, 1)
  queued(queue, 8, 1, true)
  expect(queue.ownWaiting).toBe(4)
  const taken = [queue.shift(), queue.shiftOwn(), queue.shift(), queue.shift(), queue.shiftOwn()]
  expect(taken.map(run => run?.id)).toEqual(['r7', 'r2', 'r8', 'r1', 'r4'])
  withdraw(queue, guests[1] as TestRun)
  expect([queue.waiting, queue.ownWaiting]).toEqual([2, 1])
  expect([queue.shift(), queue.shiftOwn(), queue.shift(), queue.shift()].map(run => run?.id)).toEqual([
    ...['r5', undefined, 'r6', undefined],
  ])
  expect([queue.waiting, queue.length]).toEqual([0, 0])
})

test('with guests, the places of withdrawn runs stay few as well', () => {
  const queue = new RunQueue<TestRun>('a')
  const kept = [queued(queue, 1, 0, true), queued(queue, 2)]
  for (let handle = 10; handle < 5000; handle++) {
    withdraw(queue, queued(queue, handle, handle % 2, handle % 3 === 0))
    expect(queue.length).toBeLessThan(100)
  }
  expect([queue.shift(), queue.shift(), queue.shift()]).toEqual([...kept, undefined])
  expect(queue.waiting).toBe(0)
})
