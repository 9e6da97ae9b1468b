import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { NonRetryableError } from '../../src/api/handler-error.ts'
import type { RunView } from '../../src/task/views.ts'
import { Bed } from './bed.ts'

let bed: Bed

beforeEach(async () => {
  bed = new Bed()
  bed.handle('fails', () => {
    throw new Error('no luck')
  })
  await bed.start()
})

afterEach(() => bed.stop())

/** From each attempt's start to the next. */
function delaysOf(task: string): number[] {
  const starts = bed.startsOf(task)
  return starts.slice(1).map((at, i) => at - (starts[i] as number))
}

describe('an attempt that fails', () => {
  test.each([
    ['fixed', { kind: 'fixed', base: '5s', max: 4 }, [5000, 5000, 5000]],
    ['exponential', { base: '1s', max: 5, jitter: false }, [1000, 2000, 4000, 8000]],
    ['bounded', { base: '1s', max: 5, maxDelay: '3s', jitter: false }, [1000, 2000, 3000, 3000]],
    ['immediate', { kind: 'immediate', max: 4 }, [0, 0, 0]],
  ] as const)('is made again after the delays of its policy: %s', async (id, retry, delays) => {
    const task = await bed.done(bed.node.schedule({ id, name: 'fails', retry }))
    await expect(bed.done(task.result(), 60_000)).rejects.toMatchObject({
      code: 'RUN_FAILED',
      cause: { message: 'no luck' },
    })
    for (const [i, delay] of delays.entries()) expect(delaysOf(id)[i]).toBeCloseTo(delay, -1)
    expect(bed.entered.map(each => each.attempt)).toEqual([1, ...delays.map((_, i) => i + 2)])
    expect(new Set(bed.entered.map(each => each.key)).size).toBe(1)
    await bed.clock.advanceBy(3_600_000)
    expect(bed.entered).toHaveLength(delays.length + 1)
  })

  test('with jitter waits between nothing and the step, and not the same for all', async () => {
    const ids = Array.from({ length: 20 }, (_, i) => `t${i}`)
    const retry = { base: '10s', max: 2 } as const
    await bed.done(bed.node.schedule(ids.map(id => ({ id, name: 'fails', retry }))))
    await bed.until(11_000)
    const delays = ids.flatMap(delaysOf)
    expect(delays).toHaveLength(20)
    for (const delay of delays) expect(delay).toBeLessThanOrEqual(10_000)
    expect(new Set(delays).size).toBeGreaterThan(15)
    expect(Math.max(...delays) - Math.min(...delays)).toBeGreaterThan(5000)
  })

  test('shows when it will be made again, and why it failed', async () => {
    const retries: Array<{ run: RunView; nextAt: number }> = []
    bed.node.on('retry', event => retries.push(event))
    await bed.clock.advanceBy(1)
    const retry = { kind: 'fixed', base: '5s', max: 2 } as const
    await bed.done(bed.node.schedule({ id: 'a', name: 'fails', retry }))
    await bed.clock.advanceBy(10)
    const [run] = await bed.done(bed.node.runs('a'))
    expect(run).toMatchObject({ state: 'retrying', attempt: 1, error: { message: 'no luck' } })
    expect(run?.retryAt).toBe(retries[0]?.nextAt)
    expect(retries[0]?.run).toMatchObject({ id: run?.id, attempt: 1 })
    await bed.until(5100)
    expect((await bed.done(bed.node.runs('a')))[0]).toMatchObject({ state: 'failed', attempt: 2 })
    expect((await bed.done(bed.node.status())).counters).toMatchObject({ retried: 1, failed: 1 })
  })

  test.each([
    ['NonRetryableError', new NonRetryableError('never')],
    ['retryable: false', Object.assign(new Error('never'), { retryable: false })],
  ])('with %s is the last', async (_, error) => {
    bed.handle('gives-up', () => Promise.reject(error))
    const task = await bed.done(bed.node.schedule({ id: 'a', name: 'gives-up', retry: 5 }))
    await expect(bed.done(task.result())).rejects.toMatchObject({ code: 'RUN_FAILED' })
    await bed.clock.advanceBy(60_000)
    expect(bed.startsOf('a')).toHaveLength(1)
  })

  test('keeps its delay across a crash', async () => {
    const retry = { kind: 'fixed', base: '20s', max: 3 } as const
    await bed.done(bed.node.schedule({ id: 'a', name: 'fails', retry }))
    await bed.clock.advanceBy(500)
    bed.crash()
    await bed.clock.advanceBy(1000)
    await bed.start()
    await bed.until(70_000)
    expect(bed.entered.map(each => each.attempt)).toEqual([1, 2, 3])
    expect(delaysOf('a')[0]).toBeCloseTo(20_000, -1)
    expect((await bed.done(bed.node.task('a')))?.state).toBe('dead')
  })

  test('a handler that kills its process each time runs out of attempts', async () => {
    bed.handle('kills', () => bed.sleep(60_000))
    await bed.done(bed.node.schedule({ id: 'a', name: 'kills', retry: 3 }))
    for (let i = 0; i < 4; i++) {
      await bed.clock.advanceBy(100)
      bed.crash()
      await bed.start()
    }
    await bed.clock.advanceBy(1000)
    expect(bed.entered.map(each => each.attempt)).toEqual([1, 2, 3])
    const [run] = await bed.done(bed.node.runs('a'))
    expect(run).toMatchObject({ state: 'failed', error: { code: 'ATTEMPT_LOST' } })
  })
})

describe('a handler that takes too long', () => {
  test('is told to stop, and its attempt has failed; what it returns later is an event, not the result', async () => {
    const reasons: unknown[] = []
    bed.handle('slow', async run => {
      run.signal.addEventListener('abort', () => reasons.push(run.signal.reason))
      await bed.sleep(5000)
      return 'too late'
    })
    const task = await bed.done(bed.node.schedule({ id: 'a', name: 'slow', timeout: '2s', retry: false }))
    await expect(bed.done(task.result(), 3000)).rejects.toMatchObject({
      code: 'RUN_FAILED',
      cause: { name: 'TimeoutError', code: 'TIMEOUT' },
    })
    const tookMs = bed.now - (bed.startsOf('a')[0] as number)
    expect(tookMs).toBeGreaterThanOrEqual(2000)
    expect(tookMs).toBeLessThan(2005)
    await bed.clock.advanceBy(5)
    expect(reasons).toEqual([expect.objectContaining({ code: 'ABORTED' })])
    await bed.until(6000)
    const [run] = await bed.done(bed.node.runs('a'))
    expect(bed.eventsOf('late-end')).toEqual([
      { type: 'late-end', run: run?.id, attempt: 1, ended: 'completed' },
    ])
    expect(run).toMatchObject({ state: 'failed', error: { code: 'TIMEOUT' } })
    expect(run?.result).toBeUndefined()
  })

  test('is tried again, and the late end of the first attempt does not touch the second', async () => {
    bed.handle('slow', async run => {
      await bed.sleep(run.attempt === 1 ? 5000 : 4000)
      return run.attempt
    })
    const retry = { kind: 'fixed', base: '1s', max: 2 } as const
    const task = await bed.done(bed.node.schedule({ id: 'a', name: 'slow', timeout: '4500ms', retry }))
    expect(await bed.done(task.result(), 12_000)).toBe(2)
    expect(bed.eventsOf('late-end')).toMatchObject([{ attempt: 1, ended: 'completed' }])
  })

  test('a late end that failed says so', async () => {
    bed.handle('slow', async run => {
      await bed.sleep(3000)
      run.signal.throwIfAborted()
    })
    await bed.done(bed.node.schedule({ name: 'slow', timeout: '1s', retry: false }))
    await bed.clock.advanceBy(4000)
    expect(bed.eventsOf('late-end')).toMatchObject([{ ended: 'failed' }])
  })

  test('the time in the queue does not count', async () => {
    bed.node.handle('one-by-one', () => bed.sleep(800), { concurrency: 1 })
    await bed.clock.advanceBy(1)
    const tasks = await bed.done(
      bed.node.schedule(
        [1, 2, 3].map(n => ({ id: `t${n}`, name: 'one-by-one', timeout: '1s', retry: false })),
      ),
    )
    for (const task of tasks) await bed.done(task.result(), 3000)
    expect(bed.now).toBeGreaterThanOrEqual(2400)
    expect(bed.eventsOf('late-end')).toEqual([])
  })
})

describe('a worker that goes away', () => {
  test('loses its attempts to another one, with the same key and the next number', async () => {
    const keys: string[] = []
    const other = bed.attach({
      job: async run => {
        keys.push(`${run.idempotencyKey} ${run.attempt}`)
        await bed.sleep(60_000)
      },
    })
    await bed.clock.advanceBy(1)
    const task = await bed.done(bed.node.schedule({ id: 'a', name: 'job' }))
    await bed.clock.advanceBy(100)
    expect(keys).toHaveLength(1)
    other.cut()
    await bed.clock.advanceBy(1)
    bed.handle('job', run => `${run.idempotencyKey} ${run.attempt}`)
    const result = await bed.done(task.result())
    expect([...keys, result]).toEqual([expect.stringMatching(/ 1$/), expect.stringMatching(/ 2$/)])
    expect(keys[0]?.split(' ')[0]).toBe(String(result).split(' ')[0])
  })

  test('and nobody else who can: the node says so, and the run waits', async () => {
    const other = bed.attach({ job: () => bed.sleep(60_000) })
    await bed.clock.advanceBy(1)
    const task = await bed.done(bed.node.schedule({ id: 'a', name: 'job' }))
    other.cut()
    await bed.clock.advanceBy(10)
    expect(bed.eventsOf('no-worker')).toEqual([{ type: 'no-worker', name: 'job', waiting: 1 }])
    expect((await bed.done(bed.node.status())).withoutWorker).toEqual([{ name: 'job', waiting: 1 }])
    bed.handle('job', () => 'done')
    expect(await bed.done(task.result())).toBe('done')
    expect(bed.eventsOf('no-worker').at(-1)).toEqual({ type: 'no-worker', name: 'job', waiting: 0 })
  })
})
