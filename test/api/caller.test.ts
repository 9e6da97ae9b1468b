import { beforeEach, describe, expect, test, vi } from 'vitest'
import { Caller } from '../../src/api/caller.ts'
import { Link } from '../../src/api/link.ts'
import { CarillonError, isCarillonError } from '../../src/errors.ts'
import type { DefinitionInput } from '../../src/task/definition.ts'
import type { EngineEvent } from '../../src/wire/calls.ts'
import { channelPair } from '../support/channel-pair.ts'
import { FakeEngine } from '../support/fake-engine.ts'

let engine: FakeEngine
let caller: Caller
let link: Link
let now: number
let events: EngineEvent[]

beforeEach(() => {
  const [ours, theirs] = channelPair()
  now = 1_900_000_000_000
  events = []
  engine = new FakeEngine(theirs)
  link = new Link(ours)
  const random = { float: () => 0.5, bytes: (length: number) => new Uint8Array(length).fill(0xab) }
  caller = new Caller({ link, random, now: () => now }, { outstandingMax: 50_000 }, event =>
    events.push(event),
  )
  link.start(caller)
})

function input(id: string, payload?: string): DefinitionInput {
  return {
    id,
    minted: false,
    ifAbsent: false,
    keyTtlMs: 0,
    name: 'x',
    madeAt: now,
    schedule: { kind: 'at', at: now },
    policyText: '',
    payload,
  }
}

/** Everything that is under way has arrived. */
async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise(resolve => setImmediate(resolve))
}

function acceptAll(): void {
  engine.onSchedule = ({ call, definitions }) => engine.scheduled(call, definitions.length)
}

describe('schedule', () => {
  test('what is scheduled in one turn crosses as one message, in order', async () => {
    acceptAll()
    const answers = ['a', 'b', 'c'].map(id => caller.schedule([input(id)]))
    await Promise.all(answers)
    expect(engine.frameCount).toBe(1)
    const [message, ...more] = engine.of('schedule')
    expect(more).toEqual([])
    expect(message?.definitions.map(({ id }) => id)).toEqual(['a', 'b', 'c'])
    expect(message?.definitions.map(each => each.requestNumber)).toEqual([0, 1, 2])
    expect(message?.definitions[0]?.caller).toBe('ab'.repeat(8))
  })

  test('what code after an await schedules in the same turn joins the message', async () => {
    acceptAll()
    await Promise.all(
      Array.from({ length: 64 }, async (_, i) => {
        await undefined
        return caller.schedule([input(`t${i}`)])
      }),
    )
    expect(engine.frameCount).toBeLessThanOrEqual(2)
  })

  test('each caller gets its own answers', async () => {
    const error = { name: 'CarillonError', message: 'no', code: 'CONFLICT' }
    engine.onSchedule = ({ call }) => engine.scheduled(call, ['created', 'exists', error, 'replaced'])
    const first = caller.schedule([input('a')])
    const second = caller.schedule([input('b'), input('c')])
    const third = caller.schedule([input('d')])
    expect((await first).answers).toEqual(['created'])
    const [b, c] = (await second).answers ?? []
    expect(b).toBe('exists')
    expect(isCarillonError(c, 'CONFLICT')).toBe(true)
    expect((await third).answers).toEqual(['replaced'])
  })

  test('undefined stands for all created', async () => {
    acceptAll()
    expect(await caller.schedule([input('a'), input('b')])).toEqual({ answers: undefined, copies: 1 })
  })

  test('a list that is too large for one message is cut, and answered as one', async () => {
    engine.onSchedule = ({ call, definitions }) => {
      const last = definitions.at(-1)?.id === 't24999'
      engine.scheduled(call, last ? definitions.map(() => 'exists' as const) : definitions.length)
    }
    const { answers } = await caller.schedule(Array.from({ length: 25_000 }, (_, i) => input(`t${i}`)))
    expect(engine.of('schedule').map(each => each.definitions.length)).toEqual([10_000, 10_000, 5000])
    expect(answers?.length).toBe(25_000)
    expect(answers?.[19_999]).toBe('created')
    expect(answers?.[20_000]).toBe('exists')
  })

  test('large payloads make small messages', async () => {
    acceptAll()
    const payload = JSON.stringify('x'.repeat(200_000))
    await caller.schedule(Array.from({ length: 10 }, (_, i) => input(`t${i}`, payload)))
    for (const { definitions } of engine.of('schedule')) expect(definitions.length).toBeLessThanOrEqual(3)
    expect(engine.of('schedule').flatMap(each => each.definitions)).toHaveLength(10)
  })

  test('beyond the limit of what is outstanding it is refused, until answers come', async () => {
    const first = caller.schedule(Array.from({ length: 50_000 }, (_, i) => input(`t${i}`)))
    await expect(caller.schedule([input('more')])).rejects.toMatchObject({ code: 'TOO_MANY' })
    await settled()
    acceptAll()
    for (const { call, definitions } of engine.of('schedule')) engine.scheduled(call, definitions.length)
    await first
    await caller.schedule([input('more')])
  })

  test('the mark is the lowest number without an answer', async () => {
    const one = caller.schedule([input('a'), input('b')])
    await settled()
    const two = caller.schedule([input('c')])
    await settled()
    const [first, second] = engine.of('schedule')
    expect([first?.mark, second?.mark]).toEqual([0, 0])
    engine.scheduled(first?.call as number, 2)
    await one
    const change = caller.change('cancel', 'a')
    const three = caller.schedule([input('d')])
    await settled()
    expect(engine.of('schedule')[2]?.mark).toBe(2)
    engine.scheduled(second?.call as number, 1)
    await two
    caller.schedule([input('e')]).catch(() => undefined)
    await settled()
    expect(engine.of('schedule')[3]?.mark).toBe(3) // the cancel
    engine.answer(engine.of('call')[0]?.call as number, true, {
      id: 'a',
      cancelled: true,
      firm: true,
      copies: 1,
    })
    await change
    caller.schedule([input('f')]).catch(() => undefined)
    await settled()
    expect(engine.of('schedule')[4]?.mark).toBe(4)
    engine.scheduled(engine.of('schedule')[2]?.call as number, 1)
    await three
  })

  test('an aborted call rejects, and the late answer is no trouble', async () => {
    const controller = new AbortController()
    const waiting = caller.schedule([input('a')], controller.signal)
    controller.abort(new Error('enough'))
    await expect(waiting).rejects.toMatchObject({ code: 'ABORTED', cause: { message: 'enough' } })
    await expect(caller.schedule([input('b')], controller.signal)).rejects.toMatchObject({ code: 'ABORTED' })
    await settled()
    expect(engine.of('schedule')[0]?.definitions).toHaveLength(1)
    engine.scheduled(engine.of('schedule')[0]?.call as number, 1)
    await settled()
  })
})

describe('calls', () => {
  test('are carried out in the order in which they were made', async () => {
    acceptAll()
    caller.schedule([input('a')]).catch(() => undefined)
    caller.change('cancel', 'a').catch(() => undefined)
    caller.schedule([input('a')]).catch(() => undefined)
    caller.call<'status'>({ method: 'status' }).catch(() => undefined)
    caller.schedule([input('b')]).catch(() => undefined)
    await settled()
    const order = engine.heard.map(each =>
      each.type === 'schedule'
        ? each.definitions.map(({ id }) => id).join()
        : each.type === 'call'
          ? each.request.method
          : '?',
    )
    expect(order).toEqual(['a', 'cancel', 'a', 'status', 'b'])
    expect(engine.frameCount).toBe(1)
  })

  test('a change has a requestId', async () => {
    caller.change('pause', 'a').catch(() => undefined)
    caller.change('resume', 'a').catch(() => undefined)
    await settled()
    const requests = engine.of('call').map(({ request }) => request)
    expect(requests).toEqual([
      { method: 'pause', id: 'a', caller: 'ab'.repeat(8), n: 0, madeAt: now },
      { method: 'resume', id: 'a', caller: 'ab'.repeat(8), n: 1, madeAt: now },
    ])
  })

  test('errors come back with their code and field', async () => {
    engine.onCall = call =>
      engine.answer(call, false, {
        name: 'CarillonError',
        message: 'no task "a"',
        code: 'NOT_FOUND',
        field: 'id',
      })
    const error = await caller
      .call<'runs'>({ method: 'runs', id: 'a', limit: 1 })
      .catch((each: unknown) => each)
    expect(error).toBeInstanceOf(CarillonError)
    expect(error).toMatchObject({ code: 'NOT_FOUND', message: 'no task "a"', field: 'id' })
  })

  test('a result that is no longer waited for is forgotten', async () => {
    const controller = new AbortController()
    const waiting = caller.call<'result'>({ method: 'result', id: 'a' }, controller.signal)
    await settled()
    controller.abort()
    await expect(waiting).rejects.toMatchObject({ code: 'ABORTED' })
    await settled()
    const [result, forget] = engine.of('call')
    expect(forget?.request).toEqual({ method: 'forget', call: result?.call })
  })
})

describe('the end', () => {
  test.each(['a closed channel', 'an event', 'a message that can not be read', 'an unknown message'])(
    '%s rejects all that waits',
    async how => {
      const waiting = [
        caller.schedule([input('a')]),
        caller.call<'status'>({ method: 'status' }),
        caller.change('cancel', 'a'),
      ]
      await settled()
      const last = caller.schedule([input('b')])
      if (how === 'a closed channel') engine.close()
      else if (how === 'an event')
        engine.event({
          type: 'stopped',
          error: { name: 'Error', message: 'the disk failed', code: 'STORE_FAILED' },
        })
      else if (how === 'an unknown message') engine.raw(99)
      else engine.raw(33, 1, 1, 200)
      for (const each of [...waiting, last])
        await expect(each).rejects.toMatchObject({ code: 'ENGINE_STOPPED' })
      await expect(caller.schedule([input('c')])).rejects.toMatchObject({ code: 'ENGINE_STOPPED' })
      if (how === 'an event') {
        const error = await caller.call<'status'>({ method: 'status' }).catch((each: unknown) => each)
        expect(error).toMatchObject({ message: expect.stringContaining('the disk failed') })
        expect(events).toHaveLength(1)
      }
    },
  )

  test('an answer that nobody waits for is passed over', async () => {
    engine.scheduled(77, 1)
    engine.answer(78, true, {})
    acceptAll()
    await caller.schedule([input('a')])
  })
})

describe('ids', () => {
  test('are unique, 18 characters long, and sort by time', () => {
    const ids: string[] = []
    for (let i = 0; i < 200_000; i++) {
      if (i % 60_000 === 0) now += i === 120_000 ? -5 : 1
      ids.push(caller.mintId())
    }
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids.every(id => /^[0-9a-z]{18}$/.test(id))).toBe(true)
    expect([...ids].sort()).toEqual(ids)
  })

  test('of two callers differ', () => {
    const [ours] = channelPair()
    const random = { float: () => 0, bytes: (length: number) => new Uint8Array(length).fill(1) }
    const other = new Caller({ link: new Link(ours), random, now: () => now }, { outstandingMax: 1 }, vi.fn())
    expect(other.mintId()).not.toBe(caller.mintId())
  })
})
