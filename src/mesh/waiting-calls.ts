/**
 * Parts of calls that can't go to a node now: each waits in its lane until what is before it is carried out, and until the
 * lane's time has come to be tried again. What is due goes in the order in which the calls came.
 *
 * A lane is tried as one, whatever waits in it: while nobody can be asked nothing of it is touched, and where it was refused
 * its first call goes alone, as a probe, and the rest once that is taken. So a try costs little however many wait, here and at
 * the node that is asked.
 */

import type { Clock, Timer } from '../ports/clock.ts'
import type { Lane, Why } from './lanes.ts'
import type { ClientLanes, Stretch } from './routed-call.ts'

export interface WaitingCallsHost {
  /** These of one call are due. */
  route(stretches: readonly Stretch[]): void
  /** False: nobody can be asked about the lane's range now; it says why. */
  canGo(lane: Lane<Stretch>): boolean
  /** How long the next try waits after so many in vain, ms. */
  pauseMs(tries: number): number
  /** Before those that are due are looked at. Returns when it has to be called next. */
  tick(now: number): number
}

/** What is to be done later is done at multiples of this, ms: so many lanes are looked at together. */
const GRID_MS = 10
/** So many calls of a lane go together, though it may be in vain. */
const FEW = 16
/** Who waits for a result has no answer soon: what is behind such calls goes on after so long without a refusal, ms. */
const WAITS_MS = 100

export class WaitingCalls {
  readonly #clock: Clock
  readonly #host: WaitingCallsHost
  /** Lanes in which something waits, with whose they are. */
  readonly #waiting = new Map<Lane<Stretch>, ClientLanes>()
  #timer: Timer | undefined
  #timerAt = Number.POSITIVE_INFINITY
  /** When all lanes are to be looked at next, monotonic ms. */
  #lookAt = Number.POSITIVE_INFINITY
  #isPumping = false
  /** Lanes that became free while others were looked at. */
  readonly #freed = new Set<Lane<Stretch>>()
  #isStopped = false

  constructor(clock: Clock, host: WaitingCallsHost) {
    this.#clock = clock
    this.#host = host
  }

  get isEmpty(): boolean {
    return this.#waiting.size === 0
  }

  /** `tries`: it could not go on, nor can what comes behind it, and waits after so many tries in vain; `why` says who. */
  add(stretch: Stretch, why?: Why | undefined, tries?: number | undefined): void {
    const { lanes } = stretch.call
    stretch.hasWaited = true
    stretch.isFirst = false
    stretch.isProbe = false
    const lane = lanes.wait(stretch)
    this.#waiting.set(lane, lanes)
    lane.why = why ?? lane.why
    // What was sent together and comes back together is one try.
    if (tries !== undefined && lane.tries === 0) this.#pause(lane, tries)
    if (lane.underWay === 0) this.#lookAgain(lane.at)
  }

  /** Something of the lane has ended: what waits in it may go on. */
  freed(lane: Lane<Stretch>): void {
    this.#freed.add(lane)
    this.#pump()
  }

  /** The client is gone. */
  remove(lanes: ClientLanes): void {
    for (const lane of lanes.all) this.#waiting.delete(lane)
  }

  /** All that waits is tried at once. */
  hurry(): void {
    if (this.isEmpty) return
    const now = this.#clock.monotonic()
    for (const lane of this.#waiting.keys()) lane.at = now
    this.#lookAgain(now)
  }

  /** Some of what waited is gone. */
  look(): void {
    if (!this.isEmpty) this.#lookAgain(this.#clock.monotonic())
  }

  /** There is something to do then, monotonic ms. */
  arm(at: number): void {
    if (this.#isStopped || at >= this.#timerAt || at === Number.POSITIVE_INFINITY) return
    const now = this.#clock.monotonic()
    const then = at <= now ? now : Math.ceil(at / GRID_MS) * GRID_MS
    if (then >= this.#timerAt) return
    this.#timer?.cancel()
    this.#timerAt = then
    this.#timer = this.#clock.setTimer(then - now, () => this.#tick())
  }

  stop(): void {
    this.#isStopped = true
    this.#timer?.cancel()
  }

  #tick(): void {
    this.#timerAt = Number.POSITIVE_INFINITY
    const nextAt = this.#host.tick(this.#clock.monotonic())
    if (this.#lookAt <= this.#clock.monotonic()) {
      this.#lookAt = Number.POSITIVE_INFINITY
      for (const lane of this.#waiting.keys()) this.#freed.add(lane)
    }
    this.#pump()
    this.arm(nextAt)
    this.arm(this.#lookAt)
  }

  /** Sends what is due of what may go on. */
  #pump(): void {
    if (this.#isStopped || this.#isPumping) return
    this.#isPumping = true
    while (this.#freed.size > 0) {
      const lanes = [...this.#freed]
      this.#freed.clear()
      this.#sendDue(lanes)
    }
    this.#isPumping = false
  }

  #sendDue(lanes: ReadonlyArray<Lane<Stretch>>): void {
    const now = this.#clock.monotonic()
    const due: Stretch[] = []
    let nextAt = Number.POSITIVE_INFINITY
    for (const lane of lanes) {
      const client = this.#waiting.get(lane)
      if (client === undefined) continue
      if (lane.waiting.length === 0) this.#waiting.delete(lane)
      if (lane.waiting.length === 0 || lane.underWay > 0) continue
      if (lane.at <= now && !this.#host.canGo(lane)) this.#pause(lane, lane.tries)
      if (lane.at > now) nextAt = Math.min(nextAt, lane.at)
      else for (const each of this.#take(lane, client)) due.push(each)
    }
    this.#lookAgain(nextAt)
    due.sort((a, b) => a.call.seq - b.call.seq)
    for (let from = 0; from < due.length; ) {
      const { call } = due[from] as Stretch
      let to = from + 1
      while (due[to]?.call === call) to++
      this.#host.route(due.slice(from, to))
      from = to
    }
  }

  /** All of it, if nothing has said that it would be in vain, or if it is little; else what tells. */
  #take(lane: Lane<Stretch>, client: ClientLanes): readonly Stretch[] {
    const { waiting, tries } = lane
    const isAll = tries === 0 || waiting.length <= FEW
    const answered = isAll ? -1 : waiting.findIndex(({ call }, i) => i < FEW && !call.waits)
    const taken = client.take(lane, isAll ? waiting.length : answered < 0 ? FEW : answered + 1)
    if (isAll) this.#waiting.delete(lane)
    else {
      for (const stretch of taken) stretch.isFirst = true
      if (answered >= 0) (taken.at(-1) as Stretch).isProbe = true
      else {
        lane.at = this.#clock.monotonic() + WAITS_MS
        this.#lookAgain(lane.at)
      }
    }
    return taken
  }

  #pause(lane: Lane<Stretch>, tries: number): void {
    lane.at = this.#clock.monotonic() + this.#host.pauseMs(tries)
    lane.tries = tries + 1
  }

  #lookAgain(at: number): void {
    this.#lookAt = Math.min(this.#lookAt, at)
    this.arm(at)
  }
}
