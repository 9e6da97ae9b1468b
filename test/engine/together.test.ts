import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { BEGAN_AT, Bed, listed } from './bed.ts'

/** Two features at a time. */

let bed: Bed

beforeEach(async () => {
  bed = new Bed()
  bed.handle('quick', run => run.payload)
  bed.handle('long', () => bed.sleep(5000))
  bed.handle('fails', () => Promise.reject(new Error('no luck')))
  await bed.start()
})

afterEach(() => bed.stop())

async function statesOf(task: string): Promise<string[]> {
  const runs = await bed.done(bed.node.runs(task))
  const sorted = runs.toSorted((a, b) => a.scheduledAt - b.scheduledAt)
  return sorted.map(run => `${run.scheduledAt - BEGAN_AT} ${run.state}`)
}

describe('overlap: queue-one', () => {
  const task = { id: 'a', name: 'long', every: '2s', overlap: 'queue-one' } as const

  test('with cancel of the run under way: the one that waits starts', async () => {
    await bed.done(bed.node.schedule(task))
    await bed.until(4500)
    const [first] = (await bed.done(bed.node.task('a')))?.open ?? []
    expect(await bed.done(bed.node.cancel(first?.id as string))).toBe(true)
    await bed.clock.advanceBy(10)
    expect(bed.startsOf('a')).toHaveLength(2)
    await bed.until(12_000)
    expect((await statesOf('a')).slice(0, 2)).toEqual(['2000 cancelled', '4000 completed'])
  })

  test('with cancel of the run that waits: it never starts', async () => {
    await bed.done(bed.node.schedule(task))
    await bed.until(4500)
    const waiting = (await bed.done(bed.node.task('a')))?.open.at(-1)
    expect(waiting?.state).toBe('queued')
    await bed.done(bed.node.cancel(waiting?.id as string))
    await bed.until(7500)
    expect(bed.entered.map(each => each.scheduledAt)).toEqual([2000, 6000])
    expect((await statesOf('a')).slice(0, 2)).toEqual(['2000 completed', '4000 cancelled'])
  })

  test('with a timeout: the one that waits starts when the one before has failed', async () => {
    await bed.done(bed.node.schedule({ ...task, timeout: '3s', retry: false }))
    await bed.until(5500)
    expect(bed.startsOf('a')).toEqual([2000, 5000])
    await bed.until(8500)
    expect((await statesOf('a')).slice(0, 2)).toEqual(['2000 failed', '4000 failed'])
  })

  test('with pause: what waits already goes on', async () => {
    await bed.done(bed.node.schedule(task))
    await bed.until(4500)
    await bed.done(bed.node.pause('a'))
    await bed.until(30_000)
    expect(bed.startsOf('a')).toEqual([2000, 7000])
  })

  test.each(['at-most-once', 'exactly-once'] as const)('with %s: one after the other', async guarantee => {
    await bed.done(bed.node.schedule({ ...task, guarantee }))
    await bed.until(12_500)
    expect(bed.entered.map(each => each.scheduledAt)).toEqual([2000, 4000, 8000])
    expect((await statesOf('a')).slice(0, 3)).toEqual(['2000 completed', '4000 completed', '6000 skipped'])
  })
})

describe('a run that waits for its next attempt', () => {
  const retry = { kind: 'fixed', base: '10s', max: 3 } as const

  test.each(['cancel', 'replace'] as const)('makes none after %s', async how => {
    await bed.done(bed.node.schedule({ id: 'a', name: 'fails', retry }))
    await bed.clock.advanceBy(1000)
    if (how === 'cancel') await bed.done(bed.node.cancel('a'))
    else await bed.done(bed.node.schedule({ id: 'a', name: 'quick', after: '1m' }))
    await bed.until(50_000)
    expect(bed.startsOf('a')).toHaveLength(1)
    await bed.until(70_000)
    expect(bed.entered.map(each => each.name)).toEqual(how === 'cancel' ? ['fails'] : ['fails', 'quick'])
  })

  test('of a paused task makes it all the same', async () => {
    await bed.done(bed.node.schedule({ id: 'a', name: 'fails', every: '1m', retry }))
    await bed.until(61_000)
    await bed.done(bed.node.pause('a'))
    await bed.until(200_000)
    expect(bed.entered.map(each => each.attempt)).toEqual([1, 2, 3])
  })

  test('does not hold up the next occurrences', async () => {
    await bed.done(bed.node.schedule({ id: 'a', name: 'fails', every: '4s', retry }))
    await bed.until(13_000)
    expect(bed.startsOf('a')).toEqual([4000, 8000, 12_000])
  })
})

describe('a run by hand', () => {
  test('starts whatever the overlap policy says', async () => {
    await bed.done(bed.node.schedule({ id: 'a', name: 'long', every: '1m', overlap: 'skip' }))
    await bed.until(61_000)
    await bed.done(bed.node.trigger('a'))
    await bed.clock.advanceBy(100)
    expect(bed.startsOf('a')).toEqual([60_000, 61_000])
  })

  test('of a one-shot that waits leaves its instant as it is', async () => {
    await bed.done(bed.node.schedule({ id: 'a', name: 'quick', after: '1m' }))
    const { nextAt } = (await bed.done(bed.node.task('a'))) ?? {}
    await bed.done(bed.node.trigger('a'))
    await bed.clock.advanceBy(100)
    expect(bed.entered).toHaveLength(1)
    expect(await bed.done(bed.node.task('a'))).toMatchObject({ state: 'scheduled', nextAt })
    await bed.until(62_000)
    expect(bed.entered).toHaveLength(2)
    expect(await bed.done(bed.node.task('a'))).toBeNull()
  })

  test('of a dead task runs it again, and if it completes the task is dead no more', async () => {
    await bed.done(bed.node.schedule({ id: 'a', name: 'fails', retry: false }))
    await bed.clock.advanceBy(100)
    bed.handle('fails', () => 'better now')
    await bed.done(bed.node.trigger('a'))
    await bed.clock.advanceBy(100)
    expect(await bed.done(listed(bed.node.tasks({ state: 'dead' })))).toEqual([])
    expect((await bed.done(bed.node.runs('a')))[0]).toMatchObject({ state: 'completed', manual: true })
  })

  test('is not repeated after a crash that follows its end', async () => {
    await bed.done(bed.node.schedule({ id: 'a', name: 'quick', every: '1h' }))
    await bed.done(bed.node.trigger('a'))
    await bed.clock.advanceBy(100)
    bed.crash()
    await bed.start()
    await bed.clock.advanceBy(1000)
    expect(bed.entered).toHaveLength(1)
  })
})

describe('a recurring task that came to its end', () => {
  test('dead with its last run can be driven again, after a restart too', async () => {
    await bed.done(bed.node.schedule({ id: 'a', name: 'fails', every: '1s', max: 2, retry: false }))
    await bed.until(3000)
    expect((await bed.done(bed.node.task('a')))?.state).toBe('dead')
    bed.crash()
    bed.handle('fails', () => 'better now')
    await bed.start()
    await bed.done(bed.node.retry('a'))
    await bed.clock.advanceBy(100)
    expect(await bed.done(bed.node.task('a'))).toBeNull()
    expect((await bed.done(bed.node.runs('a')))[0]).toMatchObject({ result: 'better now' })
  })

  test('can be made anew under its id, and counts from the start', async () => {
    const task = { id: 'a', name: 'quick', every: '1s', max: 2 } as const
    await bed.done(bed.node.schedule(task))
    await bed.until(5000)
    expect((await bed.done(bed.node.schedule(task))).status).toBe('created')
    await bed.until(10_000)
    expect(bed.startsOf('a')).toEqual([1000, 2000, 6000, 7000])
    expect(new Set(bed.entered.map(each => each.key)).size).toBe(4)
  })
})

test('a guarantee does not change while the task lives', async () => {
  await bed.done(bed.node.schedule({ id: 'a', name: 'quick', after: '1m' }))
  const change = bed.node.schedule({ id: 'a', name: 'quick', after: '1m', guarantee: 'at-most-once' })
  await expect(bed.done(change)).rejects.toMatchObject({ code: 'CONFLICT' })
  expect((await bed.done(bed.node.task('a')))?.policy.guarantee).toBe('at-least-once')
})
