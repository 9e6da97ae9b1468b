/** createClient: the client in the types of its user. Its class is not named here, as its declaration would be public. */

import { openClient } from './open-client.ts'
import type { Client, CreateClientOptions, Handlers, NoHandlers } from './types.ts'

/**
 * Joins a mesh without keeping or owning anything of it: schedules, asks, and runs handlers. Resolves once a node has taken
 * the client; rejects with INVALID, NOT_CONNECTED (none has in time), ABORTED, or with why no node lets it in: SECRET_DIFFERS,
 * OTHER_MESH, OTHER_VERSION, TOKEN_REFUSED.
 */
export async function createClient<const H extends Handlers = NoHandlers>(
  options: CreateClientOptions<H>,
): Promise<Client<H>> {
  return (await openClient(options)) as unknown as Client<H>
}
