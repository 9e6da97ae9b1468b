/**
 * Parts of calls that can't go to a node now: each waits in its lane until what is before it is carried out, and until its
 * time has come to be tried again. What is due goes in the order in which the calls came.
 */

import type { Clock, Timer } from '../ports/clock.ts'
import type { Lane } from './lanes.ts'
import type { ClientLanes, Stretch } from './routed-call.ts'

export interface WaitingCallsHost {
  /** These of one call are due. */
  route(stretches: readonly Stretch[]): void
  /** Before those that are due are looked at. Returns when it has to be called next. */
  tick(now: number): number
}

export class WaitingCalls {
  readonly #clock: Clock
  readonly #host: WaitingCallsHost
  /** Lanes in which something waits, with whose they are. */
  readonly #waiting = new Map<Lane<Stretch>, ClientLanes>()
  #timer: Timer | undefined
  #timerAt = Number.POSITIVE_INFINITY
  #isPumping = false
  #pumpsAgain = false
  #isStopped = false

  constructor(clock: Clock, host: WaitingCallsHost) {
    this.#clock = clock
    this.#host = host
  }

  get isEmpty(): boolean {
    return this.#waiting.size === 0
  }

  add(stretch: Stretch): void {
    const { lanes } = stretch.call
    const lane = lanes.wait(stretch)
    this.#waiting.set(lane, lanes)
    if (lane.waiting[0] === stretch && lane.underWay === 0) this.arm(stretch.at)
  }

  /** The client is gone. */
  remove(lanes: ClientLanes): void {
    for (const lane of lanes.all) this.#waiting.delete(lane)
  }

  /** All that waits is tried at once. */
  hurry(): void {
    if (this.isEmpty) return
    const now = this.#clock.monotonic()
    for (const lane of this.#waiting.keys()) for (const stretch of lane.waiting) stretch.at = now
    this.arm(now)
  }

  /** Sends what is due. */
  pump(): void {
    if (this.#isStopped) return
    if (this.#isPumping) {
      this.#pumpsAgain = true
      return
    }
    this.#isPumping = true
    let nextAt: number
    do {
      this.#pumpsAgain = false
      nextAt = this.#sendDue()
    } while (this.#pumpsAgain)
    this.#isPumping = false
    this.arm(nextAt)
  }

  /** There is something to do then, monotonic ms. */
  arm(at: number): void {
    if (this.#isStopped || at >= this.#timerAt) return
    this.#timer?.cancel()
    this.#timerAt = at
    this.#timer = this.#clock.setTimer(Math.max(0, at - this.#clock.monotonic()), () => this.#tick())
  }

  stop(): void {
    this.#isStopped = true
    this.#timer?.cancel()
  }

  #tick(): void {
    this.#timerAt = Number.POSITIVE_INFINITY
    const nextAt = this.#host.tick(this.#clock.monotonic())
    this.pump()
    this.arm(nextAt)
  }

  /** Returns when the next is due. */
  #sendDue(): number {
    const now = this.#clock.monotonic()
    const due: Stretch[] = []
    let nextAt = Number.POSITIVE_INFINITY
    for (const [lane, lanes] of [...this.#waiting]) {
      const head = lane.waiting[0]
      if (head === undefined) this.#waiting.delete(lane)
      else if (lane.underWay > 0) continue
      else if (head.at > now) nextAt = Math.min(nextAt, head.at)
      else {
        this.#waiting.delete(lane)
        for (const each of lanes.take(lane)) due.push(each)
      }
    }
    due.sort((a, b) => a.call.seq - b.call.seq)
    for (let from = 0; from < due.length; ) {
      const { call } = due[from] as Stretch
      let to = from + 1
      while (due[to]?.call === call) to++
      this.#host.route(due.slice(from, to))
      from = to
    }
    return nextAt
  }
}
