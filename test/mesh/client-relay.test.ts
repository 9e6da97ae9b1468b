import { beforeEach, describe, expect, test } from 'vitest'
import type { Run } from '../../src/api/run.ts'
import { isCarillonError } from '../../src/errors.ts'
import type { CallRequest } from '../../src/wire/calls.ts'
import { ClientBed, type StubSession, takeAll } from '../support/client-bed.ts'

let bed: ClientBed

beforeEach(async () => {
  bed = new ClientBed()
  await bed.add(3)
})

const ended = (id: string, result: unknown) => ({
  run: { id: `${id}@1`, task: id, name: 'x', state: 'completed', attempt: 1, result },
})

/** The code and message with which it rejects. */
async function refused(promise: Promise<unknown>): Promise<{ code: string; message: string }> {
  const error = await promise.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (!isCarillonError(error)) throw new Error(`no refusal, but ${String(error)}`)
  return { code: error.code, message: error.message }
}

/** The same, while time goes on. */
function refusal(promise: Promise<unknown>, limitMs?: number): Promise<{ code: string; message: string }> {
  return bed.done(refused(promise), limitMs)
}

describe('a client', () => {
  test('schedules, asks and waits through the node that it is connected to', async () => {
    bed.onCall = ({ engine }, call, request) => {
      if (request.method === 'result') engine.answer(call, true, ended(request.id, 42))
      if (request.method === 'cancel') engine.answer(call, true, { cancelled: true })
      if (request.method === 'task')
        engine.answer(call, false, { name: 'E', message: 'no', code: 'NOT_FOUND' })
    }
    await bed.open()
    const task = await bed.done(bed.client.schedule({ id: 'a', name: 'x' }))
    expect(task).toMatchObject({ id: 'a', status: 'created' })
    expect(await bed.done(task.result())).toBe(42)
    expect(await bed.done(bed.client.cancel('a'))).toBe(true)
    expect(await refusal(bed.client.task('a'))).toMatchObject({ code: 'NOT_FOUND' })
    expect(bed.carriedOut.size).toBe(1)
    expect(bed.nodes.filter(({ sessions }) => sessions.length > 0)).toHaveLength(1)
  })

  test('passes a call on that is longer than the frames of the network', async () => {
    await bed.open()
    const payload = 'x'.repeat(200_000)
    await bed.done(bed.client.schedule(Array.from({ length: 6 }, () => ({ name: 'x', payload }))))
    expect(bed.carriedOut.size).toBe(6)
  })

  test('gets the events of its gateway, but not its start and end', async () => {
    await bed.open()
    const told: string[] = []
    bed.client.on('no-worker', ({ name }) => told.push(name))
    expect(() => bed.client.on('stopped' as 'run', () => undefined)).toThrow('allowed is one of run, retry')
    const { engine } = bed.gateway.session
    engine.event({ type: 'started', replayed: 0, startMs: 1, durable: true })
    engine.event({ type: 'no-worker', name: 'x', waiting: 1 })
    await bed.advance(50)
    expect(told).toEqual(['x'])
  })

  test('knows more nodes than it was given, and keeps a few connections as spares', async () => {
    await bed.add(6)
    bed.told = bed.nodes.map(({ address }) => address)
    await bed.open({ join: [bed.node(0).address] })
    await bed.advance(3000)
    expect([...bed.network.ends]).toHaveLength(4)
    bed.gateway.die()
    await bed.advance(50)
    expect(bed.gateway).not.toBe(bed.node(0))
    await bed.advance(3000)
    expect([...bed.network.ends]).toHaveLength(4)
  })
})

describe('nodes of before', () => {
  test('that do not know where others are leave the client with those that it was given', async () => {
    bed.told = undefined
    await bed.open({ join: [bed.node(0).address, bed.node(1).address] })
    await bed.advance(3000)
    expect([...bed.network.ends]).toHaveLength(2)
    bed.gateway.die()
    expect(await bed.done(bed.client.schedule({ name: 'x' }))).toMatchObject({ status: 'created' })
  })
})

describe('fail-over', () => {
  test('the next node gets what has no answer, in its order and unchanged, and each call gets one answer', async () => {
    const heard: Array<{ node: string; what: string }> = []
    const note = ({ node }: StubSession, what: string): number => heard.push({ node: node.host.name, what })
    bed.onSchedule = (session, message) => {
      note(session, `schedule ${message.definitions.map(({ id }) => id)}`)
      bed.carryOut(message)
    }
    bed.onCall = (session, _, request) => note(session, `${request.method} ${(request as { id: string }).id}`)
    await bed.open()
    const calls = [
      bed.client.schedule({ id: 'a', name: 'x' }),
      bed.client.task('a'),
      bed.client.schedule([
        { id: 'b', name: 'x' },
        { id: 'c', name: 'x' },
      ]),
      bed.client.trigger('a'),
    ]
    await bed.advance(50)
    const whats = ['schedule a', 'task a', 'schedule b,c', 'trigger a']
    const first = bed.gateway
    expect(heard.splice(0).map(({ what }) => what)).toEqual(whats)

    bed.onSchedule = (session, message) => {
      note(session, `schedule ${message.definitions.map(({ id }) => id)}`)
      takeAll(bed)(session, message)
    }
    bed.onCall = (session, call, request) => {
      note(session, `${request.method} ${(request as { id: string }).id}`)
      session.engine.answer(call, true, request.method === 'task' ? { task: null } : { run: 'a@2' })
    }
    first.die()
    const [a, none, list, run] = await bed.done(Promise.all(calls))
    expect([a, none, list, run]).toMatchObject([{ id: 'a' }, null, [{ id: 'b' }, { id: 'c' }], 'a@2'])
    expect(heard.map(({ what }) => what)).toEqual(whats)
    expect(heard.some(({ node }) => node === first.host.name)).toBe(false)
    expect(bed.carriedOut.size).toBe(3)
    expect([...bed.answers.values()]).toEqual([1, 1, 1, 1])
  })

  test.each([
    ['stands still', (bed: ClientBed) => bed.gateway.stall(true)],
    ['lost its power', (bed: ClientBed) => bed.gateway.die(true)],
    ['can be reached no more', (bed: ClientBed) => bed.switch.partition([bed.host], [bed.gateway.host])],
  ])('a gateway that %s is given up within 10 s', async (_, fault) => {
    await bed.open()
    const first = bed.gateway
    fault(bed)
    await bed.done(bed.client.schedule({ name: 'x' }), 10_000)
    expect(bed.gateway).not.toBe(first)
  })

  test('of one client that stood still itself there is none: what came meanwhile is heard first', async () => {
    await bed.open()
    const first = bed.gateway
    bed.process.stop(true)
    await bed.advance(60_000)
    bed.process.stop(false)
    await bed.advance(10_000)
    expect(bed.gateway).toBe(first)
    expect(first.sessions).toHaveLength(1)
  })

  test('a gateway that is closing is left, and its refusals are not the answers', async () => {
    bed.onSchedule = (session, message) => {
      if (session.node.sessions.length > 0 && session.node === bed.node(0))
        session.engine.scheduled(message.call, [
          { name: 'CarillonError', message: 'closing', code: 'CLOSED' },
        ])
      else takeAll(bed)(session, message)
    }
    await bed.open({ join: [bed.node(0).address] })
    expect(bed.gateway).toBe(bed.node(0))
    bed.told = bed.nodes.map(({ address }) => address)
    await bed.advance(33_000)
    const task = await bed.done(bed.client.schedule({ name: 'x' }), 500)
    expect(task.status).toBe('created')
    expect(bed.gateway).not.toBe(bed.node(0))
  })

  test('a gateway that says what cannot be read is left, and the user sees nothing of it', async () => {
    await bed.open()
    const first = bed.gateway
    first.session.engine.raw(34, 2, 1)
    await bed.advance(100)
    expect(bed.gateway).not.toBe(first)
    await bed.done(bed.client.schedule({ name: 'x' }))
  })

  test('waits for results go on at the next node, as long as it takes', async () => {
    const asked: CallRequest[] = []
    bed.onCall = ({ engine }, call, request) => {
      asked.push(request)
      if (bed.clock.monotonic() > 60_000) engine.answer(call, true, ended('a', 'late'))
    }
    await bed.open()
    const task = await bed.done(bed.client.schedule({ id: 'a', name: 'x' }))
    const result = task.result()
    const given = new AbortController()
    const up = task.result({ signal: given.signal }).catch((error: unknown) => error)
    await bed.advance(1000)
    given.abort()
    expect(isCarillonError(await bed.done(up), 'ABORTED')).toBe(true)
    for (const node of bed.nodes) node.die()
    await bed.advance(60_000)
    for (const node of bed.nodes) await bed.done(node.start())
    expect(await bed.done(result, 20_000)).toBe('late')
    expect(asked).toHaveLength(3)
  })
})

describe('runs', () => {
  /** Handlers that end when they are told to. */
  function handlers() {
    const runs = new Map<string, { run: Run; end: (value: unknown) => void }>()
    const x = (run: Run): Promise<unknown> => new Promise(end => runs.set(run.taskId, { run, end }))
    return { runs, handlers: { x } }
  }

  test('under way are aborted when their gateway is lost, and their late outcomes are dropped', async () => {
    const { runs, handlers: given } = handlers()
    await bed.open({ handlers: given })
    const first = bed.gateway
    first.session.engine.runs([{ handle: 7, taskId: 'a', wantsStarted: true }])
    await bed.advance(20)
    expect(first.session.engine.of('started').map(({ handle }) => handle)).toEqual([7])
    first.die()
    await bed.advance(50)
    const { engine } = bed.gateway.session
    expect(runs.get('a')?.run.signal.reason).toMatchObject({ message: 'the run has ended at another node' })
    expect(engine.of('hello').map(({ hello }) => hello)).toMatchObject([
      { worker: 'client', running: [], handlers: [{ name: 'x' }] },
    ])

    // The same number, another attempt.
    engine.runs([{ handle: 7, taskId: 'b' }])
    await bed.advance(20)
    runs.get('a')?.run.log('late')
    runs.get('a')?.end('late')
    await bed.advance(20)
    expect(engine.outcomes).toEqual([])
    runs.get('b')?.run.log('in time')
    runs.get('b')?.run.progress(50)
    runs.get('b')?.end('in time')
    await bed.advance(20)
    expect(engine.outcomes.map(({ handle, body }) => [handle, String(Buffer.from(body))])).toEqual([
      [7, '"in time"'],
    ])
    expect(engine.of('log')).toMatchObject([{ handle: 7 }])
    expect(engine.of('progress')).toMatchObject([{ handle: 7, json: '50' }])
  })

  test('are aborted at the word of the gateway', async () => {
    const { runs, handlers: given } = handlers()
    await bed.open({ handlers: given })
    const { engine } = bed.gateway.session
    engine.runs([
      { handle: 300, taskId: 'a' },
      { handle: 301, taskId: 'b' },
    ])
    await bed.advance(20)
    engine.abort(301, 'timeout')
    engine.abort(999, 'timeout')
    await bed.advance(20)
    expect([...runs.values()].map(({ run }) => run.signal.aborted)).toEqual([false, true])
  })

  test('a close takes no more of them, and waits until the gateway has heard of the last', async () => {
    const { runs, handlers: given } = handlers()
    await bed.open({ handlers: given })
    const { engine } = bed.gateway.session
    engine.runs([{ handle: 1, taskId: 'a' }])
    await bed.advance(20)
    let isClosed = false
    const closed = bed.client.close().then(() => {
      isClosed = true
    })
    await bed.advance(5000)
    expect(isClosed).toBe(false)
    expect(engine.of('hello').at(-1)?.hello).toMatchObject({ window: 0, handlers: [{ window: 0 }] })
    runs.get('a')?.end('done')
    await bed.done(closed)
    expect(engine.outcomes.map(({ kind }) => kind)).toEqual(['completed'])
    await bed.done(bed.relay.stopped)
    await bed.advance(10)
    expect(engine.isClosed).toBe(true)
    expect(await refusal(bed.client.schedule({ name: 'x' }))).toMatchObject({
      code: 'CLOSED',
      message: 'the client was closed',
    })
    expect(bed.process.clock.pending).toBe(0)
  })

  test('that do not end in time are aborted by a close', async () => {
    const { runs, handlers: given } = handlers()
    await bed.open({ handlers: given })
    bed.gateway.session.engine.runs([{ handle: 1, taskId: 'a' }])
    await bed.advance(20)
    const waiting = refused((await bed.done(bed.client.schedule({ id: 'a', name: 'x' }))).result())
    await bed.done(bed.client.close({ graceMs: 100 }))
    expect(runs.get('a')?.run.signal.aborted).toBe(true)
    expect(await waiting).toMatchObject({ code: 'CLOSED' })
  })
})

describe('without a gateway', () => {
  test('a start says which addresses were tried, and why each failed', async () => {
    bed.node(0).die()
    bed.node(1).die(true)
    const join = [bed.node(0).address, bed.node(1).address, 'nowhere']
    const { code, message } = await refused(bed.open({ join, waitMs: 6000 }))
    expect(code).toBe('NOT_CONNECTED')
    expect(message).toContain('no node of the mesh answered for 6000 ms')
    expect(message).toContain(`${bed.node(0).address} (nobody listens there)`)
    expect(message).toContain(`${bed.node(1).address} (no answer in time)`)
    expect(message).toContain('nowhere (it cannot be reached)')
  })

  test('a start ends with the reason as soon as nobody there lets it in', async () => {
    const from = bed.clock.monotonic()
    const refusal = await refused(bed.open({ secret: 'another' }))
    expect(refusal).toEqual({ code: 'SECRET_DIFFERS', message: 'the secrets differ' })
    expect(bed.clock.monotonic() - from).toBeLessThan(1000)
  })

  test('a start waits on while a node may still let it in', async () => {
    bed.node(2).die(true)
    expect(await refused(bed.open({ secret: 'another' }))).toMatchObject({ code: 'NOT_CONNECTED' })
  })

  test('calls wait, and go through when a node is there in time', async () => {
    await bed.open()
    for (const node of bed.nodes) node.die()
    await bed.advance(1000)
    const scheduled = bed.client.schedule({ name: 'x' })
    await bed.advance(3000)
    await bed.done(bed.node(2).start())
    expect(await bed.done(scheduled)).toMatchObject({ status: 'created' })
  })

  test('calls are refused after their deadline, and later ones after theirs', async () => {
    await bed.open()
    for (const node of bed.nodes) node.die()
    await bed.advance(5000)
    const first = refused(bed.client.schedule([{ name: 'x' }, { name: 'y' }]))
    await bed.advance(4000)
    const second = refused(bed.client.status())
    await bed.advance(5900)
    expect(bed.answers.size).toBe(0)
    await bed.advance(200)
    expect(await first).toMatchObject({ code: 'NOT_CONNECTED' })
    expect(bed.answers.size).toBe(1)
    const { code, message } = await bed.done(second)
    expect(code).toBe('NOT_CONNECTED')
    expect(message).toContain(`${bed.node(0).address} (nobody listens there)`)
  })

  test('what does not fit is refused as too many', async () => {
    await bed.open({ options: { unansweredMax: 2 } })
    bed.onSchedule = () => undefined
    void bed.client.schedule({ name: 'x' })
    await bed.advance(10)
    void bed.client.task('a')
    expect(await refusal(bed.client.task('b'))).toMatchObject({ code: 'TOO_MANY' })
    expect(await refusal(bed.client.schedule([{ name: 'x' }, { name: 'y' }]))).toMatchObject({
      code: 'TOO_MANY',
    })
  })
})
