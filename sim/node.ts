/**
 * A simulated node: the shipped engine, one life after the other, on one simulated disk. A crash drops the engine as
 * a kill does: no timer of it fires any more, no promise of it settles, and its disk loses what was not synced.
 */

import type { EngineOptions } from '../src/config.ts'
import { Engine } from '../src/engine.ts'
import { isCarillonError } from '../src/errors.ts'
import { SeededRandom } from '../src/lib/seeded-random.ts'
import type { Random } from '../src/ports/random.ts'
import { channelPair } from './channel.ts'
import type { SimulatedClient } from './client.ts'
import type { Boot, History } from './history.ts'
import { ProcessStore, SimulatedProcess, type StoreHook } from './process.ts'
import { type CrashOptions, type SimulatedDisk, SimulatedStore } from './simulated-store.ts'
import type { Trace } from './trace.ts'
import type { VirtualClock } from './virtual-clock.ts'

export interface NodePorts {
  readonly clock: VirtualClock
  readonly random: Random
  readonly history: History
  readonly trace: Trace
  readonly disk: SimulatedDisk
}

/** A first byte of a key: the journal's. */
const JOURNAL = 0x6a

export class SimulatedNode {
  readonly #ports: NodePorts
  readonly #options: Partial<EngineOptions>
  readonly #clients: readonly SimulatedClient[]
  readonly #hook: StoreHook
  engine: Engine | undefined
  process: SimulatedProcess | undefined
  /** Why the engine may die now; anything else is a fault of it. */
  mayDie: string | undefined
  #boot: Boot | undefined
  #endOutage: (() => void) | undefined
  #ready = false
  /** Restarts by itself, as a service manager does. */
  restarts = true
  /** It died though nothing was done to it: there is no point in going on. */
  isLost = false
  #restartSoon = false

  constructor(
    ports: NodePorts,
    clients: readonly SimulatedClient[],
    options: Partial<EngineOptions>,
    hook: StoreHook = store => store,
  ) {
    this.#ports = ports
    this.#clients = clients
    this.#options = options
    this.#hook = hook
  }

  get isReady(): boolean {
    return this.#ready
  }

  get isUp(): boolean {
    return this.engine !== undefined
  }

  start(): void {
    if (this.engine !== undefined) return
    const { clock, history, trace, disk, random } = this.#ports
    this.#endOutage ??= history.disturb('down')
    const process = new SimulatedProcess(clock, trace, random)
    const store = new ProcessStore(this.#hook(new SimulatedStore(disk)), process)
    const seed = Math.floor(random.float() * 2 ** 32)
    const engine = new Engine({ clock: process.clock, random: new SeededRandom(seed), store }, this.#options)
    const boot: Boot = {
      number: history.boots.length + 1,
      startedAt: clock.monotonic(),
      readyAt: undefined,
      endedAt: undefined,
      how: undefined,
    }
    history.boots.push(boot)
    this.#boot = boot
    this.process = process
    this.engine = engine
    trace.note(`boot ${boot.number}`)
    engine.stopped.catch((error: unknown) => this.#died(engine, error))
    store
      .open()
      .then(() => engine.start())
      .then(
        () => this.#started(engine, process, boot),
        (error: unknown) => this.#died(engine, error),
      )
  }

  #started(engine: Engine, process: SimulatedProcess, boot: Boot): void {
    const { clock, trace } = this.#ports
    if (this.engine !== engine) return
    boot.readyAt = clock.monotonic()
    this.#ready = true
    this.#endOutage?.()
    this.#endOutage = undefined
    trace.note(`boot ${boot.number} is ready`)
    for (const client of this.#clients) this.connect(client, engine, process)
  }

  connect(client: SimulatedClient, engine = this.engine, process = this.process): void {
    if (engine === undefined || process === undefined || !this.#ready || client.isConnected) return
    const { clock, random } = this.#ports
    const [ours, theirs] = channelPair({ clock, random }, process, client.process)
    engine.attach(ours)
    client.connect(theirs)
  }

  /** Kills the process: kill -9, or a power cut. Clients that live in the same process die with it. */
  crash(options: CrashOptions = {}): void {
    if (this.engine === undefined) return
    const { trace, history, random } = this.#ports
    trace.note(`crash, ${options.powerCut === false ? 'killed' : 'power cut'}`)
    history.count('crashes')
    this.#gone('crash', options)
    if (random.float() < 0.7) this.#clients[0]?.die()
    for (const client of this.#clients) client.disconnect()
    this.#restart()
  }

  /** Where a torn write is something that the layers above must bear. */
  static mayTear(key: Uint8Array): boolean {
    return key[0] === JOURNAL
  }

  #died(engine: Engine, error: unknown): void {
    if (this.engine !== engine) return
    const { trace, history } = this.#ports
    const why = error instanceof Error ? error.message : String(error)
    trace.note(`the engine died: ${why}`)
    // A start needs a little space; without it, it says so, and is tried again like any other start.
    const noSpaceToStart = !this.#ready && isCarillonError(error, 'STORE_FULL')
    if (noSpaceToStart) history.count('starts without space')
    else if (this.mayDie === undefined) {
      const stack =
        error instanceof Error ? (error.cause instanceof Error ? error.cause.stack : error.stack) : ''
      history.fault(`the engine died: ${why}\n${stack ?? ''}`)
      this.isLost = true
      this.restarts = false
    } else history.count(`died: ${this.mayDie}`)
    this.mayDie = undefined
    this.#gone('died', { powerCut: this.#ports.random.float() < 0.5 })
    for (const client of this.#clients) client.disconnect()
    this.#restart()
  }

  /** Stops in an orderly way; resolves when that is done. */
  async stop(graceMs: number): Promise<void> {
    const { engine } = this
    if (engine === undefined) return
    await engine.stop(graceMs)
    if (this.engine === engine) this.#gone('stopped', { powerCut: true })
  }

  #gone(how: NonNullable<Boot['how']>, options: CrashOptions): void {
    const { clock, disk, history } = this.#ports
    if (this.#boot !== undefined) {
      this.#boot.endedAt = clock.monotonic()
      this.#boot.how = how
    }
    this.#ready = false
    this.#endOutage ??= history.disturb('down')
    // What the process had sent is in the kernel; what it was about to do is not.
    this.process?.die()
    disk.crash(options)
    this.engine = undefined
  }

  #restart(): void {
    if (!this.restarts || this.#restartSoon) return
    this.#restartSoon = true
    const dice = this.#ports.random.float()
    const wait = dice < 0.75 ? 50 + dice * 2000 : dice < 0.95 ? 20_000 * dice : 150_000 * dice
    this.#ports.clock.setTimer(wait, () => {
      this.#restartSoon = false
      this.start()
    })
  }
}
