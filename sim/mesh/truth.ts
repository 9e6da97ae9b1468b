/**
 * MeshTruth: who is healthy, from what was done to nodes and links and not from what anybody thinks. It is asked again
 * at every change.
 *
 * - A node is **healthy** while its process runs, does not stand still, its machine is not too busy for it, and it has a good link both ways with enough
 *   others that run and don't stand still to be, with itself, a majority of all that run. A link is good if it is
 *   neither cut nor clogged, both ends speak one version, it loses at most {@link LOSS_MAX}, and is fast enough for answers to come in time.
 * - Who runs and is not healthy for lack of good links, or as all reaches it late, is **misled**: it may with reason think others dead, and its word
 *   may spread. It stays misled, also over a restart, until it was healthy for the window.
 *
 * So an alarm about a member that was healthy for the window is false, unless somebody was misled in that time.
 */

import type { SimulatedSwitch } from '../network/switch.ts'
import type { MeshNode } from './node.ts'

/** What the design bears. */
export const LOSS_MAX = 0.3

interface Health {
  /** Undefined: it is not healthy. */
  healthySince: number | undefined
  isMisled: boolean
  downSince: number | undefined
}

export class MeshTruth {
  readonly #switch: SimulatedSwitch
  readonly #nodes: readonly MeshNode[]
  readonly #health: Health[]
  readonly #windowMs: number
  readonly #latencyMsMax: number

  /**
   * `windowMs`: longer than the longest trial of a member, and the time its news takes to spread. `latencyMsMax`: of a
   * link there and one back, an answer comes in time.
   */
  constructor(
    theSwitch: SimulatedSwitch,
    nodes: readonly MeshNode[],
    windowMs: number,
    latencyMsMax = Number.POSITIVE_INFINITY,
  ) {
    this.#windowMs = windowMs
    this.#latencyMsMax = latencyMsMax
    this.#switch = theSwitch
    this.#nodes = nodes
    this.#health = nodes.map(() => ({ healthySince: undefined, isMisled: false, downSince: undefined }))
  }

  /** Something was done to a node or a link. */
  update(): void {
    const now = this.#now()
    const up = this.#nodes.filter(node => node.isUp)
    for (const node of this.#nodes) {
      const health = this.#health[node.number] as Health
      this.#relieve(health, now)
      if (node.isUp) health.downSince = undefined
      else health.downSince ??= now
      const isReachable = node.isUp && this.#reaches(node, up)
      if (isReachable && !node.isPaused && !node.isBusy) health.healthySince ??= now
      else health.healthySince = undefined
      if (node.isUp && (!isReachable || node.isBusy)) health.isMisled = true
    }
  }

  /** A new process is another one, also if it takes no time. */
  restarted(node: MeshNode): void {
    const health = this.#health[node.number] as Health
    health.healthySince = undefined
    this.update()
  }

  /** For how long it has been healthy, ms; undefined if it is not. */
  healthyMs(number: number): number | undefined {
    const since = this.#health[number]?.healthySince
    return since === undefined ? undefined : this.#now() - since
  }

  /** Somebody who may have spread a false alarm in good faith. */
  misled(): string | undefined {
    const now = this.#now()
    for (const node of this.#nodes) {
      const health = this.#health[node.number] as Health
      this.#relieve(health, now)
      // Whoever is down for so long has nothing on its way.
      const isSilent = health.downSince !== undefined && now - health.downSince > this.#windowMs
      if (health.isMisled && !isSilent) return node.name
    }
    return undefined
  }

  #relieve(health: Health, now: number): void {
    if (health.healthySince !== undefined && now - health.healthySince >= this.#windowMs)
      health.isMisled = false
  }

  #reaches(node: MeshNode, up: readonly MeshNode[]): boolean {
    let reached = 1
    for (const other of up) {
      if (other === node || other.isPaused) continue
      if (this.#isGood(node, other) && this.#isGood(other, node)) reached++
    }
    return reached > up.length / 2
  }

  #isGood(from: MeshNode, to: MeshNode): boolean {
    const { isBlocked, loss, latencyMs, jitterMs } = this.#switch.link(from.host, to.host)
    // Chances of several causes are put together: that rounds.
    return (
      !isBlocked &&
      from.wire === to.wire &&
      loss < LOSS_MAX + 1e-9 &&
      latencyMs + jitterMs <= this.#latencyMsMax
    )
  }

  #now(): number {
    return this.#switch.clock.monotonic()
  }
}
