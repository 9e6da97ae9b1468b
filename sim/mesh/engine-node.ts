/**
 * EngineNode: the shipped engine over a simulated host and disk, one process after the other. What it reports of its
 * mesh goes into the history.
 */

import { fromLatin1 } from '../../src/adapters/memory-store.ts'
import { DEFAULT_OPTIONS } from '../../src/config.ts'
import { Engine } from '../../src/engine.ts'
import { isCarillonError } from '../../src/errors.ts'
import { rangeOf } from '../../src/lib/hash.ts'
import type { SeededRandom } from '../../src/lib/seeded-random.ts'
import type { Membership } from '../../src/membership/membership.ts'
import type { RefusalCode } from '../../src/membership/messages.ts'
import type { StoreId, View } from '../../src/membership/view.ts'
import type { MeshObserver, MeshOptions } from '../../src/mesh/mesh.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Store } from '../../src/ports/store.ts'
import type { WorkerChannel } from '../../src/ports/worker-channel.ts'
import { channelPair } from '../channel.ts'
import type { SimulatedHost } from '../network/host.ts'
import { SimulatedNetwork } from '../network.ts'
import { SimulatedNode } from '../node.ts'
import { ProcessStore, SimulatedProcess, type StoreHook } from '../process.ts'
import { diskLatency, SimulatedDisk, SimulatedStore } from '../simulated-store.ts'
import type { Trace } from '../trace.ts'
import type { VirtualClock } from '../virtual-clock.ts'
import type { Held } from './gauges.ts'
import type { MeshHistory } from './history.ts'
import type { DiskImage, MeshNode } from './node.ts'
import type { TaskNode } from './tasks/engine-link.ts'
import type { RangeInspection } from './tasks/task-history.ts'

export interface NodePorts {
  readonly clock: VirtualClock
  readonly trace: Trace
  readonly history: MeshHistory
  readonly host: SimulatedHost
  readonly random: SeededRandom
  /** What mutants put between an engine and its disk. */
  readonly storeHook?: StoreHook | undefined
}

export interface NodeEvents {
  /** Its process began or ended, or stands still, or goes on. */
  changed(node: EngineNode, isNewProcess: boolean): void
  viewChanged(node: EngineNode, view: View): void
  /** Its engine takes connections. */
  ready(node: EngineNode): void
  ended(node: EngineNode, powerCut: boolean): void
  paused(node: EngineNode, paused: boolean): void
  lagged(node: EngineNode, ms: number): void
}

/** What an engine tells a judge of its ranges. */
interface RangeInspector {
  inspect(range: number): Promise<RangeInspection>
}

/** The options of a life: those of the first differ, as who founds is said only then. */
export type OptionsOfLife = (isFirstStore: boolean) => Partial<MeshOptions>

export const RANGES = 16
/** Whoever looks after the nodes starts one again after this, under a new store id, when it was found rolled back; ms. */
const RENEWAL_MS = 500
/** First letters of the keys under which a bit may be another: blobs of the journal, and records. */
const ROTTING = ['j', 't']
/** Who leaves waits so long for the others to have what it has. */
const LEAVE_MS_MAX = 20_000

export class EngineNode implements MeshNode, TaskNode {
  readonly number: number
  readonly name: string
  readonly host: SimulatedHost
  readonly #ports: NodePorts
  readonly #events: NodeEvents
  readonly #options: OptionsOfLife
  #disk: SimulatedDisk
  #disks = 1
  #lives = 0
  #skewMs = 0
  #process: SimulatedProcess | undefined
  #engine: Engine | undefined
  #network: SimulatedNetwork | undefined
  #stopping: Promise<void> | undefined
  #isReady = false
  #isRetired = false
  /** How many times slower than good its disk is. */
  #diskPace = 1
  /** How late all comes that reaches its process. */
  #lagMs = 0
  /** A sync of its disk was made to fail: the engine has to stop for it. */
  #mayFailSync = false
  /** A bit of its disk was flipped: the engine may find it out at any time, and has to stop for it. */
  #flipped: 'no' | 'yes' | 'repaired' = 'no'
  store: StoreId | undefined
  boot = 0
  wire = 1

  constructor(number: number, ports: NodePorts, options: OptionsOfLife, events: NodeEvents) {
    this.number = number
    this.name = ports.host.name
    this.host = ports.host
    this.#ports = ports
    this.#options = options
    this.#events = events
    this.#disk = this.#emptyDisk()
  }

  get isUp(): boolean {
    return this.#isAlive && this.#stopping === undefined
  }

  get isPaused(): boolean {
    return this.#process?.isStopped === true
  }

  /** It stops in an orderly way, or leaves. */
  get isStopping(): boolean {
    return this.#isAlive && this.#stopping !== undefined
  }

  get isBusy(): boolean {
    return this.#lagMs > 0
  }

  get isRetired(): boolean {
    return this.#isRetired
  }

  get life(): number | undefined {
    return this.isUp && this.#isReady ? this.#lives : undefined
  }

  get membership(): Membership | undefined {
    return this.#engine?.mesh?.membership
  }

  get held(): Held {
    return { timers: this.#process?.clock.pending ?? 0, connections: [...(this.#network?.ends ?? [])].length }
  }

  get #isAlive(): boolean {
    return this.#process !== undefined && !this.#process.isDead
  }

  start(): void {
    this.#start(false)
  }

  #start(repair: boolean): void {
    if (this.#isAlive || this.#isRetired) return
    const { clock, trace, host, random, storeHook = (plain: Store) => plain } = this.#ports
    this.#lives++
    const process = new SimulatedProcess(clock, trace, random.fork(`timers ${this.#lives}`))
    process.lag(this.#lagMs)
    this.#process = process
    this.#stopping = undefined
    this.#isReady = false
    const store = new ProcessStore(storeHook(new SimulatedStore(this.#disk)), process)
    const network = new SimulatedNetwork(host, process, { self: this.name, secret: wireName(this.wire) })
    this.#network = network
    const engine = new Engine(
      {
        clock: this.#skewed(process.clock),
        random: random.fork(`life ${this.#lives}`),
        store,
        network,
        observer: this.#observer(),
      },
      {
        store: { ...DEFAULT_OPTIONS.store, ranges: RANGES, repair },
        mesh: { ...DEFAULT_OPTIONS.mesh, ...this.#options(this.#disks === 1) },
      },
    )
    this.#engine = engine
    trace.note(`${this.name} starts`)
    this.#events.changed(this, true)
    const failed = (error: unknown): void => this.#failed(process, error)
    engine.stopped.catch(failed)
    store
      .open()
      .then(() => engine.start())
      .then(() => this.#started(process), failed)
  }

  #started(process: SimulatedProcess): void {
    if (this.#process !== process || process.isDead) return
    this.#isReady = true
    this.#events.ready(this)
  }

  kill(): void {
    this.#end('is killed', false)
  }

  powerCut(isTorn = false): void {
    this.#end('loses its power', true, { isTorn })
  }

  stop(graceMs = 0): Promise<void> {
    return this.#stop('stops', graceMs)
  }

  leave(): Promise<void> {
    return this.#stop('leaves', 0, async mesh => {
      // Who was never let in has nothing to leave.
      if (!mesh.membership.isAdmitted) return
      const { leave } = mesh as { readonly leave?: (limitMs: number) => Promise<void> }
      // With tasks it first sees to it that the others have all.
      await (leave === undefined ? mesh.membership.leave() : leave.call(mesh, LEAVE_MS_MAX))
    })
  }

  #stop(
    what: string,
    graceMs: number,
    before?: (mesh: NonNullable<Engine['mesh']>) => Promise<void>,
  ): Promise<void> {
    const [engine, process] = [this.#engine, this.#process]
    if (!this.isUp || engine?.mesh === undefined) {
      this.kill()
      return Promise.resolve()
    }
    const { mesh } = engine
    const { history } = this.#ports
    // Who leaves lets what runs end first.
    const endsMs = before === undefined ? graceMs : LEAVE_MS_MAX
    history.stops.push({ at: history.now, node: this.number, graceMs: endsMs })
    this.#ports.trace.note(`${this.name} ${what}`)
    this.#stopping = (async () => {
      await before?.(mesh)
      await engine.stop(graceMs)
      history.timersLeft += process?.clock.pending ?? 0
      this.#end('has stopped', false, { isOrderly: true })
    })()
    this.#events.changed(this, false)
    return this.#stopping
  }

  pause(paused: boolean): void {
    if (!this.#isAlive || this.isPaused === paused) return
    this.#process?.stop(paused)
    this.#ports.trace.note(`${this.name} ${paused ? 'stands still' : 'goes on'}`)
    this.#events.changed(this, false)
    this.#events.paused(this, paused)
  }

  lag(ms: number): void {
    if (ms === this.#lagMs) return
    this.#lagMs = ms
    this.#process?.lag(ms)
    this.#ports.trace.note(`${this.name} is ${ms > 0 ? `${ms.toFixed(0)} ms late` : 'in time'}`)
    this.#events.changed(this, false)
    this.#events.lagged(this, ms)
  }

  retire(isRetired: boolean): void {
    this.#isRetired = isRetired
  }

  async forget(store: StoreId): Promise<void> {
    await this.membership?.forget(store)
  }

  wipe(): void {
    this.#flipped = 'no'
    this.#disks++
    this.#disk = this.#emptyDisk()
    this.#ports.trace.note(`${this.name} has an empty disk`)
  }

  image(): DiskImage {
    const snapshot = this.#disk.snapshot()
    const entries = snapshot.ascending('', '\uffff', Number.POSITIVE_INFINITY)
    snapshot.close()
    return { entries }
  }

  restore({ entries }: DiskImage): void {
    this.#disks++
    this.#disk = this.#emptyDisk()
    const ops = entries.map(([key, value]) => ({ type: 'put' as const, key: fromLatin1(key), value }))
    this.#disk.carryOut([ops], true)
    this.#ports.trace.note(`${this.name} has an old disk`)
  }

  stepClock(ms: number): void {
    this.#skewMs += ms
    const { clock, history } = this.#ports
    history.tasks?.skews.push({ at: clock.monotonic(), node: this.number, ms: this.#skewMs })
  }

  /** Somebody sets it right. */
  setClock(): void {
    if (this.#skewMs !== 0) this.stepClock(-this.#skewMs)
  }

  slowDisk(factor: number): void {
    this.#diskPace = factor
  }

  fillDisk(isFull: boolean): void {
    this.#disk.full(isFull)
  }

  flipBit(): boolean {
    const snapshot = this.#disk.snapshot()
    const entries = snapshot.ascending('', '\uffff', Number.POSITIVE_INFINITY)
    snapshot.close()
    const keys = entries.map(([key]) => key).filter(key => ROTTING.includes(key[0] as string))
    const key = keys[Math.floor(this.#ports.random.float() * keys.length)]
    if (key === undefined || !this.#disk.flipBit(fromLatin1(key))) return false
    this.#flipped = 'yes'
    this.#ports.trace.note(`${this.name} has a flipped bit under ${key[0]}`)
    return true
  }

  failSync(fails: boolean): void {
    this.#mayFailSync ||= fails
    this.#disk.failNextSync(fails)
  }

  // --- what clients and judges ask

  /** `direct`: its calls are answered by this node, or refused; else they are sent on to who acts. */
  attach(process: SimulatedProcess, direct: boolean): WorkerChannel | undefined {
    const [engine, own] = [this.#engine, this.#process]
    if (this.life === undefined || engine === undefined || own === undefined) return undefined
    const { clock, random } = this.#ports
    const [ours, theirs] = channelPair({ clock, random }, own, process)
    // The machine closes what a killed process had open; of a machine without power nothing is heard.
    own.onDeath(powerCut => {
      if (!powerCut) ours.cut()
    })
    engine.attach(ours, { direct })
    return theirs
  }

  wallNow(): number {
    return this.#ports.clock.now() + this.#skewMs
  }

  ownerOf(id: string): number | undefined {
    const mesh = this.#engine?.mesh
    if (!this.isUp || mesh === undefined || !mesh.membership.isAdmitted) return undefined
    const owner = mesh.placement.owner(rangeOf(id, RANGES))?.node
    // Nodes are named n0, n1, ... (world.ts).
    return owner === undefined ? undefined : Number(owner.slice(1))
  }

  /** Undefined: its engine does not tell. */
  async inspect(range: number): Promise<RangeInspection | undefined> {
    const mesh = this.#engine?.mesh as { readonly tasks?: RangeInspector | undefined } | undefined
    return mesh?.tasks?.inspect(range)
  }

  #observer(): MeshObserver {
    const { clock, history, trace } = this.#ports
    const node = this.number
    const at = (): number => history.now
    const disk = this.#disks
    const store = (): StoreId => this.store as StoreId
    return {
      starting: self => {
        this.store = self.store
        this.boot = self.boot
        history.starts.push({ at: clock.monotonic(), node, ...self, disk })
      },
      viewChanged: view => {
        const states = view.stores.map(each => `${each.node}.${each.boot}${each.state[0]}`).join(' ')
        trace.note(`${this.name} sees ${view.id.slice(0, 6)}: ${states}`)
        this.#events.viewChanged(this, view)
      },
      suspected: about => history.suspicions.push({ at: at(), node, about }),
      refuted: () => history.count('refuted'),
      founded: meshId => {
        trace.note(`${this.name} belongs to ${meshId.slice(0, 6)}`)
        history.founded.push({ at: at(), node, store: store(), meshId })
      },
      refused: (code, line) => {
        trace.note(`${this.name} is refused: ${code}, ${line}`)
        history.refusals.push({ at: at(), node, store: store(), code: code as RefusalCode })
      },
      acting: (range, acts) => history.acting.push({ at: at(), node, range, acts }),
    }
  }

  #end(how: string, powerCut: boolean, { isOrderly = false, isTorn = false } = {}): void {
    if (!this.#isAlive) return
    const { trace, history } = this.#ports
    trace.note(`${this.name} ${how}`)
    history.ends.push({ at: history.now, node: this.number, isOrderly })
    this.#process?.die(powerCut)
    this.#disk.crash({ powerCut, tear: isTorn ? SimulatedNode.mayTear : false })
    this.#stopping = undefined
    this.#isReady = false
    this.#events.changed(this, false)
    this.#events.ended(this, powerCut)
  }

  /** Whoever looks after the nodes starts one again that was found rolled back. Nothing else may end an engine. */
  #failed(process: SimulatedProcess, error: unknown): void {
    if (this.#process !== process || process.isDead) return
    const { clock, history } = this.#ports
    if (this.#mayFailSync && isCarillonError(error, 'STORE_FAILED')) {
      this.#mayFailSync = false
      return this.#end('died of a failed sync', false)
    }
    if (this.#flipped !== 'no' && isCarillonError(error, 'STORE_CORRUPT'))
      return this.#foundCorrupt(error.message)
    if (!isCarillonError(error, 'STORE_ROLLED_BACK')) {
      history.fault(`${this.name} failed: ${error instanceof Error ? error.stack : String(error)}`)
      return
    }
    history.refusals.push({
      at: history.now,
      node: this.number,
      store: this.store as StoreId,
      code: 'ROLLED_BACK',
    })
    this.#end(`went back: ${error.message}`, false)
    clock.setTimer(RENEWAL_MS, () => this.start())
  }

  /** An operator has it repaired, and if that was not enough, puts in another disk. */
  #foundCorrupt(why: string): void {
    const { clock, history } = this.#ports
    this.#end(`finds its disk broken: ${why}`, false)
    history.count('broken disks found out')
    const isRepaired = this.#flipped === 'repaired'
    if (isRepaired) this.wipe()
    else this.#flipped = 'repaired'
    clock.setTimer(RENEWAL_MS, () => this.#start(!isRepaired))
  }

  #skewed(clock: Clock): Clock {
    return {
      now: () => clock.now() + this.#skewMs,
      monotonic: () => clock.monotonic(),
      setTimer: (delayMs, callback) => clock.setTimer(delayMs, callback),
      defer: callback => clock.defer(callback),
    }
  }

  #emptyDisk(): SimulatedDisk {
    const { clock, random } = this.#ports
    return new SimulatedDisk(
      { clock, random: random.fork(`disk ${this.#disks}`) },
      { latencyMs: (call, bytes, chance) => diskLatency(call, bytes, chance) * this.#diskPace },
    )
  }
}

/** What is compared before anything else is. */
function wireName(wire: number): string {
  return wire === 1 ? '' : `wire ${wire}`
}
