/**
 * When a second start of a run is explained. The promise: at-least-once runs twice only around a crash or a partition. So
 * what is asked is what was done to two nodes: the one where the other attempt ran, and the one that starts it again. (Where
 * a node had no worker of its own, its runs went to those of others: it counts as where they ran, of either attempt.) In the span from when
 * the other attempt was handed out to when this one starts:
 *
 * - **worker loss**: the session of the worker that had the attempt closed, before its end can have been kept;
 * - **orderly stop**: its node was asked to end before the attempt had ended, and gave it less time than it took (a busy
 *   machine takes some time more). What completed in time, or before, must not run again;
 * - **crash**: its process died before the completion can have been on as many stores as it takes (10 s), also when the run
 *   was on its way from there to a worker; or that of the node that starts it again had died so;
 * - **partition**: one of the two was cut off, or what it said did not pass, then or up to 15 s before: who was cut off
 *   goes by what it knew, until it has heard;
 * - **pause**: one of the two stood still, likewise;
 * - **held for away**: one of the two ran, and was held for away or gone, then or up to 15 s before. For the mesh that is a
 *   partition; whether anybody had a reason for it is asked by the judge of false alarms;
 * - **out of reach**: one of the two had started less than 10 s before, and the other's machine was busy: who starts waits
 *   5 s for those whom it can't connect with, as after a power cut they may never come;
 * - **several down**: two nodes and more were down, standing still or cut off at one time, so who takes over may not
 *   have found enough that knew.
 *
 * Nothing else is: no view that changes since somebody joins, leaves, starts or stops, no slow disk, no busy machine.
 */

import type { Attempt } from '../../history.ts'
import type { MeshHistory } from '../history.ts'
import { hasCompleted, UNDER_WAY_MS } from './task-story.ts'
import { HEAL_MS, mostDown, SEVERAL, wasCutOff } from './trouble.ts'

/** Within so long after its end a completion is kept by as many stores as it takes, ms. */
const KEPT_MS = 10_000
/** Who acts unsure for want of others has started so long ago at most, ms. */
const STARTED_MS = 10_000
/** A run that was offered to others is on its way to them for so long at most, ms. */
const HANDED_MS = 1000
/** By so much a busy machine is late (busy-machine.ts). */
const LATE_MS_MAX = 8000

/** Why `again` was started though `before` had completed, or was under way; undefined: for no reason. */
export function reasonForBoth(history: MeshHistory, before: Attempt, again: Attempt): string | undefined {
  const since = before.receivedAt
  const until = again.startedAt
  const endedAt = hasCompleted(before) ? (before.endedAt as number) : Number.POSITIVE_INFINITY
  const keptAt = Math.min(until, endedAt + KEPT_MS)
  const places = placesOf(history, before)
  const pair = [...places, ...placesOf(history, again)]
  const isHere = ({ at, node }: { readonly at: number; readonly node: number }): boolean =>
    places.includes(node) && at >= since && at <= keptAt
  if (history.tasks?.workerLosses.some(each => isHere(each) && each.at <= endedAt + UNDER_WAY_MS))
    return 'worker loss'
  if (wasStopped(history, before, places, endedAt, until)) return 'orderly stop'
  // What it had handed out a moment before went on to the worker without it.
  const isDead = ({ at, node }: { readonly at: number; readonly node: number }): boolean =>
    (places.includes(node) && at >= since - UNDER_WAY_MS && at <= keptAt) ||
    (node === again.client && at >= until - UNDER_WAY_MS && at <= until)
  if (history.ends.some(each => each.isOrderly !== true && isDead(each))) return 'crash'
  if (pair.some(node => wasCutOff(history, node, since, until))) return 'partition'
  if (history.strikes.some(each => each.fault === 'pause' && overlaps(each, pair, since, until)))
    return 'pause'
  if (history.alarms.some(each => isMistaken(history, each, pair, since, until))) return 'held for away'
  if (pair.some(node => wasOutOfReach(history, node, pair, until))) return 'out of reach'
  if (mostDown(history, since, until) >= SEVERAL) return 'several down'
  return undefined
}

/** Its node, and each that had no worker when it was handed out. */
function placesOf(history: MeshHistory, { client, receivedAt }: Attempt): number[] {
  const without = history.strikes.filter(
    ({ fault, from, to }) => fault === 'worker-loss' && from <= receivedAt && to + HANDED_MS >= receivedAt,
  )
  return [client, ...without.flatMap(({ nodes }) => nodes)]
}

/** Its node was stopping while it ran, and it was not over when its time was. */
function wasStopped(
  history: MeshHistory,
  before: Attempt,
  places: readonly number[],
  endedAt: number,
  until: number,
): boolean {
  return history.stops.some(({ at, node, graceMs }) => {
    const lateMs = UNDER_WAY_MS + (wasBusy(history, node, before.receivedAt, until) ? LATE_MS_MAX : 0)
    if (!places.includes(node) || at < before.receivedAt - lateMs || at > until) return false
    return endedAt + 2 * lateMs >= at + graceMs && until >= at + graceMs
  })
}

function wasBusy(history: MeshHistory, node: number, since: number, until: number): boolean {
  return history.strikes.some(
    ({ fault, nodes, from, to }) =>
      fault === 'busy-machine' && nodes.includes(node) && from <= until && to + LATE_MS_MAX >= since,
  )
}

function overlaps(
  strike: MeshHistory['strikes'][number],
  pair: readonly number[],
  since: number,
  until: number,
): boolean {
  return (
    strike.nodes.some(each => pair.includes(each)) && strike.from <= until && strike.to + HEAL_MS >= since
  )
}

/** One of them was held for away while its process ran, and was not asked to end. */
function isMistaken(
  history: MeshHistory,
  { at, node, about }: MeshHistory['alarms'][number],
  pair: readonly number[],
  since: number,
  until: number,
): boolean {
  if (!pair.includes(about) || at > until || at < since - HEAL_MS) return false
  const ofNode = (each: { readonly at: number; readonly node: number }): boolean =>
    each.node === about && each.at <= at
  const start = history.starts.findLast(ofNode)
  if (start === undefined || history.ends.some(each => ofNode(each) && each.at >= start.at)) return false
  if (!history.stops.some(each => ofNode(each) && each.at >= start.at)) return true
  // It was about to end, and may have said so; if it was live again it had not.
  return history.views.some(
    ({ node: by, at: later, view }) =>
      by === node &&
      later > at &&
      view.stores.some(
        ({ store, boot, state }) => store === start.store && boot === start.boot && state === 'live',
      ),
  )
}

/** It had just started, and could connect with none of them in time. */
function wasOutOfReach(history: MeshHistory, node: number, pair: readonly number[], until: number): boolean {
  const start = history.starts.findLast(each => each.node === node && each.at <= until)
  if (start === undefined || until - start.at > STARTED_MS) return false
  return pair.some(other => other !== node && wasBusy(history, other, start.at, until))
}
