/**
 * What was done to a mesh in some span: the grounds on which the judges of tasks bear what they would not in a calm mesh.
 * They follow from what was done and what the nodes said of their views, never from what the engines decided.
 */

import type { MeshHistory, StrikeReport } from '../history.ts'

/** Nodes are cut off from each other. */
const CUTTING = ['halves', 'isolate', 'flip-flop', 'one-way', 'bridge', 'upgrade', 'lone-wipe']
/** What they say comes late: they may believe that they are. */
const SLOWING = ['clog', 'swizzle', 'loss', 'slow-links']
/** One is cut off from all others. */
const ISOLATING = ['isolate', 'lone-wipe']
const CLOGGING = ['clog', 'swizzle']
/** Whoever was cut off or stood still may act on what it knew before, until it has heard; ms after the end of it. */
export const HEAL_MS = 15_000
/** A process ends in an orderly way. */
const STOPPING = ['restart', 'restart-all', 'leave', 'replace', 'upgrade']
/** So many at once that what is left may know too little of what was agreed. */
const MASSIVE = ['mass-crash', 'restart-all']
/** Of three stores of a list two may be among so many. */
export const SEVERAL = 2

function overlaps({ from, to }: StrikeReport, since: number, until: number, healMs = HEAL_MS): boolean {
  return from <= until && to + healMs >= since
}

/** Somebody was cut off in the span, or shortly before. */
export function wasCut(history: MeshHistory, since: number, until: number): boolean {
  return history.strikes.some(each => CUTTING.includes(each.fault) && overlaps(each, since, until))
}

/** Changes of one task in the span may have been made by two owners that did not know of each other. */
export function wasShaken(history: MeshHistory, since: number, until: number): boolean {
  const kinds = [...CUTTING, ...SLOWING, ...MASSIVE, 'pause']
  return history.strikes.some(each => kinds.includes(each.fault) && overlaps(each, since, until))
}

/** The node may not have heard the others in the span, or stood still. */
export function wasDeaf(history: MeshHistory, node: number, since: number, until = since): boolean {
  return (
    wasCutOff(history, node, since, until) ||
    history.strikes.some(
      each => each.fault === 'pause' && each.nodes.includes(node) && overlaps(each, since, until),
    )
  )
}

/** What others said may not have come to the node in the span, or what it said not to them. */
export function wasCutOff(history: MeshHistory, node: number, since: number, until = since): boolean {
  return history.strikes.some(each => {
    if (!overlaps(each, since, until)) return false
    if (ISOLATING.includes(each.fault)) return each.nodes.includes(node)
    if (!CUTTING.includes(each.fault) && !CLOGGING.includes(each.fault)) return false
    return each.nodes.includes(node) || each.others.includes(node)
  })
}

/** Anything at all happened to nodes, links or views in the span. */
export function wasTroubled(history: MeshHistory, since: number, until: number): boolean {
  return (
    history.strikes.some(each => overlaps(each, since, until)) ||
    isIn(history.ends, since, until) ||
    isIn(history.starts, since, until) ||
    isIn(history.views, since, until)
  )
}

export interface RepeatSpan {
  /** Where the other attempt was, or the call was answered. */
  readonly node: number
  readonly since: number
  /** From then on what ended it is in as many stores as it takes; a loss of the node is no reason any more. */
  readonly settledAt: number
  /** The start that is to be explained. */
  readonly until: number
}

/** Why a run may have been started though another attempt of it was under way or had ended; undefined: for no reason. */
export function reasonToRepeat(
  history: MeshHistory,
  { node, since, settledAt, until }: RepeatSpan,
): string | undefined {
  const ofNode = (each: { readonly node: number }): boolean => each.node === node
  if (isIn(history.tasks?.workerLosses.filter(ofNode) ?? [], since, settledAt)) return 'worker loss'
  const stops = history.strikes.filter(
    each => STOPPING.includes(each.fault) && each.nodes.includes(node) && overlaps(each, since, settledAt, 0),
  )
  // It aborts what runs, and the next owner does not wait for the handlers to notice.
  if (stops.length > 0) return 'orderly stop'
  if (isIn(history.ends.filter(ofNode), since, settledAt)) return 'crash'
  if (wasCut(history, since, until)) return 'partition'
  const stood = history.strikes.some(each => each.fault === 'pause' && overlaps(each, since, until))
  if (stood) return 'pause'
  // Who takes over then may not find enough that know.
  if (mostDown(history, since, until) >= SEVERAL) return 'several down'
  // A view that changed a moment before moved ranges: the new owner may not have heard all.
  if (isIn(history.views, since - HEAL_MS, settledAt)) return 'view change'
  return undefined
}

/** Who acts may have heard too few at that instant, and do so unsure. */
export function wereSeveralDown(history: MeshHistory, at: number): boolean {
  return mostDown(history, at, at) >= SEVERAL
}

/** The most nodes that did not run at one instant of the span, or had come back only just before. */
export function mostDown(history: MeshHistory, since: number, until: number): number {
  const nodes = new Set(history.ends.filter(({ at }) => at <= until).map(({ node }) => node))
  const spans = [...nodes].flatMap(node => {
    const starts = history.starts.filter(each => each.node === node).map(({ at }) => at)
    return history.ends
      .filter(each => each.node === node && each.at <= until)
      .map(({ at }) => ({
        node,
        from: at,
        to: (starts.find(start => start >= at) ?? Number.POSITIVE_INFINITY) + HEAL_MS,
      }))
      .filter(({ to }) => to >= since)
  })
  const downAt = (at: number): number =>
    new Set(spans.filter(({ from, to }) => from <= at && at <= to).map(({ node }) => node)).size
  return Math.max(0, ...[since, ...spans.map(({ from }) => from)].map(downAt))
}

function isIn(reports: ReadonlyArray<{ readonly at: number }>, since: number, until: number): boolean {
  return reports.some(({ at }) => at >= since && at <= until)
}
