import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CarillonError } from '../../src/errors.ts'
import { ByteWriter } from '../../src/lib/bytes.ts'
import type { WorkerChannel, WorkerChannelEvents } from '../../src/ports/worker-channel.ts'
import type { CallRequest } from '../../src/wire/calls.ts'
import { ITEMS_MAX, MESSAGE, SCHEDULE_STATUS, wireError } from '../../src/wire/frame.ts'
import { ABORT_REASONS, OUTCOMES, writeOutcome } from '../../src/wire/work.ts'
import type { LiveRun } from '../../src/work/live-run.ts'
import { Session } from '../../src/work/session.ts'
import { WorkerConnection } from '../../src/work/worker-connection.ts'
import { badBytes, definitionBytes, definitionInput, meddled, runs } from '../support/tasks.ts'

const DEFINITION = {
  id: 'task',
  minted: false,
  ifAbsent: false,
  keyTtlMs: 0,
  name: 'a',
  madeAt: 1000,
  schedule: { kind: 'at', at: 2000 },
  policyText: '',
  payload: undefined,
} as const

describe('what crosses by its number', () => {
  test('keeps that number: the other side may be of another version', () => {
    expect(MESSAGE).toEqual({
      ...{ schedule: 1, call: 2, hello: 3, started: 4, outcomes: 5, progress: 6, log: 7, round: 8 },
      ...{ scheduled: 32, answer: 33, runs: 34, abort: 35, event: 36 },
    })
    expect(SCHEDULE_STATUS).toEqual(['created', 'replaced', 'exists', 'error'])
    expect(OUTCOMES).toEqual(['completed', 'failed', 'fatal', 'unstarted', 'lost'])
    expect(ABORT_REASONS).toEqual(['cancelled', 'timeout', 'replaced', 'overlap', 'closing', 'elsewhere'])
  })
})

describe('wireError', () => {
  test('keeps what the other side branches on, and shows', () => {
    const error = new CarillonError('INVALID', 'no', { field: 'retry.max', cause: new Error('inner') })
    expect(JSON.parse(JSON.stringify(wireError(error)))).toEqual({
      name: 'CarillonError',
      message: 'no',
      code: 'INVALID',
      field: 'retry.max',
      stack: error.stack,
    })
    const other = new TypeError('oh')
    expect(wireError(other)).toEqual({ name: 'TypeError', message: 'oh', stack: other.stack })
  })

  test.each([
    ['a text', 'a text'],
    [undefined, 'undefined'],
    [7n, '7'],
  ])('%s, which is no error, becomes one', (thrown, message) => {
    expect(wireError(thrown)).toEqual({ name: 'Error', message })
  })
})

type Frame = Uint8Array<ArrayBuffer>

/** The engine's end of a channel, with nobody behind it. */
class Ear {
  readonly schedules: string[][] = []
  readonly calls: CallRequest[] = []
  readonly failures: unknown[] = []
  readonly #session: Session
  readonly #connection: WorkerConnection<LiveRun>
  #events: WorkerChannelEvents | undefined
  closed = false

  constructor() {
    const channel: WorkerChannel = {
      start: events => {
        this.#events = events
      },
      send: () => undefined,
      close: () => {
        this.closed = true
      },
    }
    const nothing = (): void => undefined
    this.#connection = new WorkerConnection<LiveRun>({
      loaded: nothing,
      announced: nothing,
      started: nothing,
      ended: nothing,
      closed: nothing,
      runs: { progress: nothing, log: nothing, write: nothing },
    })
    this.#session = new Session(channel, this.#connection, {
      schedule: (_, __, definitions) => this.schedules.push(definitions.map(({ id }) => id)),
      call: (_, __, request) => this.calls.push(request),
      closed: nothing,
      stir: nothing,
      failed: error => this.failures.push(error),
    })
    this.#session.start()
  }

  hear(frame: Uint8Array): this {
    this.#events?.frame(frame)
    return this
  }

  get handlers(): string[] {
    return [...this.#connection.credits.keys()]
  }
}

function frame(write: (out: ByteWriter) => void): Frame {
  const out = new ByteWriter()
  write(out)
  return out.take()
}

function scheduleFrame(definitions: readonly Uint8Array[], count = definitions.length): Frame {
  return frame(out => {
    out.u8(MESSAGE.schedule)
    out.varuint(1)
    out.varuint(0)
    out.varuint(count)
    for (const definition of definitions) {
      out.u32le(definition.length)
      out.bytes(definition)
    }
  })
}

function textFrame(type: number, text: string, call?: number): Frame {
  return frame(out => {
    out.u8(type)
    if (call !== undefined) out.varuint(call)
    out.utf8(text)
  })
}

const HELLO = { worker: 'w', window: 10, handlers: [{ name: 'a', window: 5 }], running: [], events: true }

const goodFrame: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc
    .array(definitionInput, { minLength: 1, maxLength: 3 })
    .map(inputs => scheduleFrame(inputs.map(input => definitionBytes(input)))),
  fc
    .constantFrom('cancel', 'task', 'status')
    .map(method => textFrame(MESSAGE.call, JSON.stringify({ method, id: 't' }), 5)),
  fc.constant(textFrame(MESSAGE.hello, JSON.stringify(HELLO))),
  fc.constant(
    frame(out => {
      out.u8(MESSAGE.outcomes)
      out.varuint(1)
      writeOutcome(out, 5, 'completed', 1, 2, '{}', [])
    }),
  ),
  fc.constant(
    frame(out => {
      out.u8(MESSAGE.started)
      out.varuint(5)
      out.f64(100)
    }),
  ),
  fc.constantFrom(MESSAGE.progress, MESSAGE.log).map(type => textFrame(type, '{"at":1,"line":"x"}', 5)),
)

describe('a frame', () => {
  test('may have many messages, of any kind', () => {
    const task = definitionBytes(DEFINITION)
    const parts = [
      scheduleFrame([task, task]),
      textFrame(MESSAGE.hello, JSON.stringify(HELLO)),
      textFrame(MESSAGE.call, '{"method":"status"}', 2),
      scheduleFrame([task]),
    ]
    const ear = new Ear().hear(Buffer.concat(parts))
    expect(ear.schedules).toEqual([['task', 'task'], ['task']])
    expect(ear.calls).toEqual([{ method: 'status' }])
    expect(ear.handlers).toEqual(['a'])
    expect(ear.closed).toBe(false)
  })

  test.each<[string, Uint8Array]>([
    ['a message of no known type', Uint8Array.of(99)],
    ['a message for the other direction', Uint8Array.of(MESSAGE.runs, 0)],
    ['a batch of nothing', scheduleFrame([])],
    ['a batch that says it is huge', scheduleFrame([], ITEMS_MAX + 1)],
    ['a batch with less than it says', scheduleFrame([definitionBytes(DEFINITION)], 2)],
    ['a call that is not JSON', textFrame(MESSAGE.call, '{', 1)],
    ['a call without a method', textFrame(MESSAGE.call, '{"id":"t"}', 1)],
    ['a call that is null', textFrame(MESSAGE.call, 'null', 1)],
    ['a hello that is not JSON', textFrame(MESSAGE.hello, 'hi')],
    ['a hello without handlers', textFrame(MESSAGE.hello, '{}')],
    [
      'a hello of handlers that are none',
      textFrame(MESSAGE.hello, JSON.stringify({ ...HELLO, handlers: [null] })),
    ],
    ['a hello of a window that is none', textFrame(MESSAGE.hello, JSON.stringify({ ...HELLO, window: -1 }))],
    [
      'outcomes that are not there',
      frame(out => {
        out.u8(MESSAGE.outcomes)
        out.varuint(ITEMS_MAX)
      }),
    ],
    [
      'a start at no time',
      frame(out => {
        out.u8(MESSAGE.started)
        out.varuint(1)
        out.f64(Number.NaN)
      }),
    ],
  ])('with %s ends the session, and what follows is not heard', (_, bytes) => {
    const ear = new Ear().hear(bytes).hear(textFrame(MESSAGE.call, '{"method":"status"}', 2))
    expect([ear.closed, ear.calls, ear.failures]).toEqual([true, [], []])
  })

  test('of any bytes at all is heard or ends the session; the engine lives on', () => {
    let heard = 0
    fc.assert(
      fc.property(fc.oneof(badBytes(goodFrame), meddled(goodFrame), goodFrame), bytes => {
        const ear = new Ear().hear(bytes)
        expect(ear.failures).toEqual([])
        if (!ear.closed) heard++
      }),
      runs(4000),
    )
    expect(heard).toBeGreaterThan(500)
  })
})
