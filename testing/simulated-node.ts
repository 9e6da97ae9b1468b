/**
 * One node of a test mesh: the shipped engine and the shipped front door, one process after the other, over a simulated
 * host and a disk that outlives them. Calls, frames and the disk take no virtual time: what a test sees are the instants
 * of its schedules, and nothing that it would have to round away.
 */

import { channelPair } from '../sim/channel.ts'
import type { SimulatedHost } from '../sim/network/host.ts'
import { SimulatedNetwork } from '../sim/network.ts'
import { ProcessStore, SimulatedProcess } from '../sim/process.ts'
import { SimulatedDisk, SimulatedStore } from '../sim/simulated-store.ts'
import { Trace } from '../sim/trace.ts'
import type { VirtualClock } from '../sim/virtual-clock.ts'
import type { FrontParts } from '../src/api/front.ts'
import { LocalNode } from '../src/api/local-node.ts'
import type { Handlers, Node } from '../src/api/types.ts'
import { DEFAULT_OPTIONS, type EngineOptions } from '../src/config.ts'
import { Engine } from '../src/engine.ts'
import { CarillonError } from '../src/errors.ts'
import type { SeededRandom } from '../src/lib/seeded-random.ts'
import type { Clock } from '../src/ports/clock.ts'
import type { Store } from '../src/ports/store.ts'
import type { Profile } from '../src/task/profile.ts'

/** The engine looks at its clock this often: so long before something is due, time must not be jumped. */
export const LOOK_MS = 250
/** All tasks of this time ahead are in memory, so that the engine knows when the next one is due. */
export const AHEAD_MS = 400 * 86_400_000
/** As many as the simulator has: fewer than a real mesh, and each is like any other. */
export const RANGES = 16
/** No node says anything new for so long, whose ranges are all where they belong. */
export const REST_MS = 600
/** Whoever is cut off may be unsure of its ranges for ever; by then the engine has given up to wait. */
const PATIENT_MS = 35_000

export interface NodeSettings {
  readonly handlers: Handlers
  readonly concurrency: number
  readonly profile: Profile
  readonly replicas: number
  /** Where all nodes are; empty: it is alone. */
  readonly join: readonly string[]
}

export interface NodePorts {
  readonly clock: VirtualClock
  readonly random: SeededRandom
  /** Undefined: it is alone. */
  readonly host: SimulatedHost | undefined
}

export interface NodeEvents {
  /** Something was written, or seen: the mesh is not at rest. */
  stirred(): void
  /** Its process has ended; with `error` for no reason that a test gave. */
  ended(error: unknown): void
}

export class SimulatedNode {
  readonly number: number
  readonly host: SimulatedHost | undefined
  readonly #ports: NodePorts
  readonly #settings: NodeSettings
  readonly #events: NodeEvents
  #disk: SimulatedDisk
  #disks = 0
  #lives = 0
  #process: SimulatedProcess | undefined
  #died: ((error: CarillonError) => void) | undefined
  #engine: Engine | undefined
  /** How far its wall clock is ahead of the true one, ms. */
  skewMs = 0

  constructor(number: number, ports: NodePorts, settings: NodeSettings, events: NodeEvents) {
    this.number = number
    this.host = ports.host
    this.#ports = ports
    this.#settings = settings
    this.#events = events
    this.#disk = this.#emptyDisk()
  }

  get isUp(): boolean {
    return this.#process?.isDead === false
  }

  /** The true instant of what is due next here; Infinity: nothing is. */
  get nextDueAt(): number {
    return this.isUp && this.#engine !== undefined
      ? this.#engine.nextDueAt - this.skewMs
      : Number.POSITIVE_INFINITY
  }

  /**
   * For how long nothing may have been written or seen until this node is taken to be at rest, ms; Infinity: something is sure
   * to come of itself, as a member that is away will be gone.
   */
  get restMs(): number {
    if (!this.isUp || this.host === undefined) return REST_MS
    const mesh = this.#engine?.mesh
    if (mesh?.membership.isAdmitted !== true) return Number.POSITIVE_INFINITY
    if (mesh.status().stores.some(({ state, suspect }) => state === 'away' || suspect))
      return Number.POSITIVE_INFINITY
    const { unsure, waiting } = mesh.tasks.status()
    return unsure > 0 || waiting > 0 || mesh.tasks.copying > 0 ? PATIENT_MS : REST_MS
  }

  /** How many ranges it acts for; none, if it is down. */
  acting(): number {
    return this.isUp ? (this.#engine?.mesh?.tasks.status().acting ?? 0) : 0
  }

  wipe(): void {
    this.#disk = this.#emptyDisk()
  }

  /** A new process. Rejects with why its engine did not start. */
  async start(expect: number | undefined): Promise<Node> {
    const { clock, random, host } = this.#ports
    this.#lives++
    const process = new SimulatedProcess(clock, new Trace(clock, {}))
    this.#process = process
    const chance = random.fork(`life ${this.#lives}`)
    const store = this.#watched(new ProcessStore(new SimulatedStore(this.#disk), process))
    const network = host && new SimulatedNetwork(host, process, { self: host.name })
    const own = this.#skewed(process.clock)
    const stirred = (): void => this.#events.stirred()
    const observer = { starting: stirred, viewChanged: stirred, founded: stirred, suspected: stirred }
    const engine = new Engine(
      {
        clock: own,
        random: chance,
        store,
        network,
        observer: { ...observer, refuted: stirred, refused: stirred, acting: stirred },
      },
      this.#options(expect),
    )
    this.#engine = engine
    engine.stopped.then(
      () => this.#end(process, undefined),
      (error: unknown) => this.#end(process, error),
    )
    await store.open()
    await engine.start()
    return this.#attach(engine, process, chance, own)
  }

  kill(powerCut: boolean): void {
    const process = this.#process
    if (process === undefined || process.isDead) return
    process.die(powerCut)
    this.#disk.crash({ powerCut })
    this.#died?.(new CarillonError('ENGINE_STOPPED', `node ${this.number} was crashed by the test`))
    this.#events.ended(undefined)
  }

  /** The machine's wall clock was set; engine and user's thread read it alike. */
  #skewed(clock: Clock): Clock {
    return {
      now: () => clock.now() + this.skewMs,
      monotonic: () => clock.monotonic(),
      setTimer: (delayMs, callback) => clock.setTimer(delayMs, callback),
      defer: callback => clock.defer(callback),
    }
  }

  #attach(engine: Engine, process: SimulatedProcess, random: SeededRandom, clock: Clock): Node {
    const ports = { clock: this.#ports.clock, random, latencyMs: () => 0 }
    const [theirs, ours] = channelPair(ports, process, process)
    engine.attach(theirs)
    const died = new Promise<never>((_, reject) => {
      this.#died = reject
    })
    died.catch(() => undefined)
    // There is no thread: what would be one's end is `died`, and close() has nothing to wait for.
    const thread = { threadId: -1, once: () => undefined } as unknown as FrontParts['thread']
    const { concurrency, profile, handlers } = this.#settings
    const worker = `node-${this.number}-${this.#lives}`
    return new LocalNode(
      { channel: ours, random: random.fork('front'), clock, thread, died },
      { worker, profile, concurrency, handlers },
    ) as unknown as Node
  }

  #end(process: SimulatedProcess, error: unknown): void {
    if (process.isDead) return
    if (error !== undefined) this.#disk.crash({ powerCut: false })
    process.die()
    this.#events.ended(error)
  }

  #options(expect: number | undefined): Partial<EngineOptions> {
    const { store, scheduler, horizon, mesh } = DEFAULT_OPTIONS
    const { join, replicas } = this.#settings
    return {
      store: { ...store, ranges: RANGES },
      scheduler: { ...scheduler, sleepMsMax: LOOK_MS },
      horizon: { ...horizon, aheadMs: AHEAD_MS },
      mesh: {
        ...mesh,
        join,
        expect,
        replicas,
      },
    }
  }

  #watched(store: Store): Store {
    const write = store.write.bind(store)
    store.write = (ops, options) => {
      this.#events.stirred()
      return write(ops, options)
    }
    return store
  }

  #emptyDisk(): SimulatedDisk {
    const { clock, random } = this.#ports
    return new SimulatedDisk({ clock, random: random.fork(`disk ${this.#disks++}`) }, { latencyMs: () => 0 })
  }
}
