/**
 * Two ends of a WorkerChannel in one thread, as a MessagePort would join them: frames arrive in order, in a later
 * turn, in a buffer of their own; closing one end closes the other after what was sent before.
 */

import type { WorkerChannel, WorkerChannelEvents } from '../../src/ports/worker-channel.ts'

export function channelPair(): [WorkerChannel, WorkerChannel] {
  const a = new ChannelEnd()
  const b = new ChannelEnd()
  a.other = b
  b.other = a
  return [a, b]
}

type Item = Uint8Array | 'close'

class ChannelEnd implements WorkerChannel {
  other!: ChannelEnd
  #events: WorkerChannelEvents | undefined
  readonly #waiting: Item[] = []
  #closed = false

  start(events: WorkerChannelEvents): void {
    this.#events = events
    this.#deliver()
  }

  send(bytes: Uint8Array): void {
    if (this.#closed) return
    this.other.#receive(bytes.slice())
    // `send` takes over the frame: whoever still reads it shall notice.
    bytes.fill(0xee)
  }

  close(): void {
    if (this.#closed) return
    this.#end()
    this.other.#receive('close')
  }

  #receive(item: Item): void {
    this.#waiting.push(item)
    this.#deliver()
  }

  #deliver(): void {
    setImmediate(() => {
      if (this.#events === undefined || this.#closed) return
      const item = this.#waiting.shift()
      if (item === 'close') this.#end()
      else if (item !== undefined) this.#events.frame(item)
      if (this.#waiting.length > 0) this.#deliver()
    })
  }

  #end(): void {
    if (this.#closed) return
    this.#closed = true
    setImmediate(() => this.#events?.closed())
  }
}
