/**
 * Nobody holds a healthy member for away or gone: not under loss, not with one-way links, not while links flip (what
 * healthy is: truth.ts). An alarm is excused only while somebody may speak who was cut off from a majority.
 */

import { type MeshChecker, seconds } from './checker.ts'

export function falseAlarm(windowMs: number): MeshChecker {
  return {
    name: 'false-alarm',
    check(history, _plan, fail) {
      for (const { at, node, about, state, healthyMs, excuse } of history.alarms) {
        if (healthyMs === undefined || healthyMs < windowMs || excuse !== undefined) continue
        fail(
          `node ${node} held node ${about} for ${state} at ${seconds(at)}, which had been healthy for ${seconds(healthyMs)}`,
        )
      }
    },
  }
}
