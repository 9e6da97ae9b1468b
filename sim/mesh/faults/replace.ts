/**
 * A node is replaced: it leaves, or it dies and its store is forgotten by an operator at another node; and a machine with
 * an empty disk takes its place.
 */

import { between, type MeshContext, type MeshFault, pick } from './fault.ts'

/** An operator tries again until the mesh has seen that the store is not live, ms. */
const AGAIN_MS = 3000
const TRIES = 30

export const replace: MeshFault = {
  name: 'replace',
  meanMs: 90_000,
  takesNodes: true,
  renewsStore: true,
  plan: ({ random, size }) =>
    size < 4
      ? undefined
      : { nodes: [pick(random, size)], lastsMs: between(random, 8000, 30_000), amount: random.float() },
  strike(context, { nodes, amount = 0 }) {
    const [node] = context.nodesOf(nodes)
    if (node === undefined) return () => {}
    const { store } = node
    const isGraceful = amount < 0.5
    if (isGraceful) void node.leave()
    else node.kill()
    return () => {
      node.kill()
      node.wipe()
      node.start()
      if (!isGraceful && store !== undefined) forget(context, store, node.number, TRIES)
    }
  },
}

function forget(
  context: MeshContext,
  store: Parameters<MeshContext['nodes'][number]['forget']>[0],
  apart: number,
  left: number,
): void {
  const { clock, nodes, history } = context
  if (left === 0) return
  const other = nodes.find(each => each.isUp && !each.isPaused && each.number !== apart)
  const again = (): void => {
    clock.setTimer(AGAIN_MS, () => forget(context, store, apart, left - 1))
  }
  if (other === undefined) return again()
  other.forget(store).then(() => history.count('stores forgotten'), again)
}
