/** What one node sends to some others is lost, all of it or much; the way back is good. */

import { between, type MeshFault, namesOf, oneAndMinority } from './fault.ts'

export const oneWay: MeshFault = {
  name: 'one-way',
  meanMs: 30_000,
  takesNodes: false,
  plan({ random, size }) {
    const { one, few } = oneAndMinority(random, size)
    const amount = random.float() < 0.6 ? 1 : 0.3 + 0.7 * random.float()
    return { nodes: [one], others: few, lastsMs: between(random, 2000, 90_000), amount }
  },
  strike({ nodesOf, disturb, trace }, { nodes, others, amount = 1 }) {
    const [from, to] = [nodesOf(nodes), nodesOf(others)]
    trace.note(`${(amount * 100).toFixed(0)} % from ${namesOf(from)} to ${namesOf(to)} is lost`)
    return disturb(from, to, amount === 1 ? { cut: true } : { loss: amount })
  },
}
