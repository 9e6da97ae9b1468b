/**
 * What of the calls has left this node, or waits: bounded in items and bytes, and each with a deadline. Who waits for a
 * result counts, and has none.
 */

import { CarillonError } from '../errors.ts'
import { bytesOf, type RoutedCall } from './routed-call.ts'

export interface UnderWayOptions {
  /** How long a call is asked again that nobody takes or answers, ms. Longer: fewer errors in a take-over, later ones in a cut. */
  readonly callDeadlineMs: number
  /** Most tasks and other calls that are under way to other nodes. More: longer bursts; each costs memory. */
  readonly callsMax: number
  /** Of definitions under way, bytes. */
  readonly bytesMax: number
}

export class UnderWay {
  readonly #options: UnderWayOptions
  /** By deadline. */
  readonly #watched = new Set<RoutedCall>()
  #calls = 0
  #bytes = 0

  constructor(options: UnderWayOptions) {
    this.#options = options
  }

  /** What is not there yet may not be added. */
  isFull(call: RoutedCall): boolean {
    if (call.counts > 0) return false
    return this.#calls >= this.#options.callsMax || this.#bytes >= this.#options.bytesMax
  }

  /** From now on its time runs. False: it does already, or never will. */
  watch(call: RoutedCall, now: number): boolean {
    if (call.waits || this.#watched.has(call)) return false
    call.until = now + this.#options.callDeadlineMs
    this.#watched.add(call)
    call.counts = call.left
    call.bytes = bytesOf(call)
    this.#calls += call.counts
    this.#bytes += call.bytes
    return true
  }

  /** One that waits for a result, until it is forgotten. */
  add(call: RoutedCall): void {
    call.counts = 1
    this.#calls++
  }

  forget(call: RoutedCall): void {
    this.#watched.delete(call)
    this.#calls -= call.counts
    this.#bytes -= call.bytes
    call.counts = 0
    call.bytes = 0
  }

  /** Those whose time is over. */
  expired(now: number): RoutedCall[] {
    const list: RoutedCall[] = []
    for (const call of this.#watched) {
      if (call.until > now) break
      list.push(call)
    }
    return list
  }

  /** When the next one's time is over, monotonic ms. */
  get nextAt(): number {
    for (const { until } of this.#watched) return until
    return Number.POSITIVE_INFINITY
  }

  tooMany(): CarillonError {
    const { callsMax, bytesMax } = this.#options
    const isByCount = this.#calls >= callsMax
    const what = isByCount ? `${this.#calls} tasks and calls` : `${this.#bytes} bytes of tasks`
    return new CarillonError(
      'TOO_MANY',
      `${what} wait for other nodes, at most ${isByCount ? callsMax : bytesMax} may: await earlier ones first`,
    )
  }
}
