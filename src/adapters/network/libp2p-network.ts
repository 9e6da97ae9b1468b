/**
 * Libp2pNetwork: the Network port over TCP, encrypted by Noise, with a stream for each plane. Nobody is a peer before it
 * has proven that it knows the mesh's secret. Membership, and all that is gossiped, is of the rooms above: libp2p gives
 * nothing but the connections.
 *
 * Its parts: libp2p.ts the links; dialler.ts whom to dial and when; doorman.ts and admission.ts who is let in; rivals.ts
 * which of two connections stays; peer-connection.ts and plane-lane.ts what goes over one.
 */

import { CarillonError } from '../../errors.ts'
import { invariant } from '../../invariant.ts'
import type { Clock, Timer } from '../../ports/clock.ts'
import type { DialFailure, DisconnectReason, Network, NetworkEvents, Plane } from '../../ports/network.ts'
import type { Random } from '../../ports/random.ts'
import { dialable, type Endpoint, endpointText, parseAddress, resolve } from './addresses.ts'
import { hexOf, type RefusalReason, type TokenClaim } from './admission-messages.ts'
import { type DialHost, type Dialled, Dialler, type EndpointDial } from './dialler.ts'
import { ADMISSION_PROTOCOL, Doorman, protocolOf } from './doorman.ts'
import {
  type JoinToken,
  readToken,
  TOKEN_ID_BYTES,
  TOKEN_TTL_MS,
  tokenKey,
  UsedTokens,
  writeToken,
} from './join-token.ts'
import { createWire, listenError, type Wire } from './libp2p.ts'
import { type MeshKeys, meshKeys } from './mesh-secret.ts'
import {
  CREDIT_BYTES,
  FRAME_BYTES_MAX,
  KEEP_ALIVE_MS,
  type Libp2pNetworkOptions,
  NETWORK_LIMITS,
  type NetworkLimits,
  STRANGER_BYTES_MAX,
  WINDOW_BYTES_MAX,
} from './options.ts'
import { type ConnectionHost, PeerConnection, PLANES } from './peer-connection.ts'
import { isLocal, isMdns, localEndpoint, placeOf } from './places.ts'
import type { PlaneLimits } from './plane-lane.ts'
import { Refusals } from './refusals.ts'
import { Rendezvous } from './rendezvous.ts'
import { Rivals } from './rivals.ts'

export interface NetworkPorts {
  readonly clock: Clock
  readonly random: Random
}

/** How often silent peers are looked for, ms; a look that comes later than twice that was this node's own sleep. */
const LOOK_MS = 1000

export class Libp2pNetwork implements Network {
  readonly self: string
  readonly frameBytesMax: Readonly<Record<Plane, number>>
  readonly #ports: NetworkPorts
  readonly #options: Libp2pNetworkOptions
  readonly #limits: NetworkLimits
  readonly #wire: Wire
  readonly #listen: Endpoint | undefined
  readonly #doorman: Doorman
  readonly #refusals: Refusals
  readonly #usedTokens: UsedTokens
  readonly #rivals: Rivals<PeerConnection>
  readonly #token: JoinToken | undefined
  #keys: MeshKeys | undefined
  #addresses: readonly string[] = []
  #listensAt: Endpoint | undefined
  #state: 'new' | 'up' | 'over' = 'new'
  #events: NetworkEvents | undefined
  #stopped: Promise<void> | undefined
  #looking: Timer | undefined
  readonly #diallers = new Map<string, Dialler>()
  readonly #dialHost: DialHost
  /** Dials that wait for the end of a peer's connection. */
  readonly #attached = new Map<string, Set<EndpointDial>>()
  readonly #dialSlots: Slots
  readonly #rendezvous: Rendezvous | undefined

  /**
   * A network that is not started. Rejects with INVALID for an option that is not allowed. Costs a tenth of a second
   * for the mesh's key, and loads libp2p where it is imported.
   */
  static async open(ports: NetworkPorts, options: Libp2pNetworkOptions): Promise<Libp2pNetwork> {
    const token = options.token === undefined ? undefined : readToken(options.token)
    const listen = options.listen === undefined ? undefined : await listenEndpoint(options.listen)
    for (const address of advertised(options)) checkAdvertised(address)
    const hasSecret = (options.mesh?.secrets.length ?? 0) > 0
    if (!hasSecret && token === undefined) {
      throw new CarillonError('INVALID', 'mesh.secret is missing: allowed is a secret, or a join token', {
        field: 'mesh.secret',
      })
    }
    const keys = options.mesh !== undefined && hasSecret ? await meshKeys(options.mesh) : undefined
    const limits = { ...NETWORK_LIMITS, ...options.limits }
    const wire = await createWire({
      seed: options.key,
      protocols: [ADMISSION_PROTOCOL, ...PLANES.map(protocolOf)],
      strangersMax: limits.strangersMax,
      strangerBytesMax: STRANGER_BYTES_MAX,
      inboundMax: limits.inboundMax,
      upgradeMs: Math.min(limits.dialMs, limits.admissionMs),
      windowBytesMax: WINDOW_BYTES_MAX,
      keepAliveMs: KEEP_ALIVE_MS,
      closeMs: limits.closeMs,
    })
    return new Libp2pNetwork(ports, options, { wire, listen, keys, token, limits })
  }

  private constructor(
    ports: NetworkPorts,
    options: Libp2pNetworkOptions,
    made: {
      readonly wire: Wire
      readonly listen: Endpoint | undefined
      readonly keys: MeshKeys | undefined
      readonly token: JoinToken | undefined
      readonly limits: NetworkLimits
    },
  ) {
    this.#ports = ports
    this.#options = options
    this.#limits = made.limits
    this.#wire = made.wire
    this.#listen = made.listen
    this.#keys = made.keys
    this.#token = made.token
    this.self = made.wire.self
    this.frameBytesMax = options.frameBytesMax ?? FRAME_BYTES_MAX
    const creditBytes = options.creditBytes ?? CREDIT_BYTES
    for (const plane of PLANES) {
      const isEnough = creditBytes[plane] >= 2 * this.frameBytesMax[plane]
      invariant(isEnough, `the credit of ${plane} is at least two frames`)
    }
    this.#dialSlots = new Slots(made.limits.dialsMax)
    this.#usedTokens = new UsedTokens(options.usedTokens)
    this.#refusals = new Refusals(ports.clock, refusal => options.refused?.(refusal))
    this.#rendezvous = this.#makeRendezvous()
    this.#rivals = new Rivals(hexOf(ports.random.bytes(8)))
    const connectionHost = this.#connectionHost(creditBytes)
    this.#doorman = new Doorman(ports, made.limits, {
      self: this.self,
      keys: () => this.#keys,
      token: () => (this.#keys === undefined ? this.#token : undefined),
      useToken: claim => this.#useToken(claim),
      gotSecrets: secrets => this.#gotSecrets(secrets),
      proven: (link, id, address) =>
        this.#proven(new PeerConnection(link, { id, address }, ports.clock, connectionHost)),
      hello: peer => this.#rivals.hello(peer),
      decide: (connection, theirs) => {
        connection.theirs = theirs
        if (connection.state === 'over' || !this.#rivals.wins(connection)) return false
        this.#take(connection)
        return true
      },
      take: connection => this.#take(connection),
      leave: connection => this.#leave(connection),
      isConnected: peer => this.#rivals.current(peer) !== undefined,
      refused: facts => this.#refusals.add({ ...facts, mesh: this.#keys?.name ?? this.#token?.mesh ?? '' }),
    })
    this.#dialHost = {
      ...ports,
      place: address => placeOf(address, options.lan),
      dial: (endpoint, address, signal) => this.#dial(endpoint, address, signal),
      attached: (peer, dial) => this.#attach(peer, dial),
      failed: (address, why) => this.#dialFailed(address, why),
    }
  }

  get addresses(): readonly string[] {
    return this.#addresses
  }

  /** With the port that it got; undefined before it listens. */
  get listensAt(): Endpoint | undefined {
    return this.#listensAt
  }

  /** Rejects with LISTEN_FAILED if the address to listen at can't be had. */
  async start(events: NetworkEvents): Promise<void> {
    invariant(this.#state === 'new', 'a network is started once')
    this.#state = 'up'
    this.#events = events
    await this.#usedTokens.load(this.#ports.clock.now())
    try {
      await this.#wire.start(link => this.#doorman.greet(link))
      if (this.#listen !== undefined) await this.#listenAt(this.#listen)
    } catch (error) {
      this.#state = 'over'
      this.#events = undefined
      await this.#wire.stop().catch(() => undefined)
      throw error
    }
    this.#options.lan?.start(this.#listensAt)
    this.#look(this.#ports.clock.monotonic())
  }

  /** Whoever dials this host's well-known port reaches this node. */
  get isAtRendezvous(): boolean {
    return this.#rendezvous?.isHeld === true
  }

  connect(address: string): void {
    invariant(this.#state !== 'new', 'a network is started before it dials')
    if (this.#state !== 'up' || this.#diallers.has(address)) return
    this.#diallers.set(address, new Dialler(this.#dialHost, address))
  }

  forget(address: string): void {
    this.#diallers.get(address)?.cancel()
    this.#diallers.delete(address)
  }

  isSought(address: string): boolean {
    return this.#diallers.get(address)?.isSought === true
  }

  disconnect(peer: string): void {
    const connection = this.#rivals.current(peer)
    if (connection === undefined) return
    const wasUp = connection.state === 'up'
    this.#rivals.delete(connection)
    void connection.finish()
    queueMicrotask(() => {
      if (wasUp) this.#events?.disconnected(peer, 'closed')
      this.#release(connection)
    })
  }

  send(peer: string, plane: Plane, frame: Uint8Array): boolean {
    const max = this.frameBytesMax[plane]
    invariant(frame.length >= 1 && frame.length <= max, `a frame of ${plane} has 1 to ${max} bytes`)
    return this.#rivals.current(peer)?.send(plane, frame) ?? false
  }

  /** What was sent before still leaves, if that does not take long. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  /**
   * A join token of this node: lets one node in, within `ttlMs` (ten minutes by default). `addresses`: where the joiner
   * finds this node, if not at its own. Throws CONFLICT while this node has no secret itself.
   */
  makeToken(options: { readonly addresses?: readonly string[]; readonly ttlMs?: number } = {}): string {
    const { addresses = this.#addresses, ttlMs = TOKEN_TTL_MS } = options
    const key = this.#keys?.keys[0]
    if (this.#keys === undefined || key === undefined) {
      throw new CarillonError(
        'CONFLICT',
        'this node has not joined the mesh yet: only a member makes join tokens',
      )
    }
    const id = this.#ports.random.bytes(TOKEN_ID_BYTES)
    const expiresAt = this.#ports.clock.now() + Math.max(0, Math.round(ttlMs))
    const { name: mesh } = this.#keys
    return writeToken({
      id,
      expiresAt,
      mesh,
      issuer: this.self,
      addresses,
      key: tokenKey(key, id, expiresAt),
    })
  }

  async #listenAt(wanted: Endpoint): Promise<void> {
    const port = await this.#wire.listen(wanted).catch((error: unknown) => {
      const why = listenError(error)
      if (why === 'EADDRINUSE' && this.#options.movesPort === true)
        return this.#wire.listen({ ...wanted, port: 0 })
      throw new CarillonError(
        'LISTEN_FAILED',
        `can't listen at ${endpointText(wanted)}: ${why}; name another address, or stop who has it`,
        { cause: error },
      )
    })
    this.#listensAt = { ...wanted, port }
    const own = advertised(this.#options)
    this.#addresses = own.length > 0 ? own : dialable(this.#listensAt)
  }

  /** Who can't be dialled holds no port. */
  #makeRendezvous(): Rendezvous | undefined {
    const { local, listen } = this.#options
    const endpoint = local === undefined ? undefined : localEndpoint(local)
    if (local === undefined || endpoint === undefined || listen === undefined) return undefined
    return new Rendezvous(local, endpoint, {
      listen: at => this.#wire.listen(at),
      tell: line => this.#refusals.addUnreachable(local, line),
    })
  }

  async #stop(): Promise<void> {
    const wasUp = this.#state === 'up'
    this.#state = 'over'
    this.#events = undefined
    this.#looking?.cancel()
    for (const dialler of this.#diallers.values()) dialler.cancel()
    this.#diallers.clear()
    this.#attached.clear()
    if (!wasUp) return
    const farewell = this.#options.lan?.stop()
    await Promise.all([farewell, ...this.#rivals.all.map(connection => connection.finish())])
    await this.#wire.stop()
  }

  async #dial(endpoint: Endpoint, address: string, signal: AbortSignal): Promise<Dialled> {
    await this.#dialSlots.enter()
    try {
      if (signal.aborted || this.#state !== 'up') return { kind: 'later' }
      const dialled = await this.#doorman.dial(this.#wire, endpoint, address, signal)
      const isOver = signal.aborted || this.#state !== 'up'
      return isOver || address !== this.#options.local || this.#rendezvous === undefined
        ? dialled
        : await this.#rendezvous.dialled(dialled)
    } finally {
      this.#dialSlots.leave()
    }
  }

  #dialFailed(address: string, why: DialFailure): void {
    this.#events?.dialFailed(address, why)
  }

  #proven(connection: PeerConnection): PeerConnection {
    if (this.#state === 'up') this.#rivals.add(connection)
    else void connection.finish()
    return connection
  }

  #take(connection: PeerConnection): void {
    if (connection.state !== 'proven') return
    const old = this.#rivals.take(connection)
    connection.open(this.#limits.admissionMs)
    if (old !== undefined) old.fail('reset')
  }

  #leave(connection: PeerConnection): void {
    this.#rivals.delete(connection)
    void connection.finish()
  }

  #attach(peer: string, dial: EndpointDial): void {
    if (this.#rivals.current(peer) === undefined) {
      dial.ended(0)
      return
    }
    const dials = this.#attached.get(peer)
    if (dials === undefined) this.#attached.set(peer, new Set([dial]))
    else dials.add(dial)
  }

  /** Whoever dialled the peer dials again, unless there is another connection. */
  #release(connection: PeerConnection): void {
    const { peer, upAt } = connection
    if (this.#rivals.current(peer) !== undefined) return
    const dials = this.#attached.get(peer)
    this.#attached.delete(peer)
    const stoodMs = upAt === 0 ? 0 : this.#ports.clock.monotonic() - upAt
    for (const dial of dials ?? []) dial.ended(stoodMs)
  }

  #connectionHost(creditBytes: Readonly<Record<Plane, number>>): ConnectionHost {
    const limits = (plane: Plane): PlaneLimits => ({
      frameBytesMax: this.frameBytesMax[plane],
      creditBytes: creditBytes[plane],
    })
    return {
      limits: {
        liveness: limits('liveness'),
        replication: limits('replication'),
        bulk: limits('bulk'),
        calls: limits('calls'),
      },
      isUp: connection => this.#events?.connected(connection.peer, connection.address),
      frame: (connection, plane, frame) => this.#events?.frame(connection.peer, plane, frame),
      drained: (connection, plane) => this.#events?.drained(connection.peer, plane),
      lost: (connection, why) => this.#lost(connection, why),
    }
  }

  #lost(connection: PeerConnection, why: DisconnectReason): void {
    this.#rivals.delete(connection)
    if (connection.upAt !== 0) this.#events?.disconnected(connection.peer, why)
    this.#release(connection)
  }

  async #useToken({ id, expiresAt }: TokenClaim): Promise<RefusalReason | undefined> {
    const now = this.#ports.clock.now()
    if (expiresAt <= now) return 'token expired'
    return (await this.#usedTokens.use(id, expiresAt, now)) ? undefined : 'token used'
  }

  async #gotSecrets(secrets: readonly string[]): Promise<void> {
    const token = this.#token
    if (token === undefined || this.#keys !== undefined) return
    const mesh = { name: token.mesh, secrets }
    this.#keys = await meshKeys(mesh)
    this.#options.gotSecret?.(mesh)
  }

  #look(before: number): void {
    this.#looking = this.#ports.clock.setTimer(LOOK_MS, () => {
      const now = this.#ports.clock.monotonic()
      const wasAway = now - before > 2 * LOOK_MS
      for (const connection of [...this.#rivals.currents]) {
        if (wasAway) connection.excuse(now)
        else connection.look(now, this.#limits.silenceMs)
      }
      if (this.#state === 'up') this.#look(now)
    })
  }
}

function advertised({ advertise }: Libp2pNetworkOptions): readonly string[] {
  return advertise === undefined ? [] : typeof advertise === 'string' ? [advertise] : advertise
}

/** Throws INVALID. */
function checkAdvertised(address: string): void {
  parseAddress(address, 'advertise')
  if (!isLocal(address) && !isMdns(address)) return
  const why = 'that is how a node finds others; allowed is where others find this one'
  throw new CarillonError('INVALID', `advertise is ${JSON.stringify(address)}: ${why}`, {
    field: 'advertise',
  })
}

async function listenEndpoint(text: string): Promise<Endpoint> {
  const [endpoint] = await resolve(parseAddress(text, 'listen'))
  if (endpoint !== undefined) return endpoint
  throw new CarillonError('INVALID', `listen is ${JSON.stringify(text)}: nobody knows that name`, {
    field: 'listen',
  })
}

/** So many at a time; the others wait in turn. */
class Slots {
  #free: number
  readonly #waiting: (() => void)[] = []

  constructor(count: number) {
    this.#free = count
  }

  enter(): Promise<void> {
    if (this.#free > 0) {
      this.#free--
      return Promise.resolve()
    }
    return new Promise(resolve => this.#waiting.push(resolve))
  }

  leave(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#free++
    else next()
  }
}
