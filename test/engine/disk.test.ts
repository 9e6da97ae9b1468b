import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Bed, listed } from './bed.ts'

let bed: Bed

beforeEach(async () => {
  bed = new Bed()
  bed.handle('quick', run => run.payload)
  await bed.start()
})

afterEach(() => bed.stop())

const GIB = 2 ** 30

describe('little free space', () => {
  test('refuses new work before the disk is full, and takes it again when there is space', async () => {
    await bed.done(bed.node.schedule({ id: 'before', name: 'quick', after: '5s' }))
    bed.disk.totalBytes = 100 * GIB
    bed.disk.freeBytes = 2 ** 20
    await bed.clock.advanceBy(2000)
    expect(bed.eventsOf('store-full')).toEqual([{ type: 'store-full', full: true, freeBytes: 2 ** 20 }])
    await expect(bed.done(bed.node.schedule({ id: 'a', name: 'quick' }))).rejects.toMatchObject({
      code: 'STORE_FULL',
      message: expect.stringContaining('1048576 bytes are free'),
    })
    await expect(bed.done(bed.node.trigger('before'))).rejects.toMatchObject({ code: 'STORE_FULL' })
    expect(await bed.done(bed.node.status())).toMatchObject({ takesWork: false, freeBytes: 2 ** 20 })
    await bed.until(6000)
    expect(bed.entered.map(each => each.task)).toEqual(['before'])
    bed.disk.freeBytes = 50 * GIB
    await bed.clock.advanceBy(2000)
    expect(bed.eventsOf('store-full').map(each => each.full)).toEqual([true, false])
    const task = await bed.done(bed.node.schedule({ id: 'a', name: 'quick', payload: 1 }))
    expect(await bed.done(task.result())).toBe(1)
  })

  test('still lets tasks be cancelled and paused', async () => {
    await bed.done(
      bed.node.schedule([
        { id: 'a', name: 'quick', after: '1m' },
        { id: 'b', name: 'quick', every: '1m' },
      ]),
    )
    bed.disk.totalBytes = 100 * GIB
    bed.disk.freeBytes = 0
    await bed.clock.advanceBy(2000)
    expect(await bed.done(bed.node.cancel('a'))).toBe(true)
    await bed.done(bed.node.pause('b'))
    await bed.until(120_000)
    expect(bed.entered).toEqual([])
  })

  test('a refused list says of each task that it was refused, and none is there', async () => {
    bed.disk.totalBytes = 100 * GIB
    bed.disk.freeBytes = 0
    await bed.clock.advanceBy(2000)
    const tasks = [1, 2, 3].map(n => ({ id: `t${n}`, name: 'quick' }))
    const error = await bed.done(bed.node.schedule(tasks).catch((each: unknown) => each))
    expect(error).toMatchObject({ code: 'STORE_FULL' })
    expect((error as { results: unknown[] }).results).toHaveLength(3)
    await bed.clock.advanceBy(1000)
    expect(await bed.done(listed(bed.node.tasks()))).toEqual([])
    expect(bed.entered).toEqual([])
  })
})

describe('a full disk', () => {
  test('is waited out: what was asked for meanwhile happens once there is space', async () => {
    bed.disk.full(true)
    const made = bed.node.schedule({ id: 'a', name: 'quick', payload: 1 })
    await bed.clock.advanceBy(2500)
    expect(bed.eventsOf('store-full')).toMatchObject([{ full: true }])
    bed.disk.full(false)
    const task = await bed.done(made, 2000)
    expect(await bed.done(task.result())).toBe(1)
    expect(bed.entered).toHaveLength(1)
    expect((await bed.done(bed.node.status())).takesWork).toBe(true)
  })

  test('callers are told after five seconds; new work is refused at once, and it recovers by itself', async () => {
    bed.disk.full(true)
    const waiting = expect(bed.node.schedule({ id: 'a', name: 'quick' })).rejects.toMatchObject({
      code: 'STORE_FULL',
      message: expect.stringContaining('this change is kept'),
    })
    await bed.clock.advanceBy(10)
    const refused = bed.node.schedule({ id: 'b', name: 'quick' })
    await expect(bed.done(refused, 10)).rejects.toMatchObject({ code: 'STORE_FULL' })
    await bed.done(waiting, 6000)
    expect(bed.now).toBeGreaterThanOrEqual(5000)
    await bed.clock.advanceBy(60_000)
    bed.disk.full(false)
    await bed.clock.advanceBy(3000)
    const again = await bed.done(bed.node.schedule({ id: 'c', name: 'quick', payload: 3 }))
    expect(await bed.done(again.result())).toBe(3)
    expect(bed.eventsOf('store-full').map(each => each.full)).toEqual([true, false])
    // What was kept has happened as well, and what was refused has not.
    expect(bed.entered.map(each => each.task).toSorted()).toEqual(['a', 'c'])
  })

  test('a call that was told may be repeated: it happens once', async () => {
    bed.disk.full(true)
    const task = { id: 'a', name: 'quick', after: '1m' } as const
    const waiting = expect(bed.node.schedule(task)).rejects.toMatchObject({ code: 'STORE_FULL' })
    await bed.done(waiting, 6000)
    bed.disk.full(false)
    await bed.clock.advanceBy(2000)
    const again = await bed.done(bed.node.schedule(task))
    expect(['replaced', 'exists']).toContain(again.status)
    await bed.clock.advanceBy(120_000)
    expect(bed.startsOf('a')).toHaveLength(1)
  })

  test('what is scheduled already goes on, and its ends are told when they are written', async () => {
    const task = await bed.done(bed.node.schedule({ id: 'a', name: 'quick', every: '1s', payload: 7 }))
    await bed.until(1500)
    bed.disk.full(true)
    let told = false
    const result = task.result().then(value => {
      told = true
      return value
    })
    await bed.until(5500)
    expect(bed.startsOf('a')).toEqual([1000, 2000, 3000, 4000, 5000])
    expect(told).toBe(false)
    bed.disk.full(false)
    expect(await bed.done(result, 3000)).toBe(7)
  })

  test('nothing that was acknowledged is lost when the power goes while it is full', async () => {
    for (let i = 0; i < 20; i++) {
      const filling = new Bed({}, { seed: `full ${i}` })
      filling.handle('quick', run => run.payload)
      await filling.start()
      const acknowledged: string[] = []
      const schedule = (id: string): void => {
        filling.node.schedule({ id, name: 'quick', after: '10m' }).then(
          () => acknowledged.push(id),
          () => undefined,
        )
      }
      for (let n = 0; n < 60; n++) {
        schedule(`t${n}`)
        if (n === 30 + i) filling.disk.full(true)
        await filling.clock.advanceBy(0.17)
      }
      await filling.clock.advanceBy(i * 500)
      if (i % 3 === 0) {
        filling.disk.full(false)
        await filling.clock.advanceBy(2000)
      }
      filling.crash({ powerCut: i % 2 === 0 })
      filling.disk.full(false)
      await filling.start()
      const found = (await filling.done(listed(filling.node.tasks()))).map(each => each.id)
      expect(acknowledged.length).toBeGreaterThanOrEqual(20)
      expect(found).toEqual(expect.arrayContaining(acknowledged))
      await filling.clock.advanceBy(660_000)
      expect(new Set(filling.entered.map(each => each.task)).size).toBe(found.length)
      expect(filling.entered).toHaveLength(found.length)
      await filling.stop()
    }
  })

  test('a close does not hang on it', async () => {
    await bed.done(bed.node.schedule({ id: 'kept', name: 'quick', after: '1h' }))
    bed.disk.full(true)
    const lost = expect(bed.node.schedule({ id: 'a', name: 'quick', after: '1h' })).rejects.toMatchObject({
      code: expect.stringMatching(/^(STORE_FULL|CLOSED|ENGINE_STOPPED)$/),
    })
    await bed.clock.advanceBy(100)
    await bed.stop()
    await bed.done(lost)
    bed.disk.full(false)
    await bed.start()
    expect(await bed.done(bed.node.task('kept'))).toMatchObject({ state: 'scheduled' })
  })

  test('a start says so', async () => {
    await bed.stop()
    bed.disk.full(true)
    await expect(bed.start()).rejects.toMatchObject({ code: 'STORE_FULL' })
    bed.crash()
    bed.disk.full(false)
    await bed.start()
  })
})

describe('a failed sync', () => {
  test('stops the engine: calls reject, the process is told, and nothing more is started', async () => {
    await bed.done(bed.node.schedule({ id: 'kept', name: 'quick', after: '5s' }))
    bed.disk.failNextSync()
    const schedule = bed.node.schedule({ id: 'a', name: 'quick', after: '5s' })
    await expect(bed.done(schedule)).rejects.toMatchObject({ code: 'STORE_FAILED' })
    await expect(bed.done(bed.node.closed)).rejects.toMatchObject({
      code: 'ENGINE_STOPPED',
      message: expect.stringContaining('failed to sync'),
    })
    await expect(bed.done(bed.engine.stopped)).rejects.toMatchObject({ code: 'STORE_FAILED' })
    expect(bed.eventsOf('stopped')).toMatchObject([{ error: { code: 'STORE_FAILED' } }])
    const calls = [bed.node.schedule({ name: 'quick' }), bed.node.cancel('kept'), bed.node.status()]
    for (const call of await bed.done(Promise.allSettled(calls)))
      expect(call).toMatchObject({ status: 'rejected', reason: { code: 'ENGINE_STOPPED' } })
    await bed.until(10_000)
    expect(bed.entered).toEqual([])
    bed.crash()
    await bed.start()
    await bed.clock.advanceBy(10)
    expect(bed.startsOf('kept')).toHaveLength(1)
  })

  test('of a claim starts nothing', async () => {
    await bed.done(bed.node.schedule({ id: 'a', name: 'quick', after: '1s', guarantee: 'at-most-once' }))
    bed.disk.failNextSync()
    await bed.clock.advanceBy(2000)
    expect(bed.entered).toEqual([])
    await expect(bed.engine.stopped).rejects.toMatchObject({ code: 'STORE_FAILED' })
    bed.crash()
    await bed.start()
    await bed.clock.advanceBy(5000)
    const [run] = await bed.done(bed.node.runs('a'))
    expect(run?.state).toBe(bed.entered.length === 0 ? 'unknown' : 'completed')
  })

  test('of an end: nobody is told of it, and after the next start it is there, or comes again', async () => {
    bed.handle('slow', () => bed.sleep(1000))
    const task = await bed.done(bed.node.schedule({ id: 'a', name: 'slow' }))
    await bed.clock.advanceBy(500)
    bed.disk.failNextSync()
    await expect(bed.done(task.result(), 2000)).rejects.toMatchObject({ code: 'ENGINE_STOPPED' })
    bed.crash()
    await bed.start()
    await bed.clock.advanceBy(5000)
    expect(await bed.done(bed.node.runs('a'))).toMatchObject([{ state: 'completed' }])
  })
})
