/** Links of some nodes, or all, are many times slower, and narrow. In one rack answers still come in time; far apart they may not. */

import { between, type MeshFault, pick, shuffled } from './fault.ts'

export const slowLinks: MeshFault = {
  name: 'slow-links',
  meanMs: 40_000,
  takesNodes: false,
  plan: ({ random, size }) => ({
    nodes: shuffled(random, size).slice(0, 1 + pick(random, size)),
    lastsMs: between(random, 2000, 60_000),
    amount: 10 ** (1 + 1.7 * random.float()),
  }),
  strike({ nodes: all, nodesOf, disturb, trace }, { nodes, amount = 10 }) {
    const slow = nodesOf(nodes)
    trace.note(`the links of ${slow.length} nodes are ${amount.toFixed(0)} times slower`)
    const there = disturb(slow, all, { slower: amount, bytesPerMs: 1000 })
    return there
  },
}
