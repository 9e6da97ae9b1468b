/**
 * Sessions between peers: WorkerChannels over the plane `calls`, so that what a user's thread says to its engine a node or a
 * client says to an engine far away, byte for byte. Either side may open sessions; each ends with its connection, or by
 * close(). A channel's frame may be longer than the plane's: it goes in parts.
 *
 * What waits for credit is bounded: beyond that the session ends, and who opened it begins anew.
 */

import { ByteReader, ByteWriter, CorruptBytes } from '../lib/bytes.ts'
import type { Network } from '../ports/network.ts'
import type { WorkerChannel, WorkerChannelEvents } from '../ports/worker-channel.ts'
import { JSON_BYTES_MAX } from '../wire/frame.ts'

/** Who opens a session: `node` carries out for others what they were asked, and is not to be sent on; `client` asks for itself. */
export type SessionKind = (typeof SESSION_KINDS)[number]
const SESSION_KINDS = ['node', 'client'] as const

export interface PeerChannelsHost {
  /** A peer has opened a session with this engine; the channel is to be started at once. */
  opened(node: string, kind: SessionKind, channel: WorkerChannel): void
}

/** Sessions that one peer may have open here. */
const SESSIONS_MAX = 16
/** Bytes that wait for a peer's credit. More: longer bursts, more memory when a peer is slow. */
const WAITING_BYTES_MAX = 256 * 1024 * 1024
/** The longest frame of a channel: an answer of the greatest length, and what else a turn has. */
const CHANNEL_FRAME_BYTES_MAX = JSON_BYTES_MAX + 16 * 1024 * 1024

const KIND = { open: 1, part: 2, last: 3, close: 4 } as const
const HEAD_BYTES = 6

interface Peer {
  readonly node: string
  readonly channels: Map<number, PeerChannel>
  readonly waiting: Uint8Array[]
  waitingBytes: number
  nextNumber: number
}

export class PeerChannels {
  readonly #network: Pick<Network, 'send' | 'disconnect' | 'frameBytesMax'>
  readonly #host: PeerChannelsHost
  readonly #waitingBytesMax: number
  /** By node: those that are connected. */
  readonly #peers = new Map<string, Peer>()
  /** Frames that could not be read; each ended its connection. */
  broken = 0

  constructor(
    network: Pick<Network, 'send' | 'disconnect' | 'frameBytesMax'>,
    host: PeerChannelsHost,
    waitingBytesMax = WAITING_BYTES_MAX,
  ) {
    this.#network = network
    this.#host = host
    this.#waitingBytesMax = waitingBytesMax
  }

  connected(node: string): void {
    this.disconnected(node)
    this.#peers.set(node, { node, channels: new Map(), waiting: [], waitingBytes: 0, nextNumber: 0 })
  }

  disconnected(node: string): void {
    const peer = this.#peers.get(node)
    if (peer === undefined) return
    this.#peers.delete(node)
    for (const channel of [...peer.channels.values()]) channel.lost()
    peer.channels.clear()
  }

  /** Opens a session with the engine of a peer; undefined: there is no connection. */
  open(node: string, kind: SessionKind): WorkerChannel | undefined {
    const peer = this.#peers.get(node)
    if (peer === undefined) return undefined
    const number = peer.nextNumber++
    const channel = this.#channel(peer, number, false)
    this.#send(peer, KIND.open, false, number, new Uint8Array([SESSION_KINDS.indexOf(kind)]))
    return channel
  }

  frame(node: string, frame: Uint8Array): void {
    const peer = this.#peers.get(node)
    if (peer === undefined) return
    try {
      this.#read(peer, frame)
    } catch (error) {
      if (!(error instanceof CorruptBytes)) throw error
      this.broken++
      this.#network.disconnect(node)
    }
  }

  drained(node: string): void {
    const peer = this.#peers.get(node)
    if (peer !== undefined) this.#pump(peer)
  }

  #read(peer: Peer, frame: Uint8Array): void {
    const reader = new ByteReader(frame)
    const kind = reader.u8()
    // Each side numbers the sessions that it opens; the flag tells whose this is.
    const isTheirs = reader.u8() === 0
    const number = reader.u32le()
    if (kind === KIND.open) return this.#opened(peer, number, isTheirs, SESSION_KINDS[reader.u8()])
    const channel = peer.channels.get(keyOf(number, isTheirs))
    // It may have ended here, and the other side not know it yet.
    if (channel === undefined) return
    if (kind === KIND.close) channel.lost()
    else if (kind === KIND.part || kind === KIND.last)
      channel.received(reader.bytes(reader.remaining), kind === KIND.last)
    else throw new CorruptBytes(`a frame of sessions of kind ${kind}`)
  }

  #opened(peer: Peer, number: number, isTheirs: boolean, kind: SessionKind | undefined): void {
    if (!isTheirs || kind === undefined || peer.channels.has(keyOf(number, true)))
      throw new CorruptBytes('a session that is not opened as it should be')
    let theirs = 0
    for (const key of peer.channels.keys()) if (key >= 0) theirs++
    if (theirs >= SESSIONS_MAX) throw new CorruptBytes(`more than ${SESSIONS_MAX} sessions of one peer`)
    this.#host.opened(peer.node, kind, this.#channel(peer, number, true))
  }

  #channel(peer: Peer, number: number, isTheirs: boolean): PeerChannel {
    const key = keyOf(number, isTheirs)
    const partMax = this.#network.frameBytesMax.calls - HEAD_BYTES
    const channel = new PeerChannel({
      send: bytes => {
        const parts = Math.ceil(bytes.length / partMax)
        if (peer.waitingBytes + bytes.length + parts * HEAD_BYTES > this.#waitingBytesMax)
          return channel.close()
        for (let from = 0; from < bytes.length; from += partMax) {
          const to = Math.min(bytes.length, from + partMax)
          const kind = to === bytes.length ? KIND.last : KIND.part
          this.#send(peer, kind, isTheirs, number, bytes.subarray(from, to))
        }
      },
      ended: tell => {
        peer.channels.delete(key)
        if (tell) this.#send(peer, KIND.close, isTheirs, number, NOTHING)
      },
    })
    peer.channels.set(key, channel)
    return channel
  }

  #send(peer: Peer, kind: number, isTheirs: boolean, number: number, bytes: Uint8Array): void {
    if (this.#peers.get(peer.node) !== peer) return
    const out = new ByteWriter(HEAD_BYTES + bytes.length)
    out.u8(kind)
    out.u8(isTheirs ? 1 : 0)
    out.u32le(number)
    out.slice(bytes, 0, bytes.length)
    const frame = out.take()
    peer.waiting.push(frame)
    peer.waitingBytes += frame.length
    this.#pump(peer)
  }

  #pump(peer: Peer): void {
    const { waiting, node } = peer
    let sent = 0
    while (sent < waiting.length && this.#network.send(node, 'calls', waiting[sent] as Uint8Array)) {
      peer.waitingBytes -= (waiting[sent] as Uint8Array).length
      sent++
    }
    if (sent > 0) waiting.splice(0, sent)
  }
}

const NOTHING = new Uint8Array(0)

/** Those that the peer opened have keys from 0 on, our own from -1 down. */
function keyOf(number: number, isTheirs: boolean): number {
  return isTheirs ? number : -1 - number
}

interface PeerChannelHost {
  send(bytes: Uint8Array): void
  /** `tell`: the other side does not know yet. */
  ended(tell: boolean): void
}

class PeerChannel implements WorkerChannel {
  readonly #host: PeerChannelHost
  #events: WorkerChannelEvents | undefined
  #isOpen = true
  #parts: Uint8Array[] = []
  #partBytes = 0

  constructor(host: PeerChannelHost) {
    this.#host = host
  }

  start(events: WorkerChannelEvents): void {
    this.#events = events
  }

  send(bytes: Uint8Array): void {
    if (this.#isOpen && bytes.length > 0) this.#host.send(bytes)
  }

  close(): void {
    this.#end(true)
  }

  /** The other side, or the connection, has ended it. */
  lost(): void {
    this.#end(false)
  }

  received(part: Uint8Array, isLast: boolean): void {
    if (!this.#isOpen) return
    this.#partBytes += part.length
    if (this.#partBytes > CHANNEL_FRAME_BYTES_MAX)
      throw new CorruptBytes(`a frame of a session of more than ${CHANNEL_FRAME_BYTES_MAX} bytes`)
    this.#parts.push(part)
    if (!isLast) return
    const whole = this.#parts.length === 1 ? part : Buffer.concat(this.#parts)
    this.#parts = []
    this.#partBytes = 0
    this.#events?.frame(whole)
  }

  #end(tell: boolean): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#parts = []
    this.#host.ended(tell)
    this.#events?.closed()
  }
}
