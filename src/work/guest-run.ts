/**
 * A run of another engine's task that runs here: that engine handed it out, and keeps all there is to keep of it. Here it
 * is what its message said, on its way through the dispatcher.
 *
 * It has no timeout here and needs no claim: both are its owner's, who also counts its attempts. Fence, life and attempt
 * are passed on as they came.
 */

import type { ByteWriter } from '../lib/bytes.ts'
import { type OutcomeMessage, type RunMessage, writeRun } from '../wire/work.ts'
import type { DueRun } from './due-run.ts'

/** Where a guest came from, and what becomes of it is told. */
export interface Origin {
  started(run: GuestRun, at: number): void
  progress(run: GuestRun, json: string): void
  log(run: GuestRun, json: string): void
  /** It is over; said once. */
  answer(run: GuestRun, outcome: OutcomeMessage): void
}

export class GuestRun implements DueRun {
  readonly name: string
  /** Its handle at the engine that it came from. */
  readonly remoteHandle: number
  /** Undefined: it has been answered, or the link to where it came from is lost. */
  origin: Origin | undefined
  place: DueRun['place'] = 'idle'
  handle = 0
  queue: DueRun['queue'] = undefined
  readonly #message: RunMessage
  /** A copy: the frame that it came in may hold many more. */
  readonly #payload: Uint8Array

  constructor(name: string, message: RunMessage, origin: Origin) {
    const { source, payloadStart, payloadEnd } = message
    this.name = name
    this.remoteHandle = message.handle
    this.origin = origin
    this.#payload = source.slice(payloadStart, payloadEnd)
    this.#message = { ...message, source: this.#payload, payloadStart: 0, payloadEnd: this.#payload.length }
  }

  get isGuest(): true {
    return true
  }

  get taskId(): string {
    return this.#message.taskId
  }

  get attempt(): number {
    return this.#message.attempt
  }

  get priority(): number {
    return this.#message.priority
  }

  get strict(): boolean {
    return false
  }

  get timeoutMs(): number {
    return 0
  }

  get payloadBytes(): number {
    return this.#payload.length
  }

  /** Appends its message, for a worker of this engine. */
  write(out: ByteWriter, handle: number, handler: number): void {
    writeRun(out, { ...this.#message, handle, handler }, this.#payload, 0, this.#payload.length)
  }
}
