/**
 * Exchange: frames out and in. What members say to each other (probes, news, full states) is carried out here; who may
 * say it is the handshake's matter. Every frame that comes straight from a member is a sign of its life.
 *
 * A view id stands in each ping and ack. Another one than ours, while no news are on their way, calls for a push-pull:
 * full states both ways, at most one a second from each node. So a quiet mesh sends no state at all. Where news never
 * cease, a node with which nobody has agreed for long asks all the same.
 */

import { CorruptBytes } from '../lib/bytes.ts'
import type { Random } from '../ports/random.ts'
import type { Founder } from './founder.ts'
import type { Handshake } from './handshake.ts'
import type { Members } from './members.ts'
import {
  decodeMessage,
  type Envelope,
  encodeMessage,
  FRAME_BYTES_MAX,
  type Message,
  type Outgoing,
} from './messages.ts'
import type { MembershipOptions, MembershipPorts, MembershipSelf } from './options.ts'
import type { Peer, Peers } from './peers.ts'
import { sample } from './probe-order.ts'
import { stateChunks } from './state-chunks.ts'
import { settleMs, type Timings } from './timings.ts'
import type { StoreId } from './view.ts'

export interface ExchangeContext {
  readonly network: MembershipPorts['network']
  readonly random: Random
  readonly self: MembershipSelf
  readonly options: MembershipOptions
  readonly timings: Timings
  readonly peers: Peers
  meshId(): string | undefined
  isAdmitted(): boolean
  viewId(): string
  members(): Members
  handshake(): Handshake
  founder(): Founder | undefined
}

/** So many settling times without anybody who agrees are too long. */
const UNREST = 5

type MemberMessage = Extract<Message, { type: 'ping' | 'ack' | 'ping-req' | 'nack' | 'news' | 'state' }>

export class Exchange {
  readonly #context: ExchangeContext
  readonly #chunkBytes: number
  #stateAt = 0
  /** When a member last had our view. */
  #agreedAt = 0
  /** Nodes that have shown that they know of our removal. */
  readonly leaveHeard = new Set<string>()
  badFrames = 0

  constructor(context: ExchangeContext) {
    this.#context = context
    const head = 1024
    const bytesMax = Math.min(FRAME_BYTES_MAX, context.network.frameBytesMax.liveness) - head
    this.#chunkBytes = Math.min(bytesMax, context.options.limits.chunkBytes)
  }

  send(node: string, message: Outgoing): void {
    const { network, self } = this.#context
    const frame = encodeMessage(this.#context.meshId(), self.startId, message)
    // A frame that is not taken is a frame that is lost.
    network.send(node, 'liveness', frame)
  }

  /** Connected, and live members. */
  livePeers(): Peer[] {
    const { roster } = this.#context.members()
    const peers: Peer[] = []
    for (const peer of this.#context.peers.all) {
      const store = peer.hello?.record.store
      if (store !== undefined && roster.get(store)?.state === 'live') peers.push(peer)
    }
    return peers
  }

  somePeers(count: number): Peer[] {
    return sample(this.livePeers(), count, this.#context.random)
  }

  ping(store: StoreId, seq: number): void {
    const { peers, self } = this.#context
    const peer = peers.of(store)
    if (peer === undefined) return
    const news = this.#newsFor(store)
    const viewId = this.#context.viewId()
    this.send(peer.node, { type: 'ping', seq, target: store, viewId, journalSeq: self.journalSeq(), news })
  }

  /** Somebody that we hold for away may be connected all the same, and not know that it has to answer. */
  knock(): void {
    const { members, peers, random } = this.#context
    const away: StoreId[] = []
    for (const { state, store } of members().roster.records) {
      if (state !== 'live' && peers.of(store) !== undefined) away.push(store)
    }
    for (const store of sample(away, 1, random)) this.ping(store, 0)
  }

  ack(node: string, seq: number): void {
    const { peers, self } = this.#context
    const news = this.#newsFor(peers.get(node)?.hello?.record.store)
    this.send(node, { type: 'ack', seq, viewId: this.#context.viewId(), journalSeq: self.journalSeq(), news })
  }

  pingThrough(helper: StoreId, store: StoreId, seq: number): void {
    const peer = this.#context.peers.of(helper)
    if (peer === undefined) return
    this.send(peer.node, { type: 'ping-req', seq, target: store, news: this.#newsFor(helper) })
  }

  /** What waits, to some members. */
  gossip(): void {
    const members = this.#context.members()
    for (const peer of this.somePeers(this.#context.timings.gossipFanout)) {
      const news = members.take(peer.hello?.record.store, this.#chunkBytes / 8)
      if (news.length > 0) this.send(peer.node, { type: 'news', news })
    }
  }

  urgent(news: Uint8Array, count: number): void {
    for (const peer of this.somePeers(count)) this.send(peer.node, { type: 'news', news: [news] })
  }

  /** Our full state; `want`: and asks for the other's. */
  sendState(peer: Peer, want: boolean, now: number): void {
    if (want) {
      if (now < this.#stateAt) return
      this.#stateAt = now + this.#context.timings.pushPullMs
    }
    const { roster } = this.#context.members()
    const chunks = stateChunks(roster.records, roster.marks, this.#chunkBytes)
    chunks.forEach((chunk, i) => {
      this.send(peer.node, { type: 'state', want: want && i === chunks.length - 1, ...chunk })
    })
  }

  receive(node: string, frame: Uint8Array, now: number): void {
    const { peers } = this.#context
    const peer = peers.get(node)
    if (peer === undefined) return
    let envelope: Envelope
    try {
      envelope = decodeMessage(frame)
    } catch (error) {
      if (!(error instanceof CorruptBytes)) throw error
      this.badFrames++
      return
    }
    const handshake = this.#context.handshake()
    const { message } = envelope
    if (message.type === 'hello') return handshake.onHello(peer, envelope, message, now)
    if (message.type === 'refuse') return handshake.onRefuse(envelope, message)
    // Before its hello, or of an earlier start: we ask who it is.
    if (peer.hello === undefined || peer.hello.record.startId !== envelope.startId) {
      if (now >= peer.nextHelloAt) handshake.greet(peer, now)
      return
    }
    const { store } = peer.hello.record
    switch (message.type) {
      case 'join':
        return handshake.onJoin(peer, message.store, now)
      case 'welcome':
        return handshake.onWelcome(message)
      case 'prepare':
      case 'promise':
      case 'accept':
      case 'accepted':
      case 'outvoted':
        // Who belongs to a mesh says so; the other then asks to join.
        if (this.#context.meshId() !== undefined) return handshake.greet(peer, now)
        if (peer.meshId === undefined && peer.hello.role === 'node')
          this.#context.founder()?.receive(store, message, now)
        return
      default:
        if (envelope.meshId !== undefined && envelope.meshId === this.#context.meshId()) {
          this.#fromMember(peer, store, message, now)
        }
    }
  }

  #fromMember(peer: Peer, store: StoreId, message: MemberMessage, now: number): void {
    const members = this.#context.members()
    const handshake = this.#context.handshake()
    if (members.roster.isRemoved(store)) {
      // A state may be the leave itself, asking whether it was heard.
      if (message.type !== 'state' && now >= peer.nextHelloAt) handshake.refuseRemoved(peer, now)
      if (message.type !== 'state') return
    } else if (members.roster.has(store)) {
      members.heard(store, now)
    } else {
      if (now >= peer.nextHelloAt) handshake.greet(peer, now)
      return
    }
    if (message.type === 'state') return this.#onState(peer, message, now)
    if (!this.#context.isAdmitted()) return
    if (message.type === 'nack') return members.detector.nacked(message.seq)
    if (message.type === 'ack') members.detector.answered(message.seq, now)
    members.hear(message.news, now)
    if (message.type === 'ping-req') members.detector.relay(peer.node, message.seq, message.target, now)
    if (message.type !== 'ping' && message.type !== 'ack') return
    this.#heardView(peer, store, message, now)
    if (message.type === 'ping' && message.target === this.#context.self.store)
      this.ack(peer.node, message.seq)
  }

  #onState(peer: Peer, message: Extract<Message, { type: 'state' }>, now: number): void {
    const { self, timings } = this.#context
    const members = this.#context.members()
    for (const store of message.marks) members.remove(store)
    for (const record of message.records) members.merge(record)
    if (message.marks.includes(self.store)) this.leaveHeard.add(peer.node)
    if (message.want && now >= peer.nextStateAt) {
      peer.nextStateAt = now + timings.pushPullMs / 4
      this.sendState(peer, false, now)
    }
  }

  #heardView(peer: Peer, store: StoreId, frame: { viewId: string; journalSeq: number }, now: number): void {
    const members = this.#context.members()
    members.sequence(store, (peer.hello as NonNullable<Peer['hello']>).record.boot, frame.journalSeq)
    if (frame.viewId === this.#context.viewId()) {
      this.#agreedAt = now
      return
    }
    const settle = settleMs(this.#context.timings, members.roster.liveCount)
    const quiet = now - members.changedAt >= settle
    if (quiet || now - this.#agreedAt >= UNREST * settle) this.sendState(peer, true, now)
  }

  #newsFor(store: StoreId | undefined): Uint8Array[] {
    return this.#context.members().take(store, this.#context.options.limits.piggybackBytes)
  }
}
