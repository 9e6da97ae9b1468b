/** One node is cut off: it hears nobody, or nobody hears it, or both. */

import { between, type MeshFault, pick, shuffled } from './fault.ts'

export const isolate: MeshFault = {
  name: 'isolate',
  meanMs: 45_000,
  takesNodes: false,
  plan({ random, size, isGentle }) {
    if (isGentle) return undefined
    const [one, ...others] = shuffled(random, size) as [number, ...number[]]
    return { nodes: [one], others, lastsMs: between(random, 500, 90_000), amount: pick(random, 4) }
  },
  strike({ nodesOf, disturb, trace }, { nodes, others, amount }) {
    const [one, rest] = [nodesOf(nodes), nodesOf(others)]
    const isDeaf = amount !== 1
    const isDumb = amount !== 2
    const how = isDeaf && isDumb ? 'isolated' : isDeaf ? 'deaf' : 'dumb'
    trace.note(`${one[0]?.name} is ${how}`)
    const there = isDumb ? disturb(one, rest, { cut: true }) : undefined
    const back = isDeaf ? disturb(rest, one, { cut: true }) : undefined
    return () => {
      there?.()
      back?.()
    }
  },
}
