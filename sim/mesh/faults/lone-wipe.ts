/**
 * A node is cut off, and goes on for a while; then its disk is lost, before anybody else heard what it was asked for
 * meanwhile. What it could not share must not have counted.
 */

import { between, type MeshFault, shuffled } from './fault.ts'

export const loneWipe: MeshFault = {
  name: 'lone-wipe',
  meanMs: 40_000,
  takesNodes: true,
  renewsStore: true,
  plan({ random, size, isGentle }) {
    if (isGentle || size < 3) return undefined
    const [one, ...others] = shuffled(random, size) as [number, ...number[]]
    return { nodes: [one], others, lastsMs: between(random, 3000, 20_000) }
  },
  strike({ nodesOf, disturb, clock, trace }, { nodes, others, lastsMs }) {
    const [one, rest] = [nodesOf(nodes), nodesOf(others)]
    const [node] = one
    trace.note(`${node?.name} is isolated, and is about to lose its disk`)
    const there = disturb(one, rest, { cut: true })
    const back = disturb(rest, one, { cut: true })
    const lost = clock.setTimer(lastsMs * 0.8, () => {
      node?.powerCut()
      node?.wipe()
    })
    return () => {
      lost.cancel()
      there()
      back()
      node?.start()
    }
  },
}
