/**
 * A connection between two processes: two ends, each with its own idea of whether it still stands. An end learns that
 * the other is gone by a reset, if packets can flow, or by silence, each end at its own time. That is what makes
 * one-way cuts and crashes during a partition look as they do in life.
 */

import type { DisconnectReason, Plane } from '../../src/ports/network.ts'
import { Datagrams } from './datagrams.ts'
import type { HostedNetwork, SimulatedHost } from './host.ts'
import type { LinkState } from './link.ts'
import { Pipe } from './pipe.ts'

/** An end that hears nothing for so long, though it asks, gives up: keepalives fail, data is not acknowledged; ms. */
export const SILENCE_MS = 15_000

/** Whoever wants to know that a connection ended, to dial again. */
export interface EndWatcher {
  connectionEnded(): void
}

export function connectionBetween(
  near: HostedNetwork,
  far: HostedNetwork,
  address: string,
): [ConnectionEnd, ConnectionEnd] {
  const ends = [new ConnectionEnd(near, address), new ConnectionEnd(far, undefined)] as const
  ends[0].other = ends[1]
  ends[1].other = ends[0]
  return [...ends]
}

export class ConnectionEnd {
  other!: ConnectionEnd
  readonly holder: HostedNetwork
  /** Where this side dialled; undefined if it was dialled. */
  readonly address: string | undefined
  state: 'opening' | 'open' | 'closed' = 'opening'
  readonly watchers = new Set<EndWatcher>()
  /** When what is being sent on the wire now has left, for links that are not infinitely wide. */
  #wireFreeAt = 0
  #link: LinkState | undefined
  #linkVersion = -1
  readonly #ways: { liveness?: Datagrams; replication?: Pipe; bulk?: Pipe; calls?: Pipe } = {}
  #silence: { cancel(): void } | undefined
  #isGhost = false

  constructor(holder: HostedNetwork, address: string | undefined) {
    this.holder = holder
    this.address = address
  }

  get host(): SimulatedHost {
    return this.holder.host
  }

  get peer(): string {
    return this.other.holder.self
  }

  /** What packets from here to the other end meet now. */
  get link(): LinkState {
    const { switch: theSwitch } = this.host
    if (this.#link === undefined || this.#linkVersion !== theSwitch.version) {
      this.#link = theSwitch.link(this.host, this.other.host)
      this.#linkVersion = theSwitch.version
    }
    return this.#link
  }

  /** This side may send and hear from now on. */
  open(): void {
    this.state = 'open'
    this.linkChanged()
    // What the dialler sent before this end was there.
    this.other.#flush()
  }

  send(plane: Plane, frame: Uint8Array): boolean {
    if (this.state !== 'open') return false
    if (plane === 'liveness') {
      this.#ways.liveness ??= new Datagrams(this)
      return this.#ways.liveness.send(frame)
    }
    const pipe = this.#ways[plane] ?? new Pipe(this, plane)
    this.#ways[plane] = pipe
    return pipe.send(frame)
  }

  /** Puts bytes on the wire; how long from now until the last of them has left, ms. */
  transfer(bytes: number): number {
    const { bytesPerMs } = this.link
    if (bytesPerMs === Number.POSITIVE_INFINITY) return 0
    const now = this.host.switch.clock.monotonic()
    this.#wireFreeAt = Math.max(now, this.#wireFreeAt) + bytes / bytesPerMs
    return this.#wireFreeAt - now
  }

  /** Ends this side. With `tell`, the machine sends the other side a reset. Telling our own is the holder's. */
  close(tell: boolean): void {
    if (this.state === 'closed') return
    this.state = 'closed'
    this.#silence?.cancel()
    const pipes = [this.#ways.replication, this.#ways.bulk, this.#ways.calls].filter(
      pipe => pipe !== undefined,
    )
    for (const pipe of pipes) pipe.close()
    this.#ways.liveness?.close()
    for (const watcher of this.watchers) watcher.connectionEnded()
    this.watchers.clear()
    if (!tell || this.other.state === 'closed') return
    // It comes after what was on its way, or overtakes it: a close waits for nothing.
    const { clock, random } = this.host.switch
    const isOrderly = random.float() < 0.5
    const afterMs = isOrderly ? Math.max(0, ...pipes.map(pipe => pipe.arrivesAt - clock.monotonic())) : 0
    clock.setTimer(afterMs, () => this.other.resetByPeer())
  }

  /** The machine of the other end sends a reset. */
  resetByPeer(): void {
    this.host.switch.packet(
      this.other.host,
      this.host,
      () => this.state === 'closed',
      () => this.#lost('reset'),
    )
  }

  /** The other end went with its machine's power: from there nothing comes. */
  becomeGhost(): void {
    this.#isGhost = true
    this.linkChanged()
  }

  /** The state of the link, here to there or back, is not what it was. */
  linkChanged(): void {
    if (this.state !== 'open') return
    const wasClogged = this.#link?.isClogged === true
    const { isBlocked } = this.link
    const isSilent = this.#isGhost || isBlocked || this.other.link.isBlocked
    if (!isSilent) {
      this.#silence?.cancel()
      this.#silence = undefined
    } else if (this.#silence === undefined) {
      const { clock, random } = this.host.switch
      this.#silence = clock.setTimer(SILENCE_MS + random.float() * 1000, () => this.timedOut())
    }
    // After a cut nothing tells the sender: it tries again when it would have anyway.
    if (wasClogged && !isBlocked) this.#flush()
  }

  /** Nothing of what was sent got an answer. */
  timedOut(): void {
    this.#lost('timeout')
  }

  #lost(why: DisconnectReason): void {
    const { process } = this.holder
    process.deliver(() => {
      if (this.state !== 'closed') this.holder.lost(this, why)
    })
  }

  #flush(): void {
    if (this.state !== 'open' || this.other.state === 'opening' || this.link.isBlocked) return
    this.#ways.liveness?.flush()
    this.#ways.replication?.flush()
    this.#ways.bulk?.flush()
    this.#ways.calls?.flush()
  }
}
