/**
 * A mesh of shipped engines in virtual time, each with the shipped front door, over the simulated network and disks.
 * A call goes from node to node until one acts for the task.
 */

import type { Worker as Thread } from 'node:worker_threads'
import { expect } from 'vitest'
import { channelPair } from '../../sim/channel.ts'
import type { SimulatedHost } from '../../sim/network/host.ts'
import { SimulatedSwitch } from '../../sim/network/switch.ts'
import { SimulatedNetwork } from '../../sim/network.ts'
import { ProcessStore, SimulatedProcess } from '../../sim/process.ts'
import { SimulatedDisk, SimulatedStore } from '../../sim/simulated-store.ts'
import { Trace } from '../../sim/trace.ts'
import { VirtualClock } from '../../sim/virtual-clock.ts'
import { LocalNode } from '../../src/api/local-node.ts'
import type { Run } from '../../src/api/run.ts'
import type { Handler, Node } from '../../src/api/types.ts'
import { DEFAULT_OPTIONS } from '../../src/config.ts'
import { Engine } from '../../src/engine.ts'
import { isCarillonError } from '../../src/errors.ts'
import { rangeOf } from '../../src/lib/hash.ts'
import { SeededRandom } from '../../src/lib/seeded-random.ts'
import type { MeshOptions } from '../../src/mesh/mesh.ts'
import { settledWithin } from '../support/settled.ts'

export const BEGAN_AT = Date.UTC(2025, 0, 1)
export const RANGES = 16

/** A handler was entered. Instants are ms since BEGAN_AT. */
export interface Entered {
  readonly node: number
  readonly task: string
  readonly at: number
  readonly scheduledAt: number
  readonly attempt: number
  readonly key: string
}

interface BedHandler {
  readonly act: (run: Run, node: BedNode) => unknown
  readonly at: readonly number[] | undefined
}

export interface MeshBedOptions {
  readonly seed?: string
  readonly replicas?: number
  readonly segmentChangesMax?: number
  /** A node sends calls on to whoever acts, as it does for users; else it refuses what is not its own. */
  readonly routed?: boolean
}

export class BedNode {
  readonly #bed: MeshBed
  readonly number: number
  readonly host: SimulatedHost
  #disk: SimulatedDisk
  #process: SimulatedProcess | undefined
  #lives = 0
  engine!: Engine
  api!: Node
  isUp = false

  constructor(bed: MeshBed, number: number, host: SimulatedHost) {
    this.#bed = bed
    this.number = number
    this.host = host
    this.#disk = this.#emptyDisk()
  }

  #emptyDisk(): SimulatedDisk {
    const { clock, seed } = this.#bed
    const random = new SeededRandom(`${seed} disk ${this.number} ${this.#lives}`)
    return new SimulatedDisk({ clock, random }, { latencyMs: () => 0.2 })
  }

  wipe(): void {
    expect(this.isUp).toBe(false)
    this.#disk = this.#emptyDisk()
  }

  get store(): string {
    return this.engine.mesh?.status().stores.find(({ node }) => node === this.host.name)?.store ?? ''
  }

  start(mesh: Partial<MeshOptions>): Promise<void> {
    const { clock, seed, options } = this.#bed
    this.#lives++
    const process = new SimulatedProcess(clock, new Trace(clock, {}))
    this.#process = process
    const random = new SeededRandom(`${seed} node ${this.number} life ${this.#lives}`)
    const store = new ProcessStore(new SimulatedStore(this.#disk), process)
    const network = new SimulatedNetwork(this.host, process, { self: this.host.name })
    const { journal } = DEFAULT_OPTIONS.store
    const { segmentChangesMax = journal.segmentChangesMax, replicas = 3 } = options
    this.engine = new Engine(
      { clock: process.clock, random, store, network },
      {
        store: { ...DEFAULT_OPTIONS.store, ranges: RANGES, journal: { ...journal, segmentChangesMax } },
        mesh: { ...DEFAULT_OPTIONS.mesh, replicas, ...mesh },
      },
    )
    this.engine.stopped.catch((error: unknown) => this.#bed.failures.push(error))
    this.isUp = true
    return store
      .open()
      .then(() => this.engine.start())
      .then(() => this.#attach(process, random))
  }

  #attach(process: SimulatedProcess, random: SeededRandom): void {
    const frames = {
      clock: this.#bed.clock,
      random: { float: () => 0, bytes: (n: number) => new Uint8Array(n) },
    }
    const [theirs, ours] = channelPair(frames, process, process)
    this.engine.attach(theirs, { direct: this.#bed.options.routed !== true })
    this.api = new LocalNode(
      {
        channel: ours,
        random,
        clock: process.clock,
        thread: { threadId: -1, once: () => undefined } as unknown as Thread,
        died: new Promise<never>(() => undefined),
      },
      {
        worker: `w${this.number}`,
        profile: 'balanced',
        concurrency: 100,
        handlers: this.#bed.handlersOf(this),
      },
    ) as unknown as Node
  }

  sleep(ms: number): Promise<void> {
    return new Promise(resolve => this.#process?.clock.setTimer(ms, resolve))
  }

  crash(options: { powerCut?: boolean } = {}): void {
    this.isUp = false
    this.#process?.die(options.powerCut === true)
    this.#disk.crash(options)
  }

  async stop(graceMs = 0): Promise<void> {
    await this.#bed.done(this.engine.stop(graceMs), 20_000 + graceMs)
    this.isUp = false
    this.#process?.die(false)
  }
}

export class MeshBed {
  readonly clock = new VirtualClock({ wallMs: BEGAN_AT })
  readonly seed: string
  readonly options: MeshBedOptions
  readonly switch: SimulatedSwitch
  readonly nodes: BedNode[] = []
  readonly entered: Entered[] = []
  readonly failures: unknown[] = []
  readonly #handlers = new Map<string, BedHandler>()

  constructor(size: number, options: MeshBedOptions = {}) {
    this.options = options
    this.seed = options.seed ?? 'mesh'
    this.switch = new SimulatedSwitch(
      { clock: this.clock, random: new SeededRandom(`${this.seed} switch`) },
      {},
    )
    for (let i = 0; i < size; i++) this.add()
  }

  add(): BedNode {
    const number = this.nodes.length
    const node = new BedNode(this, number, this.switch.host(`n${number}`))
    this.nodes.push(node)
    return node
  }

  get now(): number {
    return this.clock.now() - BEGAN_AT
  }

  /** `at`: the only nodes that have it. */
  handle(name: string, act: BedHandler['act'] = () => undefined, at?: readonly number[]): void {
    this.#handlers.set(name, { act, at })
  }

  handlersOf(node: BedNode): Record<string, Handler> {
    const handlers: Record<string, Handler> = {}
    for (const [name, { act, at }] of this.#handlers) {
      if (at?.includes(node.number) === false) continue
      handlers[name] = run => {
        this.entered.push({
          node: node.number,
          task: run.taskId,
          at: this.now,
          scheduledAt: run.scheduledAt - BEGAN_AT,
          attempt: run.attempt,
          key: run.idempotencyKey,
        })
        return act(run, node)
      }
    }
    return handlers
  }

  /** Founds the mesh with all nodes, and waits until each range has one that acts. */
  async found(): Promise<void> {
    const join = this.nodes.map(({ host }) => host.address)
    for (const node of this.nodes) await this.done(node.start({ join, expect: this.nodes.length }), 5000)
    await this.settled()
  }

  async restart(node: BedNode): Promise<void> {
    await this.done(node.start({ join: this.nodes.map(({ host }) => host.address) }), 5000)
  }

  /** Each range has exactly one node that acts, sure of itself. */
  async settled(limitMs = 60_000): Promise<void> {
    const isSettled = (): boolean => {
      for (let range = 0; range < RANGES; range++) if (this.actingFor(range).length !== 1) return false
      return this.up.every(node => (node.engine.mesh?.tasks.status().unsure ?? 0) === 0)
    }
    await this.clock.runUntil(() => isSettled() || this.failures.length > 0, limitMs)
    expect(this.failures).toEqual([])
    expect(isSettled(), 'each range has one owner').toBe(true)
  }

  get up(): BedNode[] {
    return this.nodes.filter(({ isUp }) => isUp)
  }

  actingFor(range: number): BedNode[] {
    return this.up.filter(node => node.engine.mesh?.tasks.acts(range) === true)
  }

  ownerOf(id: string): BedNode {
    const [owner] = this.actingFor(rangeOf(id, RANGES))
    expect(owner, `somebody acts for ${id}`).toBeDefined()
    return owner as BedNode
  }

  /** A call at whoever takes it. */
  async call<T>(act: (node: Node) => Promise<T>, limitMs = 20_000): Promise<T> {
    const until = this.now + limitMs
    for (;;) {
      for (const { api } of this.up) {
        try {
          return await this.done(act(api), 10_000)
        } catch (error) {
          if (!isCarillonError(error, 'NOT_OWNER')) throw error
        }
      }
      expect(this.now, 'somebody takes the call').toBeLessThan(until)
      await this.advance(50)
    }
  }

  async advance(ms: number): Promise<void> {
    await this.clock.advanceBy(ms)
    expect(this.failures).toEqual([])
  }

  done<T>(promise: Promise<T>, limitMs = 5000): Promise<T> {
    return settledWithin(this.clock, promise, limitMs, () => ` (${this.failures.join()})`)
  }

  /** What the listed stores have of a range: the texts of its records, store by store. */
  async recordsOf(range: number): Promise<Map<number, string>> {
    const texts = new Map<number, string>()
    for (const node of this.up) {
      const tasks = node.engine.mesh?.tasks
      if (tasks === undefined) continue
      const { isListed, records } = await this.done(tasks.inspect(range))
      if (isListed || records.size > 0) texts.set(node.number, [...records.values()].sort().join('\n'))
    }
    return texts
  }

  /** All stores of each list have the same. */
  async expectConverged(replicas = this.options.replicas ?? 3): Promise<void> {
    for (let range = 0; range < RANGES; range++) {
      const texts = await this.recordsOf(range)
      expect(texts.size, `copies of range ${range}`).toBe(Math.min(replicas, this.up.length))
      expect(new Set(texts.values()).size, `range ${range} is equal on ${[...texts.keys()]}`).toBe(1)
    }
  }

  async stop(): Promise<void> {
    for (const node of this.up) await node.stop()
  }
}
