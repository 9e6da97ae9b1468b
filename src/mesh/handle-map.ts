/**
 * Attempts as the client's worker knows them, and as the gateway does. An engine numbers its attempts by itself, so two
 * gateways may use the same number for different ones; here each gets a number that never comes again.
 */

import { CorruptBytes } from '../lib/bytes.ts'
import { ITEMS_MAX } from '../wire/frame.ts'

export class HandleMap {
  #next = 1
  /** By the client's number. */
  readonly #remote = new Map<number, number>()
  /** By the gateway's. */
  readonly #local = new Map<number, number>()

  /** Attempts under way. */
  get size(): number {
    return this.#remote.size
  }

  /** The gateway hands an attempt out: its number here. */
  begun(remote: number): number {
    if (this.#local.has(remote)) throw new CorruptBytes(`attempt ${remote} was handed out twice`)
    if (this.size >= ITEMS_MAX) throw new CorruptBytes(`more than ${ITEMS_MAX} attempts at a time`)
    const local = this.#next++
    this.#local.set(remote, local)
    this.#remote.set(local, remote)
    return local
  }

  localOf(remote: number): number | undefined {
    return this.#local.get(remote)
  }

  remoteOf(local: number): number | undefined {
    return this.#remote.get(local)
  }

  /** The worker has ended it; the gateway's number, unless the attempt was lost before. */
  ended(local: number): number | undefined {
    const remote = this.#remote.get(local)
    if (remote === undefined) return undefined
    this.#remote.delete(local)
    this.#local.delete(remote)
    return remote
  }

  /** The session is over, and its attempts with it: the numbers here of those that were under way. */
  lost(): number[] {
    const locals = [...this.#remote.keys()]
    this.#remote.clear()
    this.#local.clear()
    return locals
  }
}
