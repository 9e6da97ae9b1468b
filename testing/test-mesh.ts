/** The test mesh in the user's hands: nodes, network and time put together. */

import { SimulatedSwitch } from '../sim/network/switch.ts'
import { VirtualClock } from '../sim/virtual-clock.ts'
import type { Duration, Handler, Handlers, Instant, Node } from '../src/api/types.ts'
import { CarillonError, isCarillonError } from '../src/errors.ts'
import { SeededRandom } from '../src/lib/seeded-random.ts'
import { parseDuration } from '../src/task/duration.ts'
import type { Profile } from '../src/task/profile.ts'
import { invalid } from '../src/task/schema.ts'
import { instantOf } from '../src/task/validate.ts'
import { Driver } from './driver.ts'
import { RunLog } from './run-log.ts'
import { RANGES, SimulatedNode } from './simulated-node.ts'
import { trackedNode } from './tracked-node.ts'
import type {
  CrashOptions,
  RestartOptions,
  RunFilter,
  SleepOptions,
  TestMesh,
  TestRun,
  UntilOptions,
} from './types.ts'
import { fakeDate } from './virtual-date.ts'

/** The options, checked and with their defaults. */
export interface MeshSettings {
  readonly handlers: Handlers
  readonly nodes: number
  readonly seed: string
  readonly startAt: number
  readonly concurrency: number
  readonly profile: Profile
  readonly replicas: number
  readonly handlerMs: number
  readonly fakeDate: boolean
}

/** Within this a mesh is founded, and each range has a node that acts for it; virtual ms. */
const FOUNDING_MS_MAX = 120_000
const DAY_MS = 86_400_000
/** Links that take no time: a test sees the instants of its schedules. */
const AT_ONCE = {
  latencyMs: 0,
  jitterMs: 0,
  loss: 0,
  duplicate: 0,
  late: 0,
  bytesPerMs: Number.POSITIVE_INFINITY,
}

export class SimulatedTestMesh implements TestMesh {
  readonly #settings: MeshSettings
  readonly #clock: VirtualClock
  readonly #switch: SimulatedSwitch
  readonly #simulated: readonly SimulatedNode[]
  readonly #fronts: Node[] = []
  readonly #log: RunLog
  readonly #driver: Driver
  #realDate: (() => void) | undefined
  #closing: Promise<void> | undefined

  constructor(settings: MeshSettings) {
    this.#settings = settings
    const { startAt, seed, nodes, concurrency, profile, replicas, handlerMs } = settings
    // What it takes to found the mesh lies before.
    this.#clock = new VirtualClock({ wallMs: startAt - 2 * FOUNDING_MS_MAX })
    const clock = this.#clock
    const random = new SeededRandom(`test mesh ${seed}`)
    this.#log = new RunLog(() => clock.now())
    this.#switch = new SimulatedSwitch({ clock, random: random.fork('switch') }, { conditions: AT_ONCE })
    const hosts = Array.from({ length: nodes }, (_, i) =>
      nodes === 1 ? undefined : this.#switch.host(`node-${i}`),
    )
    const join = hosts.flatMap(host => (host === undefined ? [] : [host.address]))
    this.#simulated = hosts.map((host, i) => {
      const handlers: Record<string, Handler> = {}
      for (const [name, handler] of Object.entries(settings.handlers))
        handlers[name] = this.#log.recorded(i, handler)
      return new SimulatedNode(
        i,
        { clock, random: random.fork(`node ${i}`), host },
        { handlers, concurrency, profile, replicas, join },
        {
          stirred: () => this.#driver.stirred(),
          ended: error => {
            this.#log.lost(i)
            if (error !== undefined) this.#driver.fail(error)
          },
        },
      )
    })
    this.#driver = new Driver({ clock, log: this.#log, nodes: this.#simulated }, { handlerMs })
  }

  /** Founds the mesh; time is `startAt` then. Rejects with why an engine did not start. */
  async begin(): Promise<void> {
    const nodes = this.#simulated
    const { startAt } = this.#settings
    const starting = nodes.map(node => this.#start(node, nodes.length))
    await this.#driver.call(Promise.all(starting))
    const isFounded = (): boolean =>
      nodes.length === 1 || nodes.reduce((sum, node) => sum + node.acting(), 0) === RANGES
    if (!(await this.#driver.until(isFounded, this.#clock.now() + FOUNDING_MS_MAX)))
      throw new CarillonError('STUCK', 'the mesh was not founded: this is a fault of Carillon')
    await this.#driver.advanceTo(startAt)
    if (this.#settings.fakeDate) this.#realDate = fakeDate(() => this.now)
  }

  get node(): Node {
    return this.#fronts[0] as Node
  }

  get nodes(): readonly Node[] {
    return [...this.#fronts]
  }

  get now(): number {
    return this.#clock.now()
  }

  async advance(duration: Duration): Promise<void> {
    await this.#driver.advanceTo(this.now + parseDuration(duration, 'duration'))
  }

  async advanceTo(instant: Instant): Promise<void> {
    const at = instantOf(instant, undefined, 'instant')
    if (at < this.now)
      throw new CarillonError(
        'INVALID',
        `instant is ${new Date(at).toISOString()}: virtual time is ${new Date(this.now).toISOString()} already`,
        { field: 'instant' },
      )
    await this.#driver.advanceTo(at)
  }

  async until<T>(
    what: PromiseLike<T> | (() => T),
    { within = DAY_MS }: UntilOptions = {},
  ): Promise<Awaited<T>> {
    const withinMs = parseDuration(within, 'within')
    let isDone = (): boolean => false
    let value: T | PromiseLike<T> | undefined
    if (typeof what === 'function') {
      isDone = () => {
        value = what()
        return Boolean(value)
      }
    } else {
      value = what
      const settled = (): void => {
        isDone = () => true
      }
      what.then(settled, settled)
    }
    if (!(await this.#driver.until(() => isDone(), this.now + withinMs)))
      throw new CarillonError('STUCK', `what until() waits for has not come within ${withinMs} ms`)
    return (await value) as Awaited<T>
  }

  get runs(): readonly TestRun[] {
    return this.#log.ran({})
  }

  ran(filter: string | RunFilter = {}): readonly TestRun[] {
    return this.#log.ran(typeof filter === 'string' ? { handler: filter } : filter)
  }

  sleep(duration: Duration, { signal }: SleepOptions = {}): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const timer = this.#clock.setTimer(parseDuration(duration, 'duration'), resolve)
    const abort = (): void => {
      timer.cancel()
      reject(signal?.reason)
    }
    if (signal?.aborted === true) abort()
    else signal?.addEventListener('abort', abort, { once: true })
    return this.#log.waits(promise.finally(() => signal?.removeEventListener('abort', abort)))
  }

  meanwhile<T>(promise: PromiseLike<T>): Promise<T> {
    return this.#log.waits(Promise.resolve(promise))
  }

  partition(...groups: ReadonlyArray<readonly number[]>): () => void {
    const named = groups.flat().map(number => this.#at(number, 'partition'))
    if (new Set(named).size < named.length)
      throw invalid('partition', groups, 'groups that have no node in common')
    const rest = this.#simulated.filter(node => !named.includes(node))
    const sides = [...groups.map(group => group.map(number => this.#at(number, 'partition'))), rest]
    const hosts = sides.map(side => side.flatMap(({ host }) => host ?? []))
    const heals = hosts.flatMap((one, i) =>
      hosts.slice(i + 1).map(other => this.#switch.partition(one, other)),
    )
    this.#driver.stirred()
    return () => {
      for (const heal of heals) heal()
      this.#driver.stirred()
    }
  }

  heal(): void {
    this.#switch.heal()
    this.#driver.stirred()
  }

  crash(number: number, { powerCut = false }: CrashOptions = {}): void {
    const node = this.#at(number, 'node')
    if (!node.isUp) throw new CarillonError('CONFLICT', `node ${number} is down already`)
    node.kill(powerCut)
    this.#driver.stirred()
  }

  async restart(number: number, { wipe = false }: RestartOptions = {}): Promise<Node> {
    const node = this.#at(number, 'node')
    if (node.isUp) throw new CarillonError('CONFLICT', `node ${number} is up: crash or close it before`)
    if (this.#closing !== undefined) throw new CarillonError('CLOSED', 'the test mesh was closed')
    if (wipe) node.wipe()
    await this.#driver.call(this.#start(node, undefined))
    return this.#fronts[number] as Node
  }

  skew(number: number, by: Duration): void {
    const node = this.#at(number, 'node')
    const isBack = typeof by === 'number' ? by < 0 : /^\s*-/.test(by)
    const size = typeof by === 'number' ? Math.abs(by) : by.replace(/^\s*[-+]/, '')
    node.skewMs = parseDuration(size, 'by') * (isBack ? -1 : 1)
    this.#driver.stirred()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    try {
      this.#log.letGo()
      const up = this.#fronts.filter((_, i) => this.#simulated[i]?.isUp === true)
      await Promise.all(up.map(front => front.close({ graceMs: 0 })))
    } catch (error) {
      // A handler that hung has been told to whoever waited for it.
      if (!isCarillonError(error, 'STUCK')) throw error
    } finally {
      for (const node of this.#simulated) node.kill(false)
      this.#realDate?.()
    }
  }

  async #start(node: SimulatedNode, expect: number | undefined): Promise<void> {
    const front = await node.start(expect)
    this.#fronts[node.number] = trackedNode(front, {
      call: promise => this.#log.waits(this.#driver.call(promise)),
      wait: (promise, what) => this.#log.waits(this.#driver.wait(promise, what)),
      recorded: handler => this.#log.recorded(node.number, handler),
      skewMs: () => node.skewMs,
    })
  }

  #at(number: number, field: string): SimulatedNode {
    const node = this.#simulated[number]
    if (node === undefined)
      throw invalid(field, number, `the number of a node, 0 to ${this.#simulated.length - 1}`)
    return node
  }
}
