/**
 * The worker in the user's thread: announces the handlers, starts them as their concurrency allows, and tells how they
 * ended. It speaks the worker protocol (wire/work) like any other worker.
 *
 * The engine may send more runs of a handler than may run at once, so that the worker never waits for the engine; those
 * wait here. How many more depends on how quick the handler is (see prefetchOf). A handler holds its place until it
 * really ends, also when the engine has given its attempt up (timeout, cancel): what it returns then is an event, not
 * the result.
 *
 * The thread is the user's: after SLICE_MS of starting handlers, other events get their turn.
 */

import { CarillonError } from '../errors.ts'
import { Deque } from '../lib/bounded-queue.ts'
import { type ByteReader, ByteWriter } from '../lib/bytes.ts'
import type { Clock } from '../ports/clock.ts'
import { MESSAGE } from '../wire/frame.ts'
import {
  ABORT_REASONS,
  type AbortReason,
  errorText,
  type Hello,
  type OutcomeKind,
  RESULT_BYTES_MAX,
  type RunMessage,
  readRun,
  writeOutcome,
} from '../wire/work.ts'
import { isRetryable, thrownError } from './handler-error.ts'
import type { Link, LinkUser } from './link.ts'
import { HandlerRun, type RunHost } from './run.ts'

/** Any handler, as the worker calls it. */
export type AnyHandler = (run: HandlerRun) => unknown

interface Handler {
  readonly name: string
  handle: AnyHandler
  concurrency: number
  prefetch: number
  running: number
  readonly waiting: Deque<RunMessage>
  /** Its waiting runs are being started, further down the stack. */
  starting: boolean
  /** Ended since its pace was looked at last, and how long they took together, ms. */
  endedCount: number
  endedMs: number
}

/** The parts of the clock that a worker looks at. */
export type WorkerClock = Pick<Clock, 'now' | 'monotonic' | 'defer'>

export interface WorkerOptions {
  readonly worker: string
  /** Most attempts here at a time, running or waiting. */
  readonly window: number
  readonly concurrency: number
}

/** The engine may send this many more runs than may run at once: at least, and at most. */
const PREFETCH_MIN = 16
const PREFETCH_MAX = 2000
/**
 * Runs for this long wait here. More: batches are larger, and cheaper (measured with empty handlers: 20 us of CPU a
 * run with 100 in advance, 12 us with 1,000). Less: another worker that is free gets them sooner.
 */
const PREFETCH_MS = 20
/** A handler's pace is looked at after so many runs, or after runs that took so long together, ms. */
const PACE_COUNT = 500
const PACE_MS = 10_000
/** So long handlers are started before the thread's other events get their turn. */
const SLICE_MS = 2

export class Worker implements LinkUser {
  readonly #link: Link
  readonly #options: WorkerOptions
  readonly #host: RunHost
  readonly #clock: WorkerClock
  readonly #handlers: Handler[] = []
  readonly #byName = new Map<string, Handler>()
  /** Running attempts, and those that wait here. */
  readonly #runs = new Map<number, HandlerRun>()
  readonly #outcomes = new ByteWriter(16 * 1024)
  #outcomeCount = 0
  readonly #other = new ByteWriter(1024)
  #helloDue = false
  #events = false
  /** Takes nothing any more: what comes goes back. */
  #draining = false
  #sliceFrom = Number.NEGATIVE_INFINITY
  #deferred = false
  /** The handler whose turn it is first, after a slice was over. */
  #turn = 0

  constructor(
    ports: { link: Link; clock: WorkerClock },
    options: WorkerOptions,
    followUp: RunHost['followUp'],
  ) {
    this.#link = ports.link
    this.#clock = ports.clock
    this.#options = options
    this.#host = {
      progress: (handle, json) => this.#tell(MESSAGE.progress, handle, json),
      log: (handle, json) => this.#tell(MESSAGE.log, handle, json),
      followUp,
      now: () => ports.clock.now(),
    }
  }

  /** Adds a handler, or takes the place of the one of that name. */
  add(name: string, handle: AnyHandler, concurrency = this.#options.concurrency): void {
    const known = this.#byName.get(name)
    const prefetch = Math.min(PREFETCH_MAX, Math.max(PREFETCH_MIN, concurrency))
    if (known !== undefined) {
      Object.assign(known, { handle, concurrency, prefetch })
      this.#startWaiting(known)
    } else {
      const waiting = new Deque<RunMessage>()
      const rest = { running: 0, waiting, starting: false, endedCount: 0, endedMs: 0 }
      const handler: Handler = { name, handle, concurrency, prefetch, ...rest }
      this.#handlers.push(handler)
      this.#byName.set(name, handler)
    }
    this.announce()
  }

  /** Gives back what has not been started, and takes nothing more: the node is closing. */
  drain(): void {
    this.#draining = true
    for (const { waiting } of this.#handlers) {
      for (const { handle } of waiting) this.#giveBack(handle)
      waiting.clear()
    }
  }

  /** Says hello at the end of this turn: after the handlers or the wish for events have changed. */
  announce(events = this.#events): void {
    this.#events = events
    this.#helloDue = true
    this.#link.stir()
  }

  message(type: number, reader: ByteReader): boolean {
    if (type === MESSAGE.runs) {
      const count = reader.varuint()
      for (let i = 0; i < count; i++) this.#take(readRun(reader))
      this.#sliceFrom = this.#clock.monotonic()
      this.#startAll()
    } else if (type === MESSAGE.abort) {
      const handle = reader.varuint()
      this.#abort(handle, ABORT_REASONS[reader.u8()] ?? 'cancelled')
    } else return false
    return true
  }

  flush(out: ByteWriter): void {
    if (this.#helloDue) {
      this.#helloDue = false
      out.u8(MESSAGE.hello)
      out.utf8(JSON.stringify(this.#hello()))
    }
    // What a handler logged comes before its outcome: after that the engine no longer knows the attempt.
    if (this.#other.position > 0) {
      out.bytes(this.#other.view())
      this.#other.reset()
    }
    if (this.#outcomeCount > 0) {
      out.u8(MESSAGE.outcomes)
      out.varuint(this.#outcomeCount)
      out.bytes(this.#outcomes.view())
      this.#outcomes.reset()
      this.#outcomeCount = 0
    }
  }

  /** The engine is gone: handlers are told, and their outcomes go nowhere. */
  closed(): void {
    for (const handle of [...this.#runs.keys()]) this.#abort(handle, 'closing')
  }

  #hello(): Hello {
    return {
      worker: this.#options.worker,
      window: this.#options.window,
      handlers: this.#handlers.map(({ name, concurrency, prefetch }) => ({
        name,
        window: concurrency + prefetch,
      })),
      running: [...this.#runs.keys()],
      events: this.#events,
    }
  }

  #take(message: RunMessage): void {
    const handler = this.#handlers[message.handler]
    if (handler === undefined || this.#draining) this.#giveBack(message.handle)
    else handler.waiting.push(message)
  }

  #giveBack(handle: number): void {
    this.#outcome(handle, 'unstarted', 0, undefined, NOTHING)
  }

  #startAll(): void {
    const { length } = this.#handlers
    for (let i = 0; i < length; i++) {
      const at = (this.#turn + i) % length
      if (this.#startWaiting(this.#handlers[at] as Handler)) continue
      this.#turn = at + 1
      return
    }
  }

  /** Starts what may be started; false if the slice is over, and the rest has to wait for the next. */
  #startWaiting(handler: Handler): boolean {
    // A handler that ends at once comes back here from within.
    if (handler.starting) return true
    handler.starting = true
    try {
      while (handler.running < handler.concurrency && handler.waiting.length > 0) {
        if (this.#sliceIsOver()) return false
        this.#start(handler, handler.waiting.shift() as RunMessage)
      }
      return true
    } finally {
      handler.starting = false
    }
  }

  #sliceIsOver(): boolean {
    if (this.#deferred) return true
    if (this.#clock.monotonic() - this.#sliceFrom < SLICE_MS) return false
    this.#deferred = true
    this.#clock.defer(() => {
      this.#deferred = false
      this.#sliceFrom = this.#clock.monotonic()
      this.#startAll()
    })
    return true
  }

  #start(handler: Handler, message: RunMessage): void {
    const run = new HandlerRun(handler.name, message, this.#host)
    this.#runs.set(message.handle, run)
    handler.running++
    const startedAt = this.#clock.now()
    if (message.wantsStarted) {
      this.#other.u8(MESSAGE.started)
      this.#other.varuint(message.handle)
      this.#other.f64(startedAt)
      this.#link.stir()
    }
    try {
      const result = handler.handle(run)
      if (!isObject(result)) return this.#completed(handler, run, startedAt, result)
      // Anything with a `then` may call back twice, or throw: a promise around it does not.
      const promise =
        result instanceof Promise ? result : isThenable(result) ? Promise.resolve(result) : undefined
      if (promise === undefined) return this.#completed(handler, run, startedAt, result)
      promise.then(
        value => this.#completed(handler, run, startedAt, value),
        (error: unknown) => this.#failed(handler, run, startedAt, error),
      )
    } catch (error) {
      this.#failed(handler, run, startedAt, error)
    }
  }

  #completed(handler: Handler, run: HandlerRun, startedAt: number, result: unknown): void {
    const followUps = run.end()
    let body: string | undefined
    try {
      body = result === undefined ? undefined : resultText(result)
    } catch (error) {
      return this.#ended(handler, run, 'fatal', startedAt, errorText(thrownError(error)), NOTHING)
    }
    this.#ended(handler, run, 'completed', startedAt, body, followUps)
  }

  #failed(handler: Handler, run: HandlerRun, startedAt: number, error: unknown): void {
    run.end()
    const kind: OutcomeKind = isRetryable(error) ? 'failed' : 'fatal'
    this.#ended(handler, run, kind, startedAt, errorText(thrownError(error)), NOTHING)
  }

  #ended(
    handler: Handler,
    run: HandlerRun,
    kind: OutcomeKind,
    startedAt: number,
    body: string | undefined,
    followUps: readonly Uint8Array[],
  ): void {
    const endedAt = this.#outcome(run.message.handle, kind, startedAt, body, followUps)
    this.#runs.delete(run.message.handle)
    handler.running--
    handler.endedMs += Math.max(0, endedAt - startedAt)
    if (++handler.endedCount >= PACE_COUNT || handler.endedMs >= PACE_MS) this.#lookAtPace(handler)
    this.#startWaiting(handler)
  }

  #lookAtPace(handler: Handler): void {
    const prefetch = prefetchOf(handler.concurrency, handler.endedMs / handler.endedCount)
    handler.endedCount = 0
    handler.endedMs = 0
    if (prefetch > handler.prefetch / 2 && prefetch < handler.prefetch * 2) return
    handler.prefetch = prefetch
    this.announce()
  }

  /** Returns when it ended. */
  #outcome(
    handle: number,
    kind: OutcomeKind,
    startedAt: number,
    body: string | undefined,
    followUps: readonly Uint8Array[],
  ): number {
    const endedAt = kind === 'unstarted' ? 0 : this.#clock.now()
    writeOutcome(this.#outcomes, handle, kind, startedAt, endedAt, body, followUps)
    this.#outcomeCount++
    this.#link.stir()
    return endedAt
  }

  #abort(handle: number, reason: AbortReason): void {
    const run = this.#runs.get(handle)
    if (run !== undefined) return run.abort(new CarillonError('ABORTED', ABORT_TEXT[reason]))
    for (const handler of this.#handlers) {
      const waiting = [...handler.waiting]
      if (!waiting.some(message => message.handle === handle)) continue
      handler.waiting.clear()
      for (const message of waiting) if (message.handle !== handle) handler.waiting.push(message)
      this.#giveBack(handle)
    }
  }

  #tell(type: number, handle: number, json: string): void {
    this.#other.u8(type)
    this.#other.varuint(handle)
    this.#other.utf8(json)
    this.#link.stir()
  }
}

const NOTHING: readonly Uint8Array[] = Object.freeze([])

const ABORT_TEXT: Readonly<Record<AbortReason, string>> = {
  cancelled: 'the run was cancelled',
  timeout: 'the handler did not end within its timeout',
  replaced: 'the task was replaced',
  overlap: 'the next occurrence of the task is due (overlap: cancel-old)',
  closing: 'the node is closing',
  elsewhere: 'the run has ended at another node',
}

/** How many runs to have in advance, of a handler whose runs take `runMs`: what it does in PREFETCH_MS. */
export function prefetchOf(concurrency: number, runMs: number): number {
  const wanted = (concurrency * PREFETCH_MS) / Math.max(runMs, 0.01)
  return Math.round(Math.min(PREFETCH_MAX, Math.max(PREFETCH_MIN, wanted)))
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function'
}

function isThenable(value: object): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown }).then === 'function'
}

function resultText(result: unknown): string | undefined {
  let text: string | undefined
  try {
    text = JSON.stringify(result)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new CarillonError(
      'INVALID',
      `the handler completed, but its result can't be kept as JSON: ${why}`,
      { cause, field: 'result' },
    )
  }
  if (text === undefined) {
    throw new CarillonError(
      'INVALID',
      `the handler completed, but its result is a ${typeof result}, which JSON has no place for`,
      { field: 'result' },
    )
  }
  const bytes = text.length > RESULT_BYTES_MAX / 3 ? Buffer.byteLength(text) : text.length
  if (bytes > RESULT_BYTES_MAX) {
    throw new CarillonError(
      'INVALID',
      `the handler completed, but its result has ${bytes} bytes of JSON; at most ${RESULT_BYTES_MAX} are kept`,
      { field: 'result' },
    )
  }
  return text
}
