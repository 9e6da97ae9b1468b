/** Errors of handlers that crossed a channel or come from the store, as errors again. */

import type { WireError } from '../wire/frame.ts'

/** A handler's error, of whatever class it was: name, message and stack are the handler's. */
export function handlerError(error: WireError): Error {
  const rebuilt = new Error(error.message)
  rebuilt.name = error.name
  if (error.stack !== undefined) rebuilt.stack = error.stack
  return error.code === undefined ? rebuilt : Object.assign(rebuilt, { code: error.code })
}
