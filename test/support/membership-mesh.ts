/** Memberships alone, each on a simulated host with a disk that outlives its processes. */

import type { SimulatedHost } from '../../sim/network/host.ts'
import { SimulatedSwitch, type SwitchOptions } from '../../sim/network/switch.ts'
import { SimulatedNetwork } from '../../sim/network.ts'
import { ProcessStore, SimulatedProcess } from '../../sim/process.ts'
import { SimulatedDisk, SimulatedStore } from '../../sim/simulated-store.ts'
import { Trace } from '../../sim/trace.ts'
import { VirtualClock } from '../../sim/virtual-clock.ts'
import { hexOf } from '../../src/lib/bytes.ts'
import { SeededRandom } from '../../src/lib/seeded-random.ts'
import { Membership } from '../../src/membership/membership.ts'
import type { RefusalCode } from '../../src/membership/messages.ts'
import { DEFAULT_MEMBERSHIP_OPTIONS, type MembershipOptions } from '../../src/membership/options.ts'
import type { MemberState, StoreId, View } from '../../src/membership/view.ts'
import type { StoreOp } from '../../src/ports/store.ts'
import { startIdentity } from '../../src/store/meta.ts'

export class MemberOfTest {
  readonly name: string
  readonly host: SimulatedHost
  readonly mesh: MeshOfTest
  disk: SimulatedDisk
  options: Partial<MembershipOptions>
  process: SimulatedProcess | undefined
  network: SimulatedNetwork | undefined
  membership: Membership | undefined
  store: StoreId = '' as StoreId
  boot = 0
  /** The journal's synced sequence; part of what a disk image has. */
  journal = 0
  views: View[] = []
  suspected: StoreId[] = []
  founded: string[] = []
  refused: RefusalCode[] = []
  rolledBack: string[] = []
  failures: unknown[] = []

  constructor(mesh: MeshOfTest, name: string, options: Partial<MembershipOptions>, host = name) {
    this.mesh = mesh
    this.name = name
    this.host = mesh.switch.host(host)
    this.options = options
    this.disk = mesh.disk()
  }

  get isUp(): boolean {
    return this.process !== undefined && !this.process.isDead
  }

  get it(): Membership {
    if (this.membership === undefined) throw new Error(`${this.name} was not started`)
    return this.membership
  }

  /** What this member thinks of another's present store. */
  sees(other: MemberOfTest): MemberState | undefined {
    return this.it.view.stores.find(store => store.store === other.store)?.state
  }

  start(): void {
    const { mesh } = this
    const process = new SimulatedProcess(mesh.clock, mesh.trace)
    const random = mesh.random.fork(`${this.host.name}/${this.boot}`)
    const network = new SimulatedNetwork(this.host, process, { self: this.name })
    this.process = process
    this.network = network
    this.membership = undefined
    const store = new ProcessStore(new SimulatedStore(this.disk), process)
    const life = async () => {
      await store.open()
      const identity = await startIdentity({ store, random }, { ranges: 16, renew: false })
      this.store = identity.meta.store as StoreId
      this.boot = identity.meta.boot
      const membership = new Membership(
        { clock: process.clock, random, network, store },
        { ...DEFAULT_MEMBERSHIP_OPTIONS, ranges: 16, ...this.options },
        {
          node: this.name,
          store: this.store,
          boot: this.boot,
          startId: hexOf(identity.actor.startId),
          journalSeq: () => this.journal,
        },
        {
          viewChanged: view => this.views.push(view),
          suspected: store => this.suspected.push(store),
          refuted: () => {},
          founded: ({ meshId }) => this.founded.push(meshId),
          refused: code => this.refused.push(code),
          rolledBack: line => this.rolledBack.push(line),
          failed: error => this.failures.push(error),
        },
      )
      this.membership = membership
      await network.start(membership.events)
      await membership.start()
    }
    life().catch((error: unknown) => this.failures.push(error))
  }

  /** The process dies; with `powerCut` its machine does, too. */
  crash(powerCut = false): void {
    this.process?.die(powerCut)
    this.disk.crash({ powerCut })
  }

  async stop(): Promise<void> {
    const { process, membership, network } = this
    if (process === undefined) return
    await this.mesh.carryOut(
      (async () => {
        await membership?.stop()
        await network?.stop()
      })(),
    )
    process.die()
    this.disk.crash({ powerCut: false })
  }

  wipe(): void {
    this.disk = this.mesh.disk()
    this.journal = 0
  }

  /** A copy of the disk, and back. The process must not run. */
  image(): { readonly ops: StoreOp[]; readonly journal: number } {
    const snapshot = this.disk.snapshot()
    const ops = snapshot
      .ascending('', '\uffff', Number.POSITIVE_INFINITY)
      .map(([key, value]): StoreOp => ({ type: 'put', key: Buffer.from(key, 'latin1'), value }))
    snapshot.close()
    return { ops, journal: this.journal }
  }

  restore(image: { readonly ops: StoreOp[]; readonly journal: number }): void {
    this.disk = this.mesh.disk()
    this.disk.carryOut([image.ops], true)
    this.journal = image.journal
  }
}

export class MeshOfTest {
  readonly clock = new VirtualClock()
  readonly trace = new Trace(this.clock, {})
  readonly random: SeededRandom
  readonly switch: SimulatedSwitch
  readonly members: MemberOfTest[] = []

  constructor(seed: number | string, options: SwitchOptions = {}) {
    this.random = new SeededRandom(seed)
    this.switch = new SimulatedSwitch({ clock: this.clock, random: this.random.fork('switch') }, options)
  }

  disk(): SimulatedDisk {
    return new SimulatedDisk({ clock: this.clock, random: this.random.fork(`disk ${this.members.length}`) })
  }

  add(options: Partial<MembershipOptions> = {}): MemberOfTest {
    const member = new MemberOfTest(this, `n${String(this.members.length).padStart(3, '0')}`, options)
    this.members.push(member)
    return member
  }

  /** One that founds and the others that join it, all started. */
  async mesh(count: number, options: Partial<MembershipOptions> = {}): Promise<MemberOfTest[]> {
    const first = this.add(options)
    first.start()
    for (let i = 1; i < count; i++) this.add({ ...options, join: [first.host.address] }).start()
    await this.until(() => this.agreed(), 60_000)
    return this.members
  }

  get up(): MemberOfTest[] {
    return this.members.filter(member => member.isUp)
  }

  /** All that are up have one view, in which exactly they are live. */
  agreed(): boolean {
    const up = this.up
    const id = up[0]?.membership?.viewId
    return up.every(({ membership }) => {
      if (membership === undefined || !membership.isAdmitted || membership.viewId !== id) return false
      const live = membership.view.stores.filter(store => store.state === 'live').map(store => store.store)
      return live.length === up.length && up.every(({ store }) => live.includes(store))
    })
  }

  /** How long it took, ms; throws when it took longer. */
  async until(condition: () => boolean, limitMs: number): Promise<number> {
    const start = this.clock.monotonic()
    let nextAt = start
    const met = await this.clock.runUntil(() => {
      if (this.clock.monotonic() < nextAt) return false
      nextAt = this.clock.monotonic() + 5
      return condition()
    }, limitMs)
    this.check()
    if (!met) throw new Error(`not within ${limitMs} ms: ${this.report()}`)
    return this.clock.monotonic() - start
  }

  async run(ms: number): Promise<void> {
    await this.clock.advanceBy(ms)
    this.check()
  }

  /** Time passes until the promise settles. */
  async carryOut<T>(promise: Promise<T>): Promise<T> {
    let settled = false
    promise.then(
      () => {
        settled = true
      },
      () => {
        settled = true
      },
    )
    await this.clock.runUntil(() => settled, 60_000)
    return promise
  }

  check(): void {
    for (const { failures, name } of this.members) {
      if (failures.length > 0) throw new Error(`${name} failed`, { cause: failures[0] })
    }
  }

  report(): string {
    return this.members
      .map(({ name, membership, isUp, refused }) => {
        const states = membership?.view.stores.map(({ node, state }) => `${node}=${state}`).join(' ')
        const id = membership?.viewId.slice(0, 4)
        return `${name} ${isUp ? 'up' : 'down'} ${membership?.isAdmitted} ${id} [${states?.slice(0, 300)}] ${refused}`
      })
      .join('\n')
  }
}
