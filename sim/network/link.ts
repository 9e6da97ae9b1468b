/**
 * What a packet meets on its way from one simulated host to another. Each direction is a link of its own, so that
 * faults can be one-way. A link's state is its conditions on a good day, made worse by the disturbances that hold now.
 */

import type { Random } from '../../src/ports/random.ts'

export interface LinkConditions {
  /** Least time on the way, ms. */
  readonly latencyMs: number
  /** Mean of what comes on top, ms; it has a long tail. */
  readonly jitterMs: number
  /** Chance of each packet to be lost. */
  readonly loss: number
  /** Chance of a liveness frame to arrive twice. */
  readonly duplicate: number
  /** Chance of a liveness frame to come late, by up to {@link LATE_MS_MAX}: it is overtaken then. */
  readonly late: number
  /** Infinity: sending takes no time. */
  readonly bytesPerMs: number
}

/** One rack: some 0.3 ms there and back. */
export const LAN: LinkConditions = {
  latencyMs: 0.1,
  jitterMs: 0.05,
  loss: 0,
  duplicate: 0,
  late: 0,
  bytesPerMs: Number.POSITIVE_INFINITY,
}

/** Across an ocean. */
export const WAN: LinkConditions = { ...LAN, latencyMs: 40, jitterMs: 4, loss: 0.001, bytesPerMs: 12_500 }

/** How late a liveness frame may come, ms. */
export const LATE_MS_MAX = 3000

/** What a fault does to links, on top of whatever they suffer already. */
export interface Disturbance {
  /** Nothing passes; what was on its way still arrives. */
  readonly cut?: boolean
  /** Nothing passes now, and what was sent passes when the clog ends. */
  readonly clog?: boolean
  readonly loss?: number
  readonly duplicate?: number
  readonly late?: number
  /** Latency and jitter are that many times as long. */
  readonly slower?: number
  readonly bytesPerMs?: number
}

export interface LinkState extends LinkConditions {
  readonly isCut: boolean
  readonly isClogged: boolean
  /** Cut or clogged. */
  readonly isBlocked: boolean
}

export function disturbed(base: LinkConditions, disturbances: readonly Disturbance[]): LinkState {
  const slower = disturbances.reduce((factor, each) => factor * (each.slower ?? 1), 1)
  const isCut = disturbances.some(each => each.cut === true)
  const isClogged = disturbances.some(each => each.clog === true)
  return {
    latencyMs: base.latencyMs * slower,
    jitterMs: base.jitterMs * slower,
    loss: together(base.loss, disturbances, 'loss'),
    duplicate: together(base.duplicate, disturbances, 'duplicate'),
    late: together(base.late, disturbances, 'late'),
    bytesPerMs: disturbances.reduce(
      (least, each) => Math.min(least, each.bytesPerMs ?? least),
      base.bytesPerMs,
    ),
    isCut,
    isClogged,
    isBlocked: isCut || isClogged,
  }
}

/** Draws how long a packet is on its way: median 0.4, p99 9 times the mean jitter on top, at most 30 times. */
export function latencyOf(link: LinkConditions, random: Random): number {
  const tail = 1 / Math.sqrt(1 - random.float()) - 1
  return link.latencyMs + link.jitterMs * Math.min(tail, 30)
}

/** Chances of independent causes. */
function together(
  base: number,
  disturbances: readonly Disturbance[],
  what: 'loss' | 'duplicate' | 'late',
): number {
  return 1 - disturbances.reduce((none, each) => none * (1 - (each[what] ?? 0)), 1 - base)
}
