import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { LocalNode } from '../../src/api/local-node.ts'
import { Bed, listed } from './bed.ts'

let bed: Bed

beforeEach(async () => {
  bed = new Bed()
  bed.handle('quick', run => run.payload)
  await bed.start()
})

afterEach(() => bed.stop())

describe('the order of runs', () => {
  test('higher priority first, then as they came', async () => {
    const tasks = [0, -5, 10, 0, 100, 10].map((priority, i) => ({ id: `t${i}`, name: 'late', priority }))
    await bed.done(bed.node.schedule(tasks))
    await bed.clock.advanceBy(100)
    bed.handle('late')
    await bed.clock.advanceBy(10)
    expect(bed.entered.map(each => each.task)).toEqual(['t4', 't2', 't5', 't0', 't3', 't1'])
  })

  test('is kept across a restart', async () => {
    const tasks = [1, 50, 100].map(priority => ({ id: `t${priority}`, name: 'late', priority }))
    await bed.done(bed.node.schedule(tasks))
    bed.crash()
    bed.handle('late')
    await bed.start()
    await bed.clock.advanceBy(10)
    expect(bed.entered.map(each => each.task)).toEqual(['t100', 't50', 't1'])
  })

  test('no handler runs more often at a time than its concurrency', async () => {
    let running = 0
    let most = 0
    const work = async (): Promise<void> => {
      most = Math.max(most, ++running)
      await bed.sleep(100)
      running--
    }
    bed.node.handle('narrow', work, { concurrency: 3 })
    await bed.done(bed.node.schedule(Array.from({ length: 20 }, () => ({ name: 'narrow' }))))
    await bed.clock.advanceBy(650)
    expect(most).toBe(3)
    expect(running).toBeGreaterThan(0)
    await bed.clock.advanceBy(100)
    expect(running).toBe(0)
    expect((await bed.done(bed.node.status())).counters.completed).toBe(20)
  })

  test('a handler that hangs holds up no other', async () => {
    bed.handle('hangs', () => bed.sleep(3_600_000))
    await bed.done(bed.node.schedule(Array.from({ length: 1000 }, () => ({ name: 'hangs' }))))
    await bed.clock.advanceBy(100)
    const task = await bed.done(bed.node.schedule({ name: 'quick', payload: 'still quick' }))
    expect(await bed.done(task.result(), 20)).toBe('still quick')
  })
})

describe('what a handler sees and says', () => {
  test('its payload, instant, key, and attempt', async () => {
    const at = bed.clock.now() + 500
    await bed.done(bed.node.schedule({ id: 'a', name: 'quick', at, payload: { deep: [1, 'ü', null] } }))
    await bed.clock.advanceBy(1000)
    const [run] = await bed.done(bed.node.runs('a'))
    expect(run).toMatchObject({ state: 'completed', attempt: 1, result: { deep: [1, 'ü', null] } })
    expect(bed.entered).toMatchObject([{ attempt: 1, key: run?.id, fence: undefined }])
    expect(run?.scheduledAt).toBe(at)
    expect(run?.startedAt).toBe(at)
  })

  test('its progress while it runs, and its log after', async () => {
    bed.handle('talks', async run => {
      run.log('from %s', 'within', 1)
      run.progress({ percent: 40 })
      await bed.sleep(1000)
      run.progress({ percent: 80 })
      run.log('nearly')
    })
    await bed.done(bed.node.schedule({ id: 'a', name: 'talks' }))
    await bed.clock.advanceBy(500)
    expect((await bed.done(bed.node.task('a')))?.open).toMatchObject([
      { state: 'running', progress: { percent: 40 } },
    ])
    await bed.clock.advanceBy(1000)
    const lines = await bed.done(bed.node.logs('a'))
    expect(lines.map(each => each.line)).toEqual(['from within 1', 'nearly'])
    expect((await bed.done(bed.node.logs(lines[0]?.run as string))).length).toBe(2)
  })

  test('an error that can not be read, or that is none, is kept as it can be', async () => {
    const thrown: Record<string, unknown> = {
      text: 'a text',
      object: { some: 'object' },
      nothing: undefined,
      hostile: new Proxy({}, { get: () => assertNever(), getPrototypeOf: () => assertNever() }),
    }
    bed.handle('throws', run => {
      throw thrown[run.taskId]
    })
    const ids = Object.keys(thrown)
    await bed.done(bed.node.schedule(ids.map(id => ({ id, name: 'throws', retry: false }))))
    await bed.clock.advanceBy(10)
    const messages: Array<string | undefined> = []
    for (const id of ids) messages.push((await bed.done(bed.node.runs(id)))[0]?.error?.message)
    expect(messages.slice(0, 3)).toEqual(['a text', '{"some":"object"}', 'undefined'])
    expect(messages[3]).toContain("can't be read")
  })

  test('a result that is no JSON fails the run for good, and says why', async () => {
    const circular: { self?: unknown } = {}
    circular.self = circular
    const results: Record<string, unknown> = {
      bigint: 1n,
      function: () => 1,
      symbol: Symbol('s'),
      circular,
      large: 'x'.repeat(2 ** 21),
    }
    bed.handle('returns', run => results[run.taskId])
    const ids = Object.keys(results)
    await bed.done(bed.node.schedule(ids.map(id => ({ id, name: 'returns' }))))
    await bed.clock.advanceBy(60_000)
    for (const id of ids) {
      const [run] = await bed.done(bed.node.runs(id))
      expect(run).toMatchObject({ state: 'failed', attempt: 1, error: { code: 'INVALID' } })
      expect(run?.error?.message).toContain('the handler completed, but its result')
      expect(bed.startsOf(id)).toHaveLength(1)
    }
  })

  test('a thenable that calls back twice ends once', async () => {
    const twice = {
      // biome-ignore lint/suspicious/noThenProperty: it is what is tested
      then(resolve: (value: unknown) => void, reject: (error: unknown) => void) {
        resolve('first')
        reject(new Error('second'))
      },
    }
    bed.handle('twice', () => twice)
    const task = await bed.done(bed.node.schedule({ name: 'twice' }))
    expect(await bed.done(task.result())).toBe('first')
    expect((await bed.done(bed.node.status())).counters).toMatchObject({ completed: 1, failed: 0 })
  })
})

describe('follow-up tasks', () => {
  test('are made with the completion, and once', async () => {
    bed.handle('parent', run => run.schedule({ name: 'quick', payload: run.attempt }))
    const task = await bed.done(bed.node.schedule({ id: 'p', name: 'parent' }))
    const child = await bed.done(task.result())
    await bed.clock.advanceBy(10)
    expect(bed.entered.map(each => each.task)).toEqual(['p', child])
    expect(await bed.done(bed.node.runs(child as string))).toMatchObject([{ result: 1 }])
  })

  test('are not made by an attempt that fails', async () => {
    bed.handle('parent', run => {
      const id = run.schedule({ name: 'quick', payload: run.attempt })
      if (run.attempt === 1) throw new Error('no luck')
      return id
    })
    const retry = { kind: 'fixed', base: '1s' } as const
    const task = await bed.done(bed.node.schedule({ name: 'parent', retry }))
    const child = await bed.done(task.result(), 3000)
    await bed.clock.advanceBy(10)
    expect(bed.entered.filter(each => each.name === 'quick')).toHaveLength(1)
    expect(await bed.done(bed.node.runs(child as string))).toMatchObject([{ result: 2 }])
  })

  test('are there after a crash if and only if the completion is', async () => {
    const seen = new Set<number>()
    for (const seed of Array.from({ length: 30 }, (_, i) => `follow-up ${i}`)) {
      const crashing = new Bed({}, { seed })
      crashing.handle('parent', run => run.schedule({ name: 'child', after: '1h' }))
      await crashing.start()
      await crashing.done(crashing.node.schedule({ id: 'p', name: 'parent', after: 1000, retry: false }))
      await crashing.clock.runUntil(() => crashing.entered.length > 0, 2000)
      await crashing.clock.advanceBy(Number(seed.split(' ')[1]) * 0.02)
      crashing.crash()
      crashing.handle('parent', () => 'again')
      await crashing.start()
      await crashing.clock.advanceBy(10)
      const [run] = await crashing.done(crashing.node.runs('p'))
      const children = (await crashing.done(listed(crashing.node.tasks({ name: 'child' })))).length
      expect([run?.state, children]).toEqual(['completed', run?.result === 'again' ? 0 : 1])
      seen.add(children)
      await crashing.stop()
    }
    expect(seen).toEqual(new Set([0, 1]))
  })

  test('can be many, delayed, and recurring, and have follow-ups of their own', async () => {
    bed.handle('parent', run => {
      const { depth } = run.payload as { depth: number }
      if (depth > 0)
        for (let i = 0; i < 2; i++)
          run.schedule({ name: 'parent', after: 100, payload: { depth: depth - 1 } })
    })
    await bed.done(bed.node.schedule({ name: 'parent', payload: { depth: 4 } }))
    await bed.clock.advanceBy(1000)
    expect(bed.entered).toHaveLength(1 + 2 + 4 + 8 + 16)
    expect(new Set(bed.entered.map(each => each.key)).size).toBe(31)
  })

  test('of a handler that has ended are refused', async () => {
    const late: unknown[] = []
    bed.handle('parent', run => {
      bed.sleep(100).then(() => {
        try {
          run.schedule({ name: 'quick' })
        } catch (error) {
          late.push(error)
        }
      })
    })
    await bed.done(bed.node.schedule({ name: 'parent' }))
    await bed.clock.advanceBy(200)
    expect(late).toEqual([expect.objectContaining({ code: 'CONFLICT' })])
  })
})

describe('finding tasks', () => {
  test('by tag, name and state, page by page', async () => {
    const tasks = Array.from({ length: 1200 }, (_, i) => ({
      id: `t${i}`,
      name: i % 2 === 0 ? 'even' : 'odd',
      after: '1h',
      tags: i % 100 === 0 ? ['hundred', 'all'] : ['all'],
    }))
    await bed.done(bed.node.schedule(tasks))
    await bed.done(bed.node.pause('t7'))
    const count = async (filter: object): Promise<number> =>
      new Set((await bed.done(listed(bed.node.tasks(filter)))).map(each => each.id)).size
    expect(await count({})).toBe(1200)
    expect(await count({ tag: 'all' })).toBe(1200)
    expect(await count({ tag: 'hundred' })).toBe(12)
    expect(await count({ name: 'odd' })).toBe(600)
    expect(await count({ tag: 'hundred', name: 'odd' })).toBe(0)
    expect(await count({ state: 'paused' })).toBe(1)
    expect(await count({ state: 'scheduled' })).toBe(1199)
  })

  test('a page ends before its payloads are too many for a frame', async () => {
    const payload = 'x'.repeat(250_000)
    const ids = Array.from({ length: 40 }, (_, i) => `large${i}`)
    await bed.done(bed.node.schedule(ids.map(id => ({ id, name: 'quick', after: '1h', payload }))))
    const page = await bed.done((bed.node as unknown as LocalNode).page({}, { after: undefined, limit: 500 }))
    expect(page.tasks.length).toBe(Math.ceil((4 * 1024 * 1024) / 250_002))
    expect(page.after).toMatch(/^\d+\/large/)
    const all = await bed.done(listed(bed.node.tasks()))
    expect(all.map(each => each.id).sort()).toEqual([...ids].sort())
  })

  test('a task shows what it is, and was given', async () => {
    await bed.done(
      bed.node.schedule({ id: 'a', name: 'quick', cron: '0 9 * * 1-5', tz: 'Europe/Paris', tags: ['x'] }),
    )
    const task = await bed.done(bed.node.task('a'))
    expect(task).toMatchObject({
      id: 'a',
      name: 'quick',
      state: 'scheduled',
      schedule: { kind: 'cron', pattern: '0 9 * * 1-5', tz: 'Europe/Paris' },
      policy: { tags: ['x'], guarantee: 'at-least-once' },
      occurrences: 0,
      lastAt: null,
      open: [],
    })
    expect(task?.nextAt).toBe(Date.UTC(2025, 0, 1, 8))
    expect(await bed.done(bed.node.task('b'))).toBeNull()
  })
})

function assertNever(): never {
  throw new Error('do not touch')
}
