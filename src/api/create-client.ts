/** createClient: checks what it was given, starts the client's thread, and hands out the client. */

import { randomUUID } from 'node:crypto'
import { SystemClock } from '../adapters/system-clock.ts'
import { SystemRandom } from '../adapters/system-random.ts'
import { checkClientShape, invalid } from '../task/schema.ts'
import { checkHandlers } from './handlers.ts'
import { LocalClient } from './local-client.ts'
import { entrySettings } from './mesh-settings.ts'
import { abortError, startThread } from './thread.ts'
import type { Client, CreateClientOptions, Handlers, NoHandlers } from './types.ts'

const WAIT_MS = 10_000

/**
 * Joins a mesh without keeping or owning anything of it: schedules, asks, and runs handlers. Resolves once a node has taken
 * the client; rejects with INVALID, NOT_CONNECTED (none has in time), ABORTED, or with why no node lets it in: SECRET_DIFFERS,
 * OTHER_MESH, OTHER_VERSION, TOKEN_REFUSED.
 */
export async function createClient<const H extends Handlers = NoHandlers>(
  options: CreateClientOptions<H>,
): Promise<Client<H>> {
  checkOptions(options)
  const { join, mesh = {}, waitMs = WAIT_MS, signal } = options
  const entry = entrySettings(join, mesh)
  const started = await startThread('client-thread', port => ({ port, mesh: entry, waitMs }), signal)
  const client = new LocalClient(
    { ...started, random: new SystemRandom(), clock: new SystemClock() },
    {
      worker: randomUUID(),
      profile: options.profile ?? 'balanced',
      concurrency: options.concurrency ?? 100,
      handlers: options.handlers ?? {},
    },
  )
  return client as unknown as Client<H>
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
