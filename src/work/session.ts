/**
 * One client of the engine at the other end of a channel: decodes its frames into calls and worker messages, and
 * gathers what goes back, one frame a turn. It decides nothing; a frame that can't be decoded ends the session, since
 * what follows it can't be trusted.
 */

import { CarillonError } from '../errors.ts'
import { ByteReader, ByteWriter, CorruptBytes } from '../lib/bytes.ts'
import type { WorkerChannel } from '../ports/worker-channel.ts'
import { readDefinition } from '../task/change.ts'
import type { Definition } from '../task/definition.ts'
import { type CallRequest, checkedRequest, type EngineEvent } from '../wire/calls.ts'
import {
  ITEMS_MAX,
  JSON_BYTES_MAX,
  MESSAGE,
  parseJson,
  SAME_ERROR,
  SCHEDULE_STATUS,
  wireError,
} from '../wire/frame.ts'
import type { Results } from './creation.ts'
import type { DueRun } from './due-run.ts'
import { NO_ROUND, type Round, Rounds } from './rounds.ts'
import type { WorkerConnection } from './worker-connection.ts'

export interface SessionHost {
  schedule(session: Session, call: number, definitions: readonly Definition[], mark: number): void
  call(session: Session, call: number, request: CallRequest): void
  closed(session: Session): void
  /** Something came in, or has to go out: the turn must be ended. */
  stir(): void
  /** Anything else than a bad frame: the engine's own fault. */
  failed(error: unknown): void
}

export interface SessionOptions {
  /** Its calls are answered by this node itself, or refused: those of another node, which found nobody nearer. */
  readonly direct?: boolean | undefined
  /** It comes over the network: this node is not its own, to be told how it started, or to be closed. */
  readonly far?: boolean | undefined
}

/** What a session does with its worker, whatever runs that gets. */
export type SessionWorker = Pick<
  WorkerConnection<DueRun>,
  'isFar' | 'wantsEvents' | 'handleMessage' | 'takeOutgoing' | 'closed'
>

export class Session {
  readonly options: SessionOptions
  readonly #channel: WorkerChannel
  readonly #host: SessionHost
  readonly connection: SessionWorker
  readonly #out = new ByteWriter(16 * 1024)
  readonly #rounds = new Rounds()
  /** Of what is read just now. */
  round: Round = NO_ROUND
  #open = true

  constructor(
    channel: WorkerChannel,
    connection: SessionWorker,
    host: SessionHost,
    options: SessionOptions = {},
  ) {
    this.options = options
    this.#channel = channel
    this.connection = connection
    this.#host = host
  }

  start(): void {
    this.#channel.start({ frame: bytes => this.#frame(bytes), closed: () => this.#closed() })
  }

  get isOpen(): boolean {
    return this.#open
  }

  /** Sends what this turn gathered. */
  flush(): void {
    if (!this.#open) return
    this.connection.takeOutgoing(this.#out)
    if (this.#out.position === 0) return
    this.#channel.send(this.#out.take())
    this.#out.reset()
  }

  scheduled(call: number, results: Results, count: number, copies: number): void {
    const out = this.#out
    out.u8(MESSAGE.scheduled)
    out.varuint(call)
    out.varuint(count)
    out.varuint(copies)
    out.u8(results.length === 0 ? 0 : 1)
    let error: CarillonError | undefined
    for (const result of results) {
      if (!(result instanceof CarillonError)) out.u8(SCHEDULE_STATUS.indexOf(result ?? 'created'))
      else if (result === error) out.u8(SAME_ERROR)
      else {
        error = result
        out.u8(SCHEDULE_STATUS.indexOf('error'))
        out.utf8(JSON.stringify(wireError(result)))
      }
    }
    this.#host.stir()
  }

  answer(call: number, answer: object): void {
    this.answerText(call, JSON.stringify(answer))
  }

  /** An answer as JSON. */
  answerText(call: number, json: string): void {
    this.#out.u8(MESSAGE.answer)
    this.#out.varuint(call)
    this.#out.u8(1)
    this.#out.utf8(json)
    this.#host.stir()
  }

  refuse(call: number, error: unknown): void {
    this.#out.u8(MESSAGE.answer)
    this.#out.varuint(call)
    this.#out.u8(0)
    this.#out.utf8(JSON.stringify(wireError(error)))
    this.#host.stir()
  }

  event(event: EngineEvent): void {
    this.#out.u8(MESSAGE.event)
    this.#out.utf8(JSON.stringify(event))
    this.#host.stir()
  }

  close(): void {
    if (!this.#open) return
    this.flush()
    this.#open = false
    this.#channel.close()
  }

  #closed(): void {
    if (!this.#open) return
    this.#open = false
    this.#host.closed(this)
  }

  #frame(bytes: Uint8Array): void {
    if (!this.#open) return
    try {
      const reader = new ByteReader(bytes)
      while (reader.remaining > 0) this.#message(reader)
    } catch (error) {
      if (!(error instanceof CorruptBytes)) return this.#host.failed(error)
      this.event({ type: 'stopped', error: wireError(error) })
      this.close()
      this.#host.closed(this)
    }
    this.#host.stir()
  }

  #message(reader: ByteReader): void {
    const type = reader.u8()
    if (type === MESSAGE.schedule) return this.#schedule(reader)
    if (type === MESSAGE.call) {
      const call = reader.varuint()
      return this.#host.call(this, call, parseRequest(reader.utf8(JSON_BYTES_MAX)))
    }
    if (type === MESSAGE.round) {
      this.round = this.#rounds.at(reader.varuint())
      return
    }
    if (!this.connection.handleMessage(type, reader)) throw new CorruptBytes(`unknown message ${type}`)
  }

  #schedule(reader: ByteReader): void {
    const call = reader.varuint()
    const mark = reader.varuint()
    const count = reader.varuint()
    if (count === 0 || count > ITEMS_MAX) throw new CorruptBytes(`${count} items in a batch`)
    const definitions: Definition[] = []
    for (let i = 0; i < count; i++) definitions.push(readDefinition(reader, reader.u32le()))
    this.#host.schedule(this, call, definitions, mark)
  }
}

function parseRequest(text: string): CallRequest {
  return checkedRequest(parseJson(text))
}
