/**
 * One run of the simulator: a node, its users and its faults for some virtual minutes; then everything is healed, the
 * node gets time to come to rest, is listed, stopped and started once more; then the checkers read the history.
 * All of it follows from the options.
 */

import type { EngineOptions } from '../src/config.ts'
import { DEFAULT_OPTIONS } from '../src/config.ts'
import { hash32 } from '../src/lib/hash.ts'
import { SeededRandom } from '../src/lib/seeded-random.ts'
import type { Random } from '../src/ports/random.ts'
import type { TaskView } from '../src/task/views.ts'
import { CHECKERS } from './checkers/index.ts'
import { SimulatedClient } from './client.ts'
import { AIMED, FAULTS, Faults } from './faults/index.ts'
import { History } from './history.ts'
import type { Mutant } from './mutants/mutant.ts'
import { SimulatedNode } from './node.ts'
import { recordNode } from './page/node-recording.ts'
import type { SeedResult } from './seeds.ts'
import { diskLatency, SimulatedDisk } from './simulated-store.ts'
import { Trace } from './trace.ts'
import { VirtualClock } from './virtual-clock.ts'
import { HANDLERS, Workload } from './workload.ts'

export const MIXES: Readonly<Record<string, readonly string[]>> = {
  /** No fault at all. */
  calm: [],
  crash: ['crash', 'crash-loop', 'worker-loss'],
  disk: ['disk-full', 'failed-sync', 'slow-disk', 'crash'],
  clock: ['clock-jump', 'pause'],
  /** What does not wait for its sync is lost. */
  stall: ['stall-crash', 'worker-loss'],
  /** Replay meets an index that is newer than what it says of itself. */
  spill: ['crash-in-spill', 'worker-loss'],
  /** A draw of each seed, of what strikes by chance. */
  all: FAULTS.map(fault => fault.name).filter(name => !AIMED.includes(name)),
}

export interface RunOptions {
  readonly seed: number
  /** Virtual minutes with faults. */
  readonly minutes: number
  readonly mix: string
  readonly traceFile?: string | undefined
  /** The result has a recording. */
  readonly recorded?: boolean | undefined
  readonly verbose?: boolean | undefined
  readonly mutant?: Mutant | undefined
}

/** Nights on which some zone of the workload changes its clocks; and one on which none does. */
const STARTS = [
  '2025-01-15T12:00:00Z',
  '2025-03-30T00:52:00Z', // Berlin, forwards
  '2025-10-26T00:52:00Z', // Berlin, back
  '2025-03-09T06:55:00Z', // New York
  '2025-11-02T05:55:00Z',
  '2025-04-05T14:52:00Z', // Lord Howe, by half an hour
  '2025-10-04T15:22:00Z',
  '2024-02-29T23:55:00Z',
  '2025-12-31T23:57:00Z',
]

const HEAL_MS = 90_000
const QUIET_MS_MAX = 900_000
/** A run with less than this per virtual minute did too little to say anything. */
const ATTEMPTS_A_MINUTE_MIN = 10

export async function runSeed(options: RunOptions): Promise<SeedResult> {
  const draw = new SeededRandom(hash32(`draw ${options.seed}`))
  const wallMs =
    Date.parse(STARTS[Math.floor(draw.float() * STARTS.length)] as string) + Math.floor(draw.float() * 60_000)
  const clock = new VirtualClock({ wallMs, monotonicMs: draw.float() * 1e6 })
  const trace = new Trace(clock, {
    file: options.traceFile,
    verbose: options.verbose === true,
    keepsNotes: options.recorded === true,
  })
  const history = new History(clock)
  const mutant = options.mutant?.apply({ clock, random: stream(options, 'mutant') })
  const rejected = (error: unknown): void =>
    history.fault(`unhandled rejection: ${error instanceof Error ? error.stack : error}`)
  process.on('unhandledRejection', rejected)
  const undoStacks = sameStacks()
  let clients: readonly SimulatedClient[] = []
  try {
    const world = new World(options, draw, { clock, trace, history }, mutant?.store)
    clients = world.clients
    await world.run()
  } catch (error) {
    history.fault(`the simulation itself failed: ${error instanceof Error ? error.stack : String(error)}`)
  } finally {
    mutant?.undo()
    undoStacks()
    await new Promise(resolve => setImmediate(resolve))
    process.off('unhandledRejection', rejected)
    trace.close()
  }
  const faults = [...history.faults]
  // A run that did not come to its end has failed already; there is nothing to judge.
  for (const { name, check } of Number.isFinite(history.endedAt) ? CHECKERS : []) {
    const found: string[] = []
    check(history, text => found.push(text))
    for (const text of found.slice(0, 5)) faults.push(`${name}: ${text}`)
    if (found.length > 5) faults.push(`${name}: and ${found.length - 5} more`)
  }
  if ((history.counters.attempts ?? 0) < options.minutes * ATTEMPTS_A_MINUTE_MIN) {
    faults.push(`too little work: ${history.counters.attempts ?? 0} attempts in ${options.minutes} minutes`)
  }
  return {
    seed: options.seed,
    hash: trace.hash,
    faults,
    latest: trace.latest,
    counters: history.counters,
    virtualMs: clock.monotonic() - (history.boots[0]?.startedAt ?? 0),
    events: trace.events,
    ...(options.recorded === true
      ? { recording: recordNode(history, clients, trace.notes, clock.monotonic()) }
      : {}),
  }
}

/** Stacks travel in frames, hence into the hash: they say nothing of who called, and of where this is installed. */
function sameStacks(): () => void {
  const before = Error.prepareStackTrace
  Error.prepareStackTrace = (error, sites) => {
    const lines = [String(error)]
    for (const site of sites) {
      const [, file] =
        /^.*[\\/]((?:src|sim)[\\/](?!(?:main|seeds)\.ts).*)$/.exec(site.getFileName() ?? '') ?? []
      if (file !== undefined)
        lines.push(`    at ${site.getFunctionName() ?? '?'} (${file}:${site.getLineNumber()})`)
    }
    return lines.join('\n')
  }
  return () => {
    if (before === undefined) delete (Error as { prepareStackTrace?: unknown }).prepareStackTrace
    else Error.prepareStackTrace = before
  }
}

function stream(options: RunOptions, name: string): Random {
  return new SeededRandom(hash32(`${name} ${options.seed}`))
}

class World {
  readonly #options: RunOptions
  readonly #clock: VirtualClock
  readonly #history: History
  readonly #trace: Trace
  readonly #node: SimulatedNode
  readonly #clients: readonly SimulatedClient[]
  readonly #workload: Workload
  readonly #faults: Faults
  readonly #draw: Random

  constructor(
    options: RunOptions,
    draw: Random,
    ports: { readonly clock: VirtualClock; readonly trace: Trace; readonly history: History },
    hook?: NonNullable<ReturnType<Mutant['apply']>['store']>,
  ) {
    const { clock, trace, history } = ports
    this.#options = options
    this.#draw = draw
    this.#clock = clock
    this.#history = history
    this.#trace = trace
    const diskPace = { factor: 1 }
    const disk = new SimulatedDisk(
      { clock, random: stream(options, 'disk') },
      { latencyMs: (call, bytes, random) => diskLatency(call, bytes, random) * diskPace.factor },
    )
    const random = stream(options, 'clients')
    const count = 1 + Math.floor(draw.float() * 3)
    this.#clients = Array.from({ length: count }, (_, number) => {
      // Not every client has every handler; the first has.
      const handlers = HANDLERS.filter((_, i) => number === 0 || draw.float() < 0.7 || i === 0)
      const repeatShare = draw.float() * 0.15
      const window = 20 + Math.floor(draw.float() * 60)
      return new SimulatedClient(
        { clock, random, history, trace },
        { number, handlers, window, events: true, repeatShare },
      )
    })
    const engine = engineOptions(draw)
    history.queueIsShort = engine.dispatcher.queueMax < 1000 || engine.horizon.loadedMax < 1000
    this.#node = new SimulatedNode(
      { clock, random: stream(options, 'node'), history, trace, disk },
      this.#clients,
      engine,
      hook,
    )
    this.#workload = new Workload({ clock, random: stream(options, 'workload'), history }, this.#clients, {
      gapMs: 60 + draw.float() * 300,
      recurringMax: 4 + Math.floor(draw.float() * 16),
      strictShare: draw.float() < 0.7 ? 0.25 : 0,
      looseShare: 0.1,
      badHandlers: draw.float() < 0.8,
    })
    this.#faults = new Faults({
      clock,
      random: stream(options, 'faults'),
      history,
      trace,
      disk,
      node: this.#node,
      clients: this.#clients,
      diskPace,
    })
  }

  get clients(): readonly SimulatedClient[] {
    return this.#clients
  }

  async run(): Promise<void> {
    const { minutes, mix } = this.#options
    const names = MIXES[mix] ?? []
    const enabled = FAULTS.filter(
      fault => names.includes(fault.name) && (mix !== 'all' || this.#draw.float() < 0.5),
    )
    this.#trace.note(`faults: ${enabled.map(fault => fault.name).join(' ')}`)
    this.#node.start()
    await this.#until('the first start', () => this.#node.isReady, 60_000)
    this.#workload.start()
    this.#faults.start(enabled, 0.5 + this.#draw.float() * 2)
    if (await this.#clock.runUntil(() => this.#node.isLost, minutes * 60_000)) return
    await this.#heal()
    if (this.#node.isLost) return
    await this.#list()
    await this.#stopAndStart()
  }

  async #heal(): Promise<void> {
    this.#workload.stop()
    this.#faults.heal()
    this.#trace.note('healing')
    this.#node.start()
    await this.#until('the node is up after healing', () => this.#node.isReady, 300_000)
    for (const client of this.#clients) this.#node.connect(client)
    this.#history.healedAt = this.#clock.monotonic()
    await this.#clock.runUntil(() => this.#node.isLost, HEAL_MS)
    const open = (): number => this.#clients.reduce((sum, client) => sum + client.openCount, 0)
    await this.#until('every request has an answer', () => open() === 0, QUIET_MS_MAX)
    await this.#clock.runUntil(() => this.#node.isLost, 10_000)
    if (this.#node.isLost) return
    this.#history.endedAt = this.#clock.monotonic()
    this.#trace.note('healed')
  }

  async #list(): Promise<void> {
    const [client] = this.#clients as [SimulatedClient]
    this.#history.listed = await this.#tasks(client)
    const { status } = await this.#wait('status', client.query({ method: 'status' }))
    this.#history.status = status
  }

  /** After an orderly stop nothing ticks any more, and a start finds what was there. */
  async #stopAndStart(): Promise<void> {
    const { process } = this.#node
    this.#node.restarts = false
    for (const client of this.#clients) client.isOver = true
    await this.#wait('an orderly stop', this.#node.stop(5000))
    this.#history.timersLeft = process?.timersAtEnd ?? 0
    for (const client of this.#clients) client.disconnect()
    this.#node.start()
    await this.#until('the last start', () => this.#node.isReady, 60_000)
    const [client] = this.#clients as [SimulatedClient]
    this.#history.listedAgain = await this.#tasks(client)
    await this.#wait('the last stop', this.#node.stop(0))
  }

  async #tasks(client: SimulatedClient): Promise<TaskView[]> {
    const tasks: TaskView[] = []
    let after: string | undefined
    do {
      const query = client.query({ method: 'tasks', filter: {}, after, limit: 100 })
      const page = await this.#wait('a page of tasks', query)
      tasks.push(...page.tasks)
      after = page.after ?? undefined
    } while (after !== undefined)
    return tasks
  }

  /** Drives the clock until the promise settles. */
  async #wait<T>(what: string, promise: Promise<T>): Promise<T> {
    let settled = false
    const done = (): void => {
      settled = true
    }
    promise.then(done, done)
    await this.#until(what, () => settled, 60_000)
    return promise
  }

  async #until(what: string, predicate: () => boolean, limitMs: number): Promise<void> {
    const over = (): boolean => this.#node.isLost || predicate()
    if (!(await this.#clock.runUntil(over, limitMs)))
      throw new Error(`${what}: not within ${limitMs} virtual ms`)
  }
}

/** Small segments, a near horizon and few ranges, so that spills and moves happen all the time. */
function engineOptions(draw: Random): Partial<EngineOptions> & Pick<EngineOptions, 'dispatcher' | 'horizon'> {
  const pick = <T>(items: readonly T[]): T => items[Math.floor(draw.float() * items.length)] as T
  const { store, dispatcher, lifecycle } = DEFAULT_OPTIONS
  return {
    store: {
      ...store,
      ranges: pick([1, 4, 8]),
      journal: {
        ...store.journal,
        segmentChangesMax: pick([8, 20, 60, 200, 2000]),
        fullPatienceMs: pick([500, 5000]),
      },
      history: { ...store.history, completedMax: 100_000, perTaskMax: pick([2, 20]) },
      requestWindowMs: pick([10_000, 60_000]),
      fullRetryMs: pick([100, 1000]),
    },
    scheduler: { sleepMsMax: 1000, sliceMax: pick([16, 4096]), sliceMs: 5 },
    horizon: {
      aheadMs: pick([2000, 10_000, 60_000]),
      loadedMax: pick([300, 200_000]),
      pageMax: pick([3, 50, 500]),
    },
    dispatcher: { ...dispatcher, queueMax: pick([60, 100_000]) },
    backlogMax: pick([20, 50_000]),
    lifecycle,
    freeBytesMin: 1_000_000,
    freeShareMax: 1,
  }
}
