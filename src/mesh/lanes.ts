/**
 * Lanes: the order of one client's calls about one range. A call goes straight on while all before it have been carried out,
 * or are under way to the same node, which takes them in order; else it waits behind them. There is a lane only while
 * something is under way or waits, so in the usual case this costs a look into an empty map.
 */

/** What waits: a part of a call, about one range. */
export interface Part<Call> {
  readonly call: Call
  readonly range: number
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
  isFree(range: number, node: string): boolean {
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
    let at = waiting.length
    while (at > 0 && (waiting[at - 1] as Waiting).call.seq > part.call.seq) at--
    waiting.splice(at, 0, part)
    return lane
  }

  /** All that waits there goes on. */
  take(lane: Lane<Waiting>): Waiting[] {
    const taken = lane.waiting.splice(0)
    if (lane.underWay === 0) this.#byRange.delete(lane.range)
    return taken
  }

  /** What calls that are over have waiting goes; returns it. All at once: a lane may be long, and many calls end together. */
  drop(calls: ReadonlySet<Call>): Waiting[] {
    const dropped: Waiting[] = []
    for (const lane of [...this.#byRange.values()]) {
      const { waiting } = lane
      let kept = 0
      for (const part of waiting) {
        if (calls.has(part.call)) dropped.push(part)
        else waiting[kept++] = part
      }
      waiting.length = kept
      if (kept === 0 && lane.underWay === 0) this.#byRange.delete(lane.range)
    }
    return dropped
  }

  #make(range: number): Lane<Waiting> {
    let lane = this.#byRange.get(range)
    if (lane === undefined) {
      lane = { range, node: '', round: 0, underWay: 0, waiting: [] }
      this.#byRange.set(range, lane)
    }
    return lane
  }
}
