/**
 * All of libp2p that Carillon uses, behind a small interface of its own: encrypted connections over TCP (Noise), each
 * with a few streams (yamux). Who may come in, whom to dial and when, and what goes over the streams is decided
 * elsewhere. It is heavy: it is loaded with the first network, and not before.
 *
 * What had to be known of libp2p 3:
 * - Its own limits would refuse a mesh (the sixth dial a second from one address) or, full, end connections of members
 *   to make room: they are set out of the way, and strangers are counted here, from the first byte on.
 * - Its peer store remembers each peer that ever came, for an hour: ours forgets at once.
 * - What a listener of its events throws becomes an uncaught exception; ours throw nothing that a peer can cause.
 * - An idle socket is closed after two minutes unless that is turned off; TCP's keepalive finds the dead ones.
 * - `abort` resets the socket, and what was written just before may never arrive: who has last words calls `close`.
 */

import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { tcp } from '@libp2p/tcp'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import type { Endpoint } from './addresses.ts'
import { type DoorLimits, Doors } from './doors.ts'

/** Why a link ended: the far side or the way to it, silence, or this side itself. */
export type LinkEnd = 'reset' | 'timeout' | 'closed'

export interface LaneEvents {
  data(bytes: Uint8Array): void
  /** It takes data again. */
  drain(): void
  /** Told once, whoever ended it. */
  closed(): void
}

/** One stream of a link. Bytes arrive in order, or the lane closes. */
export interface Lane {
  /** What was written is held back: more would lie in memory here and in the way of the other lanes. */
  readonly isFull: boolean
  /** What has arrived before is kept until then, within the stream's window. */
  listen(events: LaneEvents): void
  /** The bytes belong to the lane from now on. Without effect once it is closed. */
  send(bytes: Uint8Array): void
  close(): void
}

export interface LinkEvents {
  /** The far side has opened a lane. */
  lane(protocol: string, lane: Lane): void
  /** Told once. */
  closed(why: LinkEnd): void
}

/** An encrypted connection with a peer that has proven its id. */
export interface Link {
  readonly peer: string
  /** Where the far side is. */
  readonly remote: Endpoint
  /** Told from the next turn on. */
  listen(events: LinkEvents): void
  open(protocol: string, signal: AbortSignal): Promise<Lane>
  /** The peer is no stranger any more: it may send as much as it likes, and has its place. */
  admit(): void
  /** Ends it after what was sent; at once where that takes longer than the limit. */
  close(): Promise<void>
  /** Ends it at once. */
  abort(): void
}

export interface WireOptions extends DoorLimits {
  /** 32 secret bytes: the peer id follows from them. */
  readonly seed: Uint8Array
  /** The lanes that a peer may open. */
  readonly protocols: readonly string[]
  /** For encryption and multiplexing of a new connection, ms. */
  readonly upgradeMs: number
  /** Of one lane to one peer on the wire, and not acknowledged; bytes. */
  readonly windowBytesMax: number
  /** A socket that is silent for so long is asked each second, ten times, whether it still stands; ms. */
  readonly keepAliveMs: number
  readonly closeMs: number
}

/** Why no link came about; `self` if it was this very node that answered. */
export type LinkFailure = 'refused' | 'unreachable' | 'timeout' | 'rejected' | 'self'

export interface Wire {
  readonly self: string
  start(inbound: (link: Link) => void): Promise<void>
  /** Listens there, too, from now on. Resolves with the port, and rejects with an error that has the system's code in its text. */
  listen(endpoint: Endpoint): Promise<number>
  /** A link that nobody listens to is the caller's to end. */
  dial(endpoint: Endpoint, signal: AbortSignal): Promise<Link | LinkFailure>
  stop(): Promise<void>
}

type Node = Awaited<ReturnType<typeof createLibp2p<{ transports: Transports }>>>
type Connection = Awaited<ReturnType<Node['dial']>>
type Stream = Awaited<ReturnType<Connection['newStream']>>
type Options = NonNullable<Parameters<typeof createLibp2p>[0]>
/** Of libp2p's transport manager: it listens at more addresses while it runs. */
interface Transports {
  listen(addresses: Multiaddr[]): Promise<void>
  getListeners(): {
    getAddrs(): Multiaddr[]
    dispatchEvent(event: Event): boolean
  }[]
}

/** More than there will ever be: what is bounded is bounded here. */
const UNBOUNDED = 1_000_000
const MAX_STREAMS = 8
/** In bytes, and yamux's least. */
const FIRST_WINDOW_BYTES = 256 * 1024
/** Each ping tells yamux the round trip time, of which it makes its windows: the first one is enough. */
const PING_MS = 3_600_000

export async function createWire(options: WireOptions): Promise<Wire> {
  const doors = new Doors(options)
  const socketOptions = { keepAlive: true, keepAliveInitialDelay: options.keepAliveMs, noDelay: true }
  // `::` means all addresses, as everywhere else; libp2p passes it on, and doesn't declare it.
  const listenOptions = { ...socketOptions, ipv6Only: false }
  const node = await createLibp2p<{ transports: Transports }>({
    start: false,
    privateKey: await generateKeyPairFromSeed('Ed25519', options.seed),
    transports: [
      tcp({
        inboundSocketInactivityTimeout: 0,
        outboundSocketInactivityTimeout: 0,
        dialOpts: socketOptions,
        listenOpts: listenOptions,
      }),
    ],
    connectionEncrypters: [noise()],
    streamMuxers: [
      yamux({
        maxInboundStreams: MAX_STREAMS,
        maxOutboundStreams: MAX_STREAMS,
        maxEarlyStreams: MAX_STREAMS,
        keepAliveInterval: PING_MS,
        streamOptions: {
          initialStreamWindowSize: FIRST_WINDOW_BYTES,
          maxStreamWindowSize: Math.max(FIRST_WINDOW_BYTES, options.windowBytesMax),
        },
      }),
    ],
    connectionManager: {
      maxConnections: UNBOUNDED,
      maxIncomingPendingConnections: UNBOUNDED,
      inboundConnectionThreshold: UNBOUNDED,
      maxParallelDials: UNBOUNDED,
      maxDialQueueLength: UNBOUNDED,
      inboundUpgradeTimeout: options.upgradeMs,
      inboundStreamProtocolNegotiationTimeout: options.upgradeMs,
      outboundStreamProtocolNegotiationTimeout: options.upgradeMs,
      connectionCloseTimeout: options.closeMs,
    },
    connectionMonitor: { enabled: false },
    connectionGater: {
      denyDialMultiaddr: () => false,
      denyInboundConnection: raw => !doors.enter(raw),
      denyOutboundEncryptedConnection: (_, raw) => {
        doors.watch(raw)
        return false
      },
    },
    datastore: forgetful(),
    services: { transports: ({ transportManager }) => transportManager },
    logger: { forComponent: () => SILENT },
  })
  return new Libp2pWire(node, doors, options)
}

class Libp2pWire implements Wire {
  readonly self: string
  readonly #node: Node
  readonly #doors: Doors
  readonly #options: WireOptions
  readonly #links = new Map<Connection, Libp2pLink>()

  constructor(node: Node, doors: Doors, options: WireOptions) {
    this.self = node.peerId.toString()
    this.#node = node
    this.#doors = doors
    this.#options = options
  }

  async start(inbound: (link: Link) => void): Promise<void> {
    const opened = (stream: Stream, connection: Connection): void => {
      const lane = new Libp2pLane(stream)
      const link = this.#links.get(connection)
      if (link === undefined) lane.close()
      else link.opened(stream.protocol, lane)
    }
    for (const protocol of this.#options.protocols) await this.#node.handle(protocol, opened)
    this.#node.addEventListener('connection:open', ({ detail: connection }) => {
      const link = this.#link(connection)
      if (connection.direction === 'inbound') inbound(link)
    })
    await this.#node.start()
  }

  async listen(endpoint: Endpoint): Promise<number> {
    const { transports } = this.#node.services
    const before = new Set(transports.getListeners())
    try {
      await transports.listen([multiaddr(textOf(endpoint))])
    } catch (error) {
      // libp2p would keep it, and one more for each time that this is tried.
      for (const listener of transports.getListeners())
        if (listener.getAddrs().length === 0) listener.dispatchEvent(new Event('close'))
      throw error
    }
    const listener = transports.getListeners().find(each => !before.has(each))
    const parts = listener?.getAddrs()[0]?.getComponents() ?? []
    const port = parts.find(({ name }) => name === 'tcp')?.value
    return port === undefined ? endpoint.port : Number(port)
  }

  async dial(endpoint: Endpoint, signal: AbortSignal): Promise<Link | LinkFailure> {
    try {
      // By its address alone: who is there is seen then. `force`: a connection that stands is another matter.
      const connection = await this.#node.dial(multiaddr(textOf(endpoint)), { signal, force: true })
      return this.#links.get(connection) ?? 'rejected'
    } catch (error) {
      return signal.aborted ? 'timeout' : failureOf(error)
    }
  }

  async stop(): Promise<void> {
    await this.#node.stop()
  }

  #link(connection: Connection): Libp2pLink {
    const link = new Libp2pLink(connection, this.#doors, this.#options.closeMs)
    this.#links.set(connection, link)
    connection.addEventListener('close', ({ error }) => {
      this.#links.delete(connection)
      link.ended(error)
    })
    return link
  }
}

class Libp2pLink implements Link {
  readonly peer: string
  readonly remote: Endpoint
  readonly #connection: Connection
  readonly #doors: Doors
  readonly #closeMs: number
  #events: LinkEvents | undefined
  /** Opened before anybody listened; yamux bounds how many. */
  #early: [string, Lane][] = []
  #end: LinkEnd | undefined
  #isOurs = false

  constructor(connection: Connection, doors: Doors, closeMs: number) {
    this.peer = connection.remotePeer.toString()
    const parts = connection.remoteAddr.getComponents()
    const value = (...names: string[]): string => parts.find(({ name }) => names.includes(name))?.value ?? ''
    this.remote = { host: unmapped(value('ip4', 'ip6')), port: Number(value('tcp')) }
    this.#connection = connection
    this.#doors = doors
    this.#closeMs = closeMs
  }

  listen(events: LinkEvents): void {
    this.#events = events
    queueMicrotask(() => {
      for (const [protocol, lane] of this.#early.splice(0)) events.lane(protocol, lane)
      if (this.#end !== undefined) this.#tellEnd(this.#end)
    })
  }

  async open(protocol: string, signal: AbortSignal): Promise<Lane> {
    return new Libp2pLane(await this.#connection.newStream([protocol], { signal }))
  }

  admit(): void {
    this.#doors.admit(this.#connection)
  }

  async close(): Promise<void> {
    this.#isOurs = true
    try {
      await this.#connection.close({ signal: AbortSignal.timeout(this.#closeMs) })
    } catch {
      this.abort()
    }
  }

  abort(): void {
    this.#isOurs = true
    this.#connection.abort(new Error('ended by this node'))
  }

  opened(protocol: string, lane: Lane): void {
    if (this.#events === undefined) this.#early.push([protocol, lane])
    else this.#events.lane(protocol, lane)
  }

  ended(error: unknown): void {
    this.#end ??= this.#isOurs ? 'closed' : isTimeout(error) ? 'timeout' : 'reset'
    if (this.#events !== undefined) this.#tellEnd(this.#end)
  }

  #tellEnd(why: LinkEnd): void {
    const events = this.#events
    this.#events = { lane: (_, lane) => lane.close(), closed: () => {} }
    events?.closed(why)
  }
}

class Libp2pLane implements Lane {
  readonly #stream: Stream

  constructor(stream: Stream) {
    this.#stream = stream
  }

  get isFull(): boolean {
    return this.#stream.writableNeedsDrain
  }

  listen(events: LaneEvents): void {
    const stream = this.#stream
    let isOver = false
    const over = (): void => {
      if (isOver) return
      isOver = true
      events.closed()
    }
    // The last words first: a stream that is closed may still hold some.
    stream.addEventListener('message', ({ data }) => {
      if (isOver) return
      if (data instanceof Uint8Array) events.data(data)
      else for (const part of data) events.data(part)
    })
    stream.addEventListener('drain', () => {
      if (!isOver) events.drain()
    })
    stream.addEventListener('close', over)
    stream.addEventListener('remoteCloseWrite', over)
    if (stream.status !== 'open' || stream.remoteWriteStatus !== 'writable') setImmediate(over)
  }

  send(bytes: Uint8Array): void {
    if (this.#stream.writeStatus !== 'writable') return
    try {
      this.#stream.send(bytes)
    } catch {
      // It was closed by that, and has told.
    }
  }

  close(): void {
    // It waits until what was sent has left; the link's end ends the wait.
    this.#stream.close().catch(() => {})
  }
}

function textOf({ host, port }: Endpoint): string {
  return `/${host.includes(':') ? 'ip6' : 'ip4'}/${host}/tcp/${port}`
}

/** IPv4 in IPv6's clothes, as a socket that listens on both shows it. */
function unmapped(host: string): string {
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/i.exec(host) ?? []
  if (high === undefined || low === undefined) return host.replace(/^::ffff:(?=\d+\.)/i, '')
  const [a, b] = [Number.parseInt(high, 16), Number.parseInt(low, 16)]
  return [a >> 8, a & 255, b >> 8, b & 255].join('.')
}

const UNREACHABLE = new Set([
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EHOSTDOWN',
  'ENETDOWN',
  'EADDRNOTAVAIL',
  'EAFNOSUPPORT',
  'EINVAL',
  'EACCES',
  'EPERM',
  'EMFILE',
  'ENFILE',
])

function failureOf(error: unknown): LinkFailure {
  const { name, code, message } = error as { name?: unknown; code?: unknown; message?: unknown }
  if (name === 'InvalidPeerIdError' && String(message).includes('self')) return 'self'
  if (code === 'ECONNREFUSED') return 'refused'
  if (isTimeout(error)) return 'timeout'
  if (typeof code === 'string' && UNREACHABLE.has(code)) return 'unreachable'
  // There was somebody: it closed the door, or is no Carillon.
  return 'rejected'
}

function isTimeout(error: unknown): boolean {
  const { name, code } = (error ?? {}) as { name?: unknown; code?: unknown }
  return code === 'ETIMEDOUT' || name === 'TimeoutError' || name === 'AbortError'
}

/** The code of the system that a failed listen hides in its text; without one, its first line. */
export function listenError(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  const [code = text.split('\n')[0] as string] = /\bE[A-Z]{4,}\b/.exec(text) ?? []
  return code
}

type Log = ReturnType<NonNullable<Options['logger']>['forComponent']>
const nothing = (): void => {}
const SILENT: Log = Object.assign(() => {}, {
  enabled: false,
  error: nothing,
  trace: nothing,
  newScope: (): Log => SILENT,
})

/** A store that keeps nothing: who came and went must not add up. */
function forgetful(): NonNullable<Options['datastore']> {
  const notFound = (): never => {
    throw Object.assign(new Error('nothing is kept'), { name: 'NotFoundError' })
  }
  const none = function* (): Generator<never> {}
  const store = {
    put: (key: unknown) => key,
    get: notFound,
    has: () => false,
    delete: nothing,
    putMany: none,
    getMany: none,
    deleteMany: none,
    batch: () => ({ put: nothing, delete: nothing, commit: async () => {} }),
    query: none,
    queryKeys: none,
  }
  return store as unknown as NonNullable<Options['datastore']>
}
