/** Who acts for the ranges and keeps them, and where copies are missing: the view's placement, with what is known of readiness. */

import type { View } from '../membership/view.ts'
import { defaultCopies } from '../replication/acknowledgements.ts'
import type { Placement, RingStore } from '../ring/placement.ts'
import type { RangeView, RingView } from '../task/views.ts'

/** What this node knows of a range beside the view. */
export interface KnownRange {
  readonly list: readonly string[]
  owner(): string | undefined
  isReadyAt(store: string): boolean
}

export interface RingParts {
  readonly view: View
  readonly placement: Placement
  /** Undefined: this node has nothing to do with the range. */
  readonly known: (range: number) => KnownRange | undefined
}

export function ringView(
  parts: RingParts,
  asked?: { readonly id: string; readonly range: number },
): RingView {
  const { view, placement } = parts
  const owned = new Map<string, number>()
  for (let range = 0; range < view.ranges; range++) {
    const owner = ownerOf(parts, range)
    if (owner !== undefined) owned.set(owner, (owned.get(owner) ?? 0) + 1)
  }
  const byNode = Map.groupBy(view.stores, ({ node }) => node)
  const nodes = [...byNode].map(([node, stores]) => {
    const count = sum(stores.map(({ store }) => owned.get(store) ?? 0))
    return {
      node,
      stores: stores.map(({ store, state }) => ({ store, state })),
      weight: Math.max(...stores.map(({ weight }) => weight)),
      owned: count,
      kept: sum(stores.map(({ store }) => placement.rangesOf(store).length)),
      share: count / view.ranges,
    }
  })
  return {
    view: view.id,
    ranges: view.ranges,
    replicas: view.replicas,
    nodes: nodes.toSorted((a, b) => (a.node < b.node ? -1 : 1)),
    unowned: view.ranges - sum(nodes.map(each => each.owned)),
    range: asked === undefined ? null : rangeView(parts, asked.id, asked.range),
  }
}

/** How many ranges lack copies; see MeshView. */
export function shortages(parts: RingParts): {
  readonly belowReplicas: number
  readonly belowQuorum: number
} {
  const { view, placement } = parts
  const wanted = Math.min(view.replicas, view.stores.length)
  const enough = defaultCopies(view.stores.length) === 'any' ? 1 : placement.quorum
  let [belowReplicas, belowQuorum] = [0, 0]
  for (let range = 0; range < view.ranges; range++) {
    const live = placement.list(range).filter(({ state }) => state === 'live')
    if (live.filter(store => isReady(parts, range, store) !== false).length < wanted) belowReplicas++
    if (live.length < enough) belowQuorum++
  }
  return { belowReplicas, belowQuorum }
}

function rangeView(parts: RingParts, id: string, range: number): RangeView {
  const owner = ownerOf(parts, range)
  const list = parts.placement.list(range).map(each => {
    const { store, node, state } = each
    return { store, node, state, acts: store === owner, ready: isReady(parts, range, each) }
  })
  return { id, range, list }
}

function ownerOf({ known, placement }: RingParts, range: number): string | undefined {
  const here = known(range)
  return here === undefined ? placement.owner(range)?.store : here.owner()
}

function isReady({ known }: RingParts, range: number, { store }: RingStore): boolean | null {
  const here = known(range)
  return here?.list.includes(store) === true ? here.isReadyAt(store) : null
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0)
}
