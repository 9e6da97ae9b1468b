/**
 * A simulated user: a process with one channel to the engine, over which it makes calls and runs handlers (worker.ts),
 * speaking the wire protocol itself so that it can repeat a request byte for byte, also over a restart. What it sees
 * goes into the history, and nothing else does.
 *
 * A request is repeated until it has a definite answer. Some answers are taken for lost, and their requests repeated
 * though they were acknowledged.
 */

import { ByteWriter } from '../src/lib/bytes.ts'
import type { Random } from '../src/ports/random.ts'
import type { WorkerChannel } from '../src/ports/worker-channel.ts'
import { callerOf } from '../src/task/follow-up.ts'
import type { RunView } from '../src/task/views.ts'
import type { CallAnswers, CallRequest, EngineEvent } from '../src/wire/calls.ts'
import { SCHEDULE_STATUS } from '../src/wire/frame.ts'
import { CallFailed, callBytes, definitionBytes, readFrame, scheduleBytes, writeHello } from './frames.ts'
import type { History, Op, Spec, Story } from './history.ts'
import { SimulatedProcess } from './process.ts'
import type { Trace } from './trace.ts'
import type { VirtualClock } from './virtual-clock.ts'
import { SimulatedWorker, type WorkerOptions } from './worker.ts'

export interface ClientOptions extends WorkerOptions {
  readonly events: boolean
  /** Share of requests that are sent twice, and of answers that are taken for lost. */
  readonly repeatShare: number
}

interface Request {
  readonly ops: readonly Op[]
  readonly bytes: (call: number, mark: number) => Uint8Array
  call: number
  done: boolean
}

interface Query {
  readonly request: CallRequest
  readonly resolve: (answer: unknown) => void
  readonly reject: (error: unknown) => void
}

function hadNoEffect(
  op: Op,
  result: string | CallFailed,
  answer: Record<string, unknown> | undefined,
): boolean {
  if (result instanceof CallFailed) return true
  return result === 'exists' || (op.method === 'cancel' && answer?.cancelled === false)
}

/** Definite answers; any other error is asked again. */
const RETRIED = new Set(['STORE_FULL', 'TOO_MANY', 'CLOSED', 'ENGINE_STOPPED', 'STORE_FAILED'])
const RETRY_MS = 700

export class SimulatedClient {
  readonly options: ClientOptions
  readonly #worker: SimulatedWorker
  readonly caller: string
  readonly #callerBytes: Uint8Array
  readonly #clock: VirtualClock
  readonly #random: Random
  readonly #history: History
  readonly #trace: Trace
  process: SimulatedProcess
  #channel: WorkerChannel | undefined
  #connected = false
  #nextCall = 1
  #nextNumber = 0
  #nextWorker = 1
  /** Numbers without an answer that counts. */
  readonly #unanswered = new Set<number>()
  readonly #requests = new Map<number, Request>()
  readonly #open = new Set<Request>()
  readonly #queries = new Map<number, Query>()
  readonly #out = new ByteWriter(1024)
  #flushing = false
  /** While true nothing is repeated any more: the run is over. */
  isOver = false

  constructor(
    ports: {
      readonly clock: VirtualClock
      readonly random: Random
      readonly history: History
      readonly trace: Trace
    },
    options: ClientOptions,
  ) {
    this.#clock = ports.clock
    this.#random = ports.random
    this.#history = ports.history
    this.#trace = ports.trace
    this.options = options
    this.#callerBytes = this.#random.bytes(8)
    this.caller = Buffer.from(this.#callerBytes).toString('hex')
    this.process = new SimulatedProcess(ports.clock, ports.trace)
    this.#worker = new SimulatedWorker(ports, options, {
      out: this.#out,
      process: () => this.process,
      stir: () => this.#stir(),
      followUp: (id, spec, runId, index) => definitionBytes(id, spec, callerOf(runId), index + 1),
    })
  }

  get isConnected(): boolean {
    return this.#connected
  }

  get openCount(): number {
    return this.#open.size
  }

  get runningCount(): number {
    return this.#worker.size
  }

  // --- the connection

  connect(channel: WorkerChannel): void {
    this.#channel = channel
    this.#connected = true
    channel.start({ frame: bytes => this.#frame(bytes), closed: () => this.#closed(channel) })
    const { handlers, window, events } = this.options
    writeHello(this.#out, {
      worker: `worker-${this.options.number}-${this.#nextWorker++}`,
      window,
      handlers: handlers.map(({ name, window }) => ({ name, window })),
      running: [],
      events,
    })
    this.#flush()
    for (const request of this.#open) this.#after(200 * this.#random.float(), () => this.#send(request))
  }

  /** The client's own process dies: its handlers are gone, its requests are remembered by its user. */
  die(): void {
    this.process.die()
    this.process = new SimulatedProcess(this.#clock, this.#trace)
    this.#worker.die()
    this.#disconnected()
  }

  /** The connection breaks; the client lives on. */
  disconnect(): void {
    const channel = this.#channel
    this.#disconnected()
    channel?.close()
  }

  #closed(channel: WorkerChannel): void {
    if (this.#channel === channel) this.#disconnected()
  }

  #disconnected(): void {
    this.#channel = undefined
    this.#connected = false
    this.#requests.clear()
    for (const query of this.#queries.values()) query.reject(new Error('the connection was lost'))
    this.#queries.clear()
    this.#worker.disconnected()
  }

  // --- calls that change something

  /** One schedule call with these tasks, as items of one batch. */
  schedule(items: ReadonlyArray<{ readonly story: Story; readonly spec: Spec }>): Op[] {
    const definitions: Uint8Array[] = []
    const ops = items.map(({ story, spec }) => {
      const op = this.#op('schedule', story, story.id, spec, spec.madeAtWall)
      definitions.push(definitionBytes(story.id, spec, this.#callerBytes, op.n))
      return op
    })
    this.#begin({
      ops,
      call: 0,
      done: false,
      bytes: (call, mark) => scheduleBytes(definitions, call, mark),
    })
    return ops
  }

  change(method: Exclude<Op['method'], 'schedule'>, story: Story, target = story.id): Op {
    const op = this.#op(method, story, target, undefined, this.#clock.now())
    const request: CallRequest = { method, id: target, caller: this.caller, n: op.n, madeAt: op.madeAtWall }
    this.#begin({ ops: [op], call: 0, done: false, bytes: call => callBytes(call, request) })
    return op
  }

  #op(method: Op['method'], story: Story, target: string, spec: Spec | undefined, madeAtWall: number): Op {
    const op: Op = {
      method,
      story,
      caller: this.caller,
      n: this.#nextNumber++,
      target,
      spec,
      sentAt: this.#clock.monotonic(),
      madeAtWall,
      sendCount: 0,
      ackAt: undefined,
      outcome: undefined,
      answer: undefined,
      unknown: false,
    }
    story.ops.push(op)
    this.#unanswered.add(op.n)
    this.#history.count(method)
    return op
  }

  #begin(request: Request): void {
    this.#open.add(request)
    this.#send(request)
    if (this.#random.float() < this.options.repeatShare) {
      this.#after(this.#random.float() * 20, () => this.#send(request))
    }
  }

  #send(request: Request): void {
    if (request.done || !this.#connected || this.isOver) return
    const call = this.#nextCall++
    request.call = call
    this.#requests.set(call, request)
    for (const op of request.ops) op.sendCount++
    let mark = Number.POSITIVE_INFINITY
    for (const n of this.#unanswered) mark = Math.min(mark, n)
    const bytes = request.bytes(call, Number.isFinite(mark) ? mark : this.#nextNumber)
    this.#out.bytes(bytes)
    this.#flush()
  }

  #again(request: Request, ms: number): void {
    this.#after(ms, () => this.#send(request))
  }

  /** Each item's status, or its error. */
  #acknowledged(
    request: Request,
    results: ReadonlyArray<string | CallFailed>,
    answer?: Record<string, unknown>,
  ): void {
    if (request.done) return this.#compare(request, results)
    if (results.some(each => each instanceof CallFailed && RETRIED.has(each.code))) {
      this.#history.count('refused for now')
      this.#record(request, results, answer, true)
      return this.#again(request, RETRY_MS * (0.5 + this.#random.float()))
    }
    // Now and then the answer is lost on its last metre: the request is not off the list, and comes again. What had no
    // effect is not in the journal: after a crash the same request may have one.
    const isLost =
      request.ops.every(op => op.sendCount < 4) && this.#random.float() < this.options.repeatShare
    this.#record(request, results, answer, isLost)
    if (isLost) {
      this.#history.count('lost answers')
      return this.#again(request, 30_000 * this.#random.float() ** 3)
    }
    request.done = true
    this.#open.delete(request)
    for (const op of request.ops) this.#unanswered.delete(op.n)
  }

  #record(
    request: Request,
    results: ReadonlyArray<string | CallFailed>,
    answer: Record<string, unknown> | undefined,
    asksAgain: boolean,
  ): void {
    for (const [i, op] of request.ops.entries()) {
      const result = results[i] as string | CallFailed
      const outcome = result instanceof CallFailed ? result.code : result
      if (op.ackAt !== undefined || (asksAgain && hadNoEffect(op, result, answer))) continue
      op.ackAt = this.#clock.monotonic()
      op.outcome = outcome
      op.answer = answer
      op.unknown = outcome === 'TOO_OLD'
      this.#trace.note(`ack ${op.method} ${op.target} n=${op.n}: ${outcome}`)
    }
  }

  /** One more answer to a request that was sent twice. */
  #compare(request: Request, results: ReadonlyArray<string | CallFailed>): void {
    for (const [i, op] of request.ops.entries()) {
      const result = results[i] as string | CallFailed
      const outcome = result instanceof CallFailed ? result.code : result
      if (outcome === op.outcome) continue
      this.#history.count('answered otherwise')
      // Refused first, and carried out the second time: from then on nothing is certain.
      if (
        !(result instanceof CallFailed) &&
        !SCHEDULE_STATUS.includes(op.outcome as never) &&
        op.outcome !== 'done'
      )
        op.unknown = true
    }
  }

  // --- calls that only look

  query<M extends keyof CallAnswers>(request: CallRequest & { readonly method: M }): Promise<CallAnswers[M]> {
    return new Promise((resolve, reject) => {
      if (!this.#connected) return reject(new Error('not connected'))
      const call = this.#nextCall++
      this.#queries.set(call, { request, resolve: resolve as (answer: unknown) => void, reject })
      this.#out.bytes(callBytes(call, request))
      this.#flush()
    })
  }

  // --- what comes in

  #frame(bytes: Uint8Array): void {
    readFrame(bytes, {
      scheduled: (call, results) => this.#onScheduled(call, results),
      answered: (call, answer) => this.#onAnswer(call, answer),
      run: message => this.#worker.run(message),
      abort: (handle, reason) => this.#worker.abort(handle, reason),
      event: event => this.#onEvent(event),
      unknown: type => this.#history.fault(`client ${this.options.number} got an unknown message ${type}`),
    })
  }

  #onScheduled(call: number, results: ReadonlyArray<string | CallFailed>): void {
    const request = this.#requests.get(call)
    if (request === undefined) return this.#history.fault(`an answer to call ${call}, which nobody made`)
    this.#requests.delete(call)
    if (results.length !== request.ops.length)
      this.#history.fault(`${results.length} answers to ${request.ops.length} items`)
    else this.#acknowledged(request, results)
  }

  #onAnswer(call: number, answer: Record<string, unknown> | CallFailed): void {
    const request = this.#requests.get(call)
    if (request !== undefined) {
      this.#requests.delete(call)
      if (answer instanceof CallFailed) this.#acknowledged(request, [answer])
      else this.#acknowledged(request, ['done'], answer)
      return
    }
    const query = this.#queries.get(call)
    if (query === undefined) return this.#history.fault(`an answer to call ${call}, which nobody made`)
    this.#queries.delete(call)
    if (answer instanceof CallFailed) query.reject(answer)
    else query.resolve(answer)
  }

  #onEvent(event: EngineEvent): void {
    this.#history.count(`event ${event.type}`)
    if (event.type === 'late-end') return
    if (event.type === 'missed') this.#history.story(event.task).missed += event.count
    if (event.type === 'run') this.ended(event.run, 'event')
    else if (event.type !== 'retry') this.#trace.note(`event ${JSON.stringify(event).slice(0, 200)}`)
  }

  /** The engine says that a run has ended. */
  ended(run: RunView, from: 'event' | 'result'): void {
    this.#history.story(run.task).ends.push({
      runId: run.id,
      state: run.state,
      at: this.#clock.monotonic(),
      boot: this.#history.boot?.number ?? 0,
      result: run.result,
      attempt: run.attempt,
      from,
    })
  }

  // --- sending

  #after(ms: number, what: () => void): void {
    this.#clock.setTimer(ms, what)
  }

  /** What one event produced goes out in one frame, as the library does it. */
  #stir(): void {
    if (this.#flushing) return
    this.#flushing = true
    queueMicrotask(() => {
      this.#flushing = false
      this.#flush()
    })
  }

  #flush(): void {
    if (this.#out.position === 0) return
    const bytes = this.#out.take()
    this.#out.reset()
    this.#channel?.send(bytes)
  }
}
