/**
 * Whatever comes between what (PROTOCOLS, trace 22), each entry at or below the horizon's position is in memory, or
 * was passed over for want of room; and once there is time and room, each has fired.
 */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { VirtualClock } from '../../sim/virtual-clock.ts'
import { compareBytes } from '../../src/lib/keys.ts'
import { Horizon } from '../../src/schedule/horizon.ts'
import { dueKey } from '../../src/store/keys.ts'
import type { Run } from '../../src/task/record.ts'
import { runs } from '../support/tasks.ts'
import { AHEAD_MS, RANGES, World } from './horizon-world.ts'

type Command =
  | { type: 'set'; task: number; due: number }
  | { type: 'spill' | 'wake' }
  | { type: 'sleep'; ms: number }
  | { type: 'room'; count: number }

const command: fc.Arbitrary<Command> = fc.oneof(
  // Few instants, so that many tasks share one.
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('set' as const),
      task: fc.nat(30),
      due: fc.constantFrom(0, 20, 20, 60, 90, 150, 300),
    }),
  },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('spill' as const) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('wake' as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({ type: fc.constant('sleep' as const), ms: fc.constantFrom(1, 2, 3, 10, 50) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constant('room' as const), count: fc.constantFrom(1, 1, 2) }),
  },
)

const world = fc
  .tuple(
    fc.integer({ min: 1, max: 20 }),
    fc.integer({ min: 1, max: 4 }),
    fc.constantFrom(0, 0, 1, 4),
    fc.array(fc.nat(4), { minLength: 1, maxLength: 7 }),
  )
  .map(([loadedMax, pageMax, room, delays]) => ({ loadedMax, pageMax, room, delays }))

async function run(made: World, commands: readonly Command[]): Promise<void> {
  for (const each of commands) {
    if (each.type === 'set') made.set(`t${each.task}`, each.task % RANGES, each.due)
    else if (each.type === 'spill') made.spill()
    else if (each.type === 'sleep') await made.clock.advanceBy(each.ms)
    else if (each.type === 'room') made.room += each.count
    if (each.type === 'wake' || each.type === 'sleep') made.wake()
    made.check()
  }
  await made.drain()
}

describe('the horizon', () => {
  test('skips no entry, whatever the order of spills, loads, changes and limited room', async () => {
    await fc.assert(
      fc.asyncProperty(
        world,
        fc.array(command, { maxLength: 60, size: 'max' }),
        async ({ loadedMax, pageMax, room, delays }, commands) => {
          await run(new World(loadedMax, pageMax, room, delays), commands)
        },
      ),
      runs(400),
    )
  })

  test('a record that is spilled below the position while a cursor opens stays in memory (trace 22)', async () => {
    const made = new World(100, 10, 100, [2])
    made.set('t0', 0, 50)
    made.spill()
    made.wake()
    // The spill is under way, the position is raised, the cursor not yet open.
    expect(made.horizon.covers(0, 50, 't0')).toBe(true)
    await made.clock.advanceBy(30)
    expect(made.held.get('t0')).toMatchObject({ inMemory: true, dirty: false })
    await made.clock.advanceBy(20)
    made.wake()
    expect(made.held.get('t0')?.fired).toBe(true)
  })

  test('opens no cursor while a spill is under way', async () => {
    const made = new World(100, 10, 100, [7])
    made.set('t0', 0, 150)
    const open = made.dueCursor.bind(made)
    const openedAt: number[] = []
    made.dueCursor = (...args) => {
      openedAt.push(made.clock.now())
      return open(...args)
    }
    made.spill()
    made.wake()
    await made.clock.advanceBy(6)
    expect(openedAt).toEqual([])
    await made.clock.advanceBy(60)
    expect(openedAt[0]).toBe(7)
  })

  test('what is due later than it looks ahead leaves memory, and comes back in time', async () => {
    const made = new World(100, 10, 100, [1])
    for (let i = 0; i < 20; i++) made.set(`t${i}`, i % RANGES, 1000)
    made.spill()
    made.wake()
    await made.clock.advanceBy(10)
    expect(made.size).toBe(0)
    while (made.clock.now() < 999) {
      made.wake()
      await made.clock.advanceBy(10)
    }
    expect(made.size).toBe(20)
    await made.clock.advanceBy(10)
    made.wake()
    expect([...made.held.values()].every(each => each.fired)).toBe(true)
  })

  test('of many with one instant no more are loaded than there is room for, and all come', async () => {
    const made = new World(5, 2, 1000, [1])
    for (let i = 0; i < 30; i++) made.set(`t${String(i).padStart(2, '0')}`, 0, 300)
    made.spill()
    await made.clock.advanceBy(10)
    expect(made.size).toBe(0)
    for (let i = 0; i < 60; i++) {
      made.wake()
      expect(made.size).toBeLessThanOrEqual(5)
      await made.clock.advanceBy(10)
      made.check()
    }
    expect([...made.held.values()].filter(each => each.fired)).toHaveLength(30)
  })

  test('what was passed over at the very instant where the position stopped is read again', async () => {
    const made = new World(16, 4, 0, [1])
    for (let i = 0; i < 10; i++) made.set(`t${i}`, 0, 300)
    made.spill()
    await made.clock.advanceBy(210)
    // The rest of the memory is taken by what the index does not have yet.
    for (let i = 0; i < 12; i++) made.set(`u${i}`, 1, 100_000)
    made.wake()
    await made.clock.advanceBy(100)
    expect(made.horizon.covers(0, 300, 't3')).toBe(true)
    expect(made.horizon.covers(0, 300, 't4')).toBe(false)
    for (let i = 12; i < 15; i++) made.set(`u${i}`, 1, 100_000)
    made.wake()
    expect(made.held.get('t3')).toMatchObject({ inMemory: false, passedOver: true })
    await made.clock.advanceBy(20)
    made.room = 10
    for (let i = 0; i < 5; i++) {
      made.wake()
      await made.clock.advanceBy(20)
    }
    const fired = [...made.held].filter(([, each]) => each.fired).map(([id]) => id)
    expect(fired).toEqual(expect.arrayContaining(['t0', 't1', 't2', 't3']))
  })

  test('what was passed over comes back one by one as there is room for one', async () => {
    const made = new World(20, 1, 0, [1])
    for (let i = 0; i < 4; i++) made.set(`t${i}`, 0, 20 + i)
    made.spill()
    for (let i = 0; i < 10; i++) {
      made.wake()
      await made.clock.advanceBy(10)
    }
    expect(made.size).toBe(0)
    for (let count = 1; count <= 4; count++) {
      made.room = 1
      // One of two wake-ups may look ahead instead.
      for (let i = 0; i < 2; i++) {
        made.wake()
        await made.clock.advanceBy(10)
      }
      expect([...made.held.values()].filter(each => each.fired)).toHaveLength(count)
    }
  })

  test('what is passed over while another range is read again is read as well', async () => {
    const asked: Array<{ range: number; from: Uint8Array }> = []
    let isAgain = false
    const horizon: Horizon<Run> = new Horizon(
      {
        clock: new VirtualClock({ wallMs: 0 }),
        store: {
          size: 0,
          spillsIdle: () => Promise.resolve(),
          dueCursor: (range, from) => {
            asked.push({ range, from })
            return {
              next: () => {
                if (isAgain && asked.length === 1) horizon.passedOver(1, 10, 'early')
                return Promise.resolve([])
              },
              close: () => Promise.resolve(),
            }
          },
          loadDue: () => Promise.resolve([]),
          release: () => undefined,
        },
      },
      { aheadMs: 100, loadedMax: 10, pageMax: 5 },
      { loaded: () => undefined, wantsBack: () => true, readAgain: () => () => undefined },
    )
    horizon.start(2)
    await horizon.advance(0)
    horizon.passedOver(0, 20, 'a')
    horizon.passedOver(1, 30, 'b')
    asked.length = 0
    isAgain = true
    await horizon.advance(1)
    expect(asked.map(({ range }) => range)).toEqual([0, 1])
    expect(compareBytes(asked[1]?.from as Uint8Array, dueKey(1, 10, 'early'))).toBeLessThanOrEqual(0)
  })

  test('covers everything up to the position, by instant and then by id, and nothing that is never due', async () => {
    const made = new World(100, 10, 100, [0])
    expect(made.horizon.covers(0, 0, 'a')).toBe(false)
    made.wake()
    await made.clock.advanceBy(10)
    expect(made.horizon.reachedTo).toBe(AHEAD_MS)
    expect(made.horizon.covers(0, AHEAD_MS - 1, 'a')).toBe(true)
    expect(made.horizon.covers(1, AHEAD_MS, 'a')).toBe(false)
    expect(made.horizon.covers(0, Number.POSITIVE_INFINITY, 'a')).toBe(false)
  })

  test('a failure of the store reaches the caller, and what was not read is read by the next move', async () => {
    const made = new World(100, 10, 100, [1])
    made.set('t0', 0, 120)
    made.spill()
    await made.clock.advanceBy(30)
    const load = made.loadDue.bind(made)
    made.loadDue = () => Promise.reject(new Error('the disk failed'))
    const failed = expect(made.horizon.advance(made.clock.now())).rejects.toThrow('the disk failed')
    await made.clock.advanceBy(10)
    await failed
    made.loadDue = load
    expect(made.horizon.covers(0, 120, 't0')).toBe(false)
    await made.drain()
  })

  test('after stop nothing begins, and what was under way has ended', async () => {
    const made = new World(100, 10, 100, [5])
    made.set('t0', 0, 20)
    made.wake()
    const stopped = made.horizon.stop()
    await made.clock.advanceBy(100)
    await stopped
    expect(made.horizon.advance(made.clock.now())).toBeUndefined()
    expect(made.running).toBeUndefined()
  })
})
