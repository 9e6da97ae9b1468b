/** Errors that crossed a channel or come from the store, as errors again. */

import { CarillonError, type ErrorCode } from '../errors.ts'
import type { WireError } from '../wire/frame.ts'

/** An engine's own error: code and message as they were thrown there. */
export function rebuiltError(error: WireError): CarillonError {
  return new CarillonError((error.code ?? 'ENGINE_STOPPED') as ErrorCode, error.message, {
    field: error.field,
  })
}

/** A handler's error, of whatever class it was: name, message and stack are the handler's. */
export function handlerError(error: WireError): Error {
  const rebuilt = new Error(error.message)
  rebuilt.name = error.name
  if (error.stack !== undefined) rebuilt.stack = error.stack
  return error.code === undefined ? rebuilt : Object.assign(rebuilt, { code: error.code })
}
