/**
 * Placement: which stores keep each range, and which acts for it. A pure function of the view's content: the same
 * stores in any order, on any node, at any time give the same answers, and nothing of the table before is asked.
 * Made anew at each change of the view.
 *
 * Being away moves no data: the lists are made from all that are not gone, live or away, and only the owner, the
 * first live one, changes. A list in which fewer than W are live gets stand-ins behind its end, the next live stores
 * of its walk; they come and go with who is away, and never change what stands before them.
 *
 * With ownership 'single' one list serves all ranges: that of range 0 without bounds. One node acts for everything,
 * the others of the list stand by hot; copies are as many as ever, work is not spread.
 */

import { invariant } from '../invariant.ts'
import { listsOf } from './lists.ts'
import { ownersOf } from './owners.ts'
import { Ring } from './ring.ts'
import { ownerBounds, placeBounds, type Zones, zonesOf } from './shares.ts'

/** The greatest number of ranges: `rangeOf` has no more bits to tell more apart. */
const RANGES_MAX = 65_536
const WEIGHT_MAX = 100

export interface RingStore {
  /** 32 hex digits; no two stores have the same. */
  readonly store: string
  readonly node: string
  /** What may fail together; '' is none, and then the node is a zone of its own. */
  readonly zone: string
  /** 1 to 100, whole. */
  readonly weight: number
  readonly state: 'live' | 'away' | 'gone'
}

export interface PlacementOptions {
  /** Q: a power of two, at most 65,536. */
  readonly ranges: number
  /** R: in how many stores a range is kept, where there are as many. */
  readonly replicas: number
  readonly ownership: 'spread' | 'single'
}

/** What differs for one range between two placements. */
export interface Move {
  readonly range: number
  /** Now in the list, and not before. */
  readonly joined: readonly RingStore[]
  /** Before in the list, and no longer. */
  readonly left: readonly RingStore[]
  readonly ownerBefore: RingStore | undefined
  readonly owner: RingStore | undefined
}

export class Placement {
  /** All stores of the roster, sorted by id. */
  readonly stores: readonly RingStore[]
  readonly options: PlacementOptions
  /** W: a majority of min(R, stores in the roster, away and gone ones too). */
  readonly quorum: number
  /** How many members a list has before its stand-ins: min(R, stores that are not gone). */
  readonly places: number
  readonly #lists: readonly (readonly RingStore[])[]
  #rangesByStore: ReadonlyMap<string, readonly number[]> | undefined

  constructor(stores: readonly RingStore[], options: PlacementOptions) {
    const { ranges, replicas } = options
    invariant(
      Number.isInteger(Math.log2(ranges)) && ranges >= 1 && ranges <= RANGES_MAX,
      `${ranges} ranges are a power of two up to ${RANGES_MAX}`,
    )
    invariant(Number.isSafeInteger(replicas) && replicas >= 1, `replicas are 1 or more, not ${replicas}`)
    for (const { store, weight } of stores)
      invariant(
        Number.isSafeInteger(weight) && weight >= 1 && weight <= WEIGHT_MAX,
        `store ${store} has a whole weight from 1 to ${WEIGHT_MAX}, not ${weight}`,
      )
    this.stores = [...stores].sort(byId)
    this.stores.forEach(({ store }, i) => {
      invariant(store !== this.stores[i + 1]?.store, `store ${store} is in a view once`)
    })
    this.options = options
    this.quorum = Math.floor(Math.min(replicas, stores.length) / 2) + 1
    const members = this.stores.filter(({ state }) => state !== 'gone')
    this.places = Math.min(replicas, members.length)
    this.#lists = listsFor(members, options, this.places, this.quorum)
  }

  /** The preference list: distinct stores, the one that owns the range while all are live first; stand-ins last. */
  list(range: number): readonly RingStore[] {
    const list = this.#lists[range]
    invariant(list !== undefined, `range ${range} is one of ${this.options.ranges}`)
    return list
  }

  /** The first live one of the list that is ready. Undefined: nobody acts for the range. */
  owner(
    range: number,
    isReady: (store: RingStore, range: number) => boolean = () => true,
  ): RingStore | undefined {
    return this.list(range).find(store => store.state === 'live' && isReady(store, range))
  }

  /** The ranges in whose lists a store is, also as a stand-in; ascending. */
  rangesOf(store: string): readonly number[] {
    this.#rangesByStore ??= this.#index()
    return this.#rangesByStore.get(store) ?? []
  }

  /** The ranges that differ from those of `before`: in who is in the list, or in the first live one. */
  moved(before: Placement): Move[] {
    const { ranges } = this.options
    invariant(ranges === before.options.ranges, 'a mesh has the same ranges for ever')
    const moves: Move[] = []
    for (let range = 0; range < ranges; range++) {
      const [then, now] = [before.list(range), this.list(range)]
      const joined = now.filter(({ store }) => !then.some(other => other.store === store))
      const left = then.filter(({ store }) => !now.some(other => other.store === store))
      const [ownerBefore, owner] = [before.owner(range), this.owner(range)]
      if (joined.length > 0 || left.length > 0 || ownerBefore?.store !== owner?.store)
        moves.push({ range, joined, left, ownerBefore, owner })
    }
    return moves
  }

  #index(): Map<string, number[]> {
    const index = new Map<string, number[]>()
    this.#lists.forEach((list, range) => {
      for (const { store } of list) {
        const ranges = index.get(store)
        if (ranges === undefined) index.set(store, [range])
        else ranges.push(range)
      }
    })
    return index
  }
}

/** By code units, which is the same everywhere; a locale is not. */
function byId(a: RingStore, b: RingStore): number {
  if (a.store === b.store) return 0
  return a.store < b.store ? -1 : 1
}

function listsFor(
  members: readonly RingStore[],
  { ranges, ownership }: PlacementOptions,
  places: number,
  quorum: number,
): (readonly RingStore[])[] {
  if (members.length === 0) return new Array(ranges).fill([])
  const weights = members.map(({ weight }) => weight)
  const zones = zonesOf(members.map(zoneName), places)
  const single = ownership === 'single'
  const tables = single ? 1 : ranges
  const ring = new Ring(members, tables)
  const bounds = single ? undefined : placeBounds(weights, zones, ranges, places)
  const numbers = listsOf(ring, zones, tables, places, bounds)
  const owners = single ? numbers.subarray(0, 1) : ownersOf(numbers, ranges, ownerBounds(weights, ranges))
  const isLive = members.map(({ state }) => state === 'live')
  const lists: (readonly RingStore[])[] = []
  for (let range = 0; range < tables; range++) {
    const inWalkOrder = numbers.subarray(range * places, (range + 1) * places)
    const list = inOrder(inWalkOrder, owners[range] as number, zones)
    addStandIns(list, range, ring, isLive, quorum)
    lists.push(list.map(member => members[member] as RingStore))
  }
  return single ? new Array(ranges).fill(lists[0]) : lists
}

/** Names of zones and of nodes do not meet. */
function zoneName({ zone, node }: RingStore): string {
  return zone === '' ? `node ${node}` : `zone ${zone}`
}

/** The owner first, then in the order of the walk, and of each zone all first ones before any second one. */
function inOrder(members: Int32Array, owner: number, { zoneOf }: Zones): number[] {
  const list = [owner]
  for (const member of members) if (member !== owner) list.push(member)
  const turnOf = (member: number, at: number) => {
    let turn = 0
    for (let i = 0; i < at; i++) if (zoneOf[list[i] as number] === zoneOf[member]) turn++
    return turn
  }
  const turns = list.map(turnOf)
  if (turns.every(turn => turn === 0)) return list
  return list
    .map((member, at) => ({ member, turn: turns[at] as number }))
    .sort((a, b) => a.turn - b.turn)
    .map(({ member }) => member)
}

function addStandIns(
  list: number[],
  range: number,
  ring: Ring,
  isLive: readonly boolean[],
  quorum: number,
): void {
  let missing = quorum - list.filter(member => isLive[member]).length
  if (missing <= 0) return
  const listed = new Set(list)
  ring.walk(range, member => {
    if (isLive[member] && !listed.has(member)) {
      list.push(member)
      missing--
    }
    return missing === 0
  })
}
