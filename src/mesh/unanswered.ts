/**
 * What a client asked for and has no answer to yet: the messages themselves, in their order. A repeat is the same bytes,
 * so that whoever gets it a second time recognises it.
 */

export interface UnansweredMessage {
  readonly call: number
  readonly kind: 'schedule' | 'call'
  /** Tasks of a `schedule`: each has its answer. */
  readonly count: number
  /** It waits for an end, however far: no deadline. */
  readonly isPatient: boolean
  readonly bytes: Uint8Array
  /** Monotonic ms. */
  readonly since: number
}

export interface UnansweredOptions {
  readonly countMax: number
  readonly bytesMax: number
}

export class Unanswered implements Iterable<UnansweredMessage> {
  readonly #options: UnansweredOptions
  readonly #messages = new Map<number, UnansweredMessage>()
  /** Those with a deadline, oldest first. */
  readonly #impatient = new Map<number, UnansweredMessage>()
  #bytes = 0

  constructor(options: UnansweredOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#messages.size
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Those that have a deadline. */
  get impatientCount(): number {
    return this.#impatient.size
  }

  /** False, and it is not kept, if there is no room. */
  add(message: UnansweredMessage): boolean {
    const { countMax, bytesMax } = this.#options
    // One message alone is always let through: its sender has bounds of its own.
    const isFull = this.size >= countMax || (this.size > 0 && this.#bytes + message.bytes.length > bytesMax)
    if (isFull || this.#messages.has(message.call)) return false
    this.#messages.set(message.call, message)
    if (!message.isPatient) this.#impatient.set(message.call, message)
    this.#bytes += message.bytes.length
    return true
  }

  get(call: number): UnansweredMessage | undefined {
    return this.#messages.get(call)
  }

  /** It has its answer, or nobody wants one any more. */
  settle(call: number): void {
    const message = this.#messages.get(call)
    if (message === undefined) return
    this.#messages.delete(call)
    this.#impatient.delete(call)
    this.#bytes -= message.bytes.length
  }

  /** Since when the oldest message with a deadline waits. */
  get oldestSince(): number | undefined {
    for (const { since } of this.#impatient.values()) return since
    return undefined
  }

  /** Settles those with a deadline that wait since `until` or longer. */
  expire(until: number): UnansweredMessage[] {
    const expired: UnansweredMessage[] = []
    for (const message of this.#impatient.values()) {
      if (message.since > until) break
      expired.push(message)
    }
    for (const { call } of expired) this.settle(call)
    return expired
  }

  /** In the order in which they came. */
  [Symbol.iterator](): IterableIterator<UnansweredMessage> {
    return this.#messages.values()
  }
}
