/**
 * The times of membership, and every formula that makes one, as pure functions. SWIM (A. Das et al., 2002) with the
 * parts of Lifeguard (A. Dadgar et al., 2018) that keep a slow node from accusing healthy ones. Times are milliseconds.
 *
 * The trade is the same everywhere: shorter finds the dead sooner, and takes a short silence for death more often.
 */

export interface Timings {
  /** One member is probed this often. Lower: more traffic, in proportion. */
  readonly probeMs: number
  /** How long a direct answer may take before others are asked. Not below a round trip. */
  readonly ackMs: number
  /** How many others are asked to probe in our place. */
  readonly indirectProbeCount: number
  /** The shortest suspicion, in probe intervals, for up to ten members; see {@link suspicionMsMin}. */
  readonly suspicionMultiplier: number
  /** The longest suspicion, in shortest ones: what a single accuser must wait. */
  readonly suspicionFactorMax: number
  /** News that wait are sent this often, to `gossipFanout` members. When there are none, nothing is sent. */
  readonly gossipMs: number
  readonly gossipFanout: number
  /** How often one piece of news is sent, times log10(N + 1). */
  readonly retransmitMultiplier: number
  /** Local health goes from 0 to this; the probe interval is stretched by 1 + health. */
  readonly healthMax: number
  /** Timers are looked at this often: the grain of all other times, and what lateness is measured by. */
  readonly beatMs: number
  /** A beat later than this means that we did not listen: deadlines move, and local health is worse. */
  readonly lateMsMax: number
  /** An unanswered hello, join or founding message is sent again after this. */
  readonly helloMs: number
  /** After this time without a connection the higher node id dials as well. */
  readonly dialFallbackMs: number
  /** Full states are exchanged at most this often by one node that sees another view. */
  readonly pushPullMs: number
  /** A crash vote counts this long: a reset and a refused redial must fall into it, and two voters. */
  readonly crashVoteMs: number
  /** How long a founder waits for all of `expect` before a majority will do. */
  readonly foundingWaitMs: number
  /** How long a fresh store waits for an answer at its `join` addresses. Not below a few dials. */
  readonly foundingLookMs: number
  /**
   * How long a store has to stand for all that could be found before it founds alone. Lower: a second mesh, where a process that
   * is busy comes later; each dials once a second (adapters/network/places.ts).
   */
  readonly foundingAloneMs: number
  /** How long the set of fresh stores must not have changed before one of them proposes. */
  readonly foundingSettleMs: number
}

export type TimingProfile = 'local' | 'lan' | 'wan'

const LAN: Timings = {
  probeMs: 1000,
  ackMs: 500,
  indirectProbeCount: 3,
  suspicionMultiplier: 4,
  suspicionFactorMax: 6,
  gossipMs: 200,
  gossipFanout: 3,
  retransmitMultiplier: 4,
  healthMax: 8,
  beatMs: 50,
  lateMsMax: 150,
  helloMs: 500,
  dialFallbackMs: 3000,
  pushPullMs: 1000,
  crashVoteMs: 5000,
  foundingWaitMs: 5000,
  foundingLookMs: 20_000,
  foundingAloneMs: 3000,
  foundingSettleMs: 500,
}

/** `lan` has the published values; `local` is one machine or rack; `wan` crosses regions. */
export const TIMINGS: Readonly<Record<TimingProfile, Timings>> = {
  local: { ...LAN, ackMs: 200, suspicionMultiplier: 3, gossipMs: 100 },
  lan: LAN,
  wan: {
    ...LAN,
    probeMs: 3000,
    ackMs: 1500,
    gossipMs: 500,
    gossipFanout: 4,
    beatMs: 100,
    lateMsMax: 400,
    helloMs: 1500,
    dialFallbackMs: 8000,
    pushPullMs: 3000,
    crashVoteMs: 10_000,
    foundingWaitMs: 10_000,
    foundingLookMs: 30_000,
    foundingSettleMs: 1500,
  },
}

/** The shortest time from an accusation to a verdict among `count` live members, ourselves included. */
export function suspicionMsMin(timings: Timings, count: number): number {
  return timings.suspicionMultiplier * Math.max(1, Math.log10(Math.max(1, count))) * timings.probeMs
}

export function suspicionMsMax(timings: Timings, count: number): number {
  return timings.suspicionFactorMax * suspicionMsMin(timings, count)
}

/** Up to three members there is one other accuser at most: our own further failures have to count. */
export function ownFailuresCount(count: number): boolean {
  return count <= 3
}

/**
 * How many confirmations bring a suspicion down to its shortest: three distinct accusers beyond the first, or as many
 * as there are. Up to three members eight, one for each probe interval that goes by without a sign of life, so that
 * one lost packet is not a verdict.
 */
export function confirmationsWanted(count: number): number {
  return ownFailuresCount(count) ? 8 : Math.min(3, count - 2)
}

/** How long a suspicion lasts in all, after so many confirmations: from max down to min along a logarithm. */
export function suspicionMs(confirmations: number, wanted: number, minMs: number, maxMs: number): number {
  if (wanted < 1) return minMs
  const share = Math.log(Math.min(confirmations, wanted) + 1) / Math.log(wanted + 1)
  return Math.max(minMs, maxMs - share * (maxMs - minMs))
}

/** Probe intervals and answer times are stretched by how badly we ourselves seem to be doing. */
export function stretched(ms: number, health: number): number {
  return ms * (1 + health)
}

/** How often one piece of news is sent by one member before it is taken as known. */
export function transmissionsMax(timings: Timings, count: number): number {
  return Math.ceil(timings.retransmitMultiplier * Math.log10(count + 1))
}

/** How long our own view must have been quiet before another's view id is a reason for a push-pull: news are on their way. */
export function settleMs(timings: Timings, count: number): number {
  return timings.gossipMs * (2 + transmissionsMax(timings, count))
}

/** How long a store whose node lives with another may yet refute that it is away: two processes may have one identity. */
const SUCCEEDED_MS = 2000

/** How long a store is away before it is gone, and its lists move on. There is nobody to wait for if its node has another. */
export function goneAfter(goneAfterMs: number, isSucceeded: boolean): number {
  return isSucceeded ? Math.min(goneAfterMs, SUCCEEDED_MS) : goneAfterMs
}

/** Two witnesses of a crash, or all there are beside the dead; `live` counts it and us. */
export function crashWitnessesWanted(live: number): number {
  return Math.max(1, Math.min(2, live - 1))
}

/** W: a majority of min(R, stores in the roster); never of who happens to be up. */
export function quorumOf(replicas: number, rosterSize: number): number {
  return Math.floor(Math.min(replicas, rosterSize) / 2) + 1
}

/** A majority of the fresh stores that may take part in a founding. */
export function foundingQuorum(expect: number): number {
  return Math.floor(expect / 2) + 1
}
