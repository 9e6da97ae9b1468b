/**
 * A node dies, and a bit on its disk is not what was written: in its journal, or in a record. The engine has to find it out and
 * to stop; an operator starts it with a repair, which makes its store another one, and puts in an empty disk if it stops again.
 */

import { between, type MeshFault, pick } from './fault.ts'

export const bitFlip: MeshFault = {
  name: 'bit-flip',
  meanMs: 60_000,
  takesNodes: true,
  renewsStore: true,
  plan: ({ random, size }) => ({ nodes: [pick(random, size)], lastsMs: between(random, 500, 20_000) }),
  strike({ nodesOf, random, history }, { nodes }) {
    const [node] = nodesOf(nodes)
    if (random.float() < 0.5) node?.kill()
    else node?.powerCut()
    if (node?.flipBit() === true) history.count('bits flipped')
    return () => node?.start()
  },
}
