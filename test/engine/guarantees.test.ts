import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { DEFAULT_OPTIONS } from '../../src/config.ts'
import { BEGAN_AT, Bed, listed } from './bed.ts'

let bed: Bed

beforeEach(async () => {
  bed = new Bed()
  bed.handle('quick', run => run.payload)
  bed.handle('slow', async run => {
    await bed.sleep(1000)
    return run.attempt
  })
  await bed.start()
})

afterEach(() => bed.stop())

/** From a little before a task is due to well after its end, in steps that fall between any two of its writes. */
const CRASH_OFFSETS = Array.from({ length: 60 }, (_, i) => -0.3 + i * 0.05)

/** A task is due, and the power goes at that moment; then the node is there again for a while. */
async function crashedAt(offset: number, guarantee: 'at-least-once' | 'at-most-once' | 'exactly-once') {
  const crashing = new Bed({}, { seed: `crash at ${offset}` })
  crashing.handle('quick', run => run.schedule({ name: 'child', after: '1h' }))
  await crashing.start()
  const at = crashing.clock.now() + 100
  await crashing.done(crashing.node.schedule({ id: 'a', name: 'quick', at, guarantee }))
  await crashing.clock.advanceTo(at - BEGAN_AT + offset)
  const before = crashing.entered.length
  crashing.crash()
  await crashing.start()
  await crashing.clock.advanceBy(5000)
  const [run] = await crashing.done(crashing.node.runs('a'))
  const children = await crashing.done(listed(crashing.node.tasks({ name: 'child' })))
  await crashing.stop()
  return { entered: crashing.entered, before, state: run?.state, children: children.length }
}

describe('at-least-once', () => {
  test('wherever the power goes, the task runs to its end, under one key', async () => {
    for (const offset of CRASH_OFFSETS) {
      const { entered, state, children } = await crashedAt(offset, 'at-least-once')
      expect(state).toBe('completed')
      expect(entered.length).toBeLessThanOrEqual(2)
      expect(new Set(entered.map(each => each.key)).size).toBe(1)
      expect(children).toBe(1)
    }
  })
})

describe('at-most-once', () => {
  test('wherever the power goes, the task is started at most once; if that is not known, it is unknown', async () => {
    const seen = new Set<string>()
    for (const offset of CRASH_OFFSETS) {
      const { entered, before, state, children } = await crashedAt(offset, 'at-most-once')
      expect(entered.length).toBeLessThanOrEqual(1)
      expect(['completed', 'unknown']).toContain(state)
      if (entered.length === 0) expect(state).toBe('unknown')
      expect(children).toBe(state === 'completed' ? 1 : 0)
      seen.add(`${before === 0 ? 'not started' : 'started'}, ${entered.length - before} later, ${state}`)
    }
    expect(seen).toEqual(
      new Set([
        'not started, 1 later, completed', // before the claim
        'not started, 0 later, unknown', // between claim and start
        'started, 0 later, unknown', // before the end was synced
        'started, 0 later, completed',
      ]),
    )
  })

  test('a start is entered only when its claim is synced', async () => {
    await bed.done(bed.node.schedule({ id: 'a', name: 'quick', after: 100, guarantee: 'at-most-once' }))
    const syncs = bed.disk.syncCount
    await bed.clock.runUntil(() => bed.entered.length > 0, 1000)
    expect(bed.disk.syncCount).toBe(syncs + 1)
  })

  test('a claim is synced also where all else is synced now and then', async () => {
    const { store } = DEFAULT_OPTIONS
    const lazy = new Bed({
      store: { ...store, journal: { ...store.journal, durability: 'interval', intervalMs: 60_000 } },
    })
    lazy.handle('quick', run => run.payload)
    await lazy.start()
    await lazy.done(lazy.node.schedule({ id: 'a', name: 'quick', after: 100, guarantee: 'at-most-once' }))
    await lazy.done(lazy.node.schedule({ id: 'b', name: 'quick', after: 200 }))
    const syncs = lazy.disk.syncCount
    await lazy.clock.runUntil(() => lazy.entered.length > 0, 1000)
    expect(lazy.disk.syncCount).toBe(syncs + 1)
    await lazy.clock.runUntil(() => lazy.entered.length > 1, 1000)
    expect(lazy.disk.syncCount).toBe(syncs + 1)
    await lazy.stop()
  })

  test('a run whose process died is RUN_LOST, and nobody can drive it again', async () => {
    const options = { id: 'a', name: 'slow', guarantee: 'at-most-once' } as const
    await bed.done(bed.node.schedule(options))
    await bed.clock.advanceBy(100)
    bed.crash()
    await bed.start()
    await bed.clock.advanceBy(10_000)
    expect(bed.startsOf('a')).toHaveLength(1)
    expect(await bed.done(bed.node.task('a'))).toMatchObject({ state: 'dead' })
    expect(await bed.done(bed.node.runs('a'))).toMatchObject([
      { state: 'unknown', attempt: 1, error: { code: 'ATTEMPT_LOST' } },
    ])
    await expect(bed.done(bed.node.retry('a'))).rejects.toMatchObject({ code: 'CONFLICT' })
    await bed.clock.advanceBy(10_000)
    expect(bed.startsOf('a')).toHaveLength(1)
  })

  test('whoever waits for it learns that its worker went away', async () => {
    const other = bed.attach({ away: () => bed.sleep(10_000) })
    await bed.clock.advanceBy(1)
    const task = await bed.done(bed.node.schedule({ name: 'away', guarantee: 'at-most-once' }))
    const told = expect(task.result()).rejects.toMatchObject({ code: 'RUN_LOST' })
    await bed.clock.advanceBy(100)
    other.cut()
    await bed.done(told)
  })

  test('fails once and for all, and takes no retry', async () => {
    bed.handle('fails', () => Promise.reject(new Error('no luck')))
    const options = { id: 'a', name: 'fails', guarantee: 'at-most-once' } as const
    const task = await bed.done(bed.node.schedule(options))
    await expect(bed.done(task.result())).rejects.toMatchObject({ code: 'RUN_FAILED' })
    await bed.clock.advanceBy(60_000)
    expect(bed.startsOf('a')).toHaveLength(1)
    await expect(bed.node.schedule({ ...options, id: 'b', retry: 3 })).rejects.toMatchObject({
      code: 'INVALID',
      field: 'retry',
    })
  })

  test('what a worker had not started yet is not lost when the node closes', async () => {
    bed.node.handle('narrow', () => bed.sleep(50), { concurrency: 1 })
    await bed.clock.advanceBy(1)
    const tasks = Array.from({ length: 10 }, (_, i) => ({
      id: `t${i}`,
      name: 'narrow',
      guarantee: 'at-most-once' as const,
    }))
    await bed.done(bed.node.schedule(tasks))
    await bed.clock.advanceBy(20)
    await bed.stop({ graceMs: 1000 })
    bed.handle('narrow')
    await bed.start()
    await bed.clock.advanceBy(50)
    const states: Array<string | undefined> = []
    for (const { id } of tasks) states.push((await bed.done(bed.node.runs(id)))[0]?.state)
    expect(states).toEqual(tasks.map(() => 'completed'))
    expect(bed.entered).toHaveLength(9) // the first was started by the handler before, which is not noted
  })

  test('a recurring task goes on with its next occurrence', async () => {
    await bed.done(bed.node.schedule({ id: 'a', name: 'slow', every: '10s', guarantee: 'at-most-once' }))
    await bed.until(10_500)
    bed.crash()
    await bed.start()
    await bed.until(21_500)
    expect(bed.startsOf('a')).toEqual([10_000, 20_000])
    const runs = await bed.done(bed.node.runs('a'))
    expect(runs.map(each => each.state)).toEqual(['completed', 'unknown'])
  })
})

describe('exactly-once', () => {
  test('wherever the power goes, one completion is accepted, and its follow-ups are made once', async () => {
    for (const offset of CRASH_OFFSETS) {
      const { entered, state, children } = await crashedAt(offset, 'exactly-once')
      expect([state, children]).toEqual(['completed', 1])
      const fences = entered.map(each => each.fence as string)
      expect(fences.toSorted()).toEqual(fences)
      expect(new Set(fences).size).toBe(entered.length)
      expect(new Set(entered.map(each => each.key)).size).toBe(1)
    }
  })

  test('fences grow with each attempt, each crash and each occurrence', async () => {
    bed.handle('fails', () => Promise.reject(new Error('no luck')))
    const options = { guarantee: 'exactly-once', retry: { kind: 'fixed', base: '1s', max: 3 } } as const
    await bed.done(bed.node.schedule({ ...options, id: 'a', name: 'fails', every: '10s' }))
    await bed.until(11_500)
    bed.crash()
    await bed.start()
    await bed.until(25_000)
    const fences = bed.entered.map(each => each.fence as string)
    expect(fences.length).toBeGreaterThanOrEqual(6)
    expect(fences.toSorted()).toEqual(fences)
    expect(new Set(fences).size).toBe(fences.length)
  })

  test('a crash while it runs starts it again, with the next attempt and the same key', async () => {
    const task = await bed.done(bed.node.schedule({ id: 'a', name: 'slow', guarantee: 'exactly-once' }))
    await bed.clock.advanceBy(100)
    bed.crash()
    await bed.start()
    await bed.clock.advanceBy(2000)
    expect(bed.entered.map(each => each.attempt)).toEqual([1, 2])
    expect(new Set(bed.entered.map(each => each.key)).size).toBe(1)
    expect(await bed.done(bed.node.runs(task.id))).toMatchObject([{ state: 'completed', result: 2 }])
  })

  test('the end of an attempt that was given up is not accepted', async () => {
    bed.handle('slow', async run => {
      await bed.sleep(run.attempt === 1 ? 3000 : 10)
      run.schedule({ name: 'child', after: '1h', payload: run.attempt })
      return run.attempt
    })
    const retry = { kind: 'immediate', max: 2 } as const
    const options = { name: 'slow', guarantee: 'exactly-once', timeout: '1s', retry } as const
    const task = await bed.done(bed.node.schedule(options))
    expect(await bed.done(task.result(), 2000)).toBe(2)
    await bed.clock.advanceBy(5000)
    const children = await bed.done(listed(bed.node.tasks({ name: 'child' })))
    expect(children.map(each => each.payload)).toEqual([2])
    expect(bed.eventsOf('late-end')).toHaveLength(1)
  })

  test('tasks without a guarantee of this kind have no fence', async () => {
    await bed.done((await bed.done(bed.node.schedule({ name: 'quick' }))).result())
    expect(bed.entered).toMatchObject([{ fence: undefined }])
  })
})
