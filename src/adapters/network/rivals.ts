/**
 * Rivals: of several connections between the same two nodes, both must keep the same one. The node with the lower id
 * decides, for each as it is admitted; the other obeys.
 *
 * What stands stays: a new one is turned away. It replaces what stands only if the other side has none of it any more
 * (it has lost it, or is a new process), which it says in its hello. A hello that was written before that of the
 * connection that stands knows less, and counts as one that has it.
 */

import { CONNECTIONS_MAX, type ConnectionHello } from './admission-messages.ts'

/** What is known of a connection here. */
export interface Rival {
  readonly id: string
  readonly peer: string
  /** The peer's, as it came with this connection. */
  theirs: ConnectionHello | undefined
}

export class Rivals<T extends Rival> {
  /** Of this process. */
  readonly #boot: string
  #seq = 0
  /** Admitted as no strangers, by peer; the current one among them. */
  readonly #all = new Map<string, Set<T>>()
  readonly #current = new Map<string, T>()

  constructor(boot: string) {
    this.#boot = boot
  }

  add(rival: T): void {
    const all = this.#all.get(rival.peer)
    if (all === undefined) this.#all.set(rival.peer, new Set([rival]))
    else all.add(rival)
  }

  /** True if it was the current one. */
  delete(rival: T): boolean {
    const all = this.#all.get(rival.peer)
    all?.delete(rival)
    if (all?.size === 0) this.#all.delete(rival.peer)
    if (this.#current.get(rival.peer) !== rival) return false
    this.#current.delete(rival.peer)
    return true
  }

  current(peer: string): T | undefined {
    return this.#current.get(peer)
  }

  get all(): readonly T[] {
    return [...this.#all.values()].flatMap(all => [...all])
  }

  get currents(): Iterable<T> {
    return this.#current.values()
  }

  hello(peer: string): ConnectionHello {
    const current = this.#current.get(peer)
    const others = [...(this.#all.get(peer) ?? [])].filter(each => each !== current)
    const newest = others.slice(1 - CONNECTIONS_MAX)
    const connections = [...newest, ...(current === undefined ? [] : [current])].map(({ id }) => id)
    return { boot: this.#boot, seq: this.#seq++, connections }
  }

  /** Whether this one becomes the current one. For the lower id. */
  wins(rival: T): boolean {
    const current = this.#current.get(rival.peer)
    if (current === undefined || current === rival) return true
    const [before, now] = [current.theirs, rival.theirs]
    if (before === undefined || now === undefined || before.boot !== now.boot) return true
    return now.seq > before.seq && !now.connections.includes(current.id)
  }

  /** Makes it the current one; returns the one that was, which has to end. */
  take(rival: T): T | undefined {
    const old = this.#current.get(rival.peer)
    this.#current.set(rival.peer, rival)
    return old === rival ? undefined : old
  }
}
