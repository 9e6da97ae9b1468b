/**
 * Frames between an engine and its clients (ports/worker-channel): a frame is a sequence of messages, each one type
 * byte and self-delimiting fields. What is hot (schedule, runs, outcomes) is binary and batched; what is rare is
 * JSON inside a call or an event. A decoder checks every length before it reads, and throws CorruptBytes.
 *
 * Both directions share one number space, so that a stray message is told from a wrong one.
 */

import { CarillonError, type ErrorCode } from '../errors.ts'
import { type ByteReader, CorruptBytes } from '../lib/bytes.ts'

export const MESSAGE = {
  // client -> engine
  /** varuint call, varuint mark, varuint count, count times: u32 length, definition (task/definition). */
  schedule: 1,
  /** varuint call, utf8 JSON of a CallRequest. */
  call: 2,
  /** utf8 JSON of a Hello. */
  hello: 3,
  /** varuint attempt handle, f64 instant: the handler has been entered (only asked for where it matters). */
  started: 4,
  /** varuint count, count times an outcome (wire/work). */
  outcomes: 5,
  /** varuint attempt handle, utf8 JSON: the handler's latest progress. */
  progress: 6,
  /** varuint attempt handle, utf8 JSON of { at, line }. */
  log: 7,
  /** varuint: the round of what comes from here on (work/rounds). */
  round: 8,
  // engine -> client
  /**
   * varuint call, varuint count, varuint copies (the least of its items), u8 0: all created; or u8 1, count times: u8 status
   * [utf8 JSON error].
   */
  scheduled: 32,
  /** varuint call, u8 ok, utf8 JSON: the answer, or an error. */
  answer: 33,
  /** varuint count, count times a run (wire/work). */
  runs: 34,
  /** varuint attempt handle, u8 AbortReason. */
  abort: 35,
  /** utf8 JSON of an engine event. */
  event: 36,
} as const

/** Longest JSON text in a call, an answer or an event, bytes. */
export const JSON_BYTES_MAX = 64 * 1024 * 1024
/** Most items in one schedule, runs or outcomes message. */
export const ITEMS_MAX = 100_000

export const SCHEDULE_STATUS = ['created', 'replaced', 'exists', 'error'] as const
export type ScheduleStatus = (typeof SCHEDULE_STATUS)[number]
/** Instead of a status: the error of the refused item before. A whole batch is often refused for one reason. */
export const SAME_ERROR = SCHEDULE_STATUS.length

/** How an error crosses the channel. */
export interface WireError {
  readonly name: string
  readonly message: string
  readonly code?: string | undefined
  readonly stack?: string | undefined
  readonly field?: string | undefined
  readonly owner?: string | undefined
}

/** An error as it crosses: what the other side needs to show it, or to branch on. */
export function wireError(error: unknown): WireError {
  if (error instanceof CarillonError) {
    return {
      name: error.name,
      message: error.message,
      code: error.code,
      field: error.field,
      owner: error.owner,
      stack: error.stack,
    }
  }
  if (error instanceof Error) return { name: error.name, message: error.message, stack: error.stack }
  return { name: 'Error', message: String(error) }
}

/** An engine's own error: code and message as they were thrown there. */
export function rebuiltError(error: WireError): CarillonError {
  return new CarillonError((error.code ?? 'ENGINE_STOPPED') as ErrorCode, error.message, {
    field: error.field,
    owner: error.owner,
  })
}

/** The error of a refusal that came over a channel. Throws CorruptBytes. */
export function readError(text: string): CarillonError {
  const error = parseJson(text) as Partial<Record<keyof WireError, unknown>> | null
  if (typeof error?.message !== 'string') throw new CorruptBytes('a refusal without its reason')
  for (const field of [error.code, error.field, error.owner])
    if (field !== undefined && typeof field !== 'string')
      throw new CorruptBytes('a refusal that can not be read')
  return rebuiltError(error as WireError)
}

/** What became of the items of a `scheduled` message, from their count on. `undefined` for all: each was created. */
export function readScheduled(reader: ByteReader): ScheduledAnswer {
  const count = reader.varuint()
  const copies = reader.varuint()
  if (count > ITEMS_MAX) throw new CorruptBytes(`${count} items in an answer`)
  if (reader.u8() === 0) return { count, copies, results: undefined }
  const results: Array<Exclude<ScheduleStatus, 'error'> | CarillonError> = []
  let error: CarillonError | undefined
  for (let i = 0; i < count; i++) {
    const code = reader.u8()
    const status = SCHEDULE_STATUS[code]
    if (status === 'error') error = readError(reader.utf8(JSON_BYTES_MAX))
    if (status === 'error' || code === SAME_ERROR) {
      if (error === undefined) throw new CorruptBytes('an error that is the same as none')
      results.push(error)
    } else if (status === undefined) throw new CorruptBytes(`status ${code} of a task`)
    else results.push(status)
  }
  return { count, copies, results }
}

export interface ScheduledAnswer {
  readonly count: number
  readonly copies: number
  readonly results: ReadonlyArray<Exclude<ScheduleStatus, 'error'> | CarillonError> | undefined
}

/** Text that came over a channel. Throws CorruptBytes. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new CorruptBytes('what should be JSON is not', { cause })
  }
}
