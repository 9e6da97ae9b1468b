/**
 * One worker as the dispatcher sees it: which handlers it announced, how much credit it has left, which attempts it
 * holds, and what is to be sent to it at the end of the turn.
 *
 * An attempt that is over for the engine (timed out, aborted) still holds its credit until the worker answers: its
 * handler may still be running.
 */

import { type ByteReader, type ByteWriter, CorruptBytes } from '../lib/bytes.ts'
import { MESSAGE } from '../wire/frame.ts'
import { ABORT_REASONS, type AbortReason, type Hello, type OutcomeMessage, readOutcome } from '../wire/work.ts'
import type { DispatcherHost, DueRun } from './due-run.ts'

const HELLO_BYTES_MAX = 4 * 1024 * 1024
const LINE_BYTES_MAX = 64 * 1024
const OUTCOMES_MAX = 100_000

/** An attempt that the worker holds. `over`: the label of one whose end no longer counts. */
export interface Attempt<R extends DueRun> {
  readonly run: R
  readonly credit: Credit
  readonly number: number
  over: string | undefined
}

/** A handler that the worker announced. */
export interface Credit {
  readonly name: string
  readonly handler: number
  window: number
  used: number
}

export interface ConnectionHost<R extends DueRun> {
  /** Handlers or windows have changed. */
  announced(connection: WorkerConnection<R>): void
  started(run: R, handle: number, at: number): void
  ended(attempt: Attempt<R>, outcome: OutcomeMessage): void
  closed(connection: WorkerConnection<R>): void
  readonly runs: Pick<DispatcherHost<R>, 'progress' | 'log' | 'write'>
}

export class WorkerConnection<R extends DueRun> {
  readonly #host: ConnectionHost<R>
  readonly #attempts = new Map<number, Attempt<R>>()
  readonly #credits = new Map<string, Credit>()
  #hello: Hello | undefined
  /** Runs of this turn, and aborts. */
  #starting: number[] = []
  #aborts: Array<{ readonly handle: number; readonly reason: AbortReason }> = []
  inFlightBytes = 0

  constructor(host: ConnectionHost<R>) {
    this.#host = host
  }

  get wantsEvents(): boolean {
    return this.#hello?.events === true
  }

  /** How many more attempts it takes. */
  get room(): number {
    return (this.#hello?.window ?? 0) - this.#attempts.size
  }

  get credits(): ReadonlyMap<string, Credit> {
    return this.#credits
  }

  get attempts(): ReadonlyMap<number, Attempt<R>> {
    return this.#attempts
  }

  /** Takes one message of the worker protocol; false if it is none. Throws CorruptBytes. */
  handleMessage(type: number, reader: ByteReader): boolean {
    if (type === MESSAGE.outcomes) this.#outcomes(reader)
    else if (type === MESSAGE.started) {
      const handle = reader.varuint()
      const at = reader.f64()
      const attempt = this.#attempts.get(handle)
      if (attempt !== undefined && attempt.over === undefined) this.#host.started(attempt.run, handle, at)
    } else if (type === MESSAGE.progress || type === MESSAGE.log) {
      const attempt = this.#attempts.get(reader.varuint())
      const json = reader.utf8(LINE_BYTES_MAX)
      if (attempt === undefined) return true
      if (type === MESSAGE.progress) this.#host.runs.progress(attempt.run, json)
      else this.#host.runs.log(attempt.run, json)
    } else if (type === MESSAGE.hello) this.#announced(parseHello(reader.utf8(HELLO_BYTES_MAX)))
    else return false
    return true
  }

  /** Holds credit for a run whose claim is being written. */
  reserve(credit: Credit): void {
    credit.used++
  }

  unreserve(credit: Credit): void {
    credit.used--
  }

  /** The attempt goes out with this turn. Its credit is reserved. */
  start(handle: number, run: R, credit: Credit): void {
    this.#attempts.set(handle, { run, credit, number: run.attempt, over: undefined })
    this.inFlightBytes += run.payloadBytes
    this.#starting.push(handle)
  }

  /** The attempt is over; its worker is told. */
  abort(handle: number, label: string, reason: AbortReason): void {
    const attempt = this.#attempts.get(handle)
    if (attempt === undefined) return
    attempt.over = label
    this.#aborts.push({ handle, reason })
  }

  /** Appends what this turn has for the worker. */
  takeOutgoing(out: ByteWriter): void {
    if (this.#starting.length > 0) {
      out.u8(MESSAGE.runs)
      out.varuint(this.#starting.length)
      for (const handle of this.#starting) {
        const { run, credit } = this.#attempts.get(handle) as Attempt<R>
        this.#host.runs.write(run, out, handle, credit.handler)
      }
      this.#starting = []
    }
    for (const { handle, reason } of this.#aborts) {
      out.u8(MESSAGE.abort)
      out.varuint(handle)
      out.u8(ABORT_REASONS.indexOf(reason))
    }
    this.#aborts = []
  }

  /** The channel is gone, and all attempts with it. */
  closed(): void {
    this.#hello = undefined
    this.#credits.clear()
    this.#starting = []
    this.#aborts = []
    this.#host.closed(this)
    this.#attempts.clear()
  }

  #announced(hello: Hello): void {
    this.#hello = hello
    for (const [handler, { name, window }] of hello.handlers.entries()) {
      const known = this.#credits.get(name)
      if (known !== undefined) known.window = window
      else this.#credits.set(name, { name, handler, window, used: 0 })
    }
    this.#host.announced(this)
  }

  #outcomes(reader: ByteReader): void {
    const count = reader.varuint()
    if (count > OUTCOMES_MAX) throw new CorruptBytes(`${count} outcomes in a message`)
    for (let i = 0; i < count; i++) {
      const outcome = readOutcome(reader)
      const attempt = this.#attempts.get(outcome.handle)
      if (attempt === undefined) continue // answered twice, or of a connection before
      this.#attempts.delete(outcome.handle)
      attempt.credit.used--
      this.inFlightBytes -= attempt.run.payloadBytes
      this.#host.ended(attempt, outcome)
    }
  }
}

function parseHello(text: string): Hello {
  let hello: Partial<Hello>
  try {
    hello = JSON.parse(text) as Partial<Hello>
  } catch (cause) {
    throw new CorruptBytes('a hello that is not JSON', { cause })
  }
  const whole = (n: unknown): boolean => Number.isSafeInteger(n) && (n as number) >= 0
  const { handlers, window } = hello ?? {}
  const good = whole(window) && Array.isArray(handlers) && handlers.every(each => typeof each?.name === 'string' && whole(each.window))
  if (!good) throw new CorruptBytes('a hello without its handlers and windows')
  return hello as Hello
}
