import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Worker as Thread } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createNode } from '../../src/api/create-node.ts'
import type { Node } from '../../src/api/types.ts'
import type { RunView } from '../../src/task/views.ts'
import type { EngineEvent } from '../../src/wire/calls.ts'

/** Real threads and real time, as little of it as will do. */

let data: string
const nodes: Node[] = []

beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'carillon-threads-'))
})

afterEach(async () => {
  await Promise.all(nodes.splice(0).map(node => node.close({ graceMs: 0 })))
  await rm(data, { recursive: true, force: true })
})

/** A node, and the thread of its engine. */
async function started(
  options: Parameters<typeof createNode>[0] = {},
): Promise<{ node: Node; thread: Thread }> {
  const made = new Promise<Thread>(resolve => process.once('worker', resolve))
  const node = await createNode(options)
  nodes.push(node)
  return { node, thread: await made }
}

/** Nothing else happens in this thread. */
function block(ms: number): void {
  const until = performance.now() + ms
  while (performance.now() < until);
}

function nextEvent<T extends EngineEvent['type']>(
  node: Node,
  type: T,
): Promise<Extract<EngineEvent, { type: T }>> {
  return new Promise(resolve => {
    const listener = (event: EngineEvent): void => {
      node.off(type, listener)
      resolve(event as Extract<EngineEvent, { type: T }>)
    }
    node.on(type, listener)
  })
}

test('an event that is none is refused, as its listener would never be called', async () => {
  const { node } = await started()
  expect(() => node.on('runs' as 'run', () => undefined)).toThrow(/type is "runs": allowed is one of run, /)
  expect(() => node.on('run', undefined as never)).toThrow(/listener is undefined/)
})

describe('a main thread that is blocked', () => {
  test('learns why the engine could not start, also when it hears of the end of its thread first', async () => {
    await writeFile(join(data, 'thesis.tex'), 'x')
    const thread = new Promise<Thread>(resolve => process.once('worker', resolve))
    const starting = expect(createNode({ dataDir: data })).rejects.toMatchObject({ code: 'STORE_FORMAT' })
    await new Promise<void>(resolve => thread.then(each => each.once('online', resolve)))
    block(700)
    await starting
  })

  test('delays no timer of the engine, and loses nothing', async () => {
    let release: () => void = () => undefined
    const released = new Promise<void>(resolve => {
      release = resolve
    })
    const { node } = await started({ dataDir: data, handlers: { waits: () => released } })
    const ids = Array.from({ length: 20 }, (_, i) => `t${i}`)
    const tasks = await node.schedule([
      ...ids.map((id, i) => ({ id, name: 'waits', after: 200 + i * 100 }) as const),
      { id: 'tick', name: 'waits', every: 100 },
    ])
    const wakeUps = (await node.status()).wakeUps
    block(2500)
    // While its handler goes on, startedAt of a run is when the engine handed it out.
    const runs = await Promise.all([...ids, 'tick'].map(id => node.runs(id)))
    const status = await node.status()
    const firstOfEach = runs.slice(0, ids.length).map(([run]) => run as RunView)
    const ticks = (runs.at(-1) as readonly RunView[]).filter(run => run.scheduledAt < status.now - 100)
    expect(ticks.length).toBeGreaterThanOrEqual(22)
    for (const run of [...firstOfEach, ...ticks]) {
      expect(run.state).toBe('running')
      expect((run.startedAt as number) - run.scheduledAt).toBeGreaterThanOrEqual(0)
      expect((run.startedAt as number) - run.scheduledAt).toBeLessThan(500)
    }
    expect(status.wakeUps - wakeUps).toBeGreaterThanOrEqual(20)
    await node.pause('tick')
    release()
    await Promise.all(tasks.slice(0, ids.length).map(task => task.result()))
    const { completed, failed, retried, missed } = (await node.status()).counters
    expect([failed, retried, missed]).toEqual([0, 0, 0])
    expect(completed).toBeGreaterThanOrEqual(ids.length + ticks.length)
  })
})

describe('a handler', () => {
  test.each<[string, () => unknown, string]>([
    [
      'throws',
      () => {
        throw new TypeError('thrown')
      },
      'thrown',
    ],
    ['rejects', () => Promise.reject(new RangeError('rejected')), 'rejected'],
    ['returns a BigInt', () => 10n, 'BigInt'],
    ['resolves to a function', async () => () => 1, 'function'],
    [
      'returns what contains itself',
      () => {
        const self: { self?: unknown } = {}
        self.self = self
        return self
      },
      'circular',
    ],
  ])('that %s: a run event says so, and so do result() and runs()', async (_, handler, why) => {
    const { node } = await started({ handlers: { handler } })
    const event = nextEvent(node, 'run')
    const task = await node.schedule({ name: 'handler', retry: false })
    const error = await task.result().catch((each: unknown) => each)
    expect(error).toMatchObject({ code: 'RUN_FAILED', cause: { message: expect.stringContaining(why) } })
    const { run } = await event
    expect(run).toMatchObject({ task: task.id, state: 'failed', error: { message: expect.any(String) } })
    expect(await node.runs(task.id)).toEqual([run])
  })

  test('that nobody has: an event says so, until somebody has it', async () => {
    const { node } = await started()
    const missing = nextEvent(node, 'no-worker')
    const task = await node.schedule({ name: 'not-here', payload: 5 })
    expect(await missing).toEqual({ type: 'no-worker', name: 'not-here', waiting: 1 })
    expect((await node.status()).withoutWorker).toEqual([{ name: 'not-here', waiting: 1 }])
    const found = nextEvent(node, 'no-worker')
    node.handle('not-here', run => run.payload)
    expect(await task.result()).toBe(5)
    expect(await found).toEqual({ type: 'no-worker', name: 'not-here', waiting: 0 })
  })

  test('that throws something hostile does not harm the process', async () => {
    const hostile = new Proxy(new Error('hidden'), {
      get: () => {
        throw new Error('do not touch')
      },
    })
    const { node } = await started({
      handlers: { hostile: () => Promise.reject(hostile), kind: () => 'still here' },
    })
    const bad = await node.schedule({ name: 'hostile', retry: false })
    await expect(bad.result()).rejects.toMatchObject({ code: 'RUN_FAILED' })
    expect(await (await node.schedule({ name: 'kind' })).result()).toBe('still here')
  })
})

describe('an engine that dies', () => {
  test('leaves the process alive, and everybody is told', async () => {
    let aborted: unknown
    const { node, thread } = await started({
      dataDir: data,
      handlers: {
        long: run =>
          new Promise(resolve => {
            run.signal.addEventListener('abort', () => {
              aborted = run.signal.reason
              resolve('too late')
            })
          }),
      },
    })
    const kept = await node.schedule({ id: 'kept', name: 'long' })
    const waiting = expect(kept.result()).rejects.toMatchObject({ code: 'ENGINE_STOPPED' })
    const closed = expect(node.closed).rejects.toMatchObject({
      code: 'ENGINE_STOPPED',
      message: expect.stringContaining('the engine died'),
    })
    // Its start is written a little later. With a write under way LevelDB may take the whole process along: it has
    // threads of its own, and nothing in the library ends the engine's thread from outside.
    while ((await node.status()).counters.commits < 2) await new Promise(resolve => setImmediate(resolve))
    await node.schedule({ name: 'long', after: '1h' })
    await thread.terminate()
    await Promise.all([waiting, closed])
    expect(aborted).toMatchObject({ code: 'ABORTED' })
    await expect(node.schedule({ name: 'long' })).rejects.toMatchObject({ code: 'ENGINE_STOPPED' })
    await expect(node.status()).rejects.toMatchObject({ code: 'ENGINE_STOPPED' })
    await node.close()

    // Its directory is free again, and what was acknowledged is there.
    const { node: second } = await started({ dataDir: data, handlers: { long: run => run.attempt } })
    await expect.poll(async () => (await second.runs('kept'))[0]?.state).toBe('completed')
  })
})

describe('a node without a data directory', () => {
  test('works, says that it is not durable, and keeps nothing', async () => {
    const { node } = await started({ handlers: { quick: run => run.payload } })
    const task = await node.schedule({ name: 'quick', payload: { n: 1 } })
    expect(await task.result()).toEqual({ n: 1 })
    expect((await node.status()).durable).toBe(false)
    await node.schedule({ id: 'later', name: 'quick', after: '1h' })
    await node.close()
    await expect(node.status()).rejects.toMatchObject({ code: 'CLOSED' })
    const { node: second } = await started()
    expect(await second.task('later')).toBeNull()
  })
})

describe('close', () => {
  test('lets running handlers end, aborts what takes too long, and that runs again at the next start', async () => {
    const reasons: unknown[] = []
    const { node } = await started({
      dataDir: data,
      handlers: {
        short: () => new Promise(resolve => setTimeout(resolve, 50, 'done')),
        long: run =>
          new Promise(resolve => {
            run.signal.addEventListener('abort', () => {
              reasons.push((run.signal.reason as Error).message)
              resolve('given up')
            })
          }),
      },
    })
    const [short, long] = await node.schedule([{ name: 'short' }, { name: 'long' }])
    while ((await node.status()).runs.running < 2) await new Promise(resolve => setImmediate(resolve))
    await Promise.all([node.close({ graceMs: 300 }), node.close()])
    await node.closed
    expect(reasons).toEqual(['the node is closing'])
    const { node: second } = await started({ dataDir: data })
    expect(await second.runs(short.id)).toMatchObject([{ state: 'completed', result: 'done', attempt: 1 }])
    second.handle('long', run => run.attempt)
    await expect
      .poll(async () => (await second.runs(long.id))[0])
      .toMatchObject({ state: 'completed', result: 2 })
  })
})
