/**
 * Lanes: the order of one client's calls about one range. A call goes straight on while all before it have been carried out,
 * or are under way to the same node, which takes them in order; else it waits behind them. There is a lane only while
 * something is under way or waits, so in the usual case this costs a look into an empty map.
 */

import type { CarillonError } from '../errors.ts'

/** What waits: a part of a call, about one range. */
export interface Part<Call> {
  readonly call: Call
  readonly range: number
}

/** Why what waits could not go on, and which node said so; undefined: this one found it. */
export interface Why {
  readonly error: CarillonError
  readonly by: string | undefined
}

export interface Lane<Waiting> {
  readonly range: number
  /** Where what is under way went to. */
  node: string
  /** In which it went (work/rounds). */
  round: number
  /** Parcels under way that have changes of the range. */
  underWay: number
  /** In the order of the calls. */
  readonly waiting: Waiting[]
  /** How often it could not go on since something of it went; then not before, monotonic ms. */
  tries: number
  at: number
  /** The last reason. */
  why: Why | undefined
}

/** What one client has under way. */
export class Lanes<Call extends { readonly seq: number }, Waiting extends Part<Call>> {
  readonly #byRange = new Map<number, Lane<Waiting>>()
  readonly calls = new Set<Call>()
  /** Calls that wait for a result, by their number: those can be given up. */
  readonly waits = new Map<number, Call>()

  get isEmpty(): boolean {
    return this.#byRange.size === 0
  }

  get all(): Iterable<Lane<Waiting>> {
    return this.#byRange.values()
  }

  /** True if what comes now may go to the node at once. */
  isFree(range: number, node: string | undefined): boolean {
    const lane = this.#byRange.get(range)
    if (lane === undefined) return true
    return lane.waiting.length === 0 && (lane.underWay === 0 || lane.node === node)
  }

  /** In which round what comes now has to go; `latest`: if nothing is under way. */
  roundOf(range: number, latest: number): number {
    const lane = this.#byRange.get(range)
    return lane === undefined || lane.underWay === 0 ? latest : lane.round
  }

  began(range: number, node: string, round: number): void {
    const lane = this.#make(range)
    lane.node = node
    lane.round = round
    lane.underWay++
  }

  /** Returns the lane if something waits in it that may be looked at now. */
  ended(range: number): Lane<Waiting> | undefined {
    const lane = this.#byRange.get(range)
    if (lane === undefined) return undefined
    lane.underWay--
    if (lane.underWay > 0) return undefined
    if (lane.waiting.length > 0) return lane
    this.#byRange.delete(range)
    return undefined
  }

  wait(part: Waiting): Lane<Waiting> {
    const lane = this.#make(part.range)
    const { waiting } = lane
    const { seq } = part.call
    let from = 0
    let to = waiting.length
    if (to > 0 && (waiting[to - 1] as Waiting).call.seq <= seq) from = to
    while (from < to) {
      const middle = (from + to) >> 1
      if ((waiting[middle] as Waiting).call.seq <= seq) from = middle + 1
      else to = middle
    }
    waiting.splice(from, 0, part)
    return lane
  }

  /** The first of what waits there goes on. */
  take(lane: Lane<Waiting>, count: number): Waiting[] {
    const taken = lane.waiting.splice(0, count)
    lane.tries = 0
    if (lane.underWay === 0 && lane.waiting.length === 0) this.#byRange.delete(lane.range)
    return taken
  }

  /** What calls that are over have waiting goes; returns it. All at once: a lane may be long, and many calls end together. */
  drop(calls: ReadonlySet<Call>): Array<{ readonly part: Waiting; readonly why: Why | undefined }> {
    const dropped: Array<{ readonly part: Waiting; readonly why: Why | undefined }> = []
    for (const lane of [...this.#byRange.values()]) {
      const { waiting } = lane
      let kept = 0
      for (const part of waiting) {
        if (calls.has(part.call)) dropped.push({ part, why: lane.why })
        else waiting[kept++] = part
      }
      waiting.length = kept
      if (kept === 0) {
        lane.tries = 0
        lane.at = 0
      }
      if (kept === 0 && lane.underWay === 0) this.#byRange.delete(lane.range)
    }
    return dropped
  }

  #make(range: number): Lane<Waiting> {
    let lane = this.#byRange.get(range)
    if (lane === undefined) {
      lane = { range, node: '', round: 0, underWay: 0, waiting: [], tries: 0, at: 0, why: undefined }
      this.#byRange.set(range, lane)
    }
    return lane
  }
}
