import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { TaskOptions } from '../../src/task/options.ts'
import { BEGAN_AT, Bed } from './bed.ts'

let bed: Bed

beforeEach(async () => {
  bed = new Bed()
  bed.handle('quick')
  bed.handle('long', async run => {
    await bed.sleep(2500)
    run.signal.throwIfAborted()
  })
  await bed.start()
})

afterEach(() => bed.stop())

const HOUR = 3_600_000

function schedule(task: Omit<TaskOptions, 'name'> & { readonly name?: string }): Promise<unknown> {
  return bed.done(bed.node.schedule({ id: 'a', name: 'quick', ...task }))
}

function scheduledOf(task: string): number[] {
  return bed.entered.filter(each => each.task === task).map(each => each.scheduledAt)
}

async function statesOf(task: string): Promise<string[]> {
  const runs = await bed.done(bed.node.runs(task))
  const sorted = runs.toSorted((a, b) => a.scheduledAt - b.scheduledAt)
  return sorted.map(run => `${run.scheduledAt - BEGAN_AT} ${run.state}`)
}

describe('overlap', () => {
  test('allow: each instant has its run', async () => {
    await schedule({ name: 'long', every: '1s', overlap: 'allow' })
    await bed.until(4100)
    expect(bed.startsOf('a')).toEqual([1000, 2000, 3000, 4000])
    expect(await statesOf('a')).toEqual(['1000 completed', '2000 running', '3000 running', '4000 running'])
  })

  test('skip: what is due while a run goes on is passed over, visibly', async () => {
    await schedule({ name: 'long', every: '1s', overlap: 'skip' })
    await bed.until(7100)
    expect(scheduledOf('a')).toEqual([1000, 4000, 7000])
    expect(await statesOf('a')).toEqual([
      '1000 completed',
      '2000 skipped',
      '3000 skipped',
      '4000 completed',
      '5000 skipped',
      '6000 skipped',
      '7000 running',
    ])
  })

  test('queue-one: one waits, and starts when the one before has ended', async () => {
    await schedule({ name: 'long', every: '1s', overlap: 'queue-one' })
    await bed.until(6200)
    expect(scheduledOf('a')).toEqual([1000, 2000, 4000])
    expect(bed.startsOf('a')).toEqual([1000, 3500, 6000])
    expect((await statesOf('a')).slice(0, 5)).toEqual([
      '1000 completed',
      '2000 completed',
      '3000 skipped',
      '4000 running',
      '5000 skipped',
    ])
  })

  test('cancel-old: the old run is aborted, and the new one starts', async () => {
    await schedule({ name: 'long', every: '1s', overlap: 'cancel-old' })
    await bed.until(3100)
    expect(bed.startsOf('a')).toEqual([1000, 2000, 3000])
    expect(await statesOf('a')).toEqual(['1000 cancelled', '2000 cancelled', '3000 running'])
    await bed.until(3600)
    expect(bed.eventsOf('late-end')).toEqual([
      expect.objectContaining({ run: bed.entered[0]?.key, ended: 'failed' }),
    ])
  })

  test('a run that waits for its next attempt counts as one that goes on', async () => {
    bed.handle('fails', () => Promise.reject(new Error('no luck')))
    const retry = { kind: 'fixed', base: '2500ms', max: 2 } as const
    await schedule({ name: 'fails', every: '1s', overlap: 'skip', retry })
    await bed.until(4600)
    expect(await statesOf('a')).toEqual(['1000 failed', '2000 skipped', '3000 skipped', '4000 retrying'])
  })

  test('a queued run is not lost by a crash', async () => {
    await schedule({ name: 'long', every: '10m', overlap: 'queue-one', start: BEGAN_AT + 1000, max: 2 })
    bed.handle('long', () => bed.sleep(HOUR))
    await bed.until(700_000)
    expect(bed.startsOf('a')).toHaveLength(1)
    bed.crash()
    bed.handle('long')
    await bed.start()
    await bed.clock.advanceBy(1000)
    expect(scheduledOf('a')).toEqual([1000, 1000, 601_000])
  })
})

describe('misfire: what was due while nobody was there', () => {
  test('once: the latest instant only, and the rest is told as missed', async () => {
    await schedule({ every: '1h' })
    await bed.until(HOUR + 1000)
    await bed.away(5 * HOUR)
    await bed.clock.advanceBy(1000)
    expect(scheduledOf('a')).toEqual([HOUR, 6 * HOUR])
    expect((await bed.done(bed.node.status())).counters.missed).toBe(4)
    await bed.until(7 * HOUR + 1000)
    expect(scheduledOf('a').at(-1)).toBe(7 * HOUR)
  })

  test('all: each of them, oldest first, up to a cap of the latest', async () => {
    await schedule({ every: '1h', misfire: { kind: 'all', max: 3 } })
    await schedule({ id: 'b', every: '1h', misfire: 'all' })
    await bed.away(5 * HOUR)
    await bed.clock.advanceBy(1000)
    expect(scheduledOf('a')).toEqual([3, 4, 5].map(n => n * HOUR))
    expect(scheduledOf('b')).toEqual([1, 2, 3, 4, 5].map(n => n * HOUR))
  })

  test('skip: none', async () => {
    await schedule({ every: '1h', misfire: 'skip' })
    await bed.away(5 * HOUR + 120_000)
    await bed.clock.advanceBy(1000)
    expect(scheduledOf('a')).toEqual([])
    await bed.until(6 * HOUR + 1000)
    expect(scheduledOf('a')).toEqual([6 * HOUR])
  })

  test('of a task whose last instants were missed something is kept, so that its id can be used again', async () => {
    const task = { every: '1h', misfire: 'skip', end: BEGAN_AT + 3 * HOUR } as const
    await schedule(task)
    await bed.away(4 * HOUR)
    await bed.clock.advanceBy(1000)
    expect(await statesOf('a')).toEqual([`${3 * HOUR} missed`])
    await schedule({ at: BEGAN_AT + 3 * HOUR })
    await bed.clock.advanceBy(1000)
    const [run] = await bed.done(bed.node.runs('a'))
    expect(run?.id).toMatch(/^a~\d+@/)
  })

  test.each([
    ['once', [10_000]],
    ['skip', []],
  ] as const)('of a one-shot, %s', async (kind, expected) => {
    const task = await bed.done(
      bed.node.schedule({ id: 'a', name: 'quick', at: BEGAN_AT + 10_000, misfire: kind }),
    )
    await bed.away(HOUR)
    await bed.clock.advanceBy(1000)
    expect(scheduledOf(task.id)).toEqual(expected)
    expect(await statesOf('a')).toEqual([`10000 ${kind === 'once' ? 'completed' : 'missed'}`])
  })

  test('late by less than `after` is not missed', async () => {
    await schedule({ every: '1h', misfire: { kind: 'skip', after: '10m' } })
    await bed.away(HOUR + 500_000)
    await bed.clock.advanceBy(10)
    expect(scheduledOf('a')).toEqual([HOUR])
  })

  test('is told to who listens right after the start', async () => {
    await schedule({ every: '1h' })
    await bed.away(5 * HOUR)
    expect(bed.eventsOf('missed')).toEqual([
      { type: 'missed', task: 'a', count: 4, from: BEGAN_AT + HOUR, to: BEGAN_AT + 5 * HOUR },
    ])
    expect(bed.eventsOf('started').at(-1)).toMatchObject({ durable: true })
  })

  test('is told to who listens, with its span', async () => {
    const task = { every: '1m', misfire: 'skip' } as const
    await schedule(task)
    bed.clock.jump(600_000)
    await bed.clock.advanceBy(2000)
    expect(bed.eventsOf('clock-jump')).toHaveLength(1)
    expect(bed.eventsOf('missed')).toEqual([
      { type: 'missed', task: 'a', count: 10, from: BEGAN_AT + 60_000, to: BEGAN_AT + 600_000 },
    ])
  })

  test('a clock that steps back repeats nothing', async () => {
    await schedule({ every: '1m' })
    await bed.clock.advanceBy(300_500)
    bed.clock.jump(-200_000)
    await bed.clock.advanceBy(180_000)
    expect(scheduledOf('a')).toEqual([1, 2, 3, 4, 5].map(n => n * 60_000))
    await bed.clock.advanceBy(90_000)
    expect(scheduledOf('a').at(-1)).toBe(360_000)
  })
})

describe('bounds', () => {
  test('max: so many occurrences, across restarts, and then the task has completed', async () => {
    await schedule({ every: '1s', max: 4 })
    await bed.until(2100)
    bed.crash()
    await bed.start()
    await bed.until(10_000)
    expect(scheduledOf('a')).toEqual([1000, 2000, 3000, 4000])
    expect(await bed.done(bed.node.task('a'))).toBeNull()
  })

  test('start and end: no occurrence outside', async () => {
    await schedule({ every: '1s', start: BEGAN_AT + 2500, end: BEGAN_AT + 5000, anchor: BEGAN_AT })
    await schedule({ id: 'b', cron: '* * * * * *', start: BEGAN_AT + 2500, end: BEGAN_AT + 4500 })
    await bed.until(10_000)
    expect(scheduledOf('a')).toEqual([3000, 4000, 5000])
    expect(scheduledOf('b')).toEqual([3000, 4000])
  })

  test('a schedule without an instant ahead is refused', async () => {
    await expect(schedule({ every: '1s', end: BEGAN_AT - 1 })).rejects.toMatchObject({ code: 'INVALID' })
  })

  test('jitter: later by the same share each time, within its bound, and not the same for all', async () => {
    const ids = Array.from({ length: 30 }, (_, i) => `t${i}`)
    await bed.done(
      bed.node.schedule(ids.map(id => ({ id, name: 'quick', every: '1m', jitter: '20s' }) as const)),
    )
    await bed.until(30_000)
    bed.crash()
    await bed.start()
    await bed.until(150_000)
    const delays = ids.map(id => {
      const instants = scheduledOf(id)
      expect(instants.length).toBeGreaterThanOrEqual(2)
      const [delay = Number.NaN, ...others] = new Set(instants.map(at => at % 60_000))
      expect(others).toEqual([])
      return delay
    })
    for (const delay of delays) {
      expect(delay).toBeGreaterThanOrEqual(0)
      expect(delay).toBeLessThan(20_000)
    }
    expect(new Set(delays).size).toBeGreaterThan(25)
  })

  test('every from completion: so long after each end, however long it took', async () => {
    await schedule({ name: 'long', every: '1s', from: 'completion' })
    await bed.until(12_000)
    const starts = bed.startsOf('a')
    expect(starts).toHaveLength(4)
    for (const [i, at] of starts.slice(1).entries()) expect(at - (starts[i] as number)).toBeCloseTo(3500, -1)
  })

  test('every instant is served at its millisecond', async () => {
    await schedule({ cron: '*/2 * * * * *' })
    await schedule({ id: 'b', every: '250ms' })
    await bed.until(20_010)
    expect(bed.entered.length).toBeGreaterThan(85)
    for (const { at, scheduledAt } of bed.entered) expect(at - scheduledAt).toBeLessThanOrEqual(1)
    for (const { at, scheduledAt } of bed.entered) expect(at).toBeGreaterThanOrEqual(scheduledAt)
  })
})

describe('the same id again', () => {
  test('with the same definition changes nothing, with another replaces it', async () => {
    const task = { id: 'a', name: 'quick', every: '10s' } as const
    const statuses: string[] = []
    for (const each of [task, task, { ...task, every: '3s' }] as const)
      statuses.push((await bed.done(bed.node.schedule(each))).status)
    expect(statuses).toEqual(['created', 'exists', 'replaced'])
    await bed.until(7000)
    expect(scheduledOf('a')).toEqual([3000, 6000])
  })

  test('replaces a waiting run, and lets one under way go on', async () => {
    await schedule({ name: 'long', after: '1s', payload: 1 })
    await bed.until(1500)
    const replaced = await bed.done(bed.node.schedule({ id: 'a', name: 'quick', after: '10s' }))
    expect(replaced.status).toBe('replaced')
    await bed.until(20_000)
    expect(bed.entered.map(each => each.name)).toEqual(['long', 'quick'])
    expect(await bed.done(bed.node.task('a'))).toBeNull()
  })
})
