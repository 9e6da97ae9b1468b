import { beforeEach, describe, expect, test } from 'vitest'
import { VirtualClock } from '../../sim/virtual-clock.ts'
import { Link } from '../../src/api/link.ts'
import type { HandlerRun } from '../../src/api/run.ts'
import { type AnyHandler, prefetchOf, Worker } from '../../src/api/worker.ts'
import { channelPair } from '../support/channel-pair.ts'
import { FakeEngine } from '../support/fake-engine.ts'

let engine: FakeEngine
let worker: Worker
let link: Link
let clock: VirtualClock

beforeEach(() => {
  const [ours, theirs] = channelPair()
  clock = new VirtualClock({ wallMs: 1_900_000_000_000 })
  engine = new FakeEngine(theirs)
  link = new Link(ours)
  worker = new Worker({ link, clock }, { worker: 'w', window: 4000, concurrency: 2 }, (run, task, index) => ({
    id: `${run.idempotencyKey}/${index}`,
    bytes: Buffer.from(String(task.name)),
  }))
  link.start(worker)
})

/** Everything that is under way has arrived; virtual time stands still. */
async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise(resolve => setImmediate(resolve))
}

/** A handler whose runs end when the test says so. */
class Held {
  readonly runs: HandlerRun[] = []
  readonly #ends: Array<PromiseWithResolvers<unknown>> = []
  readonly handle: AnyHandler = run => {
    this.runs.push(run)
    const end = Promise.withResolvers<unknown>()
    this.#ends.push(end)
    return end.promise
  }

  get handles(): number[] {
    return this.runs.map(run => run.message.handle)
  }

  async end(i: number, value?: unknown): Promise<void> {
    this.#ends[i]?.resolve(value)
    await settled()
  }

  async fail(i: number, error: unknown): Promise<void> {
    this.#ends[i]?.reject(error)
    await settled()
  }
}

const runs = (...handles: number[]): void => engine.runs(handles.map(handle => ({ handle })))
const kinds = (): Array<[number, string]> => engine.outcomes.map(({ handle, kind }) => [handle, kind])
const bodyOf = (i: number): string => Buffer.from(engine.outcomes[i]?.body ?? []).toString()

describe('hello', () => {
  test('names the handlers with what each may have at a time, once a turn', async () => {
    worker.add('a', () => 1)
    worker.add('b', () => 1, 50)
    await settled()
    const hello = {
      worker: 'w',
      window: 4000,
      handlers: [
        { name: 'a', window: 2 + 16 },
        { name: 'b', window: 50 + 50 },
      ],
      running: [],
      events: false,
    }
    expect(engine.of('hello').map(each => each.hello)).toEqual([hello])
    worker.announce(true)
    await settled()
    expect(engine.of('hello').at(-1)?.hello).toEqual({ ...hello, events: true })
  })

  test('says what runs here, and a handler of the same name takes the place of the one before', async () => {
    const held = new Held()
    worker.add('a', held.handle)
    runs(7)
    await settled()
    worker.add('a', () => 'new', 9)
    await settled()
    expect(engine.of('hello').at(-1)?.hello).toMatchObject({
      running: [7],
      handlers: [{ name: 'a', window: 9 + 16 }],
    })
    runs(8)
    await settled()
    expect(bodyOf(0)).toBe('"new"')
  })
})

describe('a run', () => {
  test('is what the engine sent', async () => {
    const held = new Held()
    worker.add('a', held.handle)
    engine.runs([
      {
        handle: 5,
        taskId: 't',
        life: 3,
        firstLife: false,
        scheduledAt: 77,
        attempt: 2,
        fence: 'f',
        payload: { é: [1] },
      },
    ])
    await settled()
    const [run] = held.runs
    expect(run).toMatchObject({
      name: 'a',
      taskId: 't',
      attempt: 2,
      scheduledAt: 77,
      fence: 'f',
      payload: { é: [1] },
    })
    expect(run?.idempotencyKey).toBe('t~3@77')
    expect(run?.payload).toBe(run?.payload)
    runs(6)
    await settled()
    expect(held.runs[1]?.payload).toBeUndefined()
  })

  test.each<[string, AnyHandler, string, string]>([
    ['a value', () => ({ a: 1 }), 'completed', '{"a":1}'],
    ['nothing', () => undefined, 'completed', ''],
    ['null', () => null, 'completed', 'null'],
    ['a promise', async () => 'é', 'completed', '"é"'],
    // biome-ignore lint/suspicious/noThenProperty: what a handler may return
    ['a thenable', () => ({ then: (done: (value: number) => void) => done(3) }), 'completed', '3'],
  ])('that gives %s completes with it', async (_, handle, kind, body) => {
    worker.add('a', handle)
    runs(1)
    await settled()
    expect(kinds()).toEqual([[1, kind]])
    expect(bodyOf(0)).toBe(body)
    expect(engine.outcomes[0]).toMatchObject({ startedAt: clock.now(), endedAt: clock.now() })
  })

  test.each<[string, AnyHandler, string, object]>([
    ['an error', () => Promise.reject(new TypeError('no')), 'failed', { name: 'TypeError', message: 'no' }],
    [
      'at once',
      () => {
        throw new Error('now')
      },
      'failed',
      { name: 'Error', message: 'now' },
    ],
    ['a text', () => Promise.reject('text'), 'failed', { name: 'Error', message: 'text' }],
    [
      'what is not to be retried',
      () => Promise.reject(Object.assign(new Error('x'), { retryable: false, code: 'C' })),
      'fatal',
      { message: 'x', code: 'C' },
    ],
    [
      'no JSON: a cycle',
      () => {
        const a: unknown[] = []
        a.push(a)
        return a
      },
      'fatal',
      { code: 'INVALID' },
    ],
    ['no JSON: a function', () => () => 1, 'fatal', { code: 'INVALID' }],
    ['too much', () => 'é'.repeat(131_072), 'fatal', { code: 'INVALID' }],
  ])('that throws or gives %s fails', async (_, handle, kind, error) => {
    worker.add('a', handle)
    runs(1)
    await settled()
    expect(kinds()).toEqual([[1, kind]])
    expect(JSON.parse(bodyOf(0))).toMatchObject(error)
  })

  test('tells when its handler is entered, if that is asked for', async () => {
    worker.add('a', new Held().handle)
    engine.runs([{ handle: 1, wantsStarted: true }, { handle: 2 }])
    await settled()
    expect(engine.of('started')).toEqual([{ type: 'started', handle: 1, at: clock.now() }])
  })

  test('what it logs and its progress come before its outcome, and nothing after', async () => {
    let late: HandlerRun | undefined
    worker.add('a', run => {
      late = run
      run.log('line %d', 1)
      run.progress({ done: 0.5 })
    })
    runs(3)
    await settled()
    late?.log('late')
    late?.progress(1)
    await settled()
    expect(engine.heard.map(({ type }) => type)).toEqual(['hello', 'log', 'progress', 'outcome'])
    const told = engine.heard.flatMap(each => ('json' in each ? [each.json] : []))
    expect(told).toEqual([JSON.stringify({ at: clock.now(), line: 'line 1' }), '{"done":0.5}'])
  })

  test('its follow-ups go with its completion, and with nothing else', async () => {
    worker.add('a', run => {
      const id = run.schedule({ name: 'next' })
      if (run.payload === 'fail') throw new Error('no')
      return id
    })
    engine.runs([
      { handle: 1, taskId: 't', scheduledAt: 5 },
      { handle: 2, payload: 'fail' },
    ])
    await settled()
    const [done, failed] = engine.outcomes
    expect(bodyOf(0)).toBe('"t@5/0"')
    expect(done?.followUps.map(each => Buffer.from(each).toString())).toEqual(['next'])
    expect(failed?.followUps).toEqual([])
  })
})

describe('concurrency', () => {
  test('no more runs of a handler at a time than it may have; the rest wait in order', async () => {
    const [a, b] = [new Held(), new Held()]
    worker.add('a', a.handle)
    worker.add('b', b.handle, 1)
    engine.runs([1, 2, 3, 4, 5, 6].map(handle => ({ handle, handler: handle % 3 === 0 ? 1 : 0 })))
    await settled()
    expect([a.handles, b.handles]).toEqual([[1, 2], [3]])
    await a.end(1)
    expect([a.handles, kinds()]).toEqual([[1, 2, 4], [[2, 'completed']]])
    await b.fail(0, new Error('x'))
    expect(b.handles).toEqual([3, 6])
  })

  test('a greater one starts what waits', async () => {
    const held = new Held()
    worker.add('a', held.handle, 1)
    runs(1, 2, 3)
    await settled()
    worker.add('a', held.handle, 3)
    expect(held.handles).toEqual([1, 2, 3])
  })

  test('handlers that end at once are all run, without a stack of them', async () => {
    let count = 0
    worker.add('a', () => count++)
    engine.runs(Array.from({ length: 20_000 }, (_, handle) => ({ handle })))
    await settled()
    expect(count).toBe(20_000)
    expect(engine.outcomes).toHaveLength(20_000)
  })

  test('after two milliseconds of starting others get their turn, and the next handler comes first', async () => {
    const order: string[] = []
    // Each start of `a` takes a millisecond of the thread.
    let elapsed = 0
    const ticking = {
      now: () => clock.now(),
      monotonic: () => elapsed,
      defer: (call: () => void) => clock.defer(call),
    }
    const [ours, theirs] = channelPair()
    const other = new FakeEngine(theirs)
    const own = new Link(ours)
    const slicing = new Worker(
      { link: own, clock: ticking },
      { worker: 'w', window: 99, concurrency: 9 },
      () => {
        throw new Error('no follow-ups')
      },
    )
    own.start(slicing)
    slicing.add('a', () => {
      elapsed++
      order.push('a')
    })
    slicing.add('b', () => order.push('b'))
    other.runs([0, 0, 0, 0, 1].map((handler, handle) => ({ handle, handler })))
    await settled()
    expect(order).toEqual(['a', 'a'])
    while (await clock.step()) await settled()
    expect(order).toEqual(['a', 'a', 'b', 'a', 'a'])
  })

  test.each([
    [1, 0, 2000],
    [1, 1, 20],
    [100, 1000, 16],
    [100, 10, 200],
    [100, 0.5, 2000],
    [1, 5000, 16],
  ])('%d at a time that take %d ms have %d in advance', (concurrency, ms, prefetch) => {
    expect(prefetchOf(concurrency, ms)).toBe(prefetch)
  })

  test('a handler that turns out quick has more in advance, and says so', async () => {
    worker.add('a', () => 1)
    engine.runs(Array.from({ length: 500 }, (_, handle) => ({ handle })))
    await settled()
    expect(engine.of('hello').at(-1)?.hello.handlers).toEqual([{ name: 'a', window: 2 + 2000 }])
  })
})

describe('an abort', () => {
  test.each([
    ['cancelled', /was cancelled/],
    ['timeout', /within its timeout/],
    ['replaced', /was replaced/],
    ['overlap', /next occurrence/],
    ['closing', /node is closing/],
  ] as const)(
    'for the reason %s reaches the signal of a running one, which holds its place',
    async (reason, why) => {
      const held = new Held()
      worker.add('a', held.handle, 1)
      runs(1, 2)
      await settled()
      const signal = held.runs[0]?.signal as AbortSignal
      engine.abort(1, reason)
      await settled()
      expect([signal.aborted, signal.reason.code]).toEqual([true, 'ABORTED'])
      expect(signal.reason.message).toMatch(why)
      expect([held.handles, kinds()]).toEqual([[1], []])
      await held.end(0, 'late')
      expect([held.handles, kinds()]).toEqual([[1, 2], [[1, 'completed']]])
    },
  )

  test('is seen by who asks for the signal only afterwards', async () => {
    const held = new Held()
    worker.add('a', held.handle)
    runs(1)
    await settled()
    engine.abort(1, 'cancelled')
    await settled()
    expect(held.runs[0]?.signal.aborted).toBe(true)
  })

  test('of one that waits gives it back, and it never starts', async () => {
    const held = new Held()
    worker.add('a', held.handle, 1)
    runs(1, 2, 3)
    await settled()
    engine.abort(2, 'cancelled')
    engine.abort(99, 'cancelled')
    await settled()
    expect(kinds()).toEqual([[2, 'unstarted']])
    expect(engine.outcomes[0]).toMatchObject({ startedAt: 0, endedAt: 0 })
    await held.end(0)
    expect(held.handles).toEqual([1, 3])
  })
})

describe('the end', () => {
  test('drain gives back what waits and what comes; what runs goes on', async () => {
    const held = new Held()
    worker.add('a', held.handle, 1)
    runs(1, 2)
    await settled()
    worker.drain()
    runs(3)
    await settled()
    expect(kinds()).toEqual([
      [2, 'unstarted'],
      [3, 'unstarted'],
    ])
    await held.end(0, 'done')
    expect(kinds().at(-1)).toEqual([1, 'completed'])
  })

  test('a run of a handler that nobody announced is given back', async () => {
    worker.add('a', () => 1)
    engine.runs([{ handle: 4, handler: 1 }])
    await settled()
    expect(kinds()).toEqual([[4, 'unstarted']])
  })

  test('when the engine is gone handlers are told, and what they return goes nowhere', async () => {
    const held = new Held()
    worker.add('a', held.handle)
    runs(1)
    await settled()
    engine.close()
    await settled()
    expect(held.runs[0]?.signal.reason.message).toBe('the node is closing')
    await held.end(0)
    expect(engine.outcomes).toEqual([])
  })
})
