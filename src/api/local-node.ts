/** The node in the user's hands: a front of its engine's thread, and the HTTP API if it is open. */

import type { HttpServer } from '../http/server.ts'
import { Front, type FrontOptions, type FrontParts } from './front.ts'
import { NODE_EVENTS } from './listeners.ts'
import type { Node, OpenApi } from './types.ts'

export class LocalNode extends Front implements Omit<Node, 'schedule' | 'on' | 'off'> {
  readonly slot: number | undefined
  readonly address: string | undefined
  #http: (OpenApi & { readonly server: HttpServer }) | undefined
  #httpClosed: Promise<void> | undefined

  constructor(
    parts: FrontParts,
    options: FrontOptions,
    place: { readonly slot?: number | undefined; readonly address?: string | undefined } = {},
  ) {
    super(parts, options, { what: 'node', events: NODE_EVENTS })
    this.slot = place.slot
    this.address = place.address
  }

  /** The HTTP API, while it is open. */
  get http(): OpenApi | undefined {
    return this.#http && { url: this.#http.url, token: this.#http.token }
  }

  /** It is not in its user's hands before something else has come up: what happens meanwhile is told from the next turn after that. */
  async handedOutAfter(comesUp: Promise<void>): Promise<void> {
    this.listeners.hold()
    try {
      await comesUp
    } finally {
      setImmediate(() => this.listeners.tellHeld())
    }
  }

  /** The API is open; it closes with the node. */
  serve(server: HttpServer, token: string): void {
    this.#http = { url: server.url, token, server }
  }

  /** Whoever asks second waits for the same end: after close() the port is free. */
  protected override async closeRest(): Promise<void> {
    this.#httpClosed ??= this.#http?.server.close()
    this.#http = undefined
    await this.#httpClosed
  }
}
