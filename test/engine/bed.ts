/**
 * The whole of a node in virtual time: the shipped engine and the shipped front door, joined by a channel in one
 * simulated process, over a simulated disk. Nothing here waits for real time; a disk call takes 0.2 ms, a frame 0.02.
 */

import type { Worker as Thread } from 'node:worker_threads'
import { expect } from 'vitest'
import { channelPair } from '../../sim/channel.ts'
import { ProcessStore, SimulatedProcess } from '../../sim/process.ts'
import { type CrashOptions, SimulatedDisk, SimulatedStore } from '../../sim/simulated-store.ts'
import { Trace } from '../../sim/trace.ts'
import { VirtualClock } from '../../sim/virtual-clock.ts'
import { LocalNode } from '../../src/api/local-node.ts'
import type { Run } from '../../src/api/run.ts'
import type { Handler, Node } from '../../src/api/types.ts'
import { DEFAULT_OPTIONS, type EngineOptions } from '../../src/config.ts'
import { Engine } from '../../src/engine.ts'
import { SeededRandom } from '../../src/lib/seeded-random.ts'
import type { EngineEvent } from '../../src/wire/calls.ts'
import { settledWithin } from '../support/settled.ts'

/** A Wednesday, when the bed's clock begins. */
export const BEGAN_AT = Date.UTC(2025, 0, 1)

/** Segments so short that whatever lives for a moment goes to the index, and comes back from there. */
export const SHORT_SEGMENTS: Partial<EngineOptions> = {
  store: {
    ...DEFAULT_OPTIONS.store,
    ranges: 4,
    journal: { ...DEFAULT_OPTIONS.store.journal, segmentChangesMax: 2 },
  },
}

/** Of every time that a handler was entered. Instants are ms since BEGAN_AT. */
export interface Entered {
  readonly task: string
  readonly name: string
  readonly attempt: number
  readonly at: number
  readonly scheduledAt: number
  readonly key: string
  readonly fence: string | undefined
}

const EVENTS = [
  'late-end',
  'no-worker',
  'missed',
  'clock-jump',
  'store-full',
  'started',
  'stopped',
] as const satisfies ReadonlyArray<EngineEvent['type']>

export class Bed {
  readonly clock = new VirtualClock({ wallMs: BEGAN_AT })
  readonly disk: SimulatedDisk
  readonly entered: Entered[] = []
  readonly events: EngineEvent[] = []
  node!: Node
  engine!: Engine
  isUp = false
  readonly #random: SeededRandom
  readonly #options: Partial<EngineOptions>
  readonly #concurrency: number
  readonly #handlers = new Map<string, Handler>()
  #process!: SimulatedProcess

  /** `concurrency`: of each handler, in the process. */
  constructor(
    options: Partial<EngineOptions> = {},
    { seed = 'bed', concurrency = 100 }: { readonly seed?: string; readonly concurrency?: number } = {},
  ) {
    this.#options = options
    this.#concurrency = concurrency
    this.#random = new SeededRandom(seed)
    this.disk = new SimulatedDisk(
      { clock: this.clock, random: new SeededRandom(`${seed} disk`) },
      { latencyMs: () => 0.2 },
    )
  }

  /** Milliseconds since the bed's clock began. */
  get now(): number {
    return this.clock.now() - BEGAN_AT
  }

  /** A handler, of this process and of those after it; it is noted when it is entered. */
  handle(name: string, handler: Handler = () => undefined): void {
    const noting = (run: Run): unknown => {
      this.entered.push({
        task: run.taskId,
        name,
        attempt: run.attempt,
        at: this.now,
        scheduledAt: run.scheduledAt - BEGAN_AT,
        key: run.idempotencyKey,
        fence: run.fence,
      })
      return handler(run)
    }
    this.#handlers.set(name, noting)
    if (this.isUp) this.node.handle(name, noting)
  }

  /** Of a task: when each of its attempts entered the handler. */
  startsOf(task: string): number[] {
    return this.entered.filter(each => each.task === task).map(each => each.at)
  }

  eventsOf<T extends EngineEvent['type']>(type: T): Array<Extract<EngineEvent, { type: T }>> {
    return this.events.filter((each): each is Extract<EngineEvent, { type: T }> => each.type === type)
  }

  /** A process starts, with an engine and a node in it. */
  async start(): Promise<void> {
    expect(this.isUp).toBe(false)
    this.#process = new SimulatedProcess(this.clock, new Trace(this.clock, {}))
    const store = new ProcessStore(new SimulatedStore(this.disk), this.#process)
    const { clock } = this.#process
    const random = new SeededRandom(this.#random.float().toString())
    this.engine = new Engine({ clock, random, store }, this.#options)
    await this.done(store.open().then(() => this.engine.start()))
    this.isUp = true
    this.node = this.attach(Object.fromEntries(this.#handlers)).node
    for (const type of EVENTS) this.node.on(type, (event: EngineEvent) => this.events.push(event))
    await this.clock.advanceBy(1)
  }

  /** One more client of the engine; `cut` closes its channel, as the end of its process would. */
  attach(handlers: Readonly<Record<string, Handler>> = {}): { node: Node; cut: () => void } {
    const frames = { clock: this.clock, random: { float: () => 0, bytes: (n: number) => new Uint8Array(n) } }
    const [theirs, ours] = channelPair(frames, this.#process, this.#process)
    this.engine.attach(theirs)
    const node = new LocalNode(
      {
        channel: ours,
        random: new SeededRandom(this.#random.float().toString()),
        clock: this.#process.clock,
        thread: ENDED_THREAD,
        died: new Promise<never>(() => undefined),
      },
      { worker: 'bed', profile: 'balanced', concurrency: this.#concurrency, handlers },
    )
    return { node: node as unknown as Node, cut: () => ours.cut() }
  }

  /** What the promise gives, after the virtual time that it takes. */
  done<T>(promise: Promise<T>, limitMs = 1000): Promise<T> {
    return settledWithin(this.clock, promise, limitMs)
  }

  /** Time goes on to an instant, ms since BEGAN_AT. */
  async until(at: number): Promise<void> {
    expect(at).toBeGreaterThanOrEqual(this.now)
    await this.clock.advanceBy(at - this.now)
  }

  /** For handlers: resolves after so much virtual time, unless the process has died by then. */
  sleep(ms: number): Promise<void> {
    return new Promise(resolve => this.#process.clock.setTimer(ms, resolve))
  }

  /** The process is killed; by default the power goes too. Nothing of it is heard of again. */
  crash(options: CrashOptions = {}): void {
    this.#process.die()
    this.disk.crash(options)
    this.isUp = false
  }

  /** An orderly end. */
  async stop({ graceMs = 0 }: { readonly graceMs?: number } = {}): Promise<void> {
    if (!this.isUp) return
    await this.done(this.node.close({ graceMs }), graceMs + 1000)
    await this.done(this.engine.stopped)
    this.isUp = false
  }

  /** Nobody is there for so long. */
  async away(ms: number): Promise<void> {
    await this.stop()
    await this.clock.advanceBy(ms)
    await this.start()
  }
}

/** There is no thread: for the node it has always ended. */
const ENDED_THREAD = { threadId: -1, once: () => undefined } as unknown as Thread

export async function listed<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}
