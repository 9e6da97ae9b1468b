import { afterAll, beforeAll, describe, expect, expectTypeOf, test } from 'vitest'
import { ROUTES } from '../../src/http/routes.ts'
import type { RUN, STATUS, TASK_VIEW } from '../../src/http/schema.ts'
import { compile, type Static } from '../../src/lib/json-schema.ts'
import type { RunView, StatusView, TaskView } from '../../src/task/views.ts'
import { type Answer, ApiBed } from './bed.ts'

let bed: ApiBed

beforeAll(async () => {
  bed = await ApiBed.open()
})
afterAll(() => bed.close())

/** The answer of a route, which has to be as its schema says. */
async function answer(method: string, path: string, body?: unknown): Promise<Answer['body']> {
  const got = await bed.request(method, path, body)
  const plain = path.replace(/\?.*/, '')
  const route = ROUTES.find(
    each => each.method === method && new RegExp(`^${each.path.replace('{id}', '[^/]+')}$`).test(plain),
  )
  const schema = route?.answers[got.status as 200]
  expect(schema, `${method} ${path} answered ${got.status} ${JSON.stringify(got.body)}`).toBeDefined()
  // One task is answered as one; the schema is that of many.
  const value =
    plain === '/v1/tasks' && method === 'POST' && !Array.isArray(body) ? { tasks: [got.body] } : got.body
  expect(compile(schema as never).complaints(value)).toEqual([])
  return got.body
}

describe('the routes of /v1', () => {
  test('schedule one task, and await its result', async () => {
    expect(await answer('POST', '/v1/tasks', { id: 'one', name: 'double', payload: 21 })).toEqual({
      id: 'one',
      name: 'double',
      status: 'created',
      copies: 1,
    })
    const { run } = await answer('GET', '/v1/tasks/one/result?wait=5s')
    expect(run).toMatchObject({ task: 'one', state: 'completed', result: 42 })
  })

  test('schedule many, and say of each what became of it', async () => {
    const many = [
      { id: 'm1', name: 'double', payload: 1, every: '1h' },
      { id: 'm1', name: 'double', payload: 2, every: '1h' },
      { id: 'm1', name: 'double', payload: 2, every: '1h' },
      { id: 'm1', name: 'double', every: '1h', guarantee: 'exactly-once' },
    ]
    const { tasks } = await answer('POST', '/v1/tasks', many)
    expect(tasks).toMatchObject([
      { status: 'created' },
      { status: 'replaced' },
      { status: 'exists' },
      { error: { code: 'CONFLICT' } },
    ])
  })

  test('look at a task, at all that fit, and page by page', async () => {
    const many = Array.from({ length: 5 }, (_, i) => ({
      id: `p${i}`,
      name: 'double',
      every: '1h',
      tags: ['page'],
    }))
    await answer('POST', '/v1/tasks', many)
    expect(await answer('GET', '/v1/tasks/p3')).toMatchObject({
      id: 'p3',
      state: 'scheduled',
      name: 'double',
    })
    const ids: string[] = []
    let after: unknown
    do {
      const cursor: string = typeof after === 'string' ? `&after=${encodeURIComponent(after)}` : ''
      const page = await answer('GET', `/v1/tasks?tag=page&limit=2${cursor}`)
      ids.push(...(page.tasks as TaskView[]).map(({ id }) => id))
      after = page.after
    } while (after !== null)
    expect(ids.sort()).toEqual(['p0', 'p1', 'p2', 'p3', 'p4'])
    expect(await answer('GET', '/v1/tasks?name=nobody')).toEqual({ tasks: [], after: null })
  })

  test('pause, resume, trigger and cancel', async () => {
    await answer('POST', '/v1/tasks', { id: 'c', name: 'double', payload: 2, every: '1h' })
    expect(await answer('POST', '/v1/tasks/c/pause')).toEqual({ id: 'c', paused: true })
    expect(await answer('GET', '/v1/tasks/c')).toMatchObject({ state: 'paused' })
    expect(await answer('POST', '/v1/tasks/c/resume')).toEqual({ id: 'c', resumed: true })
    expect(await answer('POST', '/v1/tasks/c/resume')).toEqual({ id: 'c', resumed: false })
    const { run } = await answer('POST', '/v1/tasks/c/trigger')
    const path = `/v1/tasks/${encodeURIComponent(String(run))}`
    expect(await answer('GET', `${path}/result?wait=5000`)).toMatchObject({
      run: { id: run, manual: true, result: 4 },
    })
    expect(await answer('GET', '/v1/tasks/c/runs?limit=1')).toMatchObject({ runs: [{ id: run }] })
    expect(await answer('DELETE', '/v1/tasks/c')).toEqual({ id: 'c', cancelled: true })
    expect(await answer('DELETE', '/v1/tasks/c')).toEqual({ id: 'c', cancelled: false })
  })

  test('drive a failed run again', async () => {
    await answer('POST', '/v1/tasks', { id: 'f', name: 'fail', retry: false })
    const first = await answer('GET', '/v1/tasks/f/result?wait=5s')
    expect(first.run).toMatchObject({ state: 'failed', error: { name: 'Error', message: 'it failed' } })
    expect(await answer('GET', '/v1/tasks?state=dead')).toMatchObject({ tasks: [{ id: 'f' }] })
    expect(await answer('POST', '/v1/tasks/f/retry')).toEqual({ id: 'f', run: (first.run as RunView).id })
  })

  test('read what a handler logged', async () => {
    await answer('POST', '/v1/tasks', { id: 't', name: 'talk', payload: 'world' })
    await answer('GET', '/v1/tasks/t/result?wait=5s')
    expect(await answer('GET', '/v1/tasks/t/logs')).toMatchObject({ logs: [{ line: 'hello world' }] })
  })

  test('say that a run has not ended yet, and answer as soon as it has', async () => {
    await answer('POST', '/v1/tasks', { id: 'h', name: 'hold' })
    expect((await bed.request('GET', '/v1/tasks/h/result')).status).toBe(202)
    expect(await answer('GET', '/v1/tasks/h/result?wait=10ms')).toEqual({ run: null })
    const waiting = answer('GET', '/v1/tasks/h/result?wait=30s')
    bed.release()
    expect(await waiting).toMatchObject({ run: { state: 'completed' } })
  })

  test('preview a schedule', async () => {
    const from = Date.parse('2030-01-01T00:00:00Z')
    const body = { cron: '0 9 * * *', tz: 'Europe/Paris', start: '2030-01-01T00:00:00Z', count: 2 }
    expect(await answer('POST', '/v1/preview', body)).toEqual({
      instants: [from + 8 * 3_600_000, from + 32 * 3_600_000],
    })
    const every = await answer('POST', '/v1/preview', { every: '1h', start: from })
    expect(every.instants).toEqual([0, 1, 2, 3, 4].map(i => from + i * 3_600_000))
  })

  test('tell the status, with the handlers that are here', async () => {
    const status = await answer('GET', '/v1/status')
    expect(status).toMatchObject({
      durable: false,
      takesWork: true,
      handlers: ['double', 'fail', 'hold', 'talk'],
    })
  })
})

test('the types of the answers are those of the library', () => {
  expectTypeOf<Omit<RunView, 'error'>>().toExtend<Readonly<Omit<Static<typeof RUN>, 'error'>>>()
  expectTypeOf<StatusView['counters']>().toExtend<Readonly<Static<typeof STATUS>['counters']>>()
  expectTypeOf<keyof StatusView>().toEqualTypeOf<keyof Static<typeof STATUS>>()
  expectTypeOf<keyof TaskView>().toEqualTypeOf<keyof Static<typeof TASK_VIEW>>()
  expectTypeOf<keyof RunView>().toEqualTypeOf<keyof Static<typeof RUN>>()
})

test('no two routes are the same', () => {
  expect(new Set(ROUTES.map(({ method, path }) => `${method} ${path}`)).size).toBe(ROUTES.length)
})
