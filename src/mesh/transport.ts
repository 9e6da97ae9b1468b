/**
 * Messages of the replication between stores, over the planes `replication` and `bulk` of the network. What a turn has for
 * a peer goes in as few frames as can be. A plane that has no credit keeps its frames until it drains, up to a bound;
 * beyond, and without a connection, messages are dropped: everything is sent again by who needs it. A connection that is
 * stuck is cut, for a new one (stall.ts).
 */

import { CorruptBytes } from '../lib/bytes.ts'
import type { Network } from '../ports/network.ts'
import type { ActorNames } from '../replication/context-codec.ts'
import { FrameReader, FrameWriter, isBulk } from '../replication/frames.ts'
import type { Message } from '../replication/messages.ts'
import { type Ordered, type StallOptions, StallWatch } from './stall.ts'
import { decodeTallies, encodeTallies, type TallyFrame } from './tally-frames.ts'

export interface TransportHost {
  /** 32 hex digits; undefined before the mesh. */
  meshId(): string | undefined
  /** The node of a store that belongs to the mesh. */
  nodeOf(store: string): string | undefined
  /** A sign of life. The store of the mesh that speaks from this node; undefined: none is known. */
  heard(node: string): string | undefined
  received(store: string, message: Message): void
  /** Its connection is about to be cut, and a new one is wanted at once. */
  renew(node: string): void
  monotonic(): number
}

/** Of one plane to one peer. More: longer bursts, more memory when a peer is slow. */
const WAITING_BYTES_MAX = 16 * 1024 * 1024

class Lane {
  readonly plane: Ordered
  readonly writer: FrameWriter
  readonly reader: FrameReader
  readonly waiting: Uint8Array[] = []
  bytes = 0

  constructor(plane: Ordered, mesh: string, names: ActorNames, bytesMax: number) {
    this.plane = plane
    this.writer = new FrameWriter(mesh, names, bytesMax)
    this.reader = new FrameReader(mesh, names)
  }
}

interface Peer {
  readonly replication: Lane
  readonly bulk: Lane
}

export class Transport {
  readonly #network: Network
  readonly #names: ActorNames
  readonly #host: TransportHost
  /** By node: while there is a connection, made with the first message. */
  readonly #peers = new Map<string, Peer>()
  readonly #connected = new Set<string>()
  readonly #touched = new Map<Lane, string>()
  readonly #stall: StallWatch
  /** Messages that were not sent for want of room. */
  dropped = 0
  /** Frames that could not be read; each ended its connection. */
  broken = 0
  /** Connections that were cut, as they were stuck. */
  stalled = 0

  constructor(network: Network, names: ActorNames, host: TransportHost, stall: StallOptions) {
    this.#network = network
    this.#names = names
    this.#host = host
    this.#stall = new StallWatch(stall)
  }

  connected(node: string): void {
    this.#connected.add(node)
    this.#peers.delete(node)
    this.#stall.connected(node)
  }

  disconnected(node: string): void {
    this.#connected.delete(node)
    this.#peers.delete(node)
    this.#stall.disconnected(node)
  }

  isConnected(store: string): boolean {
    const node = this.#host.nodeOf(store)
    return node !== undefined && this.#connected.has(node)
  }

  send(store: string, message: Message): void {
    const node = this.#host.nodeOf(store)
    const peer = node === undefined ? undefined : this.#peer(node)
    if (node === undefined || peer === undefined) return
    const lane = isBulk(message) ? peer.bulk : peer.replication
    if (lane.bytes > WAITING_BYTES_MAX) {
      this.dropped++
      return
    }
    lane.writer.add(message)
    this.#touched.set(lane, node)
  }

  /** Sends what was gathered. */
  flush(): void {
    for (const [lane, node] of this.#touched) {
      for (const frame of lane.writer.take()) {
        lane.waiting.push(frame)
        lane.bytes += frame.length
      }
      this.#pump(node, lane)
    }
    this.#touched.clear()
  }

  drained(node: string, plane: 'replication' | 'bulk'): void {
    const peer = this.#peers.get(node)
    if (peer !== undefined) this.#pump(node, peer[plane])
  }

  frame(node: string, plane: Ordered, frame: Uint8Array): void {
    this.#stall.received(node, plane)
    const store = this.#host.heard(node)
    const peer = this.#peer(node)
    if (store === undefined || peer === undefined) return
    let messages: Message[]
    try {
      messages = peer[plane].reader.read(frame)
    } catch (error) {
      if (!(error instanceof CorruptBytes)) throw error
      this.broken++
      // What follows it on this plane can't be trusted; a new connection begins anew.
      this.#network.disconnect(node)
      return
    }
    for (const message of messages) this.#host.received(store, message)
  }

  /** A frame of the liveness plane that is about the others. */
  tallies(node: string, frame: Uint8Array): void {
    const mesh = this.#host.meshId()
    if (mesh === undefined) return
    let read: TallyFrame
    try {
      read = decodeTallies(frame, mesh)
    } catch (error) {
      if (!(error instanceof CorruptBytes)) throw error
      return
    }
    const { kind, number, tallies } = read
    if (kind === 'ask') return this.#tell(node, 'answer', number)
    if (!this.#stall.answered(node, number, tallies, this.#host.monotonic())) return
    this.stalled++
    this.#host.renew(node)
    this.#network.disconnect(node)
  }

  /** When somebody may have to be asked whether what was sent arrives; what is sent from now on is asked for no sooner than `quietMs` later. */
  get nextAt(): number {
    return this.#stall.nextAt
  }

  /** Looks whether what was sent arrives. */
  tick(): void {
    for (const { peer, number } of this.#stall.questions(this.#host.monotonic()))
      this.#tell(peer, 'ask', number)
  }

  #tell(node: string, kind: TallyFrame['kind'], number: number): void {
    const mesh = this.#host.meshId()
    const tallies = this.#stall.tallies(node)
    // Lost, if there is no room: it is the best that the plane promises.
    if (mesh !== undefined && tallies !== undefined)
      this.#network.send(node, 'liveness', encodeTallies(mesh, { kind, number, tallies }))
  }

  #pump(node: string, { plane, waiting }: Lane): void {
    const lane = this.#peers.get(node)?.[plane]
    if (lane?.waiting !== waiting) return
    let sent = 0
    while (sent < waiting.length && this.#network.send(node, plane, waiting[sent] as Uint8Array)) {
      lane.bytes -= (waiting[sent] as Uint8Array).length
      this.#stall.sent(node, plane, this.#host.monotonic())
      sent++
    }
    if (sent > 0) waiting.splice(0, sent)
  }

  #peer(node: string): Peer | undefined {
    const known = this.#peers.get(node)
    const mesh = this.#host.meshId()
    if (known !== undefined || mesh === undefined || !this.#connected.has(node)) return known
    const { frameBytesMax } = this.#network
    const lane = (plane: Ordered): Lane => new Lane(plane, mesh, this.#names, frameBytesMax[plane])
    const peer = { replication: lane('replication'), bulk: lane('bulk') }
    this.#peers.set(node, peer)
    return peer
  }
}
