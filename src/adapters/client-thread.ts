/**
 * The thread of a client: relays between the user's thread and the mesh, over the real clock, chance and network. It has no
 * store. Its first message says whether a node took the client, as the engine's thread says whether the engine runs.
 */

import { type MessagePort, workerData } from 'node:worker_threads'
import { DEFAULT_CLIENT_OPTIONS } from '../config.ts'
import { CarillonError } from '../errors.ts'
import { ClientRelay } from '../mesh/client-relay.ts'
import { wireError } from '../wire/frame.ts'
import type { EngineThreadReady } from './engine-thread.ts'
import { MessagePortChannel } from './message-port-channel.ts'
import { openNetwork } from './open-network.ts'
import { SystemClock } from './system-clock.ts'
import { SystemRandom } from './system-random.ts'

/** What the user's thread gives to this one. */
export interface ClientThreadData {
  readonly port: MessagePort
  readonly join: readonly string[]
  readonly mesh: { readonly name: string; readonly secrets: readonly string[] }
  /** How long a first node may take to answer, ms. */
  readonly waitMs: number
}

async function run({ port, join, mesh, waitMs }: ClientThreadData): Promise<void> {
  let relay: ClientRelay
  try {
    const network = await openNetwork({ mesh })
    const ports = { clock: new SystemClock(), random: new SystemRandom(), network }
    relay = new ClientRelay(ports, DEFAULT_CLIENT_OPTIONS, join)
    await relay.start(waitMs)
  } catch (error) {
    port.postMessage({ ready: false, error: wireError(error) } satisfies EngineThreadReady)
    port.close()
    return
  }
  port.postMessage({ ready: true } satisfies EngineThreadReady)
  relay.attach(new MessagePortChannel(port))
  await relay.stopped
}

if (workerData === null)
  throw new CarillonError('UNSUPPORTED', 'client-thread is started by createClient, not by itself')
run(workerData as ClientThreadData).catch((error: unknown) => {
  throw error
})
