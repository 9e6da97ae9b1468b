/** A view of the mesh as replication asks for it: lists of stores by range, who is live, and since when who is gone. */

import type { View } from '../membership/view.ts'
import type { ReplicationView } from '../replication/host.ts'
import type { Placement } from '../ring/placement.ts'

/**
 * Since when stores are gone, as far as this process has seen it. For ever are those that were removed, and those whose node
 * lives with another store: they have no process, and what they had, nobody can tell any more. (Membership has that rule by its
 * roster, for who is away and not gone yet: members.ts. Here it is judged once for each view, for all its stores.)
 */
export class GoneSince {
  readonly #since = new Map<string, number>()
  readonly #isRemoved: (store: string) => boolean

  /** A store that is not in the roster may be one that nobody has told of yet: only a mark says that it is none any more. */
  constructor(isRemoved: (store: string) => boolean) {
    this.#isRemoved = isRemoved
  }

  /** `now`: epoch ms. */
  update({ stores }: View, now: number): void {
    const live = new Set(stores.filter(({ state }) => state === 'live').map(({ node }) => node))
    for (const { store, node, state } of stores) {
      if (state !== 'gone') this.#since.delete(store)
      else if (live.has(node)) this.#since.set(store, 0)
      else if (!this.#since.has(store)) this.#since.set(store, now)
    }
  }

  /** Who has left, or was forgotten, has nothing that anybody waits for. */
  of(store: string): number | undefined {
    return this.#isRemoved(store) ? 0 : this.#since.get(store)
  }
}

export function replicationView(
  view: View,
  placement: Placement,
  quorum: number,
  gone: GoneSince,
): ReplicationView {
  const live = new Set<string>()
  for (const { store, state } of view.stores) if (state === 'live') live.add(store)
  const roster = view.stores.map(({ store }) => store)
  // Placement gives the same list object for ranges that share one.
  const lists = new Map<unknown, readonly string[]>()
  return {
    id: view.id,
    quorum,
    list: range => {
      const stores = placement.list(range)
      let names = lists.get(stores)
      if (names === undefined) {
        names = stores.map(({ store }) => store)
        lists.set(stores, names)
      }
      return names
    },
    roster: () => roster,
    isLive: store => live.has(store),
    live: () => live,
    goneSince: store => gone.of(store),
  }
}
