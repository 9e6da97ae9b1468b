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
import { type EntrySettings, type OpenedNetwork, openNetwork } from './open-network.ts'
import { SystemClock } from './system-clock.ts'
import { SystemRandom } from './system-random.ts'

/** What the user's thread gives to this one. */
export interface ClientThreadData {
  readonly port: MessagePort
  /** Whose mesh, and where its nodes are. */
  readonly mesh: EntrySettings
  /** How long a first node may take to answer, ms. */
  readonly waitMs: number
}

async function run({ port, mesh, waitMs }: ClientThreadData): Promise<void> {
  let relay: ClientRelay | undefined
  let network: OpenedNetwork | undefined
  try {
    const refused = (code: string, line: string): void => relay?.refused(code, line)
    network = await openNetwork(
      { listen: undefined, advertise: undefined, movesPort: false, ...mesh },
      undefined,
      refused,
    )
    const ports = { clock: new SystemClock(), random: new SystemRandom(), network: network.network }
    relay = new ClientRelay(ports, DEFAULT_CLIENT_OPTIONS, network.join)
    await relay.start(waitMs)
  } catch (error) {
    await network?.network.stop().catch(() => undefined)
    port.postMessage({ ready: false, error: wireError(error) } satisfies EngineThreadReady)
    port.close()
    return
  }
  port.postMessage({ ready: true } satisfies EngineThreadReady)
  relay.attach(new MessagePortChannel(port))
  await relay.stopped
  // Timers that libp2p leaves would keep the thread for another second.
  process.exit()
}

if (workerData === null)
  throw new CarillonError('UNSUPPORTED', 'client-thread is started by createClient, not by itself')
run(workerData as ClientThreadData).catch((error: unknown) => {
  throw error
})
