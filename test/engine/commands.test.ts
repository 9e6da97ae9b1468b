import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { NonRetryableError } from '../../src/api/handler-error.ts'
import { BEGAN_AT, Bed, listed, SHORT_SEGMENTS } from './bed.ts'

let bed: Bed
let aborted: unknown[]

describe.each([
  ['the journal', {}],
  ['the index', SHORT_SEGMENTS],
])('on tasks in %s:', (_, options) => {
  beforeEach(async () => {
    bed = new Bed(options)
    aborted = []
    bed.handle('quick', run => run.payload)
    bed.handle('long', async run => {
      run.signal.addEventListener('abort', () => aborted.push(run.signal.reason))
      await bed.sleep(5000)
      return 'done'
    })
    bed.handle('fails', () => {
      throw new Error('no luck')
    })
    await bed.start()
  })

  afterEach(() => bed.stop())

  test('calls of one turn about one task are carried out in their order', async () => {
    const { node } = bed
    await bed.done(node.schedule({ id: 'a', name: 'quick', after: '10s' }))
    await bed.clock.advanceBy(5)
    const replaced = [node.cancel('a'), node.schedule({ id: 'a', name: 'quick', after: '20s' })] as const
    const seen = node.task('a')
    expect(await bed.done(replaced[0])).toBe(true)
    expect(await bed.done(replaced[1])).toMatchObject({ status: 'created' })
    expect(await bed.done(seen)).toMatchObject({ state: 'scheduled' })
    const batch = node.schedule([
      { id: 'a', name: 'quick', after: '30s' },
      { id: 'unheard-of', name: 'quick', after: '30s' },
    ])
    const paused = [node.pause('a'), node.pause('unheard-of')]
    expect(await bed.done(node.task('unheard-of'))).toMatchObject({ state: 'paused' })
    expect((await bed.done(batch)).map(({ status }) => status)).toEqual(['replaced', 'created'])
    await bed.done(Promise.all(paused))
    const last = [node.resume('a'), node.trigger('a'), node.cancel('a'), node.cancel('a')]
    expect(await bed.done(Promise.all(last))).toMatchObject([{}, {}, true, false])
    await bed.until(60_000)
    expect(bed.entered).toEqual([])
  })

  describe('cancel', () => {
    test('of a waiting task: it never starts, and whoever waits for it is told', async () => {
      const task = await bed.done(bed.node.schedule({ id: 'a', name: 'quick', after: '10s' }))
      const told = expect(task.result()).rejects.toMatchObject({ code: 'RUN_CANCELLED' })
      await bed.clock.advanceBy(5)
      expect(await bed.done(bed.node.cancel('a'))).toBe(true)
      await bed.done(told)
      await bed.until(20_000)
      expect(bed.entered).toEqual([])
      expect(await bed.done(bed.node.task('a'))).toBeNull()
    })

    test('of a running task: the handler is aborted, and what it returns is an event', async () => {
      const task = await bed.done(bed.node.schedule({ id: 'a', name: 'long' }))
      await bed.clock.advanceBy(100)
      expect(await bed.done(bed.node.cancel('a'))).toBe(true)
      await expect(bed.done(task.result())).rejects.toMatchObject({ code: 'RUN_CANCELLED' })
      await bed.clock.advanceBy(5)
      expect(aborted).toEqual([
        expect.objectContaining({ code: 'ABORTED', message: 'the run was cancelled' }),
      ])
      await bed.until(7000)
      expect(bed.eventsOf('late-end')).toMatchObject([{ ended: 'completed', attempt: 1 }])
      expect(await bed.done(bed.node.runs('a'))).toMatchObject([{ state: 'cancelled' }])
    })

    test('is told to who listens when it is on the disk, and not before', async () => {
      let syncsWhenTold: number | undefined
      bed.node.on('run', () => {
        syncsWhenTold = bed.disk.syncCount
      })
      await bed.done(bed.node.schedule({ id: 'a', name: 'quick', after: '10s' }))
      await bed.clock.advanceBy(100)
      const syncs = bed.disk.syncCount
      await bed.done(bed.node.cancel('a'))
      expect(syncsWhenTold).toBe(syncs + 1)
    })

    test('is kept across a crash', async () => {
      await bed.done(bed.node.schedule({ id: 'a', name: 'quick', after: '10s' }))
      await bed.done(bed.node.cancel('a'))
      bed.crash()
      await bed.start()
      await bed.until(20_000)
      expect(bed.entered).toEqual([])
    })

    test('ends a recurring task, or only the run that is named', async () => {
      await bed.done(bed.node.schedule({ id: 'a', name: 'long', every: '2s' }))
      await bed.until(2100)
      const [run] = await bed.done(bed.node.runs('a'))
      expect(await bed.done(bed.node.cancel(run?.id as string))).toBe(true)
      expect(await bed.done(bed.node.cancel(run?.id as string))).toBe(false)
      expect(await bed.done(bed.node.task('a'))).toMatchObject({ state: 'scheduled', open: [] })
      await bed.until(4100)
      expect(bed.startsOf('a')).toEqual([2000, 4000])
      expect(await bed.done(bed.node.cancel('a'))).toBe(true)
      await bed.until(20_000)
      expect(bed.startsOf('a')).toEqual([2000, 4000])
    })

    test('of what has ended is false, of what never was NOT_FOUND', async () => {
      const task = await bed.done(bed.node.schedule({ id: 'a', name: 'quick' }))
      await bed.done(task.result())
      expect(await bed.done(bed.node.cancel('a'))).toBe(false)
      await expect(bed.done(bed.node.cancel('b'))).rejects.toMatchObject({ code: 'NOT_FOUND' })
    })

    test('of a dead task takes it off the list of the dead', async () => {
      await bed.done(bed.node.schedule({ id: 'a', name: 'fails', retry: false }))
      await bed.clock.advanceBy(50)
      expect(await bed.done(listed(bed.node.tasks({ state: 'dead' })))).toMatchObject([{ id: 'a' }])
      expect(await bed.done(bed.node.cancel('a'))).toBe(true)
      expect(await bed.done(listed(bed.node.tasks({ state: 'dead' })))).toEqual([])
      await expect(bed.done(bed.node.retry('a'))).rejects.toMatchObject({ code: 'NOT_FOUND' })
    })

    test('of a dead task is still known after a crash, and so is its life', async () => {
      await bed.done(bed.node.schedule({ id: 'a', name: 'fails', retry: false }))
      await bed.clock.advanceBy(50)
      expect(await bed.done(bed.node.cancel('a'))).toBe(true)
      const [before] = await bed.done(bed.node.runs('a'))
      expect(before).toMatchObject({ state: 'cancelled', attempt: 1 })
      bed.crash()
      await bed.start()
      expect(await bed.done(bed.node.runs('a'))).toEqual([before])
      const again = await bed.done(bed.node.schedule({ id: 'a', name: 'quick' }))
      await bed.done(again.result())
      expect((await bed.done(bed.node.runs('a')))[0]?.id).toContain('~')
    })

    test('makes room for a new life of the id, whose runs have other keys', async () => {
      await bed.done(bed.node.schedule({ id: 'a', name: 'long', at: BEGAN_AT + 1000 }))
      await bed.until(1500)
      await bed.done(bed.node.cancel('a'))
      const again = await bed.done(bed.node.schedule({ id: 'a', name: 'long', at: BEGAN_AT + 1000 }))
      expect(again.status).toBe('created')
      expect(await bed.done(again.result(), 6000)).toBe('done')
      expect(new Set(bed.entered.map(each => each.key)).size).toBe(2)
    })
  })

  describe('pause and resume', () => {
    test('passes over what was due meanwhile', async () => {
      await bed.done(bed.node.schedule({ id: 'a', name: 'quick', every: '1s' }))
      await bed.until(2500)
      await bed.done(bed.node.pause('a'))
      await bed.until(6500)
      expect(await bed.done(bed.node.task('a'))).toMatchObject({ state: 'paused' })
      expect(await bed.done(bed.node.resume('a'))).toBe(true)
      expect(await bed.done(bed.node.resume('a'))).toBe(false)
      await bed.until(8500)
      expect(bed.startsOf('a')).toEqual([1000, 2000, 7000, 8000])
      expect(bed.eventsOf('missed')).toEqual([])
    })

    test('lets runs under way go on', async () => {
      const task = await bed.done(bed.node.schedule({ id: 'a', name: 'long', every: '10s' }))
      await bed.until(10_100)
      const result = task.result()
      await bed.done(bed.node.pause('a'))
      expect(await bed.done(result, 6000)).toBe('done')
      await bed.until(60_000)
      expect(bed.startsOf('a')).toEqual([10_000])
    })

    test('is kept across a crash, and a long time away', async () => {
      await bed.done(bed.node.schedule({ id: 'a', name: 'quick', every: '1m' }))
      await bed.done(bed.node.pause('a'))
      bed.crash()
      await bed.clock.advanceBy(7_200_000)
      await bed.start()
      await bed.clock.advanceBy(120_000)
      expect(bed.entered).toEqual([])
      expect((await bed.done(bed.node.task('a')))?.state).toBe('paused')
      await bed.done(bed.node.resume('a'))
      await bed.clock.advanceBy(60_000)
      expect(bed.entered).toHaveLength(1)
    })

    test('a one-shot whose instant has passed fires at resume', async () => {
      await bed.done(bed.node.schedule({ id: 'a', name: 'quick', after: '1s' }))
      await bed.done(bed.node.pause('a'))
      await bed.until(5000)
      expect(bed.entered).toEqual([])
      await bed.done(bed.node.resume('a'))
      await bed.clock.advanceBy(5)
      expect(bed.startsOf('a')).toEqual([5000])
    })

    test('of what has nothing ahead is a conflict', async () => {
      await bed.done(bed.node.schedule({ id: 'a', name: 'long' }))
      await bed.clock.advanceBy(100)
      await expect(bed.done(bed.node.pause('a'))).rejects.toMatchObject({ code: 'CONFLICT' })
      await expect(bed.done(bed.node.pause('b'))).rejects.toMatchObject({ code: 'NOT_FOUND' })
    })
  })

  describe('trigger', () => {
    test('runs the task once more, and leaves its schedule as it is', async () => {
      await bed.done(bed.node.schedule({ id: 'a', name: 'quick', every: '1m', payload: 7 }))
      await bed.until(20_000)
      const run = await bed.done(bed.node.trigger('a'))
      await bed.clock.advanceBy(10)
      expect(await bed.done(bed.node.runs('a'))).toMatchObject([
        { id: run, manual: true, state: 'completed', result: 7 },
      ])
      expect((await bed.done(bed.node.task('a')))?.nextAt).toBe(BEGAN_AT + 60_000)
      await bed.until(61_000)
      expect(bed.startsOf('a')).toEqual([20_000, 60_000])
      expect((await bed.done(bed.node.task('a')))?.occurrences).toBe(1)
    })

    test('runs a paused task too, which stays paused', async () => {
      await bed.done(bed.node.schedule({ id: 'a', name: 'quick', every: '1s' }))
      await bed.done(bed.node.pause('a'))
      await bed.done(bed.node.trigger('a'))
      await bed.until(5000)
      expect(bed.entered).toHaveLength(1)
      expect((await bed.done(bed.node.task('a')))?.state).toBe('paused')
    })

    test('three times in one turn makes three runs', async () => {
      await bed.done(bed.node.schedule({ id: 'a', name: 'quick', every: '1h' }))
      const runs = await bed.done(Promise.all([1, 2, 3].map(() => bed.node.trigger('a'))))
      await bed.clock.advanceBy(10)
      expect(new Set(runs).size).toBe(3)
      expect(new Set(bed.entered.map(each => each.key))).toEqual(new Set(runs))
    })

    test('that was acknowledged happens, also after a crash', async () => {
      await bed.done(bed.node.schedule({ id: 'a', name: 'late', every: '1h' }))
      const run = await bed.done(bed.node.trigger('a'))
      bed.crash()
      await bed.start()
      bed.handle('late')
      await bed.clock.advanceBy(10)
      expect(bed.entered.map(each => each.key)).toEqual([run])
    })

    test('of what never was, or has ended, is NOT_FOUND', async () => {
      await expect(bed.done(bed.node.trigger('a'))).rejects.toMatchObject({ code: 'NOT_FOUND' })
      const task = await bed.done(bed.node.schedule({ id: 'a', name: 'quick' }))
      await bed.done(task.result())
      await expect(bed.done(bed.node.trigger('a'))).rejects.toMatchObject({ code: 'NOT_FOUND' })
    })
  })

  describe('retry of a dead task', () => {
    test('drives the run again with a fresh budget, under the same key', async () => {
      const retry = { kind: 'fixed', base: '1s', max: 2 } as const
      const task = await bed.done(bed.node.schedule({ id: 'a', name: 'fails', retry }))
      await expect(bed.done(task.result(), 5000)).rejects.toMatchObject({ code: 'RUN_FAILED' })
      expect((await bed.done(bed.node.task('a')))?.state).toBe('dead')
      const run = await bed.done(bed.node.retry('a'))
      const result = task.result()
      await expect(bed.done(result, 5000)).rejects.toMatchObject({ code: 'RUN_FAILED' })
      expect(bed.entered.map(each => each.attempt)).toEqual([1, 2, 3, 4])
      expect(bed.entered.map(each => each.key)).toEqual(Array.from({ length: 4 }, () => run))
      bed.handle('fails', () => 'better now')
      await bed.done(bed.node.retry(run))
      expect(await bed.done(task.result())).toBe('better now')
      expect(await bed.done(listed(bed.node.tasks({ state: 'dead' })))).toEqual([])
      expect((await bed.done(bed.node.status())).tasks.dead).toBe(0)
    })

    test('gives every drive all of its attempts, and delays that start anew', async () => {
      bed.handle('fails', run => {
        if (run.attempt === 1) throw new NonRetryableError('not this time')
        throw new Error('no luck')
      })
      const retry = { base: '1s', max: 3, jitter: false } as const
      await bed.done(bed.node.schedule({ id: 'a', name: 'fails', retry }))
      await bed.clock.advanceBy(50)
      expect((await bed.done(bed.node.task('a')))?.state).toBe('dead')
      for (const attempts of [4, 7]) {
        await bed.done(bed.node.retry('a'))
        await bed.clock.advanceBy(1500)
        // The count is kept, by whatever way the run comes back into memory.
        bed.crash()
        await bed.start()
        await bed.clock.advanceBy(60_000)
        expect((await bed.done(bed.node.runs('a')))[0]).toMatchObject({ state: 'failed', attempt: attempts })
      }
      const starts = bed.startsOf('a')
      const delays = starts.slice(1).map((at, i) => at - (starts[i] as number))
      for (const at of [1, 4]) {
        expect(delays[at]).toBeCloseTo(1000, -2)
        expect(delays[at + 1]).toBeCloseTo(2000, -2)
      }
    })

    test('of a dead task knows of the same run before and after a restart: the last', async () => {
      await bed.done(bed.node.schedule({ id: 'a', name: 'fails', every: '1s', max: 2, retry: false }))
      await bed.until(1500)
      const first = (await bed.done(bed.node.runs('a')))[0]
      bed.handle('fails', async () => {
        await bed.sleep(3000)
        throw new Error('no luck')
      })
      await bed.done(bed.node.trigger('a'))
      await bed.until(10_000)
      const dead = async (): Promise<unknown> => {
        const runs = await bed.done(bed.node.runs('a'))
        return [(await bed.done(bed.node.task('a')))?.state, runs.map(({ id, state }) => [id, state])]
      }
      const before = await dead()
      bed.crash()
      await bed.start()
      expect(await dead()).toEqual(before)
      expect(first).toMatchObject({ state: 'failed' })
    })

    test('can be done after a restart', async () => {
      await bed.done(bed.node.schedule({ id: 'a', name: 'fails', retry: false, payload: { n: 1 } }))
      await bed.clock.advanceBy(50)
      bed.crash()
      await bed.start()
      expect(await bed.done(listed(bed.node.tasks({ state: 'dead' })))).toMatchObject([{ id: 'a' }])
      bed.handle('fails', run => run.payload)
      const run = await bed.done(bed.node.retry('a'))
      await bed.clock.advanceBy(50)
      expect(await bed.done(bed.node.runs('a'))).toMatchObject([
        { id: run, state: 'completed', result: { n: 1 } },
      ])
    })

    test('of a recurring task drives its latest failed run, or the one that is named', async () => {
      const task = { id: 'a', name: 'fails', every: '10s', retry: false } as const
      await bed.done(bed.node.schedule(task))
      await bed.until(21_000)
      const [second, first] = await bed.done(bed.node.runs('a'))
      bed.handle('fails', () => 'better now')
      expect(await bed.done(bed.node.retry('a'))).toBe(second?.id)
      expect(await bed.done(bed.node.retry(first?.id as string))).toBe(first?.id)
      await bed.clock.advanceBy(50)
      const runs = await bed.done(bed.node.runs('a'))
      expect(runs.map(({ id, state }) => [id, state])).toEqual([
        [second?.id, 'completed'],
        [first?.id, 'completed'],
      ])
    })

    test('of what has not failed is refused', async () => {
      const task = await bed.done(bed.node.schedule({ id: 'a', name: 'quick' }))
      await bed.done(task.result())
      await expect(bed.done(bed.node.retry('a'))).rejects.toMatchObject({ code: 'NOT_FOUND' })
      await bed.done(bed.node.schedule({ id: 'b', name: 'long' }))
      await bed.clock.advanceBy(50)
      await expect(bed.done(bed.node.retry('b'))).rejects.toMatchObject({ code: 'NOT_FOUND' })
      const [run] = await bed.done(bed.node.runs('b'))
      await expect(bed.done(bed.node.retry(run?.id as string))).rejects.toMatchObject({ code: 'CONFLICT' })
      await bed.clock.advanceBy(6000)
      expect(bed.startsOf('b')).toHaveLength(1)
    })
  })
})
