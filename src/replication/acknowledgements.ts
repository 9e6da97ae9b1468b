/**
 * When a change counts: its writer, or who was asked for it again, waits until enough stores of the list have synced it,
 * itself included, of the list and the W at the time of the acknowledgement (PROTOCOLS B1, B6). W is of the roster, never
 * of who is live: with none but itself in sight a store acknowledges nothing (trace 3).
 *
 * `majority` waits for W, `any` for one, `all` for every store of the list and of each list that is not retired: what
 * makes a cancel firm. A copy in memory only counts for `any`; to be firm, all must have it wherever they have it, and W on
 * a disk.
 *
 * Those that wait stand in lines, one for each actor and number of copies, by their n: how far the stores of the list have
 * an actor's changes says how much of a line counts, so that nothing is looked at for each that goes on waiting.
 */

import type { Context, Dot } from './context.ts'
import type { Replica } from './replica.ts'

export type Copies = 'any' | 'majority' | 'all'

/** How many stores of the list have it when it counts. */
export type Acknowledged = (copies: number) => void

/** What is wanted if the caller says nothing: of two stores, one that is down must not stop the other. */
export function defaultCopies(rosterSize: number): Copies {
  return rosterSize === 2 ? 'any' : 'majority'
}

export interface AckView {
  readonly list: readonly string[]
  readonly quorum: number
  /** Members of lists that are not retired. */
  readonly former: ReadonlySet<string>
  /** What a store has synced, itself included. */
  confirmed(store: string): Context
  /** What it has outlives it. */
  isDurable(store: string): boolean
}

interface Waiting extends Dot {
  readonly copies: Copies
  readonly done: Acknowledged
}

interface Line {
  readonly actor: number
  readonly copies: Copies
  /** By n, of equal ones in the order in which they came. */
  waiting: Waiting[]
}

export class Acknowledgements {
  readonly #lines = new Map<string, Line>()
  #length = 0

  get length(): number {
    return this.#length
  }

  /** Returns how to give up: `done` is not called any more. */
  wait(dot: Dot, copies: Copies, done: Acknowledged): () => void {
    const { actor, n } = dot
    const key = `${copies} ${actor}`
    let line = this.#lines.get(key)
    if (line === undefined) {
      line = { actor, copies, waiting: [] }
      this.#lines.set(key, line)
    }
    const waiting = { actor, n, copies, done }
    line.waiting.splice(endOf(line.waiting, n), 0, waiting)
    this.#length++
    return () => this.#giveUp(key, waiting)
  }

  #giveUp(key: string, waiting: Waiting): void {
    const line = this.#lines.get(key)
    if (line === undefined) return
    let i = endOf(line.waiting, waiting.n) - 1
    while (i >= 0 && line.waiting[i] !== waiting && line.waiting[i]?.n === waiting.n) i--
    if (line.waiting[i] !== waiting) return
    line.waiting.splice(i, 1)
    this.#length--
    if (line.waiting.length === 0) this.#lines.delete(key)
  }

  /** Tells those that now count. */
  settle(view: AckView): void {
    if (this.#length === 0) return
    const told: Array<() => void> = []
    for (const [key, line] of this.#lines) {
      const end = endOf(line.waiting, reachOf(line, view))
      if (end === 0) continue
      const kept: Waiting[] = []
      for (const each of line.waiting.slice(0, end)) {
        // Below what is reached there may be holes.
        const copies = this.copiesOf(each, view)
        if (copies === undefined) kept.push(each)
        else told.push(() => each.done(copies))
      }
      line.waiting = kept.concat(line.waiting.slice(end))
      this.#length -= end - kept.length
      if (line.waiting.length === 0) this.#lines.delete(key)
    }
    for (const tell of told) tell()
  }

  /** How many have it, if it counts. */
  copiesOf(waiting: Dot & { readonly copies: Copies }, view: AckView): number | undefined {
    const { copies } = waiting
    const count = countOf(waiting, view)
    if (copies === 'any') return count >= 1 ? count : undefined
    if (count < view.quorum) return undefined
    const has = (store: string): boolean => view.confirmed(store).covers(waiting.actor, waiting.n)
    if (copies === 'all' && !(view.list.every(has) && [...view.former].every(has))) return undefined
    return count
  }

  /** What waits is given up: its callers get no answer from here. */
  clear(): void {
    this.#lines.clear()
    this.#length = 0
  }
}

export function ackViewOf(replica: Replica): AckView {
  const former = new Set<string>()
  for (const { members } of replica.lists.open) for (const store of members) former.add(store)
  return {
    list: replica.list,
    quorum: replica.parts.view().quorum,
    former,
    confirmed: store => replica.confirmed(store),
    isDurable: store => replica.isDurable(store),
  }
}

/**
 * A change is on as many disks as it takes, or too few of the list live for that; and who acts by now has it. That one asks
 * nobody any more, and would begin again what ended here as soon as this store is gone.
 */
export function isKept(replica: Replica, acks: Acknowledgements, { actor, n }: Dot): boolean {
  if (n === 0) return true
  const isLacking = (store: string): boolean =>
    replica.peers.get(store)?.active === true && !replica.confirmed(store).covers(actor, n)
  if (acks.copiesOf({ actor, n, copies: 'majority' }, ackViewOf(replica)) !== undefined)
    return !replica.others.some(isLacking)
  const view = replica.parts.view()
  return replica.list.filter(store => view.isLive(store)).length < view.quorum
}

/** How many stores of the list have a change, of those that count for so many copies; whether it is enough or not. */
export function countOf({ actor, n, copies }: Dot & { readonly copies: Copies }, view: AckView): number {
  const counts = (store: string): boolean => copies === 'any' || view.isDurable(store)
  return view.list.filter(store => counts(store) && view.confirmed(store).covers(actor, n)).length
}

/** Up to which n the changes of a line count, but for holes. */
function reachOf({ actor, copies }: Line, view: AckView): number {
  const reached = (store: string): number => view.confirmed(store).of(actor)
  if (copies === 'any') return Math.max(0, ...view.list.map(reached))
  const onDisk = view.list.filter(store => view.isDurable(store)).map(reached)
  const most = onDisk.sort((a, b) => b - a)[view.quorum - 1] ?? 0
  return copies === 'majority' ? most : Math.min(most, ...[...view.list, ...view.former].map(reached))
}

/** Behind the last of a line that is at most n. */
function endOf(waiting: readonly Waiting[], n: number): number {
  let [from, to] = [0, waiting.length]
  if (to > 0 && (waiting[to - 1] as Waiting).n <= n) return to
  while (from < to) {
    const middle = (from + to) >> 1
    if ((waiting[middle] as Waiting).n <= n) from = middle + 1
    else to = middle
  }
  return from
}
