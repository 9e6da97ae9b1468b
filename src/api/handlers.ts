/** The handlers that a node or a client is given when it is made. */

import { invalid } from '../task/schema.ts'
import { checkName } from '../task/validate.ts'
import type { Handlers } from './types.ts'

/** Throws INVALID. */
export function checkHandlers(handlers: Handlers | undefined): void {
  for (const [name, handler] of Object.entries(handlers ?? {})) {
    checkName(name, `handlers["${name}"]`)
    if (typeof handler !== 'function') throw invalid(`handlers["${name}"]`, handler, 'a function')
  }
}
