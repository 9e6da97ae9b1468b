/**
 * A connection with a peer that is no stranger: a link with the three planes on it. It is up once each side has heard
 * from the other on all planes; the end of any of them is its end. A silent peer is asked: who sent something and hears
 * nothing pings, and ends the connection if there is no answer either.
 */

import type { Clock, Timer } from '../../ports/clock.ts'
import type { DisconnectReason, Plane } from '../../ports/network.ts'
import type { ConnectionHello } from './admission-messages.ts'
import type { Lane, Link, LinkEnd } from './libp2p.ts'
import { PlaneLane, type PlaneLimits } from './plane-lane.ts'

/** In the order in which they may write when the link takes data again. */
export const PLANES = ['liveness', 'replication', 'bulk', 'calls'] as const satisfies readonly Plane[]

export interface ConnectionHost {
  readonly limits: Readonly<Record<Plane, PlaneLimits>>
  isUp(connection: PeerConnection): void
  frame(connection: PeerConnection, plane: Plane, frame: Uint8Array): void
  drained(connection: PeerConnection, plane: Plane): void
  /** Told once, unless this side ended it. */
  lost(connection: PeerConnection, why: DisconnectReason): void
}

export interface ConnectionFacts {
  /** The same on both sides. */
  readonly id: string
  /** Where it was dialled; undefined if the peer has dialled. */
  readonly address: string | undefined
}

export class PeerConnection {
  readonly id: string
  readonly address: string | undefined
  readonly peer: string
  readonly link: Link
  /** What the peer said of itself when it was admitted. */
  theirs: ConnectionHello | undefined
  state: 'proven' | 'opening' | 'up' | 'over' = 'proven'
  upAt = 0
  readonly #clock: Clock
  readonly #host: ConnectionHost
  readonly #planes = new Map<Plane, PlaneLane>()
  readonly #ready = new Set<Plane>()
  /** Came before it was up here, as the peer was sooner; credit bounds it. */
  #held: { readonly plane: Plane; readonly frame: Uint8Array }[] = []
  #opening: Timer | undefined
  #heardAt: number
  /** What was sent when it was last heard. */
  #sentBytes = 0
  #askedAt: number | undefined

  constructor(link: Link, facts: ConnectionFacts, clock: Clock, host: ConnectionHost) {
    this.id = facts.id
    this.address = facts.address
    this.peer = link.peer
    this.link = link
    this.#clock = clock
    this.#host = host
    this.#heardAt = clock.monotonic()
  }

  /** It is the one that stays; its planes have so long to open, ms. */
  open(withinMs: number): void {
    if (this.state !== 'proven') return
    this.state = 'opening'
    this.link.admit()
    this.#opening = this.#clock.setTimer(withinMs, () => {
      if (this.state === 'opening') this.fail('timeout')
    })
  }

  attach(plane: Plane, lane: Lane): void {
    if (this.state === 'over') return
    if (this.#planes.has(plane)) {
      this.fail('closed')
      return
    }
    const limits = this.#host.limits[plane]
    const made = new PlaneLane(lane, limits, {
      isReady: () => this.#isReady(plane),
      frame: frame => this.#frame(plane, frame),
      drained: () => this.#host.drained(this, plane),
      heard: () => this.#heard(),
      // The link knows better why, if it is what ended.
      ended: why => {
        if (why === 'corrupt') this.fail('closed')
        else queueMicrotask(() => this.fail('reset'))
      },
    })
    this.#planes.set(plane, made)
    if (this.#planes.size === PLANES.length) for (const each of PLANES) this.#planes.get(each)?.start()
  }

  send(plane: Plane, frame: Uint8Array): boolean {
    return this.state === 'up' && (this.#planes.get(plane)?.send(frame) ?? false)
  }

  linkEnded(why: LinkEnd): void {
    this.fail(why)
  }

  /** Looks whether it is silent; `now` is monotonic. */
  look(now: number, patienceMs: number): void {
    if (this.state !== 'up') return
    const isSilent = now - this.#heardAt >= patienceMs && this.#allSentBytes() > this.#sentBytes
    if (!isSilent) return
    if (this.#askedAt === undefined) {
      this.#askedAt = now
      this.#planes.get('liveness')?.ping()
    } else if (now - this.#askedAt >= patienceMs) {
      this.fail('timeout')
    }
  }

  /** This node itself was away: nobody else's silence shows in that. */
  excuse(now: number): void {
    this.#heardAt = now
    this.#askedAt = undefined
  }

  /** Ends it, and tells. */
  fail(why: DisconnectReason): void {
    if (this.state === 'over') return
    this.#end()
    this.link.abort()
    this.#host.lost(this, why)
  }

  /** Ends it after what was sent, and doesn't tell. */
  async finish(): Promise<void> {
    if (this.state === 'over') return
    for (const plane of PLANES) this.#planes.get(plane)?.flush()
    this.#end()
    await this.link.close()
  }

  #end(): void {
    this.state = 'over'
    this.#opening?.cancel()
    this.#held = []
    for (const plane of this.#planes.values()) plane.stop()
  }

  #isReady(plane: Plane): void {
    this.#ready.add(plane)
    if (this.#ready.size < PLANES.length || this.state !== 'opening') return
    this.state = 'up'
    this.upAt = this.#clock.monotonic()
    this.#opening?.cancel()
    this.#host.isUp(this)
    for (const { plane: on, frame } of this.#held.splice(0)) this.#frame(on, frame)
  }

  #frame(plane: Plane, frame: Uint8Array): void {
    if (this.state === 'up') this.#host.frame(this, plane, frame)
    else if (this.state === 'opening') this.#held.push({ plane, frame })
  }

  #heard(): void {
    this.#heardAt = this.#clock.monotonic()
    this.#askedAt = undefined
    this.#sentBytes = this.#allSentBytes()
  }

  #allSentBytes(): number {
    let bytes = 0
    for (const plane of this.#planes.values()) bytes += plane.sentBytes
    return bytes
  }
}
