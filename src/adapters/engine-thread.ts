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
import { type NetworkSettings, type OpenedNetwork, openNetwork } from './open-network.ts'
import { SystemClock } from './system-clock.ts'
import { SystemRandom } from './system-random.ts'

/** What the user's thread gives to this one. */
export interface EngineThreadData {
  readonly port: MessagePort
  /** Undefined: memory only. */
  readonly dataDir: string | undefined
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
  | { readonly ready: true }
  | { readonly ready: false; readonly error: WireError }

interface OpenStore {
  readonly store: Store
  close(): Promise<void>
}

async function run(data: EngineThreadData): Promise<void> {
  const { port } = data
  const clock = new SystemClock()
  let open: OpenStore | undefined
  let engine: Engine
  let network: OpenedNetwork | undefined
  try {
    open = await openStore(data.dataDir, clock)
    const refused = (code: string, line: string): void => engine.tell({ type: 'refused', code, line })
    if (data.mesh !== undefined) network = await openNetwork(data.mesh, data.dataDir, refused)
    engine = new Engine(
      {
        clock,
        random: new SystemRandom(),
        store: open.store,
        network: network?.network,
        makeToken: network?.makeToken,
      },
      optionsOf(data, network?.join ?? []),
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
  port.postMessage({ ready: true } satisfies EngineThreadReady)
  engine.attach(new MessagePortChannel(port))
  // How it stopped, the clients have been told already.
  await engine.stopped.catch(() => undefined)
  await open.close().catch(() => undefined)
}

async function openStore(dataDir: string | undefined, clock: SystemClock): Promise<OpenStore> {
  if (dataDir !== undefined) return openDataDir(dataDir, { clock })
  const store = new MemoryStore()
  await store.open()
  return { store, close: () => store.close() }
}

function optionsOf(data: EngineThreadData, join: readonly string[]): Partial<EngineOptions> {
  const { store, mesh } = DEFAULT_OPTIONS
  const { expect, replicas, zone, weight, profile } = data.mesh ?? mesh
  return {
    mesh: { ...mesh, join, expect, replicas, zone, weight, profile },
    store: { ...store, repair: data.repair, journal: { ...store.journal, durability: data.durability } },
  }
}

if (workerData === null)
  throw new CarillonError('UNSUPPORTED', 'engine-thread is started by createNode, not by itself')
run(workerData as EngineThreadData).catch((error: unknown) => {
  throw error
})
