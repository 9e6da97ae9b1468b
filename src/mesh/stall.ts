/**
 * StallWatch: a connection that is stuck is told from a peer that is silent or slow. Frames of an ordered plane wait for
 * the one before them; after a cut, or a time in which the way was very long, the oldest may come only when a backoff has
 * run out, which takes seconds, with TCP minutes, while the liveness plane works again at once. So nobody drops the
 * connection, and all that is sent waits. A new one would carry it now.
 *
 * Two nodes tell each other, over the liveness plane, how many frames they have sent and received on each ordered plane of
 * this connection. Stuck is: of what had been sent at the first answer nothing has arrived since, in no less than
 * `stallMs`, and each question meanwhile was answered before the next one. So:
 * - who is slow in taking frames, or gets one at a time, is not stuck;
 * - over a long way, a lossy one, or with a process that stands still, questions stay without an answer, and that begins
 *   anew: whatever they wait for, a new connection would not have it sooner;
 * - who owes nothing is not asked. What was heard on a plane since something was sent there counts as an answer: if the
 *   way there is stuck, the other side hears nothing, and asks.
 *
 * Pure: it is told what happens, and says whom to ask and whom to cut.
 */

export interface StallOptions {
  /** So long after something was sent nothing was heard on its plane: the peer is asked. Shorter: more questions. */
  readonly quietMs: number
  /** Between two questions, and the longest that an answer may take. Shorter: long ways are never found stuck. */
  readonly askMs: number
  /**
   * How long nothing has arrived when a connection is cut. Shorter: one is cut that would have gone on by itself, or takes
   * as long for one frame (256 KB at most).
   */
  readonly stallMs: number
  /** Between two cuts of connections with one peer. Shorter: a bad link flaps. */
  readonly againMs: number
}

export const ORDERED = ['replication', 'bulk'] as const
export type Ordered = (typeof ORDERED)[number]

/** Frames of one plane since the connection began. */
export interface Tally {
  readonly sent: number
  readonly received: number
}
export type Tallies = Readonly<Record<Ordered, Tally>>

/** One plane, one way. */
interface Stuck {
  readonly since: number
  readonly received: number
}

interface Way {
  sent: number
  received: number
  /** When the oldest frame was sent after which nothing was heard here; undefined: there is none. */
  owedSince: number | undefined
  there: Stuck | undefined
  back: Stuck | undefined
}

interface Watched {
  readonly ways: Record<Ordered, Way>
  askedAt: number
  /** Of the question that waits for its answer. */
  number: number | undefined
}

export interface Question {
  readonly peer: string
  readonly number: number
}

export class StallWatch {
  readonly #options: StallOptions
  readonly #peers = new Map<string, Watched>()
  /** Who owes something, or was found not to get on. */
  readonly #watched = new Set<string>()
  readonly #cutAt = new Map<string, number>()
  /** Never the same twice, so that no answer is taken for one of another connection. */
  #number = 0

  constructor(options: StallOptions) {
    this.#options = options
  }

  connected(peer: string): void {
    this.#watched.delete(peer)
    const ways = { replication: newWay(), bulk: newWay() }
    this.#peers.set(peer, { ways, askedAt: Number.NEGATIVE_INFINITY, number: undefined })
  }

  disconnected(peer: string): void {
    this.#peers.delete(peer)
    this.#watched.delete(peer)
  }

  sent(peer: string, plane: Ordered, now: number): void {
    const way = this.#peers.get(peer)?.ways[plane]
    if (way === undefined) return
    way.sent++
    if (way.owedSince !== undefined) return
    way.owedSince = now
    this.#watched.add(peer)
  }

  received(peer: string, plane: Ordered): void {
    const way = this.#peers.get(peer)?.ways[plane]
    if (way === undefined) return
    way.received++
    way.owedSince = undefined
  }

  tallies(peer: string): Tallies | undefined {
    const ways = this.#peers.get(peer)?.ways
    if (ways === undefined) return undefined
    const tally = ({ sent, received }: Way): Tally => ({ sent, received })
    return { replication: tally(ways.replication), bulk: tally(ways.bulk) }
  }

  /** When there may be somebody to ask, as things are; Infinity: nobody. */
  get nextAt(): number {
    const { quietMs, askMs, againMs } = this.#options
    let next = Number.POSITIVE_INFINITY
    for (const peer of this.#watched) {
      const { ways, askedAt, number } = this.#peers.get(peer) as Watched
      let owedAt = Number.POSITIVE_INFINITY
      for (const plane of ORDERED) {
        const way = ways[plane]
        if (isStuck(way)) owedAt = Number.NEGATIVE_INFINITY
        else if (way.owedSince !== undefined) owedAt = Math.min(owedAt, way.owedSince + quietMs)
      }
      const askAt = Math.max(
        askedAt + askMs,
        owedAt,
        (this.#cutAt.get(peer) ?? Number.NEGATIVE_INFINITY) + againMs,
      )
      // What was asked and has no answer is forgiven then.
      next = Math.min(next, number === undefined ? askAt : Math.min(askAt, askedAt + askMs))
    }
    return next
  }

  /** Whom to ask now. */
  questions(now: number): readonly Question[] {
    if (this.#watched.size === 0) return NONE
    const { quietMs, askMs, againMs } = this.#options
    const due: Question[] = []
    for (const peer of this.#watched) {
      const watched = this.#peers.get(peer) as Watched
      const ways = ORDERED.map(plane => watched.ways[plane])
      if (ways.every(isAtRest)) {
        this.#watched.delete(peer)
        continue
      }
      if (now - watched.askedAt < askMs) continue
      // Without its answer nothing is known of the way.
      if (watched.number !== undefined) forgive(ways)
      watched.number = undefined
      if (!ways.some(way => isStuck(way) || now - (way.owedSince ?? now) >= quietMs)) continue
      if (now - (this.#cutAt.get(peer) ?? Number.NEGATIVE_INFINITY) < againMs) continue
      watched.askedAt = now
      watched.number = ++this.#number
      due.push({ peer, number: this.#number })
    }
    for (const [peer, at] of this.#cutAt) if (now - at >= againMs) this.#cutAt.delete(peer)
    return due
  }

  /** What the peer has sent and received. True: the connection is stuck, and to be cut. */
  answered(peer: string, number: number, theirs: Tallies, now: number): boolean {
    const watched = this.#peers.get(peer)
    if (watched === undefined || watched.number !== number) return false
    if (now - watched.askedAt > this.#options.askMs) return false
    watched.number = undefined
    let isOver = false
    for (const plane of ORDERED) {
      const way = watched.ways[plane]
      const { sent, received } = theirs[plane]
      way.there = looked(way.there, way.sent, received, now)
      way.back = looked(way.back, sent, way.received, now)
      if (way.owedSince !== undefined) way.owedSince = received >= way.sent ? undefined : now
      for (const stuck of [way.there, way.back])
        if (stuck !== undefined && now - stuck.since >= this.#options.stallMs) isOver = true
    }
    if (!isOver) return false
    this.#cutAt.set(peer, now)
    this.disconnected(peer)
    return true
  }
}

const NONE: readonly Question[] = []

function newWay(): Way {
  return { sent: 0, received: 0, owedSince: undefined, there: undefined, back: undefined }
}

function looked(before: Stuck | undefined, sent: number, received: number, now: number): Stuck | undefined {
  if (received >= sent) return undefined
  return before?.received === received ? before : { since: now, received }
}

function isStuck({ there, back }: Way): boolean {
  return there !== undefined || back !== undefined
}

function isAtRest(way: Way): boolean {
  return way.owedSince === undefined && !isStuck(way)
}

function forgive(ways: readonly Way[]): void {
  for (const way of ways) {
    way.there = undefined
    way.back = undefined
  }
}
