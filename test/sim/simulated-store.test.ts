import { beforeEach, describe, expect, test } from 'vitest'
import { type CrashOptions, SimulatedDisk, SimulatedStore } from '../../sim/simulated-store.ts'
import { VirtualClock } from '../../sim/virtual-clock.ts'
import { SeededRandom } from '../../src/lib/seeded-random.ts'
import type { StoreOp } from '../../src/ports/store.ts'

const seeds = Array.from({ length: 200 }, (_, seed) => seed)

describe('a simulated disk', () => {
  let clock: VirtualClock
  let disk: SimulatedDisk
  let store: SimulatedStore

  beforeEach(() => start(0))

  test('keeps what was synced, and loses unsynced writes newest first', async () => {
    const kept = new Set<number>()
    for (const seed of seeds) {
      await start(seed)
      await run(store.write([put(0)], { sync: false }))
      await run(store.write([put(1)], { sync: true }))
      for (let at = 2; at < 6; at++) await run(store.write([put(at)], { sync: false }))
      await crashAndOpen()
      const found = await keys()
      expect(found).toEqual(found.map((_, at) => at))
      expect(found.length).toBeGreaterThanOrEqual(2)
      kept.add(found.length)
    }
    expect([...kept].sort()).toEqual([2, 3, 4, 5, 6])
  })

  test('brings back the values and keys that a lost write had changed', async () => {
    const outcomes = new Set<string>()
    for (const seed of seeds.slice(0, 40)) {
      await start(seed)
      await run(store.write([put(1, 10), put(2, 10)], { sync: true }))
      await run(store.write([put(1, 20), del(2), put(1, 30), put(3, 30)], { sync: false }))
      await crashAndOpen()
      const read = await run(store.getMany([key(1), key(2), key(3)]))
      outcomes.add(read.map(value => value?.[0]).join())
    }
    expect([...outcomes].sort()).toEqual(['10,10,', '30,,30'])
  })

  test('makes of a write that was under way all or nothing, and never tells the dead store', async () => {
    const outcomes = new Set<string>()
    for (const seed of seeds.slice(0, 60)) {
      await start(seed)
      let told = false
      const tell = (): void => {
        told = true
      }
      store.write([put(1), put(2)], { sync: true }).then(tell, tell)
      store.write([put(3), put(4)], { sync: true }).then(tell, tell)
      store.get(key(1)).then(tell, tell)
      await crashAndOpen()
      await clock.advanceBy(1000)
      expect(told).toBe(false)
      outcomes.add((await keys()).join())
    }
    expect([...outcomes].sort()).toEqual(['', '1,2', '1,2,3,4'])
  })

  test('ignores a store that died: nothing it is asked resolves or changes the disk', async () => {
    const dead = store
    await crashAndOpen()
    let told = false
    const tell = (): void => {
      told = true
    }
    const calls = [
      dead.write([put(1)], { sync: true }),
      dead.clear({ gte: key(0), lt: key(9) }),
      dead.get(key(1)),
      dead.cursor({ gte: key(0), lt: key(9) }).next(1),
      dead.reopen(),
      dead.close(),
    ]
    for (const call of calls) call.then(tell, tell)
    await clock.advanceBy(1000)
    expect(told).toBe(false)
    expect(await keys()).toEqual([])
  })

  test('keeps unsynced writes when only the process dies, and may lose them at a later power cut', async () => {
    const counts = new Set<number>()
    for (const seed of seeds.slice(0, 40)) {
      await start(seed)
      for (let at = 0; at < 3; at++) await run(store.write([put(at)], { sync: false }))
      await crashAndOpen({ powerCut: false })
      expect(await keys()).toEqual([0, 1, 2])
      await crashAndOpen()
      counts.add((await keys()).length)
    }
    expect([...counts].sort()).toEqual([0, 1, 2, 3])
  })

  test('tears only the newest unsynced value that survived', async () => {
    let torn = 0
    const whole = new Uint8Array(100).fill(7)
    for (const seed of seeds) {
      await start(seed)
      const ops = [1, 2, 3].map((at): StoreOp => ({ type: 'put', key: key(at), value: whole }))
      await run(store.write([ops[0] as StoreOp], { sync: true }))
      await run(store.write([ops[1] as StoreOp], { sync: false }))
      await run(store.write([ops[2] as StoreOp], { sync: false }))
      await crashAndOpen({ tear: true })
      const values = (await run(store.getMany([1, 2, 3].map(key)))).filter(value => value !== undefined)
      expect(values[0]).toEqual(whole)
      if (values.length > 1) {
        expect(values.at(-1)).not.toEqual(whole)
        torn++
      }
      for (const value of values.slice(0, -1)) expect(value).toEqual(whole)
    }
    expect(torn).toBeGreaterThan(50)
  })

  test('may leave a part of a clear', async () => {
    const sizes = new Set<number>()
    for (const seed of seeds) {
      await start(seed)
      await run(
        store.write(
          [0, 1, 2, 3].map(at => put(at)),
          { sync: true },
        ),
      )
      void store.clear({ gte: key(0), lt: key(9) })
      await crashAndOpen()
      const left = await keys()
      expect(left).toEqual([0, 1, 2, 3].slice(4 - left.length))
      sizes.add(left.length)
    }
    expect([...sizes].sort()).toEqual([0, 1, 2, 3, 4])
  })

  test('refuses writes while it is full, and again until the store is reopened', async () => {
    await run(store.write([put(1)], { sync: true }))
    disk.full(true)
    await expect(run(store.write([put(2)], { sync: true }))).rejects.toMatchObject({ code: 'STORE_FULL' })
    await expect(run(store.reopen())).rejects.toMatchObject({ code: 'STORE_FULL' })
    expect((await run(store.space())).freeBytes).toBe(0)
    disk.full(false)
    await expect(run(store.write([put(2)], { sync: true }))).rejects.toMatchObject({ code: 'STORE_FULL' })
    await run(store.reopen())
    await run(store.write([put(3)], { sync: true }))
    const found = await keys()
    expect(found.filter(at => at !== 2)).toEqual([1, 3])
  })

  test('fails for good when a sync fails, with the write done or not', async () => {
    const outcomes = new Set<string>()
    for (const seed of seeds.slice(0, 40)) {
      await start(seed)
      disk.failNextSync()
      await run(store.write([put(1)], { sync: false }))
      const failing = store.write([put(2)], { sync: true })
      const waiting = store.write([put(3)], { sync: false })
      await expect(run(failing)).rejects.toMatchObject({ code: 'STORE_FAILED' })
      await expect(run(waiting)).rejects.toMatchObject({ code: 'STORE_FAILED' })
      await expect(run(store.reopen())).rejects.toMatchObject({ code: 'STORE_FAILED' })
      await expect(run(store.write([put(4)], { sync: false }))).rejects.toMatchObject({
        code: 'STORE_FAILED',
      })
      outcomes.add((await keys()).join())
    }
    expect([...outcomes].sort()).toEqual(['1', '1,2'])
  })

  test('flips one bit', async () => {
    await run(store.write([put(1, 0)], { sync: true }))
    expect(disk.flipBit(key(1))).toBe(true)
    expect(disk.flipBit(key(2))).toBe(false)
    const [value] = (await run(store.get(key(1)))) ?? []
    expect([1, 2, 4, 8, 16, 32, 64, 128]).toContain(value)
  })

  test('belongs to one store at a time', async () => {
    const second = new SimulatedStore(disk)
    await expect(run(second.open())).rejects.toMatchObject({ code: 'STORE_LOCKED' })
    await run(store.close())
    await run(second.open())
  })

  test('does the same twice with the same seed', async () => {
    const traces: string[] = []
    for (const _ of [1, 2]) {
      await start(42)
      for (let at = 0; at < 50; at++) await run(store.write([put(at)], { sync: at % 9 === 0 }))
      await crashAndOpen()
      traces.push(`${await keys()} at ${clock.monotonic()}`)
    }
    expect(traces[0]).toBe(traces[1])
  })

  async function start(seed: number): Promise<void> {
    clock = new VirtualClock()
    disk = new SimulatedDisk({ clock, random: new SeededRandom(seed) })
    store = new SimulatedStore(disk)
    await run(store.open())
  }

  async function crashAndOpen(options?: CrashOptions): Promise<void> {
    disk.crash(options)
    store = new SimulatedStore(disk)
    await run(store.open())
  }

  async function keys(): Promise<number[]> {
    const cursor = store.cursor({ gte: key(0), lt: key(255) })
    const entries = await run(cursor.next(1000))
    await run(cursor.close())
    return entries.map(([at]) => at[0] as number)
  }

  async function run<T>(promise: Promise<T>): Promise<T> {
    let done = false
    const end = (): void => {
      done = true
    }
    promise.then(end, end)
    await clock.runUntil(() => done, 10_000)
    expect(done).toBe(true)
    return promise
  }
})

function put(at: number, value = at): StoreOp {
  return { type: 'put', key: key(at), value: Uint8Array.of(value) }
}

function del(at: number): StoreOp {
  return { type: 'del', key: key(at) }
}

function key(at: number): Uint8Array {
  return Uint8Array.of(at)
}
