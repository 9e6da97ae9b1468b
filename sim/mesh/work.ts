/**
 * Whether a run did enough to say anything. One that passes as hardly anything was asked for, or as its faults never struck,
 * would look like a good one.
 */

import type { MeshHistory } from './history.ts'
import { LONG_MINUTES, type MeshPlan } from './planner.ts'

/** Of sixty seeds of half a minute with a call each 600 ms the slowest made 98 for each minute, and 100 attempts. */
const CALLS_A_MINUTE_MIN = 20
const ATTEMPTS_A_MINUTE_MIN = 20
/** In runs that last users take their time. */
const LONG_SHARE = 0.15
/** In some seconds it is chance how many there are. */
const SHORT_MINUTES = 0.5
const SHORT_SHARE = 0.5

/** What was too little, in a sentence; for runs that came to their end. */
export function tooLittleWork(plan: MeshPlan, history: MeshHistory, minutes: number): string | undefined {
  const { counters } = history
  const struck = history.strikes.length
  const due = plan.strikes.filter(({ atMs }) => atMs < minutes * 60_000).length
  if (struck < due) return `${struck} of ${due} strikes were carried out`
  const started = new Set(history.starts.map(({ node }) => node)).size
  const wanted = plan.nodes.filter(({ isReserve }) => isReserve !== true).length
  if (started < wanted) return `${started} of ${wanted} nodes started`
  if (plan.tasks === undefined) return undefined
  const calls = counters['acknowledged calls'] ?? 0
  // Who writes the calls down one by one knows how few they are.
  if (plan.tasks.calls !== undefined)
    return calls === 0 && plan.tasks.calls.length > 0 ? 'no call was acknowledged' : undefined
  const share = minutes * shareOf(minutes)
  if (calls < share * CALLS_A_MINUTE_MIN) return `${calls} acknowledged calls in ${minutes} minutes`
  const attempts = counters.attempts ?? 0
  if (attempts < share * ATTEMPTS_A_MINUTE_MIN) return `${attempts} attempts in ${minutes} minutes`
  return undefined
}

function shareOf(minutes: number): number {
  if (minutes < SHORT_MINUTES) return SHORT_SHARE
  return minutes < LONG_MINUTES ? 1 : LONG_SHARE
}
