/** Membership as an oracle of rumours: each store has a table of records that join, and places ranges by it. */

import { hash32 } from '../../src/lib/hash.ts'
import type { ReplicationView } from '../../src/replication/host.ts'

export interface Member {
  readonly store: string
  readonly boot: number
  readonly incarnation: number
  readonly state: 'live' | 'away' | 'gone'
  /** When it was found gone, epoch ms. */
  readonly at: number
}

const BADNESS = { live: 0, away: 1, gone: 2 } as const

export class MemberTable {
  readonly members = new Map<string, Member>()
  readonly removed = new Set<string>()

  /** True if that is news. */
  join(member: Member): boolean {
    const before = this.members.get(member.store)
    if (before !== undefined) {
      const order =
        member.boot - before.boot ||
        member.incarnation - before.incarnation ||
        BADNESS[member.state] - BADNESS[before.state]
      if (order <= 0) return false
    }
    this.members.set(member.store, member)
    return true
  }

  exchange(other: MemberTable): boolean {
    let news = false
    for (const member of other.members.values()) if (this.join(member)) news = true
    for (const store of other.removed) {
      if (this.removed.has(store)) continue
      this.removed.add(store)
      news = true
    }
    return news
  }

  /** `ofLive`: a known bug, W of those in sight. */
  view(replicas: number, ofLive = false): SimView {
    const stores = [...this.members.values()].filter(({ store }) => !this.removed.has(store))
    const counted = ofLive ? stores.filter(({ state }) => state === 'live') : stores
    return new SimView(stores, replicas, counted.length)
  }
}

export class SimView implements ReplicationView {
  readonly id: string
  readonly quorum: number
  readonly stores: readonly Member[]
  readonly #replicas: number
  readonly #byStore: Map<string, Member>
  readonly #lists = new Map<number, readonly string[]>()

  constructor(stores: readonly Member[], replicas: number, counted: number) {
    this.stores = [...stores].sort((a, b) => (a.store < b.store ? -1 : 1))
    this.#replicas = replicas
    this.#byStore = new Map(stores.map(member => [member.store, member]))
    this.quorum = Math.floor(Math.min(replicas, counted) / 2) + 1
    const text = this.stores.map(({ store, boot, state }) => `${store} ${boot} ${state}`).join()
    this.id = hash32(text, 1).toString(16).padStart(8, '0') + hash32(text, 2).toString(16).padStart(8, '0')
  }

  list(range: number): readonly string[] {
    let list = this.#lists.get(range)
    if (list === undefined) {
      list = this.#place(range)
      this.#lists.set(range, list)
    }
    return list
  }

  #place(range: number): string[] {
    const walk = this.stores
      .filter(({ state }) => state !== 'gone')
      .map(({ store }) => store)
      .sort((a, b) => hash32(`${a} ${range}`) - hash32(`${b} ${range}`))
    const first = walk.slice(0, this.#replicas)
    // Who is first of the same list may change with anybody who comes or goes, as balance asks for it.
    const turn = first.length === 0 ? 0 : walk.length % first.length
    const list = [...first.slice(turn), ...first.slice(0, turn)]
    let live = list.filter(store => this.isLive(store)).length
    for (const store of walk.slice(this.#replicas)) {
      if (live >= this.quorum) break
      if (!this.isLive(store)) continue
      list.push(store)
      live++
    }
    return list
  }

  isLive(store: string): boolean {
    return this.#byStore.get(store)?.state === 'live'
  }

  roster(): string[] {
    return this.stores.map(({ store }) => store)
  }

  live(): string[] {
    return this.stores.flatMap(({ store, state }) => (state === 'live' ? store : []))
  }

  goneSince(store: string): number | undefined {
    const member = this.#byStore.get(store)
    // A store that was removed from the roster has handed everything over.
    if (member === undefined) return Number.NEGATIVE_INFINITY
    return member.state === 'gone' ? member.at : undefined
  }
}
