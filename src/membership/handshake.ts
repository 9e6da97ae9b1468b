/**
 * Handshake: who is at the other end of a connection, and what follows from it. Hello both ways, until each knows that the other
 * has its own; then a member joins what the other says of itself, a fresh store asks a member to be admitted, and two
 * fresh stores count each other for the founding.
 *
 * Invariants
 * - H1 Two meshes never merge: nothing is joined from a peer whose mesh id is not ours (OTHER_MESH).
 * - H2 Only an admitted member admits, and the newcomer is on its disk before it is welcomed.
 * - H3 A store that promised in a founding joins no mesh but one that was founded under the same `expect`: its vote may be the one
 *   that decided.
 * - H4 A refusal names the start that it is meant for: a late one hits nobody else.
 * - H5 The first view of a newcomer has all that an admitter knows: it is none before each part of it has come (welcome.ts).
 *   In one of two it would take its own word for a majority, and act for what others keep.
 */

import type { Founder } from './founder.ts'
import type { FoundingValue } from './founding.ts'
import type { Members } from './members.ts'
import type { Envelope, Hello, Message, Outgoing, RefusalCode, Role } from './messages.ts'
import type { MembershipOptions, MembershipSelf } from './options.ts'
import type { Peer, Peers } from './peers.ts'
import type { OwnStart } from './persistence.ts'
import { stateChunks } from './state-chunks.ts'
import type { StartClaim } from './store-memory.ts'
import type { Timings } from './timings.ts'
import type { MemberRecord, StoreId } from './view.ts'
import { Welcome } from './welcome.ts'

/** What the handshake needs of the coordinator. */
export interface HandshakeContext {
  readonly self: MembershipSelf
  readonly options: MembershipOptions
  readonly timings: Timings
  readonly peers: Peers
  members(): Members
  founder(): Founder | undefined
  mesh(): FoundingValue | undefined
  isAdmitted(): boolean
  /** Not removed and not rolled back. */
  mayEnter(): boolean
  viewId(): string
  send(node: string, message: Outgoing): void
  /** Syncs what was put on disk, then calls back. */
  commit(after: () => void): void
  /** Sends our whole state; `want`: and asks for the other's. */
  sendState(peer: Peer, want: boolean, now: number): void
  /** This store belongs to the mesh from now on. */
  adopt(mesh: FoundingValue, records: readonly MemberRecord[]): void
  refusedBy(code: RefusalCode, line: string): void
}

export class Handshake {
  readonly #context: HandshakeContext
  readonly #members: Members
  readonly #starts: readonly OwnStart[]
  /** The journal's synced sequence as this start began. */
  readonly #startSeq: number
  readonly #welcome: Welcome

  constructor(context: HandshakeContext, starts: readonly OwnStart[]) {
    this.#context = context
    this.#members = context.members()
    this.#starts = starts
    this.#startSeq = context.self.journalSeq()
    this.#welcome = new Welcome(context.options.limits.membersMax)
  }

  /** `want`: an answer is wanted though each has the other's hello: it may be another by now. */
  greet(peer: Peer, now: number, want = false): void {
    const { self, options, timings } = this.#context
    const founder = this.#context.founder()
    peer.nextHelloAt = now + timings.helloMs
    const role: Role = options.role
    this.#context.send(peer.node, {
      type: 'hello',
      role,
      seen: peer.hello !== undefined,
      want: want || !peer.confirmed || peer.hello === undefined,
      admitted: this.#context.isAdmitted(),
      record: this.#members.own,
      startSeq: this.#startSeq,
      journalSeq: self.journalSeq(),
      starts: this.#starts
        .filter(start => start.boot !== self.boot)
        .map(({ boot, startId }) => ({ boot, startId })),
      expect: founder?.expect ?? 0,
      viewId: this.#context.viewId(),
      fresh: founder?.fresh() ?? [],
    })
  }

  /** Repeats what has no answer. */
  beat(now: number): void {
    const { peers, options } = this.#context
    const asks = !this.#context.isAdmitted() && this.#context.mayEnter() && options.role === 'node'
    for (const peer of peers.unmet) if (now >= peer.nextHelloAt) this.greet(peer, now)
    if (!asks) return
    for (const peer of peers.all) if (now >= peer.nextJoinAt) this.#ask(peer, now)
  }

  onHello(peer: Peer, envelope: Envelope, hello: Hello, now: number): void {
    const { self, peers } = this.#context
    const { record } = hello
    if (record.node !== peer.node) return
    if (hello.seen) peer.confirmed = true
    const mesh = this.#context.mesh()
    if (mesh !== undefined && envelope.meshId !== undefined && mesh.meshId !== envelope.meshId) {
      this.#onForeign(peer, hello, envelope.meshId, now)
      return
    }
    const why = this.#refusal(hello)
    if (why !== undefined) {
      this.refuse(peer.node, record, why.code, why.line)
      return
    }
    const known = peer.hello?.record.startId === record.startId
    if (!known && !this.#members.roster.has(record.store)) {
      const strangers = peers.strangers(store => this.#members.roster.has(store))
      // It asks again, and has its turn when one of these is admitted or gone.
      if (strangers >= this.#context.options.limits.strangersMax) return
    }
    peers.introduced(peer, hello, envelope.meshId)
    if (mesh !== undefined && envelope.meshId === mesh.meshId) {
      if (hello.admitted) this.#onMember(peer, hello, now)
    } else if (
      mesh === undefined &&
      envelope.meshId === undefined &&
      hello.role === 'node' &&
      !hello.admitted
    ) {
      const founder = this.#context.founder()
      founder?.met(hello, now)
      if (founder !== undefined && hello.expect > 0 && hello.expect !== founder.expect) {
        const line = `${self.node} says expect ${founder.expect}, ${record.node} says ${hello.expect}`
        this.refuse(peer.node, record, 'EXPECT_DIFFERS', line)
      }
    }
    if (hello.want) this.greet(peer, now)
  }

  onRefuse(envelope: Envelope, message: Extract<Message, { type: 'refuse' }>): void {
    const { self } = this.#context
    if (message.store !== self.store || message.startId !== self.startId) return
    const mesh = this.#context.mesh()
    // Only our own mesh can shut us out of it.
    const fatal = message.code === 'STORE_ROLLED_BACK' || message.code === 'REMOVED'
    if (fatal && mesh !== undefined && envelope.meshId !== mesh.meshId) return
    this.#context.refusedBy(message.code, message.line)
  }

  /** A fresh store asks for admission. */
  onJoin(peer: Peer, store: StoreId, now: number): void {
    const { options, self } = this.#context
    const { hello } = peer
    const mesh = this.#context.mesh()
    if (mesh === undefined || !this.#context.isAdmitted() || hello === undefined) return
    const { record } = hello
    if (record.store !== store || hello.role !== 'node') return
    const why = this.#refusal(hello)
    if (why !== undefined) return this.refuse(peer.node, record, why.code, why.line)
    if (!this.#members.roster.has(store)) {
      if (options.mayAdmit?.({ node: peer.node, store }) === false) {
        return this.refuse(peer.node, record, 'NOT_ADMITTED', `${self.node} does not admit ${peer.node}`)
      }
      this.#members.merge({ ...record, state: 'live' })
      if (!this.#members.roster.has(store)) {
        const line = `the roster has ${this.#members.roster.size} stores, there is no room for ${peer.node}`
        return this.refuse(peer.node, record, 'NOT_ADMITTED', line)
      }
    } else {
      this.#members.merge({ ...record, state: 'live' })
    }
    this.#members.judge(store, claimOf(hello))
    this.#retire(record)
    this.#context.commit(() => {
      const { roster } = this.#members
      const viewId = this.#context.viewId()
      for (const { records } of stateChunks(roster.records, [], this.#context.options.limits.chunkBytes)) {
        const part = { viewId, stores: roster.size, records }
        this.#context.send(peer.node, { type: 'welcome', founding: mesh, ...part })
      }
      this.#context.sendState(peer, false, now)
    })
  }

  onWelcome(message: Extract<Message, { type: 'welcome' }>): void {
    const { self } = this.#context
    const { founding } = message
    if (this.#context.isAdmitted() || !this.#context.mayEnter()) return
    const mesh = this.#context.mesh()
    if (mesh !== undefined && mesh.meshId !== founding.meshId) return
    const records = this.#welcome.take(message)
    if (records === undefined || !records.some(({ store }) => store === self.store)) return
    const founder = this.#context.founder()
    if (founder?.bound === true && founding.expect !== founder.expect) {
      const line =
        `this store took part in a founding with expect ${founder.expect}, the mesh ${founding.meshId} was founded ` +
        `with ${founding.expect}: start with an empty data dir to join it`
      this.#context.refusedBy('OTHER_MESH', line)
      return
    }
    for (const { store } of records) if (this.#members.roster.isRemoved(store)) return
    this.#context.adopt(founding, records)
  }

  refuse(node: string, whom: MemberRecord, code: RefusalCode, line: string): void {
    this.#context.send(node, {
      type: 'refuse',
      code,
      store: whom.store,
      startId: whom.startId,
      line: ascii(line),
    })
  }

  refuseRemoved(peer: Peer, now: number): void {
    const { hello } = peer
    if (hello === undefined) return
    peer.nextHelloAt = now + this.#context.timings.helloMs
    const line = `store ${hello.record.store} was removed from the mesh`
    this.refuse(peer.node, hello.record, 'REMOVED', line)
  }

  #ask(peer: Peer, now: number): void {
    const { self, timings } = this.#context
    const mesh = this.#context.mesh()
    peer.nextJoinAt = now + 2 * timings.helloMs
    if (peer.hello === undefined) return
    // Its last hello may be an old one that was overtaken, and it a member by now.
    if (peer.meshId === undefined || !peer.hello.admitted) return this.greet(peer, now, true)
    if (mesh !== undefined && mesh.meshId !== peer.meshId) return
    this.#context.send(peer.node, { type: 'join', store: self.store })
  }

  #onMember(peer: Peer, hello: Hello, now: number): void {
    const { record } = hello
    if (!this.#context.isAdmitted()) return
    this.#members.merge(record)
    this.#members.judge(record.store, claimOf(hello))
    this.#members.heard(record.store, now)
    this.#retire(record)
    // Away, or another view: it should know at once.
    if (hello.viewId !== this.#context.viewId()) this.#context.sendState(peer, true, now)
  }

  /** A node speaks for one store: an older one of the same node has no process any more. */
  #retire(record: MemberRecord): void {
    for (const store of [...this.#members.roster.at(record.node)]) {
      const other = this.#members.roster.get(store)
      if (other !== undefined && store !== record.store && other.state === 'live')
        this.#members.replaced(other)
    }
  }

  #onForeign(peer: Peer, hello: Hello, meshId: string, now: number): void {
    const { peers } = this.#context
    const line = `${peer.node} belongs to mesh ${meshId}, this one is ${this.#context.mesh()?.meshId}: they never merge`
    this.refuse(peer.node, hello.record, 'OTHER_MESH', line)
    this.#context.refusedBy('OTHER_MESH', line)
    if (peer.address !== undefined) peers.foreign(peer.address, now)
  }

  #refusal(hello: Hello): { readonly code: RefusalCode; readonly line: string } | undefined {
    const { self } = this.#context
    const { record } = hello
    if (this.#members.roster.isRemoved(record.store)) {
      return { code: 'REMOVED', line: `store ${record.store} was removed from the mesh` }
    }
    if (record.store === self.store) {
      return { code: 'STORE_ROLLED_BACK', line: `store ${record.store} is also at ${self.node}` }
    }
    const why = this.#members.judge(record.store, claimOf(hello))
    return why === undefined
      ? undefined
      : { code: 'STORE_ROLLED_BACK', line: `store ${record.store}: ${why}` }
  }
}

function ascii(line: string): string {
  return line.replace(/[^\x20-\x7e]/g, '?').slice(0, 255)
}

function claimOf(hello: Hello): StartClaim {
  const { record, startSeq, journalSeq, starts } = hello
  return { boot: record.boot, startId: record.startId, startSeq, journalSeq, starts }
}
