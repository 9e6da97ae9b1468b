/**
 * Lanes: the order of one client's calls about one range. A call goes straight on while all before it have been carried out,
 * or are under way to the same node, which takes them in order; else it waits behind them. There is a lane only while
 * something is under way or waits, so in the usual case this costs a look into an empty map.
 */

import type { RoutedCall, Stretch } from './routed-call.ts'

export interface Lane {
  readonly range: number
  /** Where what is under way went to. */
  node: string
  /** Parcels under way that have changes of the range. */
  underWay: number
  /** In the order of the calls. */
  readonly waiting: Stretch[]
}

/** What one client has under way. */
export class Lanes {
  readonly #byRange = new Map<number, Lane>()
  readonly calls = new Set<RoutedCall>()
  /** Calls that wait for a result, by their number: those can be given up. */
  readonly waits = new Map<number, RoutedCall>()

  get isEmpty(): boolean {
    return this.#byRange.size === 0
  }

  get all(): Iterable<Lane> {
    return this.#byRange.values()
  }

  get(range: number): Lane | undefined {
    return this.#byRange.get(range)
  }

  /** True if what comes now may go to the node at once. */
  isFree(range: number, node: string): boolean {
    const lane = this.#byRange.get(range)
    if (lane === undefined) return true
    return lane.waiting.length === 0 && (lane.underWay === 0 || lane.node === node)
  }

  began(range: number, node: string): void {
    const lane = this.#make(range)
    lane.node = node
    lane.underWay++
  }

  /** Returns the lane if something waits in it that may be looked at now. */
  ended(range: number): Lane | undefined {
    const lane = this.#byRange.get(range)
    if (lane === undefined) return undefined
    lane.underWay--
    if (lane.underWay > 0) return undefined
    if (lane.waiting.length > 0) return lane
    this.#byRange.delete(range)
    return undefined
  }

  wait(stretch: Stretch): Lane {
    const lane = this.#make(stretch.range)
    const { waiting } = lane
    let at = waiting.length
    while (at > 0 && (waiting[at - 1] as Stretch).call.seq > stretch.call.seq) at--
    waiting.splice(at, 0, stretch)
    return lane
  }

  /** All that waits there goes on. */
  take(lane: Lane): Stretch[] {
    const taken = lane.waiting.splice(0)
    if (lane.underWay === 0) this.#byRange.delete(lane.range)
    return taken
  }

  /** What a call that is over has waiting goes. */
  drop(call: RoutedCall): void {
    for (const lane of [...this.#byRange.values()]) {
      const { waiting } = lane
      for (let i = waiting.length - 1; i >= 0; i--) if (waiting[i]?.call === call) waiting.splice(i, 1)
      if (waiting.length === 0 && lane.underWay === 0) this.#byRange.delete(lane.range)
    }
  }

  #make(range: number): Lane {
    let lane = this.#byRange.get(range)
    if (lane === undefined) {
      lane = { range, node: '', underWay: 0, waiting: [] }
      this.#byRange.set(range, lane)
    }
    return lane
  }
}
