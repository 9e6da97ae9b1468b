/**
 * A WorkerChannel between two simulated processes: frames are copied when they are sent, arrive in order after a small
 * latency, and what is on its way when either side dies may or may not arrive.
 */

import { invariant } from '../src/invariant.ts'
import type { Random } from '../src/ports/random.ts'
import type { WorkerChannel, WorkerChannelEvents } from '../src/ports/worker-channel.ts'
import type { SimulatedProcess } from './process.ts'
import { KIND } from './trace.ts'
import type { VirtualClock } from './virtual-clock.ts'

/** No frame is longer under way than this, ms (unless its receiver is stopped). */
export const LATENCY_MS_MAX = 4

export interface ChannelPorts {
  readonly clock: VirtualClock
  readonly random: Random
  /** Draws how long a frame is under way, ms. Default: 0.02 to {@link LATENCY_MS_MAX}, mostly short. */
  readonly latencyMs?: (random: Random) => number
}

/** Two ends of one pipe; `a` and `b` are the processes that hold them. */
export function channelPair(
  ports: ChannelPorts,
  a: SimulatedProcess,
  b: SimulatedProcess,
): [ChannelEnd, ChannelEnd] {
  const left = new ChannelEnd(ports, a, KIND.frameIn)
  const right = new ChannelEnd(ports, b, KIND.frameOut)
  left.peer = right
  right.peer = left
  return [left, right]
}

export class ChannelEnd implements WorkerChannel {
  peer!: ChannelEnd
  readonly #clock: VirtualClock
  readonly #random: Random
  readonly #latencyMs: (random: Random) => number
  readonly #process: SimulatedProcess
  readonly #kind: number
  #events: WorkerChannelEvents | undefined
  /** What came before start(). */
  #early: Array<() => void> = []
  #closed = false
  /** No frame to this end arrives before the one that was sent before it. */
  #arrivesAt = 0

  constructor(ports: ChannelPorts, process: SimulatedProcess, kind: number) {
    this.#clock = ports.clock
    this.#random = ports.random
    this.#latencyMs = ports.latencyMs ?? localLatency
    this.#process = process
    this.#kind = kind
  }

  get isClosed(): boolean {
    return this.#closed
  }

  start(events: WorkerChannelEvents): void {
    invariant(this.#events === undefined, 'a channel is started once')
    this.#events = events
    for (const each of this.#early.splice(0)) this.#clock.defer(each)
  }

  send(bytes: Uint8Array): void {
    if (this.#closed || this.#process.isDead) return
    const frame = bytes.slice()
    this.#process.trace.markBytes(this.#kind, frame)
    this.peer.#arrive(events => events.frame(frame))
    // The contract: the sender must not touch it again. If it does, nobody else may notice.
    bytes.fill(0xaa)
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.peer.#arrive(events => {
      this.peer.#closed = true
      events.closed()
    })
  }

  /** The process at this end died: its kernel closes the pipe. */
  cut(): void {
    this.close()
  }

  #arrive(what: (events: WorkerChannelEvents) => void): void {
    const latency = this.#latencyMs(this.#random)
    const at = Math.max(this.#arrivesAt, this.#clock.monotonic() + latency)
    this.#arrivesAt = at
    this.#clock.setTimer(at - this.#clock.monotonic(), () => {
      if (this.#closed) return
      this.#process.deliver(() => {
        if (this.#closed) return
        if (this.#events === undefined) this.#early.push(() => what(this.#events as WorkerChannelEvents))
        else what(this.#events)
      })
    })
  }
}

function localLatency(random: Random): number {
  return 0.02 + random.float() ** 4 * (LATENCY_MS_MAX - 0.1)
}
