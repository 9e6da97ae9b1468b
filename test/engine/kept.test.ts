import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { LocalNode } from '../../src/api/local-node.ts'
import { DEFAULT_OPTIONS } from '../../src/config.ts'
import { Bed, listed, SHORT_SEGMENTS } from './bed.ts'

let bed: Bed

async function startWith(history: Partial<typeof DEFAULT_OPTIONS.store.history> = {}): Promise<void> {
  const { store } = DEFAULT_OPTIONS
  bed = new Bed({ store: { ...store, ranges: 4, history: { ...store.history, ...history } } })
  bed.handle('quick', run => run.payload)
  bed.handle('fails', run => {
    throw new Error(`no luck with ${run.taskId}`)
  })
  await bed.start()
}

beforeEach(() => startWith())
afterEach(() => bed.stop())

describe('a key', () => {
  test('makes one task of many calls, in one turn and later', async () => {
    const task = { name: 'quick', key: 'order-17', payload: 1 } as const
    const made = await bed.done(bed.node.schedule([task, task]))
    const again = await bed.done(bed.node.schedule(task))
    expect([...made, again].map(each => each.status)).toEqual(['created', 'exists', 'exists'])
    expect(new Set([...made, again].map(each => each.id)).size).toBe(1)
    expect(await bed.done(again.result())).toBe(1)
    expect(bed.entered).toHaveLength(1)
  })

  test('is refused until its time to live is over, counted from the end, and then makes a new task', async () => {
    const task = { name: 'quick', key: 'order-17', keyTtl: '10m', payload: 1 } as const
    const first = await bed.done(bed.node.schedule(task))
    await bed.done(first.result())
    await bed.clock.advanceBy(590_000)
    const second = await bed.done(bed.node.schedule({ ...task, payload: 2 }))
    expect(second).toMatchObject({ status: 'exists', id: first.id })
    expect(await bed.done(second.result())).toBe(1)
    await bed.clock.advanceBy(11_000)
    const third = await bed.done(bed.node.schedule({ ...task, payload: 3 }))
    expect(third).toMatchObject({ status: 'created', id: first.id })
    expect(await bed.done(third.result())).toBe(3)
    expect(bed.entered).toHaveLength(2)
    expect(new Set(bed.entered.map(each => each.key)).size).toBe(2)
  })

  test('is remembered across a crash, and forgotten in time also while nobody is there', async () => {
    const task = { name: 'quick', key: 'order-17', keyTtl: '1h' } as const
    await bed.done((await bed.done(bed.node.schedule(task))).result())
    bed.crash()
    await bed.start()
    expect((await bed.done(bed.node.schedule(task))).status).toBe('exists')
    await bed.away(3_601_000)
    expect((await bed.done(bed.node.schedule(task))).status).toBe('created')
    await bed.clock.advanceBy(10)
    expect(bed.entered).toHaveLength(2)
  })

  test('of a task that waits or is dead is taken too', async () => {
    const waiting = { name: 'quick', key: 'a', after: '1h' } as const
    await bed.done(bed.node.schedule(waiting))
    expect((await bed.done(bed.node.schedule(waiting))).status).toBe('exists')
    const dead = { name: 'fails', key: 'b', retry: false } as const
    await bed.done(bed.node.schedule(dead))
    await bed.clock.advanceBy(50)
    expect((await bed.done(bed.node.schedule(dead))).status).toBe('exists')
    await bed.clock.advanceBy(50)
    expect(bed.entered).toHaveLength(1)
  })

  test('of another name, and another key, is another task', async () => {
    const ids = await bed.done(
      bed.node.schedule([
        { name: 'quick', key: 'a' },
        { name: 'quick', key: 'b' },
        { name: 'fails', key: 'a' },
      ]),
    )
    expect(new Set(ids.map(each => each.id)).size).toBe(3)
  })
})

describe('what ended', () => {
  test('is kept by count: the newest of each handler', async () => {
    await bed.stop()
    await startWith({ completedMax: 3 })
    const ids = ['a', 'b', 'c', 'd', 'e']
    for (const id of ids) {
      const task = await bed.done(bed.node.schedule({ id, name: 'quick', payload: id }))
      await bed.done(task.result())
    }
    for (const id of ['c', 'd', 'e']) {
      expect(await bed.done(bed.node.runs(id))).toMatchObject([{ state: 'completed', result: id }])
    }
    for (const id of ['a', 'b'])
      await expect(bed.done(bed.node.runs(id))).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  test('is kept by age, and so are results', async () => {
    const task = await bed.done(bed.node.schedule({ id: 'a', name: 'quick', payload: 7 }))
    await bed.clock.advanceBy(3_590_000)
    expect(await bed.done(task.result())).toBe(7)
    await bed.clock.advanceBy(15_000)
    await expect(bed.done(task.result())).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  test('survives a crash', async () => {
    const task = await bed.done(bed.node.schedule({ id: 'a', name: 'quick', payload: { n: 7 } }))
    await bed.done(task.result())
    bed.crash()
    await bed.start()
    expect(await bed.done(bed.node.runs('a'))).toMatchObject([{ state: 'completed', result: { n: 7 } }])
  })

  test('a busy handler pushes out neither failures nor what other handlers did', async () => {
    await bed.stop()
    await startWith({ completedMax: 3, deadMax: 3 })
    bed.handle('other', () => 'still here')
    await bed.clock.advanceBy(1)
    await bed.done(bed.node.schedule({ id: 'dead', name: 'fails', retry: false }))
    await bed.done(bed.node.schedule({ id: 'other', name: 'other' }))
    await bed.clock.advanceBy(50)
    await bed.done(bed.node.schedule(Array.from({ length: 100 }, () => ({ name: 'quick' }))))
    await bed.clock.advanceBy(50)
    expect(await bed.done(bed.node.runs('other'))).toMatchObject([{ result: 'still here' }])
    expect(await bed.done(bed.node.runs('dead'))).toMatchObject([
      { state: 'failed', error: { name: 'Error', message: 'no luck with dead' } },
    ])
  })

  test('the dead are kept by count, and can then no longer be driven again', async () => {
    await bed.stop()
    await startWith({ deadMax: 2 })
    for (const id of ['a', 'b', 'c']) {
      await bed.done(bed.node.schedule({ id, name: 'fails', retry: false }))
      await bed.clock.advanceBy(20)
    }
    const dead = await bed.done(listed(bed.node.tasks({ state: 'dead' })))
    expect(dead.map(each => each.id)).toEqual(['b', 'c'])
    await expect(bed.done(bed.node.retry('a'))).rejects.toMatchObject({ code: 'NOT_FOUND' })
    expect((await bed.done(bed.node.status())).tasks.dead).toBe(2)
  })

  test('a start that finds too many dead drops the oldest, and goes on', async () => {
    await bed.stop()
    await startWith({ deadMax: 2 })
    for (const id of ['a', 'b', 'c', 'd']) {
      await bed.done(bed.node.schedule({ id, name: 'fails', retry: false }))
      await bed.clock.advanceBy(id === 'd' ? 0.3 : 20)
    }
    bed.crash()
    await bed.start()
    await bed.clock.advanceBy(50)
    const dead = await bed.done(listed(bed.node.tasks({ state: 'dead' })))
    expect(dead.map(each => each.id)).toEqual(['c', 'd'])
    expect(await bed.done(bed.node.task('b'))).toBeNull()
  })

  test('all of the dead are found, each once, also while some of them go', async () => {
    const ids = Array.from({ length: 1100 }, (_, i) => `d${i}`)
    await bed.done(bed.node.schedule(ids.map(id => ({ id, name: 'fails', retry: false }))))
    await bed.clock.advanceBy(1000)
    expect((await bed.done(listed(bed.node.tasks({ state: 'dead' })))).map(each => each.id).sort()).toEqual(
      [...ids].sort(),
    )
    const node = bed.node as unknown as LocalNode
    const seen: string[] = []
    let after: string | undefined
    do {
      const page = await bed.done(node.page({ state: 'dead' }, { after, limit: 300 }))
      seen.push(...page.tasks.map(each => each.id))
      after = page.after ?? undefined
      // The last that was seen goes: the next page begins behind where it was.
      await bed.done(bed.node.cancel(page.tasks.at(-1)?.id as string))
    } while (after !== undefined)
    expect(seen.sort()).toEqual([...ids].sort())
  })

  test('the dead are kept for a month', async () => {
    await bed.done(bed.node.schedule({ id: 'a', name: 'fails', retry: false }))
    await bed.clock.advanceBy(50)
    await bed.away(29 * 86_400_000)
    expect((await bed.done(bed.node.task('a')))?.state).toBe('dead')
    await bed.away(86_400_000)
    await bed.clock.advanceBy(2000)
    expect(await bed.done(bed.node.task('a'))).toBeNull()
    expect(await bed.done(listed(bed.node.tasks({ state: 'dead' })))).toEqual([])
  })

  test('of a recurring task the newest runs are kept', async () => {
    await bed.stop()
    await startWith({ perTaskMax: 3 })
    await bed.done(bed.node.schedule({ id: 'a', name: 'quick', every: '1s' }))
    await bed.clock.advanceBy(10_000)
    const kept = bed.entered.slice(-3).map(each => each.key)
    const runs = await bed.done(bed.node.runs('a'))
    expect(runs.map(each => each.id)).toEqual(kept.toReversed())
    await bed.done(bed.node.pause('a'))
    bed.crash()
    await bed.start()
    expect((await bed.done(bed.node.runs('a'))).map(each => each.id)).toEqual(kept.toReversed())
  })

  test('without a result has none; null is one', async () => {
    bed.handle('nothing', () => undefined)
    bed.handle('null', () => null)
    await bed.done(
      bed.node.schedule([
        { id: 'a', name: 'nothing' },
        { id: 'b', name: 'null' },
      ]),
    )
    await bed.clock.advanceBy(50)
    const [a] = await bed.done(bed.node.runs('a'))
    const [b] = await bed.done(bed.node.runs('b'))
    expect([a?.state, a && 'result' in a]).toEqual(['completed', false])
    expect(b).toMatchObject({ state: 'completed', result: null })
  })
})

test('a failed run that lies in the index is driven again, though its record leaves memory while it is read', async () => {
  await bed.stop()
  bed = new Bed(SHORT_SEGMENTS)
  let fails = true
  bed.handle('fails', () => {
    if (fails) throw new Error('no luck')
  })
  await bed.start()
  await bed.done(bed.node.schedule({ name: 'fails', id: 'a', every: '1h', retry: false }))
  const run = await bed.done(bed.node.trigger('a'))
  await bed.until(bed.now + 500)
  await bed.away(1000)
  await bed.until(bed.now + 2000)
  fails = false
  expect(await bed.done(bed.node.retry(run))).toBe(run)
  await bed.until(bed.now + 1000)
  expect((await bed.done(bed.node.runs('a'))).find(({ id }) => id === run)?.state).toBe('completed')
})
