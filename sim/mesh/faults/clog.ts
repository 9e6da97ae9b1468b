/** What goes from one node to some others stays on the way for a while, and then arrives all at once. */

import { between, type MeshFault, namesOf, oneAndMinority } from './fault.ts'

export const clog: MeshFault = {
  name: 'clog',
  meanMs: 30_000,
  takesNodes: false,
  plan({ random, size }) {
    const { one, few } = oneAndMinority(random, size)
    return { nodes: [one], others: few, lastsMs: between(random, 200, 25_000) }
  },
  strike({ nodesOf, disturb, trace }, { nodes, others }) {
    const [from, to] = [nodesOf(nodes), nodesOf(others)]
    trace.note(`clogged from ${namesOf(from)} to ${namesOf(to)}`)
    return disturb(from, to, { clog: true })
  },
}
