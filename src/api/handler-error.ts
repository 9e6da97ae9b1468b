/** What handlers throw, in the shape in which it is kept. */

import type { WireError } from '../wire/frame.ts'

/** Thrown by a handler: the run has failed for good, and is not tried again. */
export class NonRetryableError extends Error {
  override readonly name: string = 'NonRetryableError'
  readonly retryable = false
}

/** False for a NonRetryableError, and for any error with `retryable: false`. Never throws. */
export function isRetryable(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return true
  try {
    return (error as { retryable?: unknown }).retryable !== false
  } catch {
    return true
  }
}

const CAUSES_MAX = 4
const CODE_LENGTH_MAX = 100

/** Anything can be thrown; this never throws. */
export function thrownError(error: unknown): WireError {
  try {
    if (!(error instanceof Error)) return { name: 'Error', message: textOf(error) }
    const { code } = error as { code?: unknown }
    return {
      name: String(error.name),
      message: String(error.message),
      stack: stackOf(error),
      ...(typeof code === 'string' ? { code: code.slice(0, CODE_LENGTH_MAX) } : {}),
    }
  } catch {
    return { name: 'Error', message: "the handler threw something that can't be read" }
  }
}

function stackOf(error: Error): string {
  let text = String(error.stack ?? error)
  let cause = error.cause
  for (let i = 0; i < CAUSES_MAX && cause !== undefined && cause !== null; i++) {
    text += `\ncaused by: ${cause instanceof Error ? String(cause.stack ?? cause) : textOf(cause)}`
    cause = cause instanceof Error ? cause.cause : undefined
  }
  return text
}

function textOf(value: unknown): string {
  if (typeof value === 'object' && value !== null) {
    try {
      return JSON.stringify(value) ?? String(value)
    } catch {
      return Object.prototype.toString.call(value)
    }
  }
  return String(value)
}
