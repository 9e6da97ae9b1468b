/**
 * One session of a client with its gateway: reads what comes, asks questions of the client's own (is it there, which nodes
 * are), and gathers what goes out. Numbers of its own calls are far from those of the user's thread.
 */

import { CarillonError } from '../errors.ts'
import { ByteReader, ByteWriter, CorruptBytes } from '../lib/bytes.ts'
import type { WorkerChannel } from '../ports/worker-channel.ts'
import type { CallRequest } from '../wire/calls.ts'
import { JSON_BYTES_MAX, MESSAGE, readScheduled } from '../wire/frame.ts'

/** An answer to a call of the user's thread. */
export interface RelayedAnswer {
  readonly call: number
  readonly kind: 'schedule' | 'call'
  /** Answers in it. */
  readonly count: number
  /** Codes of the refusals in it. */
  readonly codes: readonly string[]
  /** The whole message. */
  readonly bytes: Uint8Array
}

export interface GatewaySessionHost {
  answered(answer: RelayedAnswer): void
  /** The first answer of any kind: there is a gateway behind this session. */
  proven(session: GatewaySession): void
  /** A message of the worker protocol, or an event. */
  work(type: number, reader: ByteReader): void
  /** A frame has been read. */
  heard(session: GatewaySession): void
  /** It is over: the gateway ended it, or said what can't be read (`isBroken`). */
  ended(session: GatewaySession, isBroken: boolean): void
}

/** The client's own calls. The user's thread counts from 1. */
const OWN_CALLS = 2 ** 52

export class GatewaySession {
  readonly node: string
  readonly out = new ByteWriter(16 * 1024)
  /** An answer has come: the gateway is there. */
  isProven = false
  /** Monotonic ms: when something of the gateway came last. */
  heardAt: number
  readonly #channel: WorkerChannel
  readonly #host: GatewaySessionHost
  /** Own calls without an answer. */
  readonly #asked = new Map<number, { readonly at: number; readonly then: (answer: unknown) => void }>()
  #call = OWN_CALLS

  constructor(node: string, channel: WorkerChannel, host: GatewaySessionHost, now: number) {
    this.node = node
    this.#channel = channel
    this.#host = host
    this.heardAt = now
    channel.start({ frame: bytes => this.#frame(bytes), closed: () => host.ended(this, false) })
  }

  /** A call of the client's own. `then` gets the answer; undefined: it was refused. */
  ask(request: CallRequest, now: number, then: (answer: unknown) => void = () => undefined): void {
    const call = this.#call++
    this.#asked.set(call, { at: now, then })
    this.tell(call, request)
  }

  tell(call: number, request: CallRequest): void {
    this.out.u8(MESSAGE.call)
    this.out.varuint(call)
    this.out.utf8(JSON.stringify(request))
  }

  /** Since when an own call waits while nothing at all has come; undefined: none waits. */
  get silentSince(): number | undefined {
    for (const { at } of this.#asked.values()) return Math.max(at, this.heardAt)
    return undefined
  }

  flush(): void {
    if (this.out.position === 0) return
    const frame = this.out.take()
    this.out.reset()
    this.#channel.send(frame)
  }

  close(): void {
    this.#channel.close()
  }

  #frame(bytes: Uint8Array): void {
    try {
      const reader = new ByteReader(bytes)
      while (reader.remaining > 0) this.#message(reader)
    } catch (error) {
      if (!(error instanceof CorruptBytes) && !(error instanceof SyntaxError)) throw error
      this.#host.ended(this, true)
    }
    this.#host.heard(this)
  }

  #message(reader: ByteReader): void {
    const from = reader.position
    const type = reader.u8()
    if (type !== MESSAGE.scheduled && type !== MESSAGE.answer) return this.#host.work(type, reader)
    const call = reader.varuint()
    const isOwn = type === MESSAGE.answer && call >= OWN_CALLS
    if (isOwn) this.#ownAnswer(call, reader)
    const codes: string[] = []
    const count = isOwn
      ? 0
      : type === MESSAGE.scheduled
        ? readStatuses(reader, codes)
        : readBody(reader, codes)
    if (!this.isProven) {
      this.isProven = true
      this.#host.proven(this)
    }
    if (isOwn) return
    const bytes = reader.source.subarray(from, reader.position)
    this.#host.answered({ call, kind: type === MESSAGE.scheduled ? 'schedule' : 'call', count, codes, bytes })
  }

  #ownAnswer(call: number, reader: ByteReader): void {
    const isOk = reader.u8() === 1
    const answer: unknown = JSON.parse(reader.utf8(JSON_BYTES_MAX))
    const asked = this.#asked.get(call)
    this.#asked.delete(call)
    asked?.then(isOk ? answer : undefined)
  }
}

function readStatuses(reader: ByteReader, codes: string[]): number {
  const { count, results = [] } = readScheduled(reader)
  for (const result of results) if (result instanceof CarillonError) codes.push(result.code)
  return count
}

function readBody(reader: ByteReader, codes: string[]): number {
  const isOk = reader.u8() === 1
  if (isOk) reader.lenBytes(JSON_BYTES_MAX)
  else codes.push(codeOf(reader.utf8(JSON_BYTES_MAX)))
  return 1
}

function codeOf(text: string): string {
  return String((JSON.parse(text) as { code?: unknown } | null)?.code)
}
