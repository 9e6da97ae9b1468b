/**
 * What was done to a mesh in some span: the grounds on which the judges of tasks bear what they would not in a calm mesh.
 * They follow from what was done and what the nodes said of their views, never from what the engines decided.
 */

import type { MeshHistory, StrikeReport } from '../history.ts'

/** Nodes are cut off from each other. */
const CUTTING = ['halves', 'isolate', 'flip-flop', 'one-way']
/** What they say comes late: they may believe that they are. */
const SLOWING = ['clog', 'loss', 'slow-links']
/** Whoever was cut off or stood still may act on what it knew before, until it has heard; ms after the end of it. */
export const HEAL_MS = 15_000
/** So many at once that what is left may know too little of what was agreed. */
const MASSIVE = ['mass-crash', 'restart-all']

function overlaps({ from, to }: StrikeReport, since: number, until: number): boolean {
  return from <= until && to + HEAL_MS >= since
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

/** The node may not have heard the others at that instant. */
export function wasCutOff(history: MeshHistory, node: number, at: number): boolean {
  return history.strikes.some(each => {
    if (!overlaps(each, at, at)) return false
    if (each.fault === 'pause' || each.fault === 'isolate') return each.nodes.includes(node)
    if (!CUTTING.includes(each.fault) && each.fault !== 'clog') return false
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

/**
 * Why a run may have been started though another attempt of it, on `node`, was under way or had ended; undefined: for no
 * reason.
 */
export function reasonToRepeat(
  history: MeshHistory,
  node: number,
  since: number,
  until: number,
): string | undefined {
  const ofNode = (each: { readonly node: number }): boolean => each.node === node
  if (isIn(history.ends.filter(ofNode), since, until)) return 'crash'
  if (isIn(history.tasks?.workerLosses.filter(ofNode) ?? [], since, until)) return 'worker loss'
  if (wasCut(history, since, until)) return 'partition'
  const stood = history.strikes.some(each => each.fault === 'pause' && overlaps(each, since, until))
  if (stood) return 'pause'
  // A view that changed a moment before moved ranges: the new owner may not have heard all.
  if (isIn(history.views, since - HEAL_MS, until)) return 'view change'
  return undefined
}

function isIn(reports: ReadonlyArray<{ readonly at: number }>, since: number, until: number): boolean {
  return reports.some(({ at }) => at >= since && at <= until)
}
