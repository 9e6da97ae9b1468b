/**
 * PeerLink: the client's half of a session with the engine of another node. It numbers what is asked there, and brings
 * each its answer once; when the session ends, all that has none is told that it is lost: nobody knows then whether it was
 * carried out, and to ask again in the same bytes is safe. What a turn has goes out as one frame.
 *
 * What lies there unanswered is bounded: beyond that the link says that it is full, and takes nothing.
 */

import type { CarillonError } from '../errors.ts'
import { ByteReader, ByteWriter, CorruptBytes } from '../lib/bytes.ts'
import type { WorkerChannel } from '../ports/worker-channel.ts'
import type { Definition } from '../task/definition.ts'
import type { CallRequest } from '../wire/calls.ts'
import { JSON_BYTES_MAX, MESSAGE, parseJson, readError, readScheduled } from '../wire/frame.ts'
import type { Results } from '../work/creation.ts'
import type { LinkWorker } from '../work/guest-link.ts'

/** Who asked, and is told once. Never inside the call that asked. */
export interface LinkAsker {
  /** Of `schedule`: item by item; empty if all were created. */
  scheduled(results: Results, copies: number): void
  /** Of `call`: the answer, as JSON. */
  answered(json: string): void
  refused(error: CarillonError): void
  /** The session has ended without an answer. */
  lost(): void
}

export interface LinkLimits {
  /** Calls without an answer, batches counted once. More: longer bursts; each costs memory until it is answered. */
  readonly callsMax: number
  /** Of definitions without an answer, bytes. */
  readonly bytesMax: number
}

export interface LinkHost {
  /** What came in has to be taken up, or something has to go out: the turn must be ended. */
  stir(): void
  closed(link: PeerLink): void
  failed(error: unknown): void
}

interface Pending {
  readonly asker: LinkAsker
  /** Items of a batch; 0: a call. */
  readonly count: number
  readonly bytes: number
}

/** A frame of a turn that has grown to this is sent at once. */
const FRAME_BYTES = 8 * 1024 * 1024

export class PeerLink {
  readonly node: string
  readonly #channel: WorkerChannel
  readonly #limits: LinkLimits
  readonly #host: LinkHost
  readonly #worker: LinkWorker | undefined
  readonly #out = new ByteWriter(16 * 1024)
  readonly #pending = new Map<number, Pending>()
  #pendingBytes = 0
  #nextCall = 1
  #round: number | undefined
  #isOpen = true

  constructor(
    node: string,
    channel: WorkerChannel,
    limits: LinkLimits,
    host: LinkHost,
    worker: LinkWorker | undefined,
  ) {
    this.node = node
    this.#channel = channel
    this.#limits = limits
    this.#host = host
    this.#worker = worker
  }

  start(): void {
    this.#channel.start({ frame: bytes => this.#frame(bytes), closed: () => this.#closed() })
    this.#worker?.opened()
    this.#host.stir()
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  /** Asks without an answer are as many as may be. */
  get isFull(): boolean {
    return this.#pending.size >= this.#limits.callsMax || this.#pendingBytes >= this.#limits.bytesMax
  }

  get pending(): number {
    return this.#pending.size
  }

  /** These definitions of one caller, in the bytes in which they came; `mark` is the caller's, `round` of work/rounds. */
  schedule(definitions: readonly Definition[], mark: number, asker: LinkAsker, round = 0): void {
    const out = this.#out
    this.#inRound(round)
    const from = out.position
    const call = this.#nextCall++
    out.u8(MESSAGE.schedule)
    out.varuint(call)
    out.varuint(mark)
    out.varuint(definitions.length)
    for (const { source, start, end } of definitions) {
      out.u32le(end - start)
      out.slice(source, start, end)
    }
    const bytes = out.position - from
    this.#pending.set(call, { asker, count: definitions.length, bytes })
    this.#pendingBytes += bytes
    this.#gathered()
  }

  /** Returns the number of the call. `round`: of one about a task. */
  call(request: CallRequest, asker: LinkAsker, round = this.#round): number {
    this.#inRound(round)
    const call = this.#nextCall++
    this.#pending.set(call, { asker, count: 0, bytes: 0 })
    this.#write(call, request)
    return call
  }

  /** Nobody waits for its answer any more. */
  forget(call: number): void {
    if (!this.#isOpen || !this.#take(call)) return
    // What is answered to this is of no matter.
    this.#write(this.#nextCall++, { method: 'forget', call })
  }

  /** Sends what this turn gathered. */
  flush(): void {
    if (!this.#isOpen) return
    this.#worker?.takeOutgoing(this.#out)
    this.#send()
  }

  close(): void {
    if (!this.#isOpen) return
    this.#channel.close()
    this.#closed()
  }

  #inRound(round: number | undefined): void {
    if (round === undefined || round === this.#round) return
    this.#round = round
    this.#out.u8(MESSAGE.round)
    this.#out.varuint(round)
  }

  #write(call: number, request: CallRequest): void {
    this.#out.u8(MESSAGE.call)
    this.#out.varuint(call)
    this.#out.utf8(JSON.stringify(request))
    this.#gathered()
  }

  #gathered(): void {
    if (this.#out.position >= FRAME_BYTES) this.#send()
    this.#host.stir()
  }

  #send(): void {
    if (this.#out.position === 0) return
    this.#channel.send(this.#out.take())
    this.#out.reset()
  }

  #take(call: number): Pending | undefined {
    const pending = this.#pending.get(call)
    if (pending === undefined) return undefined
    this.#pending.delete(call)
    this.#pendingBytes -= pending.bytes
    return pending
  }

  #frame(bytes: Uint8Array): void {
    if (!this.#isOpen) return
    try {
      const reader = new ByteReader(bytes)
      while (reader.remaining > 0 && this.#isOpen) this.#message(reader.u8(), reader)
    } catch (error) {
      if (!(error instanceof CorruptBytes)) return this.#host.failed(error)
      // Nothing behind it can be trusted.
      this.close()
    }
    this.#host.stir()
  }

  #message(type: number, reader: ByteReader): void {
    if (type === MESSAGE.scheduled) this.#scheduled(reader)
    else if (type === MESSAGE.answer) this.#answer(reader)
    // What happens at the other node is for those who are there.
    else if (type === MESSAGE.event) reader.utf8(JSON_BYTES_MAX)
    else if (this.#worker?.handleMessage(type, reader) !== true)
      throw new CorruptBytes(`unknown message ${type}`)
  }

  #scheduled(reader: ByteReader): void {
    const call = reader.varuint()
    const { count, copies, results } = readScheduled(reader)
    const pending = this.#pending.get(call)
    if (pending === undefined) return
    // A call has no items: this is not its answer, however many it tells of.
    if (pending.count !== count || count === 0)
      throw new CorruptBytes(`${count} answers to ${pending.count} tasks`)
    this.#take(call)
    pending.asker.scheduled(results ?? NOTHING_SPECIAL, copies)
  }

  #answer(reader: ByteReader): void {
    const call = reader.varuint()
    const isOk = reader.u8() === 1
    const text = reader.utf8(JSON_BYTES_MAX)
    const pending = this.#pending.get(call)
    if (pending === undefined) return
    // All is read before it counts as answered: else nobody would tell who asked that the link is lost.
    if (pending.count > 0) throw new CorruptBytes('the answer to a batch is none')
    const error = isOk ? undefined : readError(text)
    if (isOk) checkAnswer(text)
    this.#take(call)
    if (error === undefined) pending.asker.answered(text)
    else pending.asker.refused(error)
  }

  #closed(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#worker?.closed()
    const pending = [...this.#pending.values()]
    this.#pending.clear()
    this.#pendingBytes = 0
    this.#host.closed(this)
    for (const { asker } of pending) asker.lost()
    this.#host.stir()
  }
}

const NOTHING_SPECIAL: Results = Object.freeze([])

/** It goes on as it is to whoever asked, and must not break what reads it there. */
function checkAnswer(text: string): void {
  const answer = parseJson(text)
  if (typeof answer !== 'object' || answer === null) throw new CorruptBytes('an answer that is no object')
}
