/**
 * SimulatedNetwork: the Network port of one simulated process, on a host of a SimulatedSwitch. It lives and dies with
 * the process: nothing is told to a dead one, and a stopped one hears all of it, in order, when it goes on.
 *
 * It is the machine's user space: whatever changes here changes in an event of the process. What goes on beneath
 * (packets, loss, resets, silence) is in network/.
 */

import { invariant } from '../src/invariant.ts'
import type { DialFailure, DisconnectReason, Network, NetworkEvents, Plane } from '../src/ports/network.ts'
import { type ConnectionEnd, connectionBetween } from './network/connection.ts'
import { Dialler, type DiallerHolder } from './network/dialler.ts'
import type { HostedNetwork, SimulatedHost } from './network/host.ts'
import type { SimulatedProcess } from './process.ts'
import { KIND } from './trace.ts'

export interface NetworkOptions {
  /** This node's id. */
  readonly self: string
  /** Only who has the same is let in. Default: ''. */
  readonly secret?: string
  /** False: it dials, and can't be dialled. Default: true. */
  readonly listens?: boolean
  readonly frameBytesMax?: Readonly<Record<Plane, number>>
  /** Bytes in flight per peer; at least twice the longest frame, as credit comes back in halves. */
  readonly creditBytes?: Readonly<Record<Plane, number>>
}

const FRAME_BYTES_MAX = { liveness: 65_536, replication: 65_536, bulk: 262_144, calls: 262_144 } as const
const CREDIT_BYTES = { liveness: 131_072, replication: 1_048_576, bulk: 4_194_304, calls: 4_194_304 } as const

export class SimulatedNetwork implements Network, DiallerHolder {
  readonly self: string
  readonly secret: string
  readonly process: SimulatedProcess
  readonly host: SimulatedHost
  readonly frameBytesMax: Readonly<Record<Plane, number>>
  readonly creditBytes: Readonly<Record<Plane, number>>
  readonly #listens: boolean
  #events: NetworkEvents | undefined
  #state: 'new' | 'up' | 'over' = 'new'
  readonly #diallers = new Map<string, Dialler>()
  /** The ends that stand, by peer. */
  readonly #ends = new Map<string, ConnectionEnd>()
  /** Dialled by others, and not through yet. */
  readonly #opening = new Set<ConnectionEnd>()
  /** Ended by a call, and not told yet. */
  readonly #farewells = new Set<string>()

  constructor(host: SimulatedHost, process: SimulatedProcess, options: NetworkOptions) {
    this.host = host
    this.process = process
    this.self = options.self
    this.secret = options.secret ?? ''
    this.frameBytesMax = options.frameBytesMax ?? FRAME_BYTES_MAX
    this.creditBytes = options.creditBytes ?? CREDIT_BYTES
    this.#listens = options.listens ?? true
    for (const plane of ['liveness', 'replication', 'bulk', 'calls'] as const) {
      invariant(
        this.creditBytes[plane] >= 2 * this.frameBytesMax[plane],
        `the credit of ${plane} is at least two frames`,
      )
    }
    host.attach(this)
    process.onDeath(powerCut => this.#died(powerCut))
  }

  get addresses(): readonly string[] {
    return this.#listens && this.#state !== 'new' ? [this.host.address] : []
  }

  get isUp(): boolean {
    return this.#state !== 'over' && !this.process.isDead
  }

  get isListening(): boolean {
    return this.#listens && this.#state === 'up' && !this.process.isDead
  }

  get ends(): Iterable<ConnectionEnd> {
    return this.#ends.values()
  }

  endWith(peer: string): ConnectionEnd | undefined {
    return this.#ends.get(peer)
  }

  start(events: NetworkEvents): Promise<void> {
    invariant(this.#state === 'new', 'a network is started once')
    this.#events = events
    return this.#soon(() => {
      if (this.#state === 'new') this.#state = 'up'
    })
  }

  connect(address: string): void {
    invariant(this.#state !== 'new', 'a network is started before it dials')
    if (this.#state === 'up' && !this.#diallers.has(address)) {
      this.#diallers.set(address, new Dialler(this, address))
    }
  }

  forget(address: string): void {
    this.#diallers.get(address)?.cancel()
    this.#diallers.delete(address)
  }

  isSought(address: string): boolean {
    return this.#diallers.get(address)?.isSought === true
  }

  disconnect(peer: string): void {
    const end = this.#ends.get(peer)
    if (end === undefined) return
    this.#ends.delete(peer)
    this.#farewells.add(peer)
    end.close(true)
    this.process.clock.defer(() => this.#sayFarewell(peer))
  }

  send(peer: string, plane: Plane, frame: Uint8Array): boolean {
    const max = this.frameBytesMax[plane]
    invariant(frame.length >= 1 && frame.length <= max, `a frame of ${plane} has 1 to ${max} bytes`)
    return this.#ends.get(peer)?.send(plane, frame) ?? false
  }

  stop(): Promise<void> {
    if (this.#state !== 'over') this.#end(true)
    return this.#soon(() => {})
  }

  // For the diallers.

  meet(far: HostedNetwork, address: string): ConnectionEnd {
    // Both may have dialled at once: who comes second finds the connection of the first, also before its far end does.
    for (const end of [this.#ends.get(far.self), far.endWith(this.self)?.other]) {
      const stands = end !== undefined && end.state !== 'closed' && end.other.state !== 'closed'
      if (stands && end.holder === this && end.other.holder === far) return end
    }
    const [near, other] = connectionBetween(this, far, address)
    far.expect(other)
    const isOver = (): boolean => other.state !== 'opening'
    this.host.switch.packet(this.host, far.host, isOver, () => far.process.deliver(() => far.accept(other)))
    this.#take(near)
    return near
  }

  dialFailed(address: string, why: DialFailure): void {
    this.process.trace.mark(KIND.connection, why.length)
    this.#events?.dialFailed(address, why)
  }

  // For the peers, and for our own ends.

  expect(end: ConnectionEnd): void {
    this.#opening.add(end)
  }

  accept(end: ConnectionEnd): void {
    this.#opening.delete(end)
    if (this.#state === 'up' && end.state === 'opening') this.#take(end)
  }

  received(end: ConnectionEnd, plane: Plane, frame: Uint8Array): void {
    if (frame.length > this.frameBytesMax[plane]) {
      this.#drop(end, 'closed')
      return
    }
    this.process.trace.markBytes(KIND.frameIn, frame)
    this.#events?.frame(end.peer, plane, frame)
  }

  hasRoom(end: ConnectionEnd, plane: Plane): void {
    this.#events?.drained(end.peer, plane)
  }

  lost(end: ConnectionEnd, why: DisconnectReason): void {
    // Of one that never opened nobody here has heard.
    if (this.#opening.delete(end)) end.close(true)
    else this.#drop(end, why)
  }

  #take(end: ConnectionEnd): void {
    const { peer } = end
    const old = this.#ends.get(peer)
    if (old !== undefined) this.#drop(old, 'reset')
    this.#sayFarewell(peer)
    // Whoever was told of that may have stopped.
    if (this.#state !== 'up') {
      end.close(true)
      return
    }
    this.#ends.set(peer, end)
    end.open()
    this.process.trace.mark(KIND.connection, 0)
    this.#events?.connected(peer, end.address)
  }

  #drop(end: ConnectionEnd, why: DisconnectReason): void {
    this.#ends.delete(end.peer)
    end.close(true)
    this.#tellDisconnected(end.peer, why)
  }

  #sayFarewell(peer: string): void {
    if (this.#farewells.delete(peer)) this.#tellDisconnected(peer, 'closed')
  }

  #tellDisconnected(peer: string, why: DisconnectReason): void {
    this.process.trace.mark(KIND.connection, why.length)
    this.#events?.disconnected(peer, why)
  }

  #died(powerCut: boolean): void {
    if (this.#state === 'over') {
      if (powerCut) this.host.powerOff([])
      return
    }
    const others = [...this.#ends.values(), ...this.#opening].map(end => end.other)
    this.#end(!powerCut)
    if (!powerCut) return
    this.host.powerOff(others)
    for (const other of others) other.becomeGhost()
  }

  /** Nothing is told any more, and nobody is let in. */
  #end(tell: boolean): void {
    this.#state = 'over'
    this.#events = undefined
    for (const dialler of this.#diallers.values()) dialler.cancel()
    this.#diallers.clear()
    this.#farewells.clear()
    const ends = [...this.#ends.values(), ...this.#opening]
    this.#ends.clear()
    this.#opening.clear()
    for (const end of ends) end.close(tell)
  }

  #soon(then: () => void): Promise<void> {
    return new Promise(resolve => {
      this.process.clock.defer(() => {
        then()
        resolve()
      })
    })
  }
}
