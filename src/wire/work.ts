/**
 * The worker protocol: hello with handler names and credits, batches of runs, batches of outcomes, abort. Whoever
 * runs handlers speaks it, here over a MessagePort, later over a mesh stream or HTTP.
 *
 * Credit: a worker takes at most `window` attempts that it has not answered, and of each handler at most that
 * handler's `window` (its concurrency and some prefetch, so that its queue never runs dry). An outcome gives the
 * credit back. An attempt is named by its handle, a number that an engine uses once per boot.
 */

import { type ByteReader, type ByteWriter, CorruptBytes } from '../lib/bytes.ts'
import { DEFINITION_BYTES_MAX, PAYLOAD_BYTES_MAX } from '../task/definition.ts'
import type { WireError } from './frame.ts'

export interface Hello {
  /** Names this worker; new at each start of it. */
  readonly worker: string
  readonly window: number
  /** A run names its handler by its index in this list. A later hello only appends, or changes what it says of one. */
  readonly handlers: readonly HelloHandler[]
  /** Attempts that this worker is still running, of a connection before. */
  readonly running: readonly number[]
  /** Wants `run` and `retry` events. */
  readonly events: boolean
}

export interface HelloHandler {
  readonly name: string
  /** 0: it is busy with other things, and will have room again. */
  readonly window: number
  /** Nobody runs it there any more: who waits for it waits for another worker. It may come back. */
  readonly gone?: boolean | undefined
}

const WANTS_STARTED = 1
const FENCED = 2
const FIRST_LIFE = 4
const PRIORITY = 8
/** As a byte, 0 stands for the lowest that there is room for. */
const PRIORITY_ZERO = 128

/** One attempt, as the worker gets it. */
export interface RunMessage {
  readonly handle: number
  readonly handler: number
  readonly taskId: string
  readonly life: number
  readonly firstLife: boolean
  readonly scheduledAt: number
  readonly attempt: number
  /** The worker says `started` when it enters the handler: there is a timeout to measure. */
  readonly wantsStarted: boolean
  /** Strict tasks only. */
  readonly fence: string | undefined
  /** For who has others run it: among what waits there. */
  readonly priority: number
  /** JSON as UTF-8: bytes [payloadStart, payloadEnd) of the frame; none: undefined. */
  readonly source: Uint8Array
  readonly payloadStart: number
  readonly payloadEnd: number
}

type RunHeader = Omit<RunMessage, 'source' | 'payloadStart' | 'payloadEnd'>

/** `payload` is bytes [start, end) of `source`. */
export function writeRun(
  out: ByteWriter,
  run: RunHeader,
  source: Uint8Array,
  start: number,
  end: number,
): void {
  out.varuint(run.handle)
  out.varuint(run.handler)
  out.u8(
    (run.wantsStarted ? WANTS_STARTED : 0) |
      (run.fence === undefined ? 0 : FENCED) |
      (run.firstLife ? FIRST_LIFE : 0) |
      (run.priority === 0 ? 0 : PRIORITY),
  )
  out.ascii(run.taskId)
  out.f64(run.life)
  out.f64(run.scheduledAt)
  out.varuint(run.attempt)
  if (run.fence !== undefined) out.ascii(run.fence)
  if (run.priority !== 0) out.u8(Math.min(255, Math.max(0, PRIORITY_ZERO + run.priority)))
  out.varuint(end - start)
  out.slice(source, start, end)
}

export function readRun(reader: ByteReader): RunMessage {
  const handle = reader.varuint()
  const handler = reader.varuint()
  const flags = reader.u8()
  const taskId = reader.ascii()
  const life = reader.f64()
  const scheduledAt = reader.f64()
  const attempt = reader.varuint()
  const fence = (flags & FENCED) === 0 ? undefined : reader.ascii()
  const priority = (flags & PRIORITY) === 0 ? 0 : reader.u8() - PRIORITY_ZERO
  const length = reader.varuint()
  if (length > PAYLOAD_BYTES_MAX)
    throw new CorruptBytes(`a payload of ${length} bytes, at most ${PAYLOAD_BYTES_MAX}`)
  const payloadStart = reader.position
  reader.skip(length)
  return {
    handle,
    handler,
    taskId,
    life,
    firstLife: (flags & FIRST_LIFE) !== 0,
    scheduledAt,
    attempt,
    wantsStarted: (flags & WANTS_STARTED) !== 0,
    fence,
    priority,
    source: reader.source,
    payloadStart,
    payloadEnd: payloadStart + length,
  }
}

export const RESULT_BYTES_MAX = 256 * 1024
export const ERROR_BYTES_MAX = 32 * 1024
export const FOLLOW_UPS_MAX = 1000

/**
 * completed: `body` is the result's JSON (empty: undefined). failed: `body` is JSON of a WireError. fatal: the same,
 * not to be retried. unstarted: the worker gives the attempt back without having entered the handler. lost: who said
 * that it runs the handler had others run it, and the one that had this attempt went away.
 */
export const OUTCOMES = ['completed', 'failed', 'fatal', 'unstarted', 'lost'] as const
export type OutcomeKind = (typeof OUTCOMES)[number]

export interface OutcomeMessage {
  readonly handle: number
  readonly kind: OutcomeKind
  /** When the handler was entered and left, epoch ms at the worker; 0 for `unstarted` and `lost`. */
  readonly startedAt: number
  readonly endedAt: number
  readonly body: Uint8Array
  /** Definitions of follow-up tasks, committed together with the completion; only for `completed`. */
  readonly followUps: readonly Uint8Array[]
}

const NO_FOLLOW_UPS: readonly Uint8Array[] = Object.freeze([])

export function writeOutcome(
  out: ByteWriter,
  handle: number,
  kind: OutcomeKind,
  startedAt: number,
  endedAt: number,
  body: string | undefined,
  followUps: readonly Uint8Array[],
): void {
  out.varuint(handle)
  out.u8(OUTCOMES.indexOf(kind))
  out.f64(startedAt)
  out.f64(endedAt)
  if (body === undefined) out.varuint(0)
  else out.utf8(body)
  out.varuint(followUps.length)
  for (const followUp of followUps) out.lenBytes(followUp)
}

/** An outcome as it came, under another handle: for who passes it on. */
export function relayOutcome(out: ByteWriter, handle: number, outcome: OutcomeMessage): void {
  const { kind, startedAt, endedAt, body, followUps } = outcome
  out.varuint(handle)
  out.u8(OUTCOMES.indexOf(kind))
  out.f64(startedAt)
  out.f64(endedAt)
  out.lenBytes(body)
  out.varuint(followUps.length)
  for (const followUp of followUps) out.lenBytes(followUp)
}

const NO_BYTES: Uint8Array = new Uint8Array(0)

/** How an attempt ended of which no handler says how: nobody entered it, or nobody is left to tell. */
export function bareOutcome(handle: number, kind: 'unstarted' | 'lost'): OutcomeMessage {
  return { handle, kind, startedAt: 0, endedAt: 0, body: NO_BYTES, followUps: NO_FOLLOW_UPS }
}

/** To make a view costs more than to read all the rest: most outcomes have no body. */
function readBody(reader: ByteReader): Uint8Array {
  const length = reader.varuint()
  if (length > RESULT_BYTES_MAX)
    throw new CorruptBytes(`a result of ${length} bytes, at most ${RESULT_BYTES_MAX}`)
  return length === 0 ? NO_BYTES : reader.bytes(length)
}

export function readOutcome(reader: ByteReader): OutcomeMessage {
  const handle = reader.varuint()
  const kind = OUTCOMES[reader.u8()]
  if (kind === undefined) throw new CorruptBytes('unknown kind of outcome')
  const startedAt = reader.f64()
  const endedAt = reader.f64()
  const body = readBody(reader)
  const count = reader.varuint()
  if (count === 0) return { handle, kind, startedAt, endedAt, body, followUps: NO_FOLLOW_UPS }
  if (count > FOLLOW_UPS_MAX) throw new CorruptBytes(`${count} follow-ups, at most ${FOLLOW_UPS_MAX}`)
  const followUps: Uint8Array[] = []
  for (let i = 0; i < count; i++) followUps.push(reader.lenBytes(DEFINITION_BYTES_MAX))
  return { handle, kind, startedAt, endedAt, body, followUps }
}

export const ABORT_REASONS = ['cancelled', 'timeout', 'replaced', 'overlap', 'closing', 'elsewhere'] as const
export type AbortReason = (typeof ABORT_REASONS)[number]

/** An error in the shape and size in which it is kept. */
export function errorText(error: WireError): string {
  const text = JSON.stringify(error)
  if (text.length <= ERROR_BYTES_MAX / 4) return text
  return JSON.stringify({
    ...error,
    name: error.name.slice(0, 200),
    message: error.message.slice(0, 2000),
    stack: error.stack?.slice(0, 4000),
  })
}
