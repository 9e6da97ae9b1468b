/**
 * The calls of this thread to an engine. All tasks that are scheduled in one turn cross as one message, whoever
 * scheduled them, and each caller gets its own answer; only another call between them ends the message, as the engine
 * carries out what it gets in the order of the calls. Every change carries a requestId (caller, n), made here once;
 * the mark tells the engine below which number all answers have come, so that it can forget.
 */

import { CarillonError } from '../errors.ts'
import { type ByteReader, ByteWriter } from '../lib/bytes.ts'
import { idHeadOf } from '../lib/made-ids.ts'
import type { Random } from '../ports/random.ts'
import { CALLER_BYTES, type DefinitionInput, writeDefinition } from '../task/definition.ts'
import type { CallAnswers, CallRequest, ChangeRequest, EngineEvent } from '../wire/calls.ts'
import { JSON_BYTES_MAX, MESSAGE, readScheduled, rebuiltError, type ScheduleStatus } from '../wire/frame.ts'
import type { Link, LinkUser } from './link.ts'

export interface CallerOptions {
  /** Most tasks that wait for their acknowledgement; beyond it schedule() rejects with TOO_MANY. */
  readonly outstandingMax: number
}

/** What became of one scheduled task. */
export type ScheduleAnswer = Exclude<ScheduleStatus, 'error'> | CarillonError

/** What became of several. */
export interface ScheduleAnswers {
  /** Undefined: all were created. */
  readonly answers: readonly ScheduleAnswer[] | undefined
  /** How many stores have synced each of them, at least. */
  readonly copies: number
}

interface Waiting {
  readonly count: number
  readonly resolve: (answers: ScheduleAnswers) => void
  readonly reject: (error: unknown) => void
}

interface Batch {
  readonly firstN: number
  count: number
  readonly waiting: Waiting[]
}

interface PendingCall {
  readonly resolve: (answer: never) => void
  readonly reject: (error: unknown) => void
  readonly release: () => void
}

type MethodRequest<M extends CallRequest['method']> = Extract<CallRequest, { method: M }>
type ChangeMethod = 'cancel' | 'pause' | 'resume' | 'trigger' | 'retry'
/** A message of tasks has at most about this many, and is closed from this many bytes on. */
const BATCH_ITEMS = 10_000
const BATCH_BYTES = 512 * 1024

export class Caller implements LinkUser {
  readonly #link: Link
  readonly #options: CallerOptions
  readonly #now: () => number
  readonly #onEvent: (event: EngineEvent) => void
  readonly #caller: Uint8Array
  readonly #callerHex: string
  readonly #idTail: string
  #n = 0
  #call = 0
  #idMs = 0
  #idHead = ''
  #idCount = 0
  /** The definitions of the open batch. */
  readonly #items = new ByteWriter(16 * 1024)
  #batch: Batch = { firstN: 0, count: 0, waiting: [] }
  /** What goes out at the end of the turn, in the order in which it was asked for. */
  readonly #messages = new ByteWriter(16 * 1024)
  readonly #batches = new Map<number, Batch>()
  readonly #calls = new Map<number, PendingCall>()
  /** Numbers of changes other than schedule that have no answer yet. */
  readonly #changes = new Set<number>()
  #outstanding = 0
  #stopped: CarillonError | undefined

  constructor(
    ports: { link: Link; random: Random; now: () => number },
    options: CallerOptions,
    onEvent: (event: EngineEvent) => void,
  ) {
    this.#link = ports.link
    this.#now = ports.now
    this.#options = options
    this.#onEvent = onEvent
    this.#caller = ports.random.bytes(CALLER_BYTES)
    this.#callerHex = Buffer.from(this.#caller).toString('hex')
    this.#idTail = Array.from(this.#caller.subarray(0, 6), byte => ID_LETTERS[byte % 36]).join('')
  }

  /** A fresh id that sorts by time: 18 letters and digits, unique without asking anybody. */
  mintId(): string {
    const now = this.#now()
    if (now > this.#idMs) {
      this.#idMs = now
      this.#idHead = idHeadOf(now)
      this.#idCount = 0
    }
    if (this.#idCount === ID_COUNTS) {
      this.#idMs++
      this.#idHead = idHeadOf(this.#idMs)
      this.#idCount = 0
    }
    const count = this.#idCount++
    return this.#idHead + COUNT_TEXT[Math.floor(count / 36)] + ID_LETTERS[count % 36] + this.#idTail
  }

  /**
   * Schedules the tasks, in order. Resolves once they count, with what became of each.
   */
  schedule(inputs: readonly DefinitionInput[], signal?: AbortSignal): Promise<ScheduleAnswers> {
    const refusal = this.#refusal(inputs.length, signal)
    if (refusal !== undefined) return Promise.reject(refusal)
    this.#outstanding += inputs.length
    const promise = inputs.length === 1 ? this.#part(inputs) : this.#parts(inputs)
    this.#link.stir()
    return signal === undefined ? promise : abortable(promise, signal)
  }

  /** What is large goes in several messages, of which the first are under way while the last are written. */
  #parts(inputs: readonly DefinitionInput[]): Promise<ScheduleAnswers> {
    const parts: Array<{ count: number; answers: Promise<ScheduleAnswers> }> = []
    let from = 0
    let length = 0
    for (let to = 1; to <= inputs.length; to++) {
      length += inputs[to - 1]?.payload?.length ?? 0
      if (to < inputs.length && to - from < BATCH_ITEMS && length < BATCH_BYTES) continue
      if (parts.length > 0) this.#link.flush()
      const part = from === 0 && to === inputs.length ? inputs : inputs.slice(from, to)
      parts.push({ count: part.length, answers: this.#part(part) })
      from = to
      length = 0
    }
    const [only] = parts
    return parts.length === 1 && only !== undefined ? only.answers : joined(parts)
  }

  #part(inputs: readonly DefinitionInput[]): Promise<ScheduleAnswers> {
    return new Promise((resolve, reject) => {
      for (const input of inputs) this.#append(input)
      this.#batch.waiting.push({ count: inputs.length, resolve, reject })
      if (this.#batch.count >= BATCH_ITEMS || this.#items.position >= BATCH_BYTES) this.#seal()
    })
  }

  /** Makes the call, and resolves with its answer. */
  call<M extends CallRequest['method']>(
    request: MethodRequest<M>,
    signal?: AbortSignal,
  ): Promise<CallAnswers[M]> {
    const refusal = this.#refusal(0, signal)
    if (refusal !== undefined) return Promise.reject(refusal)
    const call = ++this.#call
    return new Promise<CallAnswers[M]>((resolve, reject) => {
      const abort = (): void => {
        this.#calls.delete(call)
        if (request.method === 'result') this.call({ method: 'forget', call }).catch(() => undefined)
        reject(abortError(signal as AbortSignal))
      }
      signal?.addEventListener('abort', abort, { once: true })
      const release = (): void => signal?.removeEventListener('abort', abort)
      this.#calls.set(call, { resolve: resolve as (answer: never) => void, reject, release })
      this.#seal()
      this.#messages.u8(MESSAGE.call)
      this.#messages.varuint(call)
      this.#messages.utf8(JSON.stringify(request))
      this.#link.stir()
    })
  }

  /** A call that changes something: with a requestId of its own. */
  change<M extends ChangeMethod>(method: M, id: string, signal?: AbortSignal): Promise<CallAnswers[M]> {
    // A change ends the batch before it: numbers of one batch follow each other.
    this.#seal()
    const n = this.#n++
    this.#changes.add(n)
    const stamp: ChangeRequest = { caller: this.#callerHex, n, madeAt: this.#now() }
    const request = { ...stamp, method, id } as unknown as MethodRequest<M>
    return this.call<M>(request, signal).finally(() => this.#changes.delete(n))
  }

  flush(out: ByteWriter): void {
    this.#seal()
    if (this.#messages.position === 0) return
    out.bytes(this.#messages.view())
    this.#messages.reset()
  }

  message(type: number, reader: ByteReader): boolean {
    if (type === MESSAGE.scheduled) this.#scheduled(reader)
    else if (type === MESSAGE.answer) this.#answer(reader)
    else if (type === MESSAGE.event) {
      const event = JSON.parse(reader.utf8(JSON_BYTES_MAX)) as EngineEvent
      if (event.type === 'stopped' && event.error !== null) this.stop(stoppedError(rebuiltError(event.error)))
      this.#onEvent(event)
    } else return false
    return true
  }

  closed(): void {
    this.stop(new CarillonError('ENGINE_STOPPED', 'the engine has stopped'))
  }

  /** Every call that waits, and every later one, rejects with this. */
  stop(error: CarillonError): void {
    if (this.#stopped !== undefined) return
    this.#stopped = error
    this.#seal()
    const waiting = [...this.#batches.values()].flatMap(batch => batch.waiting)
    for (const each of waiting) each.reject(error)
    for (const each of this.#calls.values()) {
      each.release()
      each.reject(error)
    }
    this.#batches.clear()
    this.#calls.clear()
    this.#changes.clear()
    this.#messages.reset()
  }

  #append(input: DefinitionInput): void {
    const batch = this.#batch
    if (batch.count === 0) this.#batch = { firstN: this.#n, count: 0, waiting: batch.waiting }
    this.#batch.count++
    const at = this.#items.position
    this.#items.u32le(0)
    writeDefinition(this.#items, input, this.#caller, this.#n++)
    this.#items.patchU32(at, this.#items.position - at - 4)
  }

  /** What was gathered so far becomes a message. */
  #seal(): void {
    const batch = this.#batch
    if (batch.count === 0) return
    const call = ++this.#call
    this.#batches.set(call, batch)
    const out = this.#messages
    out.u8(MESSAGE.schedule)
    out.varuint(call)
    out.varuint(this.#mark())
    out.varuint(batch.count)
    out.bytes(this.#items.view())
    this.#items.reset()
    this.#batch = { firstN: this.#n, count: 0, waiting: [] }
  }

  #mark(): number {
    let mark = this.#n
    for (const batch of this.#batches.values()) {
      mark = Math.min(mark, batch.firstN)
      break // they are answered nearly in order, and the first is the oldest
    }
    for (const n of this.#changes) {
      mark = Math.min(mark, n)
      break
    }
    return mark
  }

  #scheduled(reader: ByteReader): void {
    const call = reader.varuint()
    const { count, copies, results } = readScheduled(reader)
    const all = { answers: results, copies }
    const batch = this.#batches.get(call)
    if (batch === undefined) return
    this.#batches.delete(call)
    this.#outstanding -= count
    let at = 0
    for (const waiting of batch.waiting) {
      waiting.resolve(
        results === undefined || batch.waiting.length === 1
          ? all
          : { answers: results.slice(at, at + waiting.count), copies },
      )
      at += waiting.count
    }
  }

  #answer(reader: ByteReader): void {
    const call = reader.varuint()
    const ok = reader.u8() === 1
    const text = reader.utf8(JSON_BYTES_MAX)
    const pending = this.#calls.get(call)
    if (pending === undefined) return
    this.#calls.delete(call)
    pending.release()
    if (ok) pending.resolve(JSON.parse(text) as never)
    else pending.reject(rebuiltError(JSON.parse(text)))
  }

  #refusal(count: number, signal: AbortSignal | undefined): CarillonError | undefined {
    if (this.#stopped !== undefined) return this.#stopped
    if (signal?.aborted === true) return abortError(signal)
    if (this.#outstanding + count > this.#options.outstandingMax) {
      return new CarillonError(
        'TOO_MANY',
        `${this.#outstanding} tasks wait for their acknowledgement, at most ${this.#options.outstandingMax}: await earlier schedule() calls first`,
      )
    }
    return undefined
  }
}

const ID_LETTERS = '0123456789abcdefghijklmnopqrstuvwxyz'
/** Three letters of count: 46,656 ids a millisecond. */
const COUNT_TEXT = Array.from(
  { length: 36 * 36 },
  (_, i) => (ID_LETTERS[Math.floor(i / 36)] as string) + ID_LETTERS[i % 36],
)
const ID_COUNTS = 36 * 36 * 36

async function joined(
  parts: ReadonlyArray<{ count: number; answers: Promise<ScheduleAnswers> }>,
): Promise<ScheduleAnswers> {
  const all = await Promise.all(parts.map(part => part.answers))
  const copies = Math.min(...all.map(part => part.copies))
  if (all.every(({ answers }) => answers === undefined)) return { answers: undefined, copies }
  const answers = parts.flatMap(
    ({ count }, i) => all[i]?.answers ?? new Array<ScheduleAnswer>(count).fill('created'),
  )
  return { answers, copies }
}

function stoppedError(cause: CarillonError): CarillonError {
  return new CarillonError('ENGINE_STOPPED', `the engine stopped: ${cause.message}`, { cause })
}

function abortError(signal: AbortSignal): CarillonError {
  return new CarillonError(
    'ABORTED',
    'the call was aborted by its signal; what it asked for may have happened',
    { cause: signal.reason },
  )
}

function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(abortError(signal))
    signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
