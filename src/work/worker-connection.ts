/**
 * One worker as the dispatcher sees it: which handlers it announced, how much credit it has left, which attempts it
 * holds, and what is to be sent to it at the end of the turn.
 *
 * An attempt that is over for the engine (timed out, aborted) still holds its credit until the worker answers: its
 * handler may still be running. Whatever a worker says about an attempt that it was not sent, or that has ended, is
 * passed over: it may be of a connection before. What can't be decoded, or makes no sense, throws CorruptBytes.
 *
 * A far worker is another engine, that has the attempts run by its own workers (guests.ts).
 */

import { type ByteReader, ByteWriter, CorruptBytes } from '../lib/bytes.ts'
import { ITEMS_MAX, MESSAGE } from '../wire/frame.ts'
import {
  ABORT_REASONS,
  type AbortReason,
  type Hello,
  type HelloHandler,
  type OutcomeMessage,
  readOutcome,
} from '../wire/work.ts'
import type { DispatcherHost, DueRun } from './due-run.ts'

const HELLO_BYTES_MAX = 4 * 1024 * 1024
const LINE_BYTES_MAX = 64 * 1024
/** A `runs` message is ended when it has so much, bytes. */
const RUNS_BYTES_MAX = 1024 * 1024
/** No worker holds more attempts than this, whatever it asks for. */
const WINDOW_MAX = ITEMS_MAX
/** The last instant of a Date, epoch ms. */
const INSTANT_MAX = 8.64e15

/** A handler that a worker announced. */
export interface Credit<R extends DueRun> {
  readonly worker: WorkerConnection<R>
  readonly handler: number
  window: number
  used: number
  /** The worker announced it once, and runs it no more. */
  isGone: boolean
}

/** An attempt that a worker holds, or is about to get. */
export class Attempt<R extends DueRun> {
  readonly run: R
  readonly handle: number
  readonly credit: Credit<R>
  /** Of the run as it was when it was handed out. */
  readonly number: number
  readonly timeoutMs: number
  readonly payloadBytes: number
  /** Where its message begins, among those of the turn. */
  readonly from: number
  isSent = false
  isStarted = false
  /** Its place among the dispatcher's deadlines; 0: none. */
  deadline = 0
  /** The label of the run, once the end of this attempt no longer counts. */
  over: string | undefined = undefined

  constructor(run: R, credit: Credit<R>, payloadBytes: number, from: number) {
    this.run = run
    this.handle = run.handle
    this.credit = credit
    this.number = run.attempt
    this.timeoutMs = run.timeoutMs
    this.payloadBytes = payloadBytes
    this.from = from
  }
}

export interface ConnectionHost<R extends DueRun> {
  /** It has more than before, or less. */
  loaded(): void
  /** Handlers or windows have changed. */
  announced(connection: WorkerConnection<R>): void
  started(attempt: Attempt<R>, at: number): void
  ended(attempt: Attempt<R>, outcome: OutcomeMessage): void
  closed(connection: WorkerConnection<R>): void
  readonly runs: Pick<DispatcherHost<R>, 'progress' | 'log' | 'write'>
}

export class WorkerConnection<R extends DueRun> {
  readonly isFar: boolean
  readonly #host: ConnectionHost<R>
  readonly #attempts = new Map<number, Attempt<R>>()
  readonly #credits = new Map<string, Credit<R>>()
  #window = 0
  #wantsEvents = false
  #open = true
  /** Attempts whose claims are being written. */
  #reserved = 0
  #inFlightBytes = 0
  /** Runs of this turn, and their messages one after the other. */
  #starting: Array<Attempt<R>> = []
  readonly #messages = new ByteWriter(4096)
  #aborts: Array<{ readonly handle: number; readonly reason: AbortReason }> = []
  #strayCount = 0

  constructor(host: ConnectionHost<R>, isFar = false) {
    this.#host = host
    this.isFar = isFar
  }

  get wantsEvents(): boolean {
    return this.#wantsEvents
  }

  get isOpen(): boolean {
    return this.#open
  }

  /** How many more attempts it takes. */
  get room(): number {
    return this.#window - this.#attempts.size - this.#reserved
  }

  /** Payload bytes that it holds. */
  get inFlightBytes(): number {
    return this.#inFlightBytes
  }

  get credits(): ReadonlyMap<string, Credit<R>> {
    return this.#credits
  }

  get attempts(): ReadonlyMap<number, Attempt<R>> {
    return this.#attempts
  }

  /** Outcomes of attempts that it does not hold. */
  get strayCount(): number {
    return this.#strayCount
  }

  /** True if it runs this handler, be it that it has no room now. */
  runs(name: string): boolean {
    const credit = this.#credits.get(name)
    return this.#open && credit !== undefined && !credit.isGone
  }

  /** Takes one message of the worker protocol; false if it is none. Throws CorruptBytes. */
  handleMessage(type: number, reader: ByteReader): boolean {
    if (type === MESSAGE.outcomes) this.#outcomes(reader)
    else if (type === MESSAGE.started) this.#started(reader)
    else if (type === MESSAGE.progress || type === MESSAGE.log) {
      const attempt = this.#attempts.get(reader.varuint())
      const json = reader.utf8(LINE_BYTES_MAX)
      if (attempt === undefined || !attempt.isSent || attempt.over !== undefined) return true
      if (type === MESSAGE.progress) this.#host.runs.progress(attempt.run, json)
      else this.#host.runs.log(attempt.run, json)
    } else if (type === MESSAGE.hello) this.#hello(parseHello(reader.utf8(HELLO_BYTES_MAX)))
    else return false
    return true
  }

  /** Holds credit for a run. */
  reserve(credit: Credit<R>, payloadBytes: number): void {
    credit.used++
    this.#reserved++
    this.#inFlightBytes += payloadBytes
    this.#host.loaded()
  }

  /** Gives back what was held for a run that does not come. */
  unreserve(credit: Credit<R>, payloadBytes: number): void {
    this.#reserved--
    this.#free(credit, payloadBytes)
  }

  /** The attempt goes out with this turn. Credit is held for it. */
  start(run: R, credit: Credit<R>, payloadBytes: number): void {
    const attempt = new Attempt(run, credit, payloadBytes, this.#messages.position)
    this.#host.runs.write(run, this.#messages, attempt.handle, credit.handler)
    this.#reserved--
    this.#attempts.set(attempt.handle, attempt)
    this.#starting.push(attempt)
  }

  /** The attempt is over. Its worker is told, unless it hasn't got it yet: then it never does, and this is false. */
  abort(attempt: Attempt<R>, label: string, reason: AbortReason): boolean {
    attempt.over = label
    if (attempt.isSent) this.#aborts.push({ handle: attempt.handle, reason })
    else if (this.#attempts.delete(attempt.handle)) this.#free(attempt.credit, attempt.payloadBytes)
    return attempt.isSent
  }

  /** Appends what this turn has for the worker. */
  takeOutgoing(out: ByteWriter): void {
    if (this.#starting.length > 0) this.#takeRuns(out)
    if (this.#aborts.length === 0) return
    for (const { handle, reason } of this.#aborts) {
      out.u8(MESSAGE.abort)
      out.varuint(handle)
      out.u8(ABORT_REASONS.indexOf(reason))
    }
    this.#aborts = []
  }

  /** The channel is gone, and all attempts with it. Safe to call twice. */
  closed(): void {
    if (!this.#open) return
    this.#open = false
    this.#window = 0
    this.#wantsEvents = false
    this.#host.closed(this)
    this.#credits.clear()
    this.#attempts.clear()
    this.#starting = []
    this.#messages.reset()
    this.#aborts = []
  }

  #takeRuns(out: ByteWriter): void {
    const starting = this.#starting
    const end = this.#messages.position
    const bytes = this.#messages.view()
    for (let first = 0; first < starting.length; ) {
      const from = (starting[first] as Attempt<R>).from
      let next = first
      let dropped = 0
      let to = from
      while (next < starting.length && next - first < ITEMS_MAX && to - from < RUNS_BYTES_MAX) {
        const attempt = starting[next] as Attempt<R>
        if (attempt.over === undefined) attempt.isSent = true
        else dropped++
        to = starting[++next]?.from ?? end
      }
      if (next - first > dropped) {
        out.u8(MESSAGE.runs)
        out.varuint(next - first - dropped)
        if (dropped === 0) out.slice(bytes, from, to)
        else for (let i = first; i < next; i++) this.#takeUnlessOver(out, bytes, i, end)
      }
      first = next
    }
    this.#starting = []
    this.#messages.reset()
  }

  #takeUnlessOver(out: ByteWriter, bytes: Uint8Array, at: number, end: number): void {
    const attempt = this.#starting[at] as Attempt<R>
    if (attempt.over === undefined) out.slice(bytes, attempt.from, this.#starting[at + 1]?.from ?? end)
  }

  #hello(hello: Hello): void {
    if (!this.#open) return
    for (const [handler, { name, window, gone: isGone = false }] of hello.handlers.entries()) {
      const known = this.#credits.get(name)
      const said = { window: isGone ? 0 : Math.min(window, WINDOW_MAX), isGone }
      if (known === undefined) this.#credits.set(name, { worker: this, handler, used: 0, ...said })
      else if (known.handler === handler) Object.assign(known, said)
      else throw new CorruptBytes(`a hello that moves handler "${name}" from ${known.handler} to ${handler}`)
    }
    this.#window = Math.min(hello.window, WINDOW_MAX)
    this.#wantsEvents = hello.events
    this.#host.announced(this)
  }

  #started(reader: ByteReader): void {
    const attempt = this.#attempts.get(reader.varuint())
    const at = reader.f64()
    if (!isInstant(at)) throw new CorruptBytes(`started at ${at}`)
    if (attempt === undefined || !attempt.isSent || attempt.isStarted || attempt.over !== undefined) return
    attempt.isStarted = true
    this.#host.started(attempt, at)
  }

  #outcomes(reader: ByteReader): void {
    const count = reader.varuint()
    if (count > ITEMS_MAX) throw new CorruptBytes(`${count} outcomes in a message`)
    for (let i = 0; i < count; i++) {
      const outcome = readOutcome(reader)
      const { handle, startedAt, endedAt } = outcome
      if (!isInstant(startedAt) || !isInstant(endedAt)) {
        throw new CorruptBytes(`an outcome from ${startedAt} to ${endedAt}`)
      }
      const attempt = this.#attempts.get(handle)
      if (attempt === undefined || !attempt.isSent) {
        this.#strayCount++
        continue
      }
      this.#attempts.delete(handle)
      this.#free(attempt.credit, attempt.payloadBytes)
      this.#host.ended(attempt, outcome)
    }
  }

  #free(credit: Credit<R>, payloadBytes: number): void {
    credit.used--
    this.#inFlightBytes -= payloadBytes
    this.#host.loaded()
  }
}

function isInstant(at: number): boolean {
  return at >= 0 && at <= INSTANT_MAX
}

function parseHello(text: string): Hello {
  let hello: Partial<Hello> | null
  try {
    hello = JSON.parse(text) as Partial<Hello> | null
  } catch (cause) {
    throw new CorruptBytes('a hello that is not JSON', { cause })
  }
  const { handlers, window, events } = hello ?? {}
  const areHandlers = Array.isArray(handlers) && handlers.every(isHandler)
  if (!areHandlers || !isCount(window) || typeof events !== 'boolean') {
    throw new CorruptBytes('a hello without its handlers and windows')
  }
  return hello as Hello
}

function isHandler(handler: Partial<HelloHandler> | null): boolean {
  const { name, window, gone } = handler ?? {}
  return typeof name === 'string' && isCount(window) && (gone === undefined || typeof gone === 'boolean')
}

function isCount(n: unknown): boolean {
  return Number.isSafeInteger(n) && (n as number) >= 0
}
