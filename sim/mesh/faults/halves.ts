/** The mesh falls into two parts of any size, and none hears anything of the other. */

import { between, type MeshFault, namesOf, pick, shuffled } from './fault.ts'

export const halves: MeshFault = {
  name: 'halves',
  meanMs: 60_000,
  takesNodes: false,
  plan({ random, size, isGentle }) {
    if (isGentle) return undefined
    const all = shuffled(random, size)
    const count = 1 + pick(random, size - 1)
    return { nodes: all.slice(0, count), others: all.slice(count), lastsMs: between(random, 500, 90_000) }
  },
  strike({ nodesOf, disturb, trace }, { nodes, others }) {
    const [one, other] = [nodesOf(nodes), nodesOf(others)]
    trace.note(`cut off from each other: ${namesOf(one)} | ${namesOf(other)}`)
    const there = disturb(one, other, { cut: true })
    const back = disturb(other, one, { cut: true })
    return () => {
      there()
      back()
    }
  },
}
