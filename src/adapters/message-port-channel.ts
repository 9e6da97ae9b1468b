/**
 * WorkerChannel over a MessagePort: frames cross as transferred buffers, so that nothing is copied. A port that
 * closes, at either end, closes the channel.
 */

import type { MessagePort } from 'node:worker_threads'
import type { WorkerChannel, WorkerChannelEvents } from '../ports/worker-channel.ts'

export class MessagePortChannel implements WorkerChannel {
  readonly #port: MessagePort
  #events: WorkerChannelEvents | undefined
  #closed = false

  constructor(port: MessagePort) {
    this.#port = port
  }

  start(events: WorkerChannelEvents): void {
    this.#events = events
    this.#port.on('message', (frame: Uint8Array) => {
      if (!this.#closed) events.frame(frame)
    })
    this.#port.on('close', () => this.#end())
  }

  send(bytes: Uint8Array): void {
    if (this.#closed) return
    // Only a frame that has its buffer to itself may be transferred: the sender's other data would go with it.
    const { buffer } = bytes
    if (buffer instanceof ArrayBuffer && buffer.byteLength === bytes.byteLength)
      this.#port.postMessage(bytes, [buffer])
    else this.#port.postMessage(bytes)
  }

  close(): void {
    this.#port.close()
    this.#end()
  }

  #end(): void {
    if (this.#closed) return
    this.#closed = true
    this.#events?.closed()
  }
}
