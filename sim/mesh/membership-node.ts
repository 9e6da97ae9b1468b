/**
 * MembershipNode: the shipped membership over a simulated host and disk, one process after the other, and nothing else
 * of the engine. What it reports goes into the history.
 */

import { fromLatin1 } from '../../src/adapters/memory-store.ts'
import { hexOf } from '../../src/lib/bytes.ts'
import type { SeededRandom } from '../../src/lib/seeded-random.ts'
import { Membership } from '../../src/membership/membership.ts'
import { DEFAULT_MEMBERSHIP_OPTIONS, type MembershipOptions } from '../../src/membership/options.ts'
import type { StoreId, View } from '../../src/membership/view.ts'
import type { Clock } from '../../src/ports/clock.ts'
import { startIdentity } from '../../src/store/meta.ts'
import type { SimulatedHost } from '../network/host.ts'
import { SimulatedNetwork } from '../network.ts'
import { ProcessStore, SimulatedProcess } from '../process.ts'
import { SimulatedDisk, SimulatedStore } from '../simulated-store.ts'
import type { Trace } from '../trace.ts'
import type { VirtualClock } from '../virtual-clock.ts'
import type { MeshHistory } from './history.ts'
import type { DiskImage, MeshNode } from './node.ts'

export interface NodePorts {
  readonly clock: VirtualClock
  readonly trace: Trace
  readonly history: MeshHistory
  readonly host: SimulatedHost
  readonly random: SeededRandom
}

export interface NodeEvents {
  /** Its process began or ended, or stands still, or goes on. */
  changed(node: MembershipNode, isNewProcess: boolean): void
  viewChanged(node: MembershipNode, view: View): void
}

/** The options of a life: those of the first differ, as who founds is said only then. */
export type OptionsOfLife = (isFirstStore: boolean) => Partial<MembershipOptions>

const RANGES = 16
/** Whoever looks after the nodes starts one again after this, under a new store id, when it was found rolled back; ms. */
const RENEWAL_MS = 500

export class MembershipNode implements MeshNode {
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
  #network: SimulatedNetwork | undefined
  #stopping: Promise<void> | undefined
  #renewsStore = false
  membership: Membership | undefined
  store: StoreId | undefined
  boot = 0

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

  get #isAlive(): boolean {
    return this.#process !== undefined && !this.#process.isDead
  }

  start(): void {
    if (this.#isAlive) return
    const { clock, trace, host, random } = this.#ports
    this.#lives++
    const process = new SimulatedProcess(clock, trace, random.fork(`timers ${this.#lives}`))
    const life = random.fork(`life ${this.#lives}`)
    this.#process = process
    this.#stopping = undefined
    this.membership = undefined
    const store = new ProcessStore(new SimulatedStore(this.#disk), process)
    const network = new SimulatedNetwork(host, process, { self: this.name })
    this.#network = network
    trace.note(`${this.name} starts`)
    this.#events.changed(this, true)
    const begin = async (): Promise<void> => {
      await store.open()
      const renew = this.#renewsStore
      this.#renewsStore = false
      const identity = await startIdentity({ store, random: life }, { ranges: RANGES, renew })
      const started = {
        node: this.number,
        store: identity.meta.store as StoreId,
        boot: identity.meta.boot,
        startId: hexOf(identity.actor.startId),
      }
      this.#ports.history.starts.push({ at: clock.monotonic(), ...started })
      this.store = started.store
      this.boot = started.boot
      const membership = this.#membership(process, life, network, store, started)
      this.membership = membership
      await network.start(membership.events)
      await membership.start()
    }
    begin().catch((error: unknown) => this.#failed(error))
  }

  kill(): void {
    this.#end('is killed', false)
  }

  powerCut(): void {
    this.#end('loses its power', true)
  }

  stop(): Promise<void> {
    const { membership } = this
    const [network, process] = [this.#network, this.#process]
    if (!this.isUp || membership === undefined) {
      this.kill()
      return Promise.resolve()
    }
    this.#ports.trace.note(`${this.name} stops`)
    this.#stopping = (async () => {
      await membership.stop()
      await network?.stop()
      this.#ports.history.timersLeft += process?.clock.pending ?? 0
      this.#end('has stopped', false)
    })()
    this.#events.changed(this, false)
    return this.#stopping
  }

  pause(paused: boolean): void {
    if (!this.#isAlive || this.isPaused === paused) return
    this.#process?.stop(paused)
    this.#ports.trace.note(`${this.name} ${paused ? 'stands still' : 'goes on'}`)
    this.#events.changed(this, false)
  }

  wipe(): void {
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
  }

  #membership(
    process: SimulatedProcess,
    random: SeededRandom,
    network: SimulatedNetwork,
    store: ProcessStore,
    self: { readonly node: number; readonly store: StoreId; readonly boot: number; readonly startId: string },
  ): Membership {
    const { history, trace } = this.#ports
    const { node } = self
    const at = (): number => history.now
    const options = { ...DEFAULT_MEMBERSHIP_OPTIONS, ranges: RANGES, ...this.#options(this.#disks === 1) }
    return new Membership(
      { clock: this.#skewed(process.clock), random, network, store },
      options,
      { ...self, node: this.name, journalSeq: () => 0 },
      {
        viewChanged: view => {
          const states = view.stores.map(each => `${each.node}.${each.boot}${each.state[0]}`).join(' ')
          trace.note(`${this.name} sees ${view.id.slice(0, 6)}: ${states}`)
          this.#events.viewChanged(this, view)
        },
        suspected: about => history.suspicions.push({ at: at(), node, about }),
        refuted: () => history.count('refuted'),
        founded: ({ meshId }) => {
          trace.note(`${this.name} belongs to ${meshId.slice(0, 6)}`)
          history.founded.push({ at: at(), node, store: self.store, meshId })
        },
        refused: (code, line) => {
          trace.note(`${this.name} is refused: ${code}, ${line}`)
          history.refusals.push({ at: at(), node, store: self.store, code })
        },
        rolledBack: line => {
          trace.note(`${this.name} went back: ${line}`)
          history.refusals.push({ at: at(), node, store: self.store, code: 'ROLLED_BACK' })
          this.#renew(process)
        },
        failed: error => this.#failed(error),
      },
    )
  }

  /** The host's part when its store went back: a new store id on the same disk. */
  #renew(process: SimulatedProcess): void {
    this.#renewsStore = true
    this.#ports.clock.setTimer(RENEWAL_MS, () => {
      if (this.#process !== process || process.isDead) return
      this.kill()
      this.start()
    })
  }

  #end(how: string, powerCut: boolean): void {
    if (!this.#isAlive) return
    this.#ports.trace.note(`${this.name} ${how}`)
    this.#process?.die(powerCut)
    this.#disk.crash({ powerCut })
    this.#stopping = undefined
    this.#events.changed(this, false)
  }

  #failed(error: unknown): void {
    this.#ports.history.fault(`${this.name} failed: ${error instanceof Error ? error.stack : String(error)}`)
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
    return new SimulatedDisk({ clock, random: random.fork(`disk ${this.#disks}`) })
  }
}
