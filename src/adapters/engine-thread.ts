/**
 * The engine's thread: opens the store, runs one engine over the real clock, disk and chance, and speaks to the
 * user's thread over one port. LevelDB is loaded here only.
 *
 * The first message back says whether the engine could start; everything after that are the channel's frames. A fault
 * that nobody foresaw ends the engine, and the user's thread learns why; one before it started, from the thread's
 * 'error' event.
 */

import { type MessagePort, workerData } from 'node:worker_threads'
import { DEFAULT_OPTIONS, type EngineOptions } from '../config.ts'
import { Engine } from '../engine.ts'
import { CarillonError } from '../errors.ts'
import type { Store } from '../ports/store.ts'
import { type WireError, wireError } from '../wire/frame.ts'
import { openDataDir } from './data-dir.ts'
import { MemoryStore } from './memory-store.ts'
import { MessagePortChannel } from './message-port-channel.ts'
import { endpointText, parseAddress } from './network/addresses.ts'
import { type NetworkSettings, type OpenedNetwork, openNetwork } from './open-network.ts'
import { openSlot } from './open-slot.ts'
import { portOfSlot } from './slots.ts'
import { SystemClock } from './system-clock.ts'
import { SystemRandom } from './system-random.ts'

/** What the user's thread gives to this one. */
export interface EngineThreadData {
  readonly port: MessagePort
  /** Undefined: memory only. */
  readonly dataDir: string | undefined
  /** How many processes may share the data directory; undefined: one, which has it all. */
  readonly slots: number | undefined
  readonly durability: 'sync' | 'interval'
  readonly repair: boolean
  /** Undefined: the node is alone. */
  readonly mesh: MeshSettings | undefined
}

/** What the user says of the mesh, with its defaults. */
export interface MeshSettings extends NetworkSettings {
  readonly expect: number | undefined
  readonly replicas: number
  readonly zone: string
  readonly weight: number
  readonly profile: 'local' | 'lan' | 'wan'
}

/** The first message: the engine runs, or why it does not. */
export type EngineThreadReady =
  | {
      readonly ready: true
      readonly slot?: number | undefined
      /** Where it listens for other nodes. */
      readonly address?: string | undefined
    }
  | { readonly ready: false; readonly error: WireError }

interface OpenStore {
  readonly store: Store
  /** Undefined: in memory. */
  readonly path?: string
  readonly slot?: number
  close(): Promise<void>
}

async function run(data: EngineThreadData): Promise<void> {
  const { port } = data
  const clock = new SystemClock()
  let open: OpenStore | undefined
  let engine: Engine
  let network: OpenedNetwork | undefined
  try {
    open = await openStore(data, clock)
    const { path, slot } = open
    const refused = (code: string, line: string): void => engine.tell({ type: 'refused', code, line })
    if (data.mesh !== undefined) network = await openNetwork(meshOfSlot(data.mesh, slot), path, refused)
    engine = new Engine(
      {
        clock,
        random: new SystemRandom(),
        store: open.store,
        network: network?.network,
        makeToken: network?.makeToken,
      },
      optionsOf(data, network),
    )
    await engine.start()
  } catch (error) {
    await network?.network.stop().catch(() => undefined)
    await open?.close().catch(() => undefined)
    port.postMessage({ ready: false, error: wireError(error) } satisfies EngineThreadReady)
    port.close()
    return
  }
  // A thread that just falls over with a write under way may take the process along: LevelDB has threads of its own.
  process.on('uncaughtException', error => engine.failed(error))
  const address = network?.listensAt()
  port.postMessage({ ready: true, slot: open.slot, address } satisfies EngineThreadReady)
  engine.attach(new MessagePortChannel(port))
  // How it stopped, the clients have been told already.
  await engine.stopped.catch(() => undefined)
  // Timers that libp2p leaves would keep the thread for another second. Not with a write under way: see above.
  await open.close().then(
    () => process.exit(),
    () => undefined,
  )
}

async function openStore({ dataDir, slots }: EngineThreadData, clock: SystemClock): Promise<OpenStore> {
  if (dataDir !== undefined && slots !== undefined) return openSlot(dataDir, slots, { clock })
  if (dataDir !== undefined) return openDataDir(dataDir, { clock })
  const store = new MemoryStore()
  await store.open()
  return { store, close: () => store.close() }
}

function meshOfSlot(mesh: MeshSettings, slot: number | undefined): MeshSettings {
  const { listen, advertise } = mesh
  if (slot === undefined) return mesh
  return {
    ...mesh,
    listen: addressOfSlot('listen', listen, slot),
    advertise: addressOfSlot('advertise', advertise, slot),
  }
}

function addressOfSlot(field: string, address: string | undefined, slot: number): string | undefined {
  if (address === undefined) return undefined
  const { host, port } = parseAddress(address, field)
  return endpointText({ host, port: portOfSlot(port, slot) })
}

function optionsOf(data: EngineThreadData, network: OpenedNetwork | undefined): Partial<EngineOptions> {
  const { store, mesh } = DEFAULT_OPTIONS
  const { expect, replicas, zone, weight, profile } = data.mesh ?? mesh
  const { join = [], foundsAlone } = network ?? {}
  return {
    mesh: { ...mesh, join, foundsAlone, expect, replicas, zone, weight, profile },
    store: { ...store, repair: data.repair, journal: { ...store.journal, durability: data.durability } },
  }
}

if (workerData === null)
  throw new CarillonError('UNSUPPORTED', 'engine-thread is started by createNode, not by itself')
run(workerData as EngineThreadData).catch((error: unknown) => {
  throw error
})
