/** The mesh falls into two parts that don't hear each other, and one node hears both: what it says of either is true for neither. */

import { between, type MeshFault, namesOf, pick, shuffled } from './fault.ts'

export const bridge: MeshFault = {
  name: 'bridge',
  meanMs: 45_000,
  takesNodes: false,
  plan({ random, size, isGentle }) {
    if (isGentle || size < 3) return undefined
    const rest = shuffled(random, size).slice(1)
    const count = 1 + pick(random, rest.length - 1)
    return { nodes: rest.slice(0, count), others: rest.slice(count), lastsMs: between(random, 500, 60_000) }
  },
  strike({ nodesOf, disturb, trace }, { nodes, others }) {
    const [one, other] = [nodesOf(nodes), nodesOf(others)]
    trace.note(`apart, but for who hears both: ${namesOf(one)} | ${namesOf(other)}`)
    const there = disturb(one, other, { cut: true })
    const back = disturb(other, one, { cut: true })
    return () => {
      there()
      back()
    }
  },
}
