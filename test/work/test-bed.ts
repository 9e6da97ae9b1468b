/**
 * A dispatcher with a host that writes down what it is told, workers that speak the worker protocol by hand, and a
 * clock that is turned by hand.
 */

import { ByteReader, ByteWriter } from '../../src/lib/bytes.ts'
import type { Clock, Timer } from '../../src/ports/clock.ts'
import { MESSAGE } from '../../src/wire/frame.ts'
import { ABORT_REASONS, type OutcomeKind, readRun, writeOutcome, writeRun } from '../../src/wire/work.ts'
import { Dispatcher } from '../../src/work/dispatcher.ts'
import type { DispatcherHost, DueRun } from '../../src/work/due-run.ts'
import type { WorkerConnection } from '../../src/work/worker-connection.ts'

export interface RunOptions {
  readonly priority?: number
  readonly strict?: boolean
  readonly timeoutMs?: number
  readonly payloadBytes?: number
  readonly isGuest?: boolean
}

export class TestRun implements DueRun {
  readonly id: string
  name: string
  payloadBytes: number
  readonly priority: number
  readonly strict: boolean
  readonly timeoutMs: number
  readonly isGuest: boolean
  attempt = 0
  place: DueRun['place'] = 'idle'
  handle = 0
  queue: DueRun['queue'] = undefined

  constructor(id: string, name: string, options: RunOptions) {
    this.id = id
    this.name = name
    this.priority = options.priority ?? 0
    this.strict = options.strict ?? false
    this.timeoutMs = options.timeoutMs ?? 0
    this.payloadBytes = options.payloadBytes ?? 0
    this.isGuest = options.isGuest ?? false
  }
}

/** What the host was told, and of which run. */
export type HostCall = [what: string, run: string]

export class TestBed {
  readonly clock = new ManualClock()
  readonly calls: HostCall[] = []
  /** The answers to claims that are being written, oldest first. */
  readonly claims: Array<(go: boolean) => void> = []
  claimsAtOnce = false
  onTimedOut: (run: TestRun) => void = () => undefined
  onLost: (run: TestRun) => void = () => undefined
  readonly dispatcher: Dispatcher<TestRun>
  #runCount = 0

  constructor(
    options: { readonly queueMax?: number; readonly inFlightBytesMax?: number } = {},
    host: Partial<DispatcherHost<TestRun>> = {},
  ) {
    const { queueMax = 100_000, inFlightBytesMax = 32 * 1024 * 1024 } = options
    const all = { ...this.#host(), ...host }
    this.dispatcher = new Dispatcher({ clock: this.clock }, { queueMax, inFlightBytesMax }, all)
  }

  /** Attaches a worker that announced these handlers. */
  worker(windows: Readonly<Record<string, number>>, window = 1000, far = false): FakeWorker {
    const worker = new FakeWorker(this.dispatcher.attach({ far }))
    worker.hello(windows, window)
    return worker
  }

  /** New runs, named by their handler and one running number. */
  offer(count: number, name: string, options: RunOptions = {}): TestRun[] {
    const runs = Array.from({ length: count }, () => new TestRun(`${name}${++this.#runCount}`, name, options))
    for (const run of runs) this.dispatcher.offer(run)
    return runs
  }

  /** Ends the turn; which runs the worker got. */
  turn(worker: FakeWorker): string[] {
    this.dispatcher.flush()
    return worker.take()
  }

  answerClaims(go: boolean): void {
    for (const done of this.claims.splice(0)) done(go)
  }

  #host(): DispatcherHost<TestRun> {
    const tell = (what: string, run: TestRun) => void this.calls.push([what, run.id])
    return {
      starting: run => void run.attempt++,
      claim: (_, done) => {
        if (this.claimsAtOnce) done(true)
        else this.claims.push(done)
      },
      write: (run, out, handle, handler) => writeTestRun(run, out, handle, handler),
      started: run => tell('started', run),
      outcome: (run, { kind }) => tell(kind, run),
      timedOut: run => {
        tell('timed out', run)
        this.onTimedOut(run)
      },
      lost: run => {
        tell('lost', run)
        this.onLost(run)
      },
      label: run => run.id,
      lateEnd: (_, label, __, outcome) => void this.calls.push([`late ${outcome?.kind ?? 'gone'}`, label]),
      progress: (run, json) => tell(`progress ${json}`, run),
      log: (run, json) => tell(`log ${json}`, run),
      noWorker: (name, waiting) => void this.calls.push([`no worker ${waiting}`, name]),
    }
  }
}

function writeTestRun(run: TestRun, out: ByteWriter, handle: number, handler: number): void {
  const { id: taskId, attempt, priority, timeoutMs, payloadBytes } = run
  const rest = { life: 1, firstLife: true, scheduledAt: 0, wantsStarted: timeoutMs > 0, fence: undefined }
  writeRun(
    out,
    { handle, handler, taskId, attempt, priority, ...rest },
    new Uint8Array(payloadBytes),
    0,
    payloadBytes,
  )
}

/** The other end of a connection: it does nothing by itself. */
export class FakeWorker {
  readonly connection: WorkerConnection<TestRun>
  /** What it holds, by handle, oldest first. */
  readonly held = new Map<number, { readonly id: string; readonly name: string }>()
  readonly aborts: string[] = []
  runsMessages = 0
  #names: string[] = []

  constructor(connection: WorkerConnection<TestRun>) {
    this.connection = connection
  }

  hello(windows: Readonly<Record<string, number | 'gone'>>, window = 1000): void {
    const handlers = Object.entries(windows).map(([name, window]) =>
      window === 'gone' ? { name, window: 0, gone: true } : { name, window },
    )
    const hello = { worker: 'w', window, handlers, running: [], events: false }
    this.#say(MESSAGE.hello, out => out.utf8(JSON.stringify(hello)))
    this.#names = handlers.map(({ name }) => name)
  }

  /** Reads what the turn has for it: the ids of new runs. */
  take(): string[] {
    const out = new ByteWriter()
    this.connection.takeOutgoing(out)
    const reader = new ByteReader(out.take())
    const ids: string[] = []
    while (reader.remaining > 0) {
      const type = reader.u8()
      if (type === MESSAGE.abort) {
        const id = this.held.get(reader.varuint())?.id
        this.aborts.push(`${id} ${ABORT_REASONS[reader.u8()]}`)
        continue
      }
      if (type !== MESSAGE.runs) throw new Error(`message ${type} to a worker`)
      this.runsMessages++
      const count = reader.varuint()
      if (count === 0) throw new Error('an empty message')
      for (let i = 0; i < count; i++) {
        const { handle, taskId, handler } = readRun(reader)
        const name = this.#names[handler]
        if (name === undefined || this.held.has(handle))
          throw new Error(`attempt ${handle} of handler ${handler}`)
        this.held.set(handle, { id: taskId, name })
        ids.push(taskId)
      }
    }
    return ids
  }

  handlerOf(id: string): string | undefined {
    return [...this.held.values()].find(each => each.id === id)?.name
  }

  /** Completes the oldest of what it holds: so many, or all. */
  answer(count = Number.POSITIVE_INFINITY): void {
    for (const handle of [...this.held.keys()].slice(0, count)) this.outcome(handle)
  }

  outcome(handle: number, kind: OutcomeKind = 'completed', at = 1000): void {
    this.#say(MESSAGE.outcomes, out => {
      out.varuint(1)
      writeOutcome(out, handle, kind, at, at, undefined, [])
    })
    this.held.delete(handle)
  }

  started(handle: number, at = 1000): void {
    this.#say(MESSAGE.started, out => {
      out.varuint(handle)
      out.f64(at)
    })
  }

  line(type: typeof MESSAGE.progress | typeof MESSAGE.log, handle: number, json: string): void {
    this.#say(type, out => {
      out.varuint(handle)
      out.utf8(json)
    })
  }

  close(): void {
    this.connection.closed()
  }

  #say(type: number, write: (out: ByteWriter) => void): void {
    const out = new ByteWriter()
    write(out)
    const reader = new ByteReader(out.take())
    if (!this.connection.handleMessage(type, reader)) throw new Error(`message ${type} was not taken`)
    if (reader.remaining > 0) throw new Error('not all of the message was read')
  }
}

export class ManualClock implements Clock {
  #at = 0
  readonly #timers = new Set<{ readonly at: number; readonly callback: () => void }>()

  now(): number {
    return Math.floor(this.#at)
  }

  monotonic(): number {
    return this.#at
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const timer = { at: this.#at + Math.max(0, delayMs), callback }
    this.#timers.add(timer)
    return { cancel: () => void this.#timers.delete(timer) }
  }

  defer(callback: () => void): void {
    this.setTimer(0, callback)
  }

  get pending(): number {
    return this.#timers.size
  }

  /** Time passes, and the timers that are due run, in their order. */
  advance(ms: number): void {
    const until = this.#at + ms
    for (;;) {
      const [next] = [...this.#timers].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)
      if (next === undefined) break
      this.#timers.delete(next)
      this.#at = next.at
      next.callback()
    }
    this.#at = until
  }
}
