/**
 * The mesh that the membership benchmark measures: real memberships over the simulated network, in virtual time. A
 * thousand nodes that join one by one cost hours, so all start as members: the disks are seeded, through MembershipDisk,
 * with one mesh and the whole roster, and share these bytes. From there nothing is shortened: each pair dials, says hello,
 * and probes as always.
 *
 * The seeded records name the starts that then happen, so the first news are each node's own record, not a thousand
 * new boots at once. A node that starts again has a new boot, like any.
 */

import type { SimulatedHost } from '../sim/network/host.ts'
import { SimulatedSwitch } from '../sim/network/switch.ts'
import { SimulatedNetwork } from '../sim/network.ts'
import { SimulatedProcess } from '../sim/process.ts'
import { diskLatency } from '../sim/simulated-store.ts'
import { Trace } from '../sim/trace.ts'
import { VirtualClock } from '../sim/virtual-clock.ts'
import { fromLatin1, toLatin1 } from '../src/adapters/memory-store.ts'
import { hexOf } from '../src/lib/bytes.ts'
import { SeededRandom } from '../src/lib/seeded-random.ts'
import { Membership } from '../src/membership/membership.ts'
import { DEFAULT_MEMBERSHIP_OPTIONS, type MembershipPorts } from '../src/membership/options.ts'
import { MembershipDisk } from '../src/membership/persistence.ts'
import type { MemberRecord, StoreId, View } from '../src/membership/view.ts'
import type { Clock } from '../src/ports/clock.ts'
import type { Random } from '../src/ports/random.ts'

type MembershipStore = MembershipPorts['store']

/** All start within this. Longer than the fallback of the dials would have the higher ids dial, too. */
const STAGGER_MS = 2500

/** Somebody that died, until it is a member again. */
interface Victim {
  readonly at: number
  /** Who has it away, and when. */
  readonly awayAt: Map<StoreId, number>
}

export class SeededMesh {
  readonly clock = new VirtualClock()
  readonly trace = new Unhashed(this.clock, {})
  readonly random: SeededRandom
  readonly switch: SimulatedSwitch
  readonly members: readonly SeededMember[]
  readonly image: ReadonlyMap<string, Uint8Array>
  readonly victims = new Map<StoreId, Victim>()
  /** How often a member that was healthy became away at another. */
  falseVerdicts = 0
  /** Accusations that a node made itself. */
  accusations = 0
  /** Trials that were opened at any node, by its own accusation or another's. */
  trials = 0
  failure: unknown

  private constructor(seed: number, count: number, image: (mesh: SeededMesh) => Map<string, Uint8Array>) {
    this.random = new SeededRandom(seed)
    this.switch = new SimulatedSwitch({ clock: this.clock, random: this.random.fork('switch') })
    this.members = Array.from({ length: count }, (_, i) => new SeededMember(this, i))
    this.image = image(this)
  }

  static async seeded(seed: number, count: number): Promise<SeededMesh> {
    const image = new Map<string, Uint8Array>()
    const mesh = new SeededMesh(seed, count, () => image)
    const records = mesh.members.map(member => member.record)
    const recorder: MembershipStore = {
      getMany: async keys => keys.map(() => undefined),
      cursor: () => ({ next: async () => [], close: async () => {} }),
      write: async ops => {
        for (const op of ops) if (op.type === 'put') image.set(toLatin1(op.key), op.value)
      },
    }
    const disk = new MembershipDisk(recorder, error => {
      mesh.failure = error
    })
    const { ranges, replicas } = DEFAULT_MEMBERSHIP_OPTIONS
    const founders = records.slice(0, 1)
    disk.putMesh({ meshId: hexOf(mesh.random.bytes(16)), expect: 1, ranges, replicas, founders })
    for (const record of records) {
      const { store, boot, startId } = record
      disk.putMember(store, { record, memory: { boot, startId, journalSeq: 0 }, removed: false })
    }
    await disk.synced()
    return mesh
  }

  /** Starts all, and waits until they are connected and of one mind. Who dials finds those it dials there already. */
  async start(): Promise<void> {
    for (const member of [...this.members].reverse()) {
      member.start()
      await this.run(STAGGER_MS / this.members.length)
    }
    await this.settled()
  }

  get up(): SeededMember[] {
    return this.members.filter(member => !member.isDead)
  }

  /** All that are up are connected and agree, and nobody stands accused. */
  async settled(limitMs = 300_000): Promise<void> {
    const { clock } = this
    const until = clock.monotonic() + limitMs
    do {
      if (clock.monotonic() >= until) throw new Error(`${this.members.length} nodes did not settle`)
      await this.run(250)
    } while (!this.#isSettled())
  }

  #isSettled(): boolean {
    const { up } = this
    const [first] = up
    const live = first?.it.view.stores.filter(store => store.state === 'live').length
    if (first === undefined || live !== up.length) return false
    const { viewId } = first.it
    return up.every(({ it, connections }) => {
      return it.isAdmitted && it.viewId === viewId && it.suspects.length === 0 && connections >= up.length - 1
    })
  }

  async run(ms: number): Promise<void> {
    await this.clock.advanceBy(ms)
    this.check()
  }

  check(): void {
    if (this.failure !== undefined) throw new Error('a membership failed', { cause: this.failure })
  }

  /** One dies; how long until the first and the last of the others had it away, ms. */
  async death(member: SeededMember, powerCut: boolean): Promise<{ firstMs: number; lastMs: number }> {
    const { clock } = this
    const victim: Victim = { at: clock.monotonic(), awayAt: new Map() }
    this.victims.set(member.store, victim)
    member.die(powerCut)
    const others = this.up.length
    const seen = await clock.runUntil(() => victim.awayAt.size >= others, 300_000)
    this.check()
    if (!seen) throw new Error(`${others - victim.awayAt.size} never had the dead away`)
    const times = [...victim.awayAt.values()].map(at => at - victim.at)
    return { firstMs: Math.min(...times), lastMs: Math.max(...times) }
  }

  /** A member has another view; `wrong` are the healthy ones that it had away before, and then those it has now. */
  viewOf(viewer: StoreId, view: View, wrong: Set<StoreId>): void {
    const before = new Set(wrong)
    wrong.clear()
    for (const { store, state } of view.stores) {
      if (state === 'live') continue
      const victim = this.victims.get(store)
      if (victim === undefined) {
        wrong.add(store)
        if (!before.has(store)) this.falseVerdicts++
      } else if (!victim.awayAt.has(viewer)) {
        victim.awayAt.set(viewer, this.clock.monotonic())
      }
    }
  }
}

export class SeededMember {
  readonly host: SimulatedHost
  readonly store: StoreId
  readonly #mesh: SeededMesh
  readonly #node: string
  readonly #random: SeededRandom
  readonly #disk: SharedDisk
  #boot = 1
  #startId: string
  #process: SimulatedProcess | undefined
  #network: SimulatedNetwork | undefined
  #membership: Membership | undefined

  constructor(mesh: SeededMesh, i: number) {
    this.#mesh = mesh
    this.#node = `n${String(i).padStart(4, '0')}`
    this.host = mesh.switch.host(this.#node)
    this.#random = mesh.random.fork(this.#node)
    this.store = hexOf(this.#random.bytes(16)) as StoreId
    this.#startId = hexOf(this.#random.bytes(8))
    this.#disk = new SharedDisk(mesh, this.#random.fork('disk'))
  }

  /** As the others are to know it. */
  get record(): MemberRecord {
    const { zone, weight } = DEFAULT_MEMBERSHIP_OPTIONS
    return {
      store: this.store,
      node: this.#node,
      zone,
      weight,
      addresses: [this.host.address],
      boot: this.#boot,
      startId: this.#startId,
      incarnation: 0,
      state: 'live',
    }
  }

  get isDead(): boolean {
    return this.#process?.isDead === true
  }

  get it(): Membership {
    if (this.#membership === undefined) throw new Error(`${this.#node} was not started`)
    return this.#membership
  }

  get connections(): number {
    let count = 0
    for (const _ of this.#network?.ends ?? []) count++
    return count
  }

  get sentBytes(): number {
    return this.host.traffic.planes.liveness.sentBytes
  }

  die(powerCut: boolean): void {
    this.#process?.die(powerCut)
    this.#membership = undefined
  }

  startAgain(): void {
    this.#boot++
    this.#startId = hexOf(this.#random.bytes(8))
    this.start()
  }

  start(): void {
    const mesh = this.#mesh
    const process = new SimulatedProcess(mesh.clock, mesh.trace)
    const network = new SimulatedNetwork(this.host, process, { self: this.#node })
    const causes = new Causes(process.clock)
    const wrong = new Set<StoreId>()
    const failed = (error: unknown): void => {
      mesh.failure = error ?? new Error(`${this.#node} failed`)
    }
    const random = this.#random.fork(`boot ${this.#boot}`)
    const membership = new Membership(
      { clock: causes.clock, random, network, store: this.#disk.of(process.clock) },
      DEFAULT_MEMBERSHIP_OPTIONS,
      { node: this.#node, store: this.store, boot: this.#boot, startId: this.#startId, journalSeq: () => 0 },
      {
        viewChanged: view => mesh.viewOf(this.store, view, wrong),
        suspected: store => {
          if (mesh.victims.has(store)) return
          mesh.trials++
          if (!causes.isFrame) mesh.accusations++
        },
        refuted: () => {},
        founded: () => {},
        refused: (code, line) => failed(new Error(`${code}: ${line}`)),
        rolledBack: line => failed(new Error(line)),
        failed,
      },
    )
    this.#process = process
    this.#network = network
    this.#membership = membership
    const { events } = membership
    const life = async () => {
      await network.start({
        ...events,
        frame: (node, plane, frame) => causes.inFrame(() => events.frame(node, plane, frame)),
      })
      await membership.start()
    }
    life().catch(failed)
  }
}

/** A host's calls come deferred: this tells whether a frame made them (another accuses) or a timer (we do). */
class Causes {
  readonly clock: Clock
  #isNow = false
  isFrame = false

  constructor(clock: Clock) {
    this.clock = {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      setTimer: (delayMs, callback) => clock.setTimer(delayMs, callback),
      defer: callback => {
        const isFrame = this.#isNow
        clock.defer(() => {
          this.isFrame = isFrame
          callback()
        })
      },
    }
  }

  inFrame(act: () => void): void {
    this.#isNow = true
    try {
      act()
    } finally {
      this.#isNow = false
    }
  }
}

/** A member's disk: the mesh's seed, which nobody changes, beneath what the member wrote itself. */
class SharedDisk {
  readonly #mesh: SeededMesh
  readonly #random: Random
  readonly #written = new Map<string, Uint8Array | undefined>()

  constructor(mesh: SeededMesh, random: Random) {
    this.#mesh = mesh
    this.#random = random
  }

  /** As one process sees it: what is under way when it dies does not happen. */
  of(clock: Clock): MembershipStore {
    const takes = (call: 'read' | 'sync', bytes: number): Promise<void> => {
      return new Promise(resolve => clock.setTimer(diskLatency(call, bytes, this.#random), resolve))
    }
    return {
      getMany: async keys => {
        await takes('read', 0)
        return keys.map(key => this.#read(toLatin1(key)))
      },
      cursor: ({ gte, lt }) => {
        const [from, to] = [toLatin1(gte), toLatin1(lt)]
        const keys = [...new Set([...this.#mesh.image.keys(), ...this.#written.keys()])]
          .filter(key => key >= from && key < to && this.#read(key) !== undefined)
          .sort()
        return {
          next: async max => {
            await takes('read', 0)
            return keys.splice(0, max).map(key => [fromLatin1(key), this.#read(key) as Uint8Array])
          },
          close: async () => {},
        }
      },
      write: async ops => {
        const bytes = ops.reduce((sum, op) => sum + (op.type === 'put' ? op.value.length : 0), 0)
        await takes('sync', bytes)
        for (const op of ops) this.#written.set(toLatin1(op.key), op.type === 'put' ? op.value : undefined)
      },
    }
  }

  #read(key: string): Uint8Array | undefined {
    return this.#written.has(key) ? this.#written.get(key) : this.#mesh.image.get(key)
  }
}

/** Nobody compares these runs: the hash over each frame would be most of what they cost. */
class Unhashed extends Trace {
  override mark(): void {}

  override markBytes(): void {}
}
