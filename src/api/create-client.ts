/** createClient: checks what it was given, starts the client's thread, and hands out the client. */

import { randomUUID } from 'node:crypto'
import { SystemClock } from '../adapters/system-clock.ts'
import { SystemRandom } from '../adapters/system-random.ts'
import { parseAddress } from '../http/address.ts'
import { checkClientShape, invalid, PEER_TEXT } from '../task/schema.ts'
import { checkHandlers } from './handlers.ts'
import { LocalClient } from './local-client.ts'
import { abortError, startThread } from './thread.ts'
import type { Client, CreateClientOptions, Handlers, NoHandlers } from './types.ts'

const WAIT_MS = 10_000

/**
 * Joins a mesh without keeping or owning anything of it: schedules, asks, and runs handlers. Resolves once a node has taken
 * the client; rejects with INVALID, NOT_CONNECTED (none has in time), ABORTED, or UNSUPPORTED.
 */
export async function createClient<const H extends Handlers = NoHandlers>(
  options: CreateClientOptions<H>,
): Promise<Client<H>> {
  const { join, mesh, waitMs = WAIT_MS, signal } = checked(options)
  const started = await startThread('client-thread', port => ({ port, join, mesh, waitMs }), signal)
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

interface Checked {
  readonly join: readonly string[]
  readonly mesh: { readonly name: string; readonly secrets: readonly string[] }
  readonly waitMs: number | undefined
  readonly signal: AbortSignal | undefined
}

function checked(options: CreateClientOptions<Handlers>): Checked {
  if (typeof options !== 'object' || options === null)
    throw invalid('options', options, 'an object of client options')
  checkClientShape(options)
  const { join, mesh, handlers, waitMs, signal } = options
  if (join === undefined) throw invalid('join', join, `an array of addresses of nodes, each ${PEER_TEXT}`)
  for (const [i, address] of join.entries()) checkPeer(address, `join[${i}]`)
  if (mesh === undefined) throw invalid('mesh', mesh, 'an object { name, secret }')
  if (mesh.name === undefined) throw invalid('mesh.name', undefined, 'the name of the mesh')
  if (mesh.secret === undefined)
    throw invalid(
      'mesh.secret',
      undefined,
      'the secret of the mesh; is a variable of the environment not set?',
    )
  checkHandlers(handlers)
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw invalid('signal', signal, 'an AbortSignal')
  if (signal?.aborted === true) throw abortError(signal)
  return { join: [...new Set(join)], mesh: { name: mesh.name, secrets: [mesh.secret] }, waitMs, signal }
}

function checkPeer(address: string, field: string): void {
  const isPeer = parseAddress(address, field, PEER_TEXT).port > 0
  if (!isPeer) throw invalid(field, address, PEER_TEXT)
}
