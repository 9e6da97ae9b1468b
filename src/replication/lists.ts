/**
 * Former lists of a range: who kept it under an earlier view, and may hold an acknowledged change that the stores of the
 * list of now have not. Whoever starts to act for the range asks enough of each (activation.ts), until it is retired.
 * They are on disk, travel with every exchange of tails, and are united there.
 *
 * A set with marks: of each list the latest time it became former, and the latest such time at which it was retired; of
 * equal times retired wins. Clocks only order one list's own times, and a store never takes one at or below a known one.
 *
 * Each list keeps the W that counted while it was the list. With the W of a roster that has grown since, too few of it
 * would be asked: three stores of R=5 acknowledged with two, and with the three of a roster of five one would do.
 */

export interface FormerList {
  readonly members: readonly string[]
  readonly quorum: number
  readonly formerAt: number
  /** The greatest `formerAt` at which it was retired; -Infinity: never. */
  readonly retiredAt: number
}

export class FormerLists {
  static readonly NONE = new FormerLists([])

  /** In the order of their keys. */
  readonly all: readonly FormerList[]
  #byKey: ReadonlyMap<string, FormerList> | undefined

  constructor(all: readonly FormerList[]) {
    this.all = all
  }

  /** Those that still have to be asked. */
  get open(): readonly FormerList[] {
    return this.all.filter(isOpen)
  }

  /** With a list that was the list until now. */
  add(members: readonly string[], quorum: number, now: number): FormerLists {
    const before = this.all.find(list => keyOf(list.members) === keyOf(members))
    const formerAt = Math.max(now, (before?.formerAt ?? now - 1) + 1)
    return this.join(new FormerLists([{ members, quorum, formerAt, retiredAt: Number.NEGATIVE_INFINITY }]))
  }

  /** With those retired of which `isOver` says so. */
  retire(isOver: (list: FormerList) => boolean): FormerLists {
    if (!this.all.some(list => isOpen(list) && isOver(list))) return this
    return new FormerLists(
      this.all.map(list => (isOpen(list) && isOver(list) ? { ...list, retiredAt: list.formerAt } : list)),
    )
  }

  /** Without retired ones from before an instant: nobody speaks of them any more. */
  forget(before: number): FormerLists {
    const kept = this.all.filter(list => isOpen(list) || list.formerAt >= before)
    return kept.length === this.all.length ? this : new FormerLists(kept)
  }

  join(other: FormerLists): FormerLists {
    if (other.all.length === 0 || other === this) return this
    this.#byKey ??= new Map(this.all.map(list => [keyOf(list.members), list]))
    // Mostly there is no news: each tail brings all of them.
    let lists: Map<string, FormerList> | undefined
    for (const list of other.all) {
      const key = keyOf(list.members)
      const before = (lists ?? this.#byKey).get(key)
      const joined = before === undefined ? list : joinOf(before, list)
      if (joined === before) continue
      lists ??= new Map(this.#byKey)
      lists.set(key, joined)
    }
    if (lists === undefined) return this
    return new FormerLists([...lists].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, list]) => list))
  }

  /** Lists from outside: in any order, and one may come twice. */
  static from(lists: readonly FormerList[]): FormerLists {
    const keys = lists.map(list => keyOf(list.members))
    if (keys.every((key, i) => i === 0 || (keys[i - 1] as string) < key)) return new FormerLists(lists)
    return lists.reduce((all, list) => all.join(new FormerLists([list])), FormerLists.NONE)
  }
}

/** The live ones of a list but this store; the same array as long as neither list nor view are others. */
export class Others {
  readonly #self: string
  #list: readonly string[] = []
  #view: LiveView | undefined
  #found: readonly string[] = []

  constructor(self: string) {
    this.#self = self
  }

  of(list: readonly string[], view: LiveView): readonly string[] {
    if (list === this.#list && view === this.#view) return this.#found
    this.#list = list
    this.#view = view
    this.#found = list.filter(store => store !== this.#self && view.isLive(store))
    return this.#found
  }
}

/** It never changes: another one takes its place. */
interface LiveView {
  isLive(store: string): boolean
}

export function sameMembers(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every(store => b.includes(store))
}

function isOpen(list: FormerList): boolean {
  return list.retiredAt < list.formerAt
}

function joinOf(a: FormerList, b: FormerList): FormerList {
  const formerAt = Math.max(a.formerAt, b.formerAt)
  const retiredAt = Math.max(a.retiredAt, b.retiredAt)
  // The lesser W is the safer one: more of the list have to be asked.
  const quorum = Math.min(a.quorum, b.quorum)
  if (formerAt === a.formerAt && retiredAt === a.retiredAt && quorum === a.quorum) return a
  return { members: a.members, quorum, formerAt, retiredAt }
}

/** Lists are values, and asked for often. */
const KEYS = new WeakMap<readonly string[], string>()

function keyOf(members: readonly string[]): string {
  let key = KEYS.get(members)
  if (key === undefined) {
    key = [...members].sort().join(' ')
    KEYS.set(members, key)
  }
  return key
}
