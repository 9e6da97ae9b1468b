/**
 * What each node is from when on, as a reader of the run sees it: from its process and its links, not from what anybody
 * thinks of it.
 */

import type { EngineNode } from './engine-node.ts'
import type { MeshHistory, NodeState } from './history.ts'
import type { MeshTruth } from './truth.ts'

export class NodeStates {
  readonly #nodes: readonly EngineNode[]
  readonly #truth: MeshTruth
  readonly #history: MeshHistory
  readonly #latest = new Map<number, NodeState>()

  constructor(nodes: readonly EngineNode[], truth: MeshTruth, history: MeshHistory) {
    this.#nodes = nodes
    this.#truth = truth
    this.#history = history
  }

  /** Something was done to a node or a link. */
  update(): void {
    for (const node of this.#nodes) {
      const state = this.#stateOf(node)
      if (this.#latest.get(node.number) === state) continue
      this.#latest.set(node.number, state)
      this.#history.states.push({ at: this.#history.now, node: node.number, state })
    }
  }

  #stateOf(node: EngineNode): NodeState {
    if (node.isStopping) return 'stopping'
    if (!node.isUp) return node.isRetired ? 'apart' : 'down'
    if (node.isPaused) return 'paused'
    if (node.life === undefined) return 'starting'
    return this.#truth.healthyMs(node.number) === undefined ? 'cut-off' : 'up'
  }
}
