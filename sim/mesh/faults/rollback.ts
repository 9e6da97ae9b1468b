/** A node's disk is put back to what it was some restarts ago, as from an image: it must not go on as if it were new. */

import { between, type MeshFault, pick } from './fault.ts'

export const rollback: MeshFault = {
  name: 'rollback',
  meanMs: 60_000,
  takesNodes: true,
  renewsStore: true,
  plan: ({ random, size }) => ({
    nodes: [pick(random, size)],
    lastsMs: between(random, 5000, 30_000),
    amount: 1 + pick(random, 2),
  }),
  strike({ nodesOf, clock, history }, { nodes, lastsMs, amount = 1 }) {
    const [node] = nodesOf(nodes)
    if (node === undefined) return () => {}
    const image = node.image()
    let isOver = false
    // The starts that the image does not know.
    const again = (left: number): void => {
      if (isOver) return
      node.kill()
      node.start()
      if (left > 1) clock.setTimer(lastsMs / (amount + 1), () => again(left - 1))
    }
    again(amount)
    return () => {
      isOver = true
      node.kill()
      node.restore(image)
      history.count('disks put back')
      node.start()
    }
  },
}
