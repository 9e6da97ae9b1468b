/**
 * What a handler gets: one attempt of a run. Everything costly is made when it is first asked for; most handlers look
 * at the payload and nothing else.
 */

import { format } from 'node:util'
import { CarillonError } from '../errors.ts'
import { utf8Of } from '../lib/bytes.ts'
import { runIdOf } from '../task/ids.ts'
import type { TaskOptions } from '../task/options.ts'
import type { RunMessage } from '../wire/work.ts'

/** One attempt of a run, as its handler sees it. */
export interface Run<Payload = unknown> {
  /** What was given to schedule(), as JSON; undefined if nothing was. */
  readonly payload: Payload
  readonly taskId: string
  /** The handler's name. */
  readonly name: string
  /** 1 for the first try. A retry, and a re-run after a crash, count on. */
  readonly attempt: number
  /** The scheduled instant, epoch ms. */
  readonly scheduledAt: number
  /** Same for every attempt of this occurrence: give it to whatever must not happen twice. Also the run's id. */
  readonly idempotencyKey: string
  /** Strict tasks only: text that sorts as it grows with every attempt; a store that remembers the greatest can refuse older ones. */
  readonly fence: string | undefined
  /** Aborts when the run is cancelled, times out, or the node closes; `reason` is a CarillonError that says which. */
  readonly signal: AbortSignal
  /** Keeps the latest progress (a JSON value), visible in runs(). */
  progress(value: unknown): void
  /** Keeps a line, formatted as console.log does; at most 8 KiB a line and 1,000 lines a run. */
  log(...values: unknown[]): void
  /**
   * A follow-up task: made together with this run's completion, or not at all if the run does not complete. Returns
   * its id.
   */
  schedule(task: TaskOptions): string
}

/** What a run needs of its worker. */
export interface RunHost {
  progress(handle: number, json: string): void
  log(handle: number, json: string): void
  followUp(run: HandlerRun, task: TaskOptions, index: number): { id: string; bytes: Uint8Array }
  now(): number
}

const LINE_MAX = 8 * 1024
const LINES_MAX = 1000
const FOLLOW_UPS_MAX = 1000
const NO_FOLLOW_UPS: readonly Uint8Array[] = Object.freeze([])

export class HandlerRun implements Run {
  readonly name: string
  readonly message: RunMessage
  readonly #host: RunHost
  #payload: unknown
  #parsed = false
  #controller: AbortController | undefined
  #lines = 0
  #followUps: Uint8Array[] | undefined
  #ended = false

  constructor(name: string, message: RunMessage, host: RunHost) {
    this.name = name
    this.message = message
    this.#host = host
  }

  get payload(): unknown {
    if (!this.#parsed) {
      const { source, payloadStart, payloadEnd } = this.message
      this.#payload =
        payloadStart === payloadEnd ? undefined : JSON.parse(utf8Of(source, payloadStart, payloadEnd))
      this.#parsed = true
    }
    return this.#payload
  }

  get taskId(): string {
    return this.message.taskId
  }

  get attempt(): number {
    return this.message.attempt
  }

  get scheduledAt(): number {
    return this.message.scheduledAt
  }

  get idempotencyKey(): string {
    const { taskId, life, firstLife, scheduledAt } = this.message
    return runIdOf(taskId, life, firstLife, scheduledAt)
  }

  get fence(): string | undefined {
    return this.message.fence
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    return this.#controller.signal
  }

  progress(value: unknown): void {
    if (this.#ended) return
    const json = JSON.stringify(value) ?? 'null'
    if (json.length > LINE_MAX)
      throw new CarillonError('INVALID', `progress of ${json.length} characters, at most ${LINE_MAX}`, {
        field: 'progress',
      })
    this.#host.progress(this.message.handle, json)
  }

  log(...values: unknown[]): void {
    if (this.#ended || this.#lines >= LINES_MAX) return
    this.#lines++
    const line = format(...values).slice(0, LINE_MAX)
    this.#host.log(this.message.handle, JSON.stringify({ at: this.#host.now(), line }))
  }

  schedule(task: TaskOptions): string {
    if (this.#ended) {
      throw new CarillonError(
        'CONFLICT',
        `run ${this.idempotencyKey} has ended: schedule follow-ups before the handler returns`,
      )
    }
    this.#followUps ??= []
    if (this.#followUps.length >= FOLLOW_UPS_MAX) {
      throw new CarillonError('TOO_MANY', `a run can schedule ${FOLLOW_UPS_MAX} follow-ups`)
    }
    const { id, bytes } = this.#host.followUp(this, task, this.#followUps.length)
    this.#followUps.push(bytes)
    return id
  }

  /** For the worker: nothing more is taken of this run; returns its follow-ups. */
  end(): readonly Uint8Array[] {
    this.#ended = true
    return this.#followUps ?? NO_FOLLOW_UPS
  }

  /** For the worker. */
  abort(reason: CarillonError): void {
    this.#controller ??= new AbortController()
    this.#controller.abort(reason)
  }
}
