/**
 * Membership: who belongs to the mesh and who of them is there. It puts the parts together (founding, handshake, roster,
 * detector, news) over the ports, keeps the one timer, and shows the view. It uses the liveness plane only, and relies on
 * nothing of it but that a frame that arrives is whole.
 *
 * The assembler starts the network with `membership.events` (or passes these calls on) and then calls `start`. Docs:
 * docs/protocols.md, "Who is there".
 */

import { CarillonError } from '../errors.ts'
import { invariant } from '../invariant.ts'
import type { NetworkEvents } from '../ports/network.ts'
import { forgetStore, leaveMesh, removedLine } from './departure.ts'
import { Exchange, type ExchangeContext } from './exchange.ts'
import { Founder } from './founder.ts'
import type { FoundingState, FoundingValue } from './founding.ts'
import { Handshake, type HandshakeContext } from './handshake.ts'
import { Heartbeat } from './heartbeat.ts'
import { HostCalls } from './host-calls.ts'
import { foundedAlone, LoneFounder } from './lone-founder.ts'
import { Lookout } from './lookout.ts'
import { Members } from './members.ts'
import type { Hello, RefusalCode } from './messages.ts'
import {
  checkOptions,
  type MembershipHost,
  type MembershipOptions,
  type MembershipPorts,
  type MembershipSelf,
  ownRecord,
} from './options.ts'
import { Peers } from './peers.ts'
import { MembershipDisk, startsWith } from './persistence.ts'
import { ADDRESSES_MAX } from './record-codec.ts'
import { quorumOf, stretched, TIMINGS, type Timings } from './timings.ts'
import type { MemberRecord, StoreId, View } from './view.ts'

const NO_VIEW = '0'.repeat(16)
const SLOW_BEAT_MS = 500
const FLUSH_MS = 5000
const FAREWELLS = 8

export class Membership {
  readonly #ports: MembershipPorts
  readonly #options: MembershipOptions
  readonly #calls: HostCalls
  readonly #self: MembershipSelf
  readonly #timings: Timings
  readonly #disk: MembershipDisk
  readonly #peers: Peers
  readonly #exchange: Exchange
  #members: Members | undefined
  #handshake: Handshake | undefined
  #founder: Founder | undefined
  #loneFounder: LoneFounder | undefined
  #mesh: FoundingValue | undefined
  #admitted = false
  #shutOut: 'REMOVED' | 'STORE_ROLLED_BACK' | undefined
  #state: 'new' | 'running' | 'stopped' = 'new'
  readonly #heartbeat: Heartbeat
  #newsAt = 0
  #slowAt = 0
  #flushAt = 0
  #knockAt = 0
  #view: View | undefined
  #adopting = false
  #leaving = false

  constructor(
    ports: MembershipPorts,
    options: MembershipOptions,
    self: MembershipSelf,
    host: MembershipHost,
  ) {
    checkOptions(options)
    invariant(self.node === ports.network.self, 'membership speaks for the node that the network proves')
    this.#ports = ports
    this.#options = options
    this.#self = self
    this.#calls = new HostCalls(ports.clock, host)
    this.#timings = TIMINGS[options.profile]
    this.#disk = new MembershipDisk(ports.store, error => this.#fail(error))
    this.#peers = new Peers(ports.network)
    this.#exchange = new Exchange(this.#context())
    this.#heartbeat = new Heartbeat(ports.clock, this.#timings.beatMs, {
      isBusy: () => this.#isBusy,
      nextAt: () => Math.min(this.#slowAt, this.#the().detector.nextProbeAt),
      beat: (now, late) => this.#guard(() => this.#beat(now, late)),
    })
  }

  /** For the network; what comes before `start` is kept (who is connected) or dropped (frames). */
  readonly events: NetworkEvents = {
    connected: (node, address) => this.#guard(() => this.#onConnected(node, address)),
    disconnected: (node, why) => this.#guard(() => this.#onDisconnected(node, why)),
    dialFailed: (address, why) => this.#guard(() => this.#onDialFailed(address, why)),
    frame: (node, plane, frame) => {
      if (plane !== 'liveness' || this.#state !== 'running') return
      this.#guard(() => this.#exchange.receive(node, frame, this.#now()))
    },
    drained: () => {},
  }

  /** Reads what the disk has, syncs this start, and begins. */
  async start(): Promise<void> {
    invariant(this.#state === 'new', 'membership is started once')
    const kept = await this.#disk.load()
    const starts = startsWith(kept.starts, this.#self)
    const now = this.#now()
    const members = this.#makeMembers(now)
    members.load(kept.members, now)
    this.#members = members
    this.#mesh = kept.mesh
    this.#disk.putStarts(starts)
    if (members.roster.isRemoved(this.#self.store)) this.#shutOut = 'REMOVED'
    else if (kept.mesh !== undefined && members.roster.has(this.#self.store)) {
      members.enter()
      this.#admitted = true
    }
    await this.#disk.synced()
    if (this.#state !== 'new') return
    this.#handshake = new Handshake(this.#context(), starts)
    this.#state = 'running'
    this.#makeFounder(kept.founding, this.#now())
    this.#slowBeat(this.#now())
    for (const peer of this.#peers.all) this.#handshake.greet(peer, this.#now())
    if (this.#admitted) this.#announce()
    else if (this.#shutOut !== undefined) this.#calls.refused(this.#shutOut, removedLine(this.#self.store))
    this.#heartbeat.start()
  }

  /** Says farewell, so that nobody has to find out, and writes what is left. */
  async stop(): Promise<void> {
    const ran = this.#state === 'running'
    if (ran && this.#admitted) this.#exchange.urgent(this.#the().farewell(), FAREWELLS)
    this.#state = 'stopped'
    this.#heartbeat.stop()
    if (ran) this.#members?.flush()
    await this.#disk.close()
    this.#calls.end()
  }

  /** Takes this store out of every list, before it leaves: what it holds is for the others to copy. It can't be taken back. */
  withdraw(): void {
    this.#assertMember()
    this.#the().withdraw()
  }

  /** Removes this store from the mesh for ever. Resolves when another member knows, or after some seconds. */
  async leave(): Promise<void> {
    this.#assertMember()
    this.#leaving = true
    await leaveMesh(this.#self.store, {
      clock: this.#ports.clock,
      members: this.#the(),
      exchange: this.#exchange,
      retryMs: this.#timings.helloMs,
      isRunning: () => this.#state === 'running',
    })
  }

  /** Removes a store that is not there any more, for ever. Resolves when the mark is on this disk. */
  async forget(store: StoreId): Promise<void> {
    this.#assertMember()
    return forgetStore(store, this.#the())
  }

  get view(): View {
    this.#view ??= this.#makeView()
    return this.#view
  }

  /** As of now; zeros before there is a mesh. */
  get viewId(): string {
    const mesh = this.#mesh
    if (mesh === undefined || this.#members === undefined) return NO_VIEW
    return this.#members.roster.hash(mesh.ranges, mesh.replicas)
  }

  get meshId(): string | undefined {
    return this.#mesh?.meshId
  }

  get isAdmitted(): boolean {
    return this.#admitted
  }

  /** This store was there when the mesh began: it was in lists that had nothing to copy. */
  get isFounder(): boolean {
    return this.#mesh?.founders.some(({ store }) => store === this.#self.store) === true
  }

  /** W: copies that make a change acknowledged. Infinity before the mesh, and for who is shut out of it. */
  get quorum(): number {
    if (!this.#admitted || this.#mesh === undefined || this.#members === undefined) return Infinity
    // Who goes leaves a smaller roster behind.
    const size = this.#members.roster.size - (this.#members.isWithdrawn ? 1 : 0)
    return quorumOf(this.#mesh.replicas, size)
  }

  /** Live members that stand accused; they count as live. */
  get suspects(): StoreId[] {
    return [...(this.#members?.detector.suspects ?? [])]
  }

  /** 0 (well) to 8: how much this node doubts itself. */
  get localHealth(): number {
    return this.#members?.detector.health ?? 0
  }

  /** Frames that were no messages. */
  get badFrames(): number {
    return this.#exchange.badFrames
  }

  /** A frame of another plane came from the node: a sign of life. The store that speaks from there, if it said hello. */
  heard(node: string): StoreId | undefined {
    const store = this.#peers.get(node)?.hello?.record.store
    if (store !== undefined) this.#members?.heard(store, this.#now())
    return store
  }

  /** Our side is about to cut the connection, as it is stuck: a new one is dialled at once, whoever else would dial. */
  renew(node: string): void {
    this.#peers.renew(node)
  }

  /** The store has left, or was forgotten: it is no member any more, and comes back as another. */
  isRemoved(store: StoreId): boolean {
    return this.#members?.roster.isRemoved(store) === true
  }

  /** The store has another view, as somebody has noticed: both tell each other what they know. */
  exchangeViews(store: StoreId): void {
    const peer = this.#state === 'running' && this.#admitted ? this.#peers.of(store) : undefined
    if (peer !== undefined) this.#exchange.sendState(peer, true, this.#now())
  }

  /** A store answered that it has synced its journal so far (`have` of the replication). */
  synced(store: StoreId, boot: number, journalSeq: number): void {
    this.#members?.sequence(store, boot, journalSeq)
  }

  #onConnected(node: string, address: string | undefined): void {
    const now = this.#now()
    const peer = this.#peers.connected(node, address, now)
    if (this.#state === 'running') this.#handshake?.greet(peer, now)
  }

  #onDisconnected(node: string, why: 'closed' | 'reset' | 'timeout'): void {
    const now = this.#now()
    const isRenewed = this.#peers.get(node)?.isRenewed === true
    const store = this.#peers.disconnected(node, now)
    if (this.#state !== 'running' || store === undefined) return
    if (why === 'reset') this.#members?.reset(store, now)
    if (why === 'reset' || isRenewed) this.#dial(now)
  }

  #onDialFailed(address: string, why: string): void {
    if (this.#state !== 'running' || why !== 'refused') return
    this.#the().dialRefused(address, node => this.#peers.get(node) !== undefined, this.#now())
  }

  /** Something of this moment is waited for: a founding, a hello, an answer, or news that somebody could be told. */
  get #isBusy(): boolean {
    if (!this.#admitted || this.#founder !== undefined || this.#loneFounder !== undefined) return true
    const { detector, newsWaiting } = this.#the()
    return detector.isWaiting || (newsWaiting && this.#peers.hasAny) || this.#peers.hasUnmet
  }

  #beat(now: number, late: number): void {
    const handshake = this.#handshake as Handshake
    handshake.beat(now)
    this.#founder?.beat(now)
    if (this.#loneFounder?.isTime(now)) this.#foundAlone()
    if (this.#admitted) {
      const members = this.#the()
      members.beat(now, late)
      if (now >= this.#newsAt && members.newsWaiting) {
        this.#newsAt = now + this.#timings.gossipMs
        this.#exchange.gossip()
      }
    }
    if (now >= this.#slowAt) this.#slowBeat(now)
  }

  #slowBeat(now: number): void {
    this.#slowAt = now + SLOW_BEAT_MS
    const members = this.#the()
    this.#dial(now)
    if (!this.#admitted) return
    members.slowBeat(now)
    if (now >= this.#flushAt) {
      this.#flushAt = now + FLUSH_MS
      members.flush()
    }
    if (now < this.#knockAt) return
    this.#knockAt = now + stretched(5 * this.#timings.probeMs, members.detector.health)
    this.#exchange.knock()
  }

  #dial(now: number): void {
    const members = this.#the()
    const dials = this.#shutOut === undefined
    const founders = this.#mesh === undefined ? (this.#founder?.addresses ?? []) : []
    this.#peers.dial(
      {
        seeds: dials ? [...this.#options.join, ...founders] : [],
        own: this.#ports.network.addresses,
        members: dials ? members.roster.records : [],
        fallbackMs: this.#timings.dialFallbackMs,
        crashWaits: store => members.crash.waits(store, now),
      },
      now,
    )
  }

  #makeMembers(now: number): Members {
    const { random, network } = this.#ports
    const own = ownRecord(this.#self, this.#options, network.addresses.slice(0, ADDRESSES_MAX))
    const deps = {
      random,
      disk: this.#disk,
      self: this.#self,
      options: this.#options,
      timings: this.#timings,
      now,
    }
    const exchange = this.#exchange
    return new Members(deps, own, {
      now: () => this.#now(),
      changed: () => this.#changed(),
      newsCame: () => this.#heartbeat.hurry(),
      suspected: store => this.#calls.later(host => host.suspected(store)),
      refuted: store => this.#calls.later(host => host.refuted(store)),
      rolledBack: line => this.#shut('STORE_ROLLED_BACK', line),
      removed: () => this.#shut('REMOVED', removedLine(this.#self.store)),
      urgent: news => exchange.urgent(news, this.#timings.gossipFanout),
      helpers: store => {
        const stores = exchange.livePeers().map(peer => (peer.hello as Hello).record.store)
        return stores.filter(helper => helper !== store)
      },
      ping: (store, seq) => exchange.ping(store, seq),
      pingThrough: (helper, store, seq) => exchange.pingThrough(helper, store, seq),
      nack: (asker, seq) => exchange.send(asker, { type: 'nack', seq }),
      relayAck: (asker, seq) => exchange.ack(asker, seq),
    })
  }

  /** What the handshake and the exchange need of each other and of us. */
  #context(): ExchangeContext & HandshakeContext {
    return {
      network: this.#ports.network,
      random: this.#ports.random,
      self: this.#self,
      options: this.#options,
      timings: this.#timings,
      peers: this.#peers,
      members: () => this.#the(),
      handshake: () => this.#handshake as Handshake,
      founder: () => this.#founder,
      mesh: () => this.#mesh,
      meshId: () => this.#mesh?.meshId,
      isAdmitted: () => this.#admitted,
      mayEnter: () => this.#shutOut === undefined,
      viewId: () => this.viewId,
      send: (node, message) => this.#exchange.send(node, message),
      sendState: (peer, want, now) => this.#exchange.sendState(peer, want, now),
      commit: after => this.#disk.commit(after),
      adopt: (mesh, records) => this.#adopt(mesh, records),
      refusedBy: (code, line) => this.#onRefusal(code, line),
    }
  }

  /** A fresh store with nobody to ask founds alone; with `expect` it takes part; with `join` only it waits, or see `foundsAlone`. */
  #makeFounder(state: FoundingState | undefined, now: number): void {
    if (this.#mesh !== undefined || this.#shutOut !== undefined || this.#options.role !== 'node') return
    const { join, ranges, replicas, foundsAlone } = this.#options
    const [members, timings, context] = [this.#the(), this.#timings, this.#context()]
    const lookout = new Lookout(context, { join, timings }, now)
    // Who has promised stays bound, also if it is no longer told what to expect.
    const expect = this.#options.expect ?? state?.expect
    if (expect === undefined) {
      if (join.length === 0) this.#foundAlone()
      else if (foundsAlone) this.#loneFounder = new LoneFounder(lookout, { foundsAlone, timings })
      return
    }
    if (state !== undefined && state.expect !== expect) {
      const line = `this store took part in a founding with expect ${state.expect}, now it is ${expect}: start it empty`
      this.#calls.refused('EXPECT_DIFFERS', line)
      return
    }
    this.#founder = new Founder(
      { ...context, members, disk: this.#disk, lookout },
      { self: this.#self.store, expect, ranges, replicas, timings, seeded: join.length > 0 },
      {
        decided: value => this.#adopt(value, value.founders),
        refused: (code, line) => this.#calls.refused(code, line),
      },
      state,
      now,
    )
  }

  #foundAlone(): void {
    const mesh = foundedAlone(this.#ports.random, this.#the().own, this.#options)
    this.#adopt(mesh, mesh.founders)
  }

  /** This store belongs to the mesh from now on: all of it in one batch on the disk, before it acts as a member. */
  #adopt(mesh: FoundingValue, records: readonly MemberRecord[]): void {
    if (this.#admitted || this.#adopting || this.#shutOut !== undefined) return
    const members = this.#the()
    // A decree that leaves us out: its founders will admit us.
    const within = records.some(({ store }) => store === this.#self.store)
    this.#adopting = true
    this.#disk.putMesh(mesh)
    if (within) members.enter()
    for (const record of records) members.merge(record)
    this.#disk.commit(() => {
      this.#adopting = false
      this.#mesh = mesh
      this.#founder = this.#loneFounder = undefined
      if (!within || this.#shutOut !== undefined) return
      this.#admitted = true
      this.#announce()
      // Who waits for the decree, or wants to join, learns it from our hello.
      for (const peer of this.#peers.all) this.#handshake?.greet(peer, this.#now())
    })
  }

  #announce(): void {
    const mesh = this.#mesh as FoundingValue
    const { meshId, ranges, replicas } = mesh
    this.#calls.later(host => host.founded({ meshId, ranges, replicas }))
    this.#changed()
  }

  #onRefusal(code: RefusalCode, line: string): void {
    if (code === 'STORE_ROLLED_BACK' || code === 'REMOVED') this.#shut(code, line)
    else if (code === 'TOO_MANY_FRESH') this.#founder?.stop(line)
    else this.#calls.refused(code, line)
  }

  /** This store is no member any more: it owns nothing, and starts again only under a new store id. */
  #shut(code: 'REMOVED' | 'STORE_ROLLED_BACK', line: string): void {
    if (this.#shutOut !== undefined) return
    this.#shutOut = code
    this.#admitted = false
    this.#founder = undefined
    this.#changed()
    if (code === 'STORE_ROLLED_BACK') this.#calls.later(host => host.rolledBack(line))
    else if (!this.#leaving) this.#calls.refused(code, line)
  }

  #changed(): void {
    this.#view = undefined
    this.#calls.viewMayHaveChanged(() =>
      this.#mesh === undefined ? undefined : { view: this.view, admitted: this.#admitted },
    )
  }

  #makeView(): View {
    const { meshId, ranges, replicas } = this.#mesh ?? { meshId: undefined, ...this.#options }
    const stores = meshId === undefined ? [] : (this.#members?.roster.stores() ?? [])
    return { id: this.viewId, meshId, ranges, replicas, stores }
  }

  /** A failed invariant is not ignored: it ends membership, and the host hears of it. */
  #guard(act: () => void): void {
    try {
      act()
      this.#heartbeat.hurry()
    } catch (error) {
      this.#fail(error)
    }
  }

  #fail(error: unknown): void {
    if (this.#state === 'stopped') return
    this.#state = 'stopped'
    this.#heartbeat.stop()
    this.#admitted = false
    this.#calls.end(error)
  }

  #assertMember(): void {
    if (this.#state !== 'running') throw new CarillonError('CLOSED', 'membership is not running')
    if (!this.#admitted) throw new CarillonError('CONFLICT', 'this store is no member of a mesh')
  }

  #the(): Members {
    invariant(this.#members !== undefined, 'members are there once the disk is read')
    return this.#members
  }

  #now(): number {
    return this.#ports.clock.monotonic()
  }
}
