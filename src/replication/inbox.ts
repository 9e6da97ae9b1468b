/**
 * What comes in for one range, one after the other. A change is applied to its record, and a copied one is merged into that
 * which is here; most records are on the disk, so they are read first, and what comes in meanwhile waits its turn. Appends
 * that follow on each other are read for at once.
 *
 * It is bounded: what is beyond is dropped, as everything is sent again. When the range is let go, what waits goes too, and
 * what was being read for is not taken any more.
 */

import type { Append, Message } from './messages.ts'

export interface InboxOptions {
  /** Messages of one range that wait for its disk. More: fewer are sent again, more memory. */
  readonly messagesMax: number
  readonly bytesMax: number
}

export interface Received<M extends Message = Message> {
  readonly from: string
  readonly message: M
}

export interface Taker {
  /** Takes them, in this order; calls back once they are taken, maybe in the same call. */
  takeAppends(appends: readonly Received<Append>[], done: () => void): void
  /** The same of any other message. */
  take(received: Received, done: () => void): void
  /** The end of a turn that a read has begun. */
  endTurn(): void
}

export class Inbox {
  readonly #options: InboxOptions
  readonly #taker: Taker
  #waiting: Received[] = []
  #bytes = 0
  #isBusy = false
  #generation = 0

  constructor(options: InboxOptions, taker: Taker) {
    this.#options = options
    this.#taker = taker
  }

  /** Something is being read for. */
  get isBusy(): boolean {
    return this.#isBusy
  }

  receive(received: Received): void {
    const { messagesMax, bytesMax } = this.#options
    const bytes = bytesOf(received.message)
    const isFull = this.#waiting.length >= messagesMax || this.#bytes + bytes > bytesMax
    if (isFull && this.#waiting.length > 0) return
    this.#waiting.push(received)
    this.#bytes += bytes
    this.#goOn()
  }

  clear(): void {
    this.#generation++
    this.#waiting = []
    this.#bytes = 0
    this.#isBusy = false
  }

  #goOn(): void {
    while (!this.#isBusy && this.#waiting.length > 0) {
      this.#isBusy = true
      const generation = this.#generation
      let isLate = false
      const done = (): void => {
        if (generation !== this.#generation) return
        this.#isBusy = false
        if (!isLate) return
        this.#goOn()
        this.#taker.endTurn()
      }
      const [first] = this.#waiting as [Received]
      if (first.message.type === 'append') this.#taker.takeAppends(this.#appends(), done)
      else this.#taker.take(this.#shift(1)[0] as Received, done)
      isLate = true
    }
  }

  #appends(): Received<Append>[] {
    const other = this.#waiting.findIndex(({ message }) => message.type !== 'append')
    return this.#shift(other < 0 ? this.#waiting.length : other) as Received<Append>[]
  }

  #shift(count: number): Received[] {
    const taken = this.#waiting.slice(0, count)
    this.#waiting = this.#waiting.slice(count)
    for (const { message } of taken) this.#bytes -= bytesOf(message)
    return taken
  }
}

function bytesOf(message: Message): number {
  if (message.type === 'append') return message.entries.reduce((sum, { bytes }) => sum + bytes.length, 0)
  if (message.type === 'copy-chunk') return message.records.reduce((sum, { length }) => sum + length, 0)
  return 0
}
