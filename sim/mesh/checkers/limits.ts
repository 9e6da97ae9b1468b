/**
 * Nothing is left over, and nothing grows: when all is at rest a node has no more timers, connections and waiting runs than it
 * needs, it takes work, and half a minute later it has no more of them.
 */

import type { MeshHistory } from '../history.ts'
import { type MeshChecker, seconds } from './checker.ts'

/** In meshes of any size: a node at rest has some five. */
const TIMERS_MAX = 25
/** So many more after half a minute are chance; a leak of one in three seconds is not. */
const GROWTH_MAX = 10
const QUEUED_MAX = 50
const RUNNING_MAX = 100

export const limits: MeshChecker = {
  name: 'limits',
  check(history, _plan, fail) {
    const gauges = history.tasks?.gauges ?? []
    for (const gauge of gauges) {
      const { node, at, timers, connections, queued, running, takesWork, withoutWorker } = gauge
      const others = new Set(gauges.map(each => each.node)).size - 1
      const name = `n${node} at ${seconds(at)}, though all is well,`
      if (timers > TIMERS_MAX) fail(`${name} has ${timers} timers`)
      if (connections > others) fail(`${name} has ${connections} connections with ${others} others`)
      if (queued > QUEUED_MAX) fail(`${name} has ${queued} runs that wait`)
      if (running > RUNNING_MAX) fail(`${name} has ${running} attempts under way`)
      if (!takesWork) fail(`${name} takes no work`)
      if (withoutWorker.length > 0) fail(`${name} finds nobody for runs of ${withoutWorker.join(' ')}`)
    }
    for (const [node, [first, last]] of ends(history)) {
      const more = last.timers - first.timers
      history.most('timers at rest max', last.timers)
      if (more > GROWTH_MAX)
        fail(`n${node} has ${more} timers more than ${seconds(last.at - first.at)} ago, and nothing happened`)
    }
  },
}

type Gauges = NonNullable<MeshHistory['tasks']>['gauges']

/** The first and the last word of each node. */
function ends(history: MeshHistory): Map<number, readonly [Gauges[number], Gauges[number]]> {
  const found = new Map<number, readonly [Gauges[number], Gauges[number]]>()
  for (const gauge of history.tasks?.gauges ?? [])
    found.set(gauge.node, [found.get(gauge.node)?.[0] ?? gauge, gauge])
  return found
}
