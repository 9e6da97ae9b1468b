/** Checks what a client was given, starts its thread, and hands it out, with the calls that are not the user's. */

import { randomUUID } from 'node:crypto'
import { SystemClock } from '../adapters/system-clock.ts'
import { SystemRandom } from '../adapters/system-random.ts'
import { checkClientShape, invalid } from '../task/schema.ts'
import { checkHandlers } from './handlers.ts'
import { LocalClient } from './local-client.ts'
import { entrySettings } from './mesh-settings.ts'
import { abortError, startThread } from './thread.ts'
import type { CreateClientOptions, Handlers } from './types.ts'

const WAIT_MS = 10_000

/** Rejects as createClient does. */
export async function openClient(options: CreateClientOptions<Handlers>): Promise<LocalClient> {
  checkOptions(options)
  const { join, mesh = {}, waitMs = WAIT_MS, signal } = options
  const entry = entrySettings(join, mesh)
  const started = await startThread('client-thread', port => ({ port, mesh: entry, waitMs }), signal)
  return new LocalClient(
    { ...started, random: new SystemRandom(), clock: new SystemClock() },
    {
      worker: randomUUID(),
      profile: options.profile ?? 'balanced',
      concurrency: options.concurrency ?? 100,
      handlers: options.handlers ?? {},
    },
  )
}

function checkOptions(options: CreateClientOptions<Handlers>): void {
  if (typeof options !== 'object' || options === null)
    throw invalid('options', options, 'an object of client options')
  checkClientShape(options)
  const { join, handlers, signal } = options
  if (join === undefined) throw invalid('join', join, 'an array of addresses of nodes, or of one join token')
  checkHandlers(handlers)
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw invalid('signal', signal, 'an AbortSignal')
  if (signal?.aborted === true) throw abortError(signal)
}
