/**
 * Frames between an engine and its clients (ports/worker-channel): a frame is a sequence of messages, each one type
 * byte and self-delimiting fields. What is hot (schedule, runs, outcomes) is binary and batched; what is rare is
 * JSON inside a call or an event. A decoder checks every length before it reads, and throws CorruptBytes.
 *
 * Both directions share one number space, so that a stray message is told from a wrong one.
 */

import { CarillonError } from '../errors.ts'

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
  // engine -> client
  /** varuint call, varuint count, u8 0: all created; or u8 1, count times: u8 status [utf8 JSON error]. */
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

/** How an error crosses the channel. */
export interface WireError {
  readonly name: string
  readonly message: string
  readonly code?: string | undefined
  readonly stack?: string | undefined
  readonly field?: string | undefined
}

/** An error as it crosses: what the other side needs to show it, or to branch on. */
export function wireError(error: unknown): WireError {
  if (error instanceof CarillonError) {
    return {
      name: error.name,
      message: error.message,
      code: error.code,
      field: error.field,
      stack: error.stack,
    }
  }
  if (error instanceof Error) return { name: error.name, message: error.message, stack: error.stack }
  return { name: 'Error', message: String(error) }
}
