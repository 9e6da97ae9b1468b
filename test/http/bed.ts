/** A real node with a real server on loopback, and one request in a line. */

import { connect } from 'node:net'
import type { CreateNodeOptions, Handlers, Node } from '../../src/api/types.ts'
import { createNode } from '../../src/index.ts'

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: { readonly [field: string]: unknown } & {
    readonly error?: { readonly code: string; readonly message: string; readonly field?: string }
  }
}

export class ApiBed {
  readonly node: Node<Handlers>
  readonly url: string
  readonly token: string
  readonly #held: Array<() => void>

  private constructor(node: Node<Handlers>, held: Array<() => void>) {
    this.node = node
    this.#held = held
    this.url = node.http?.url ?? ''
    this.token = node.http?.token ?? ''
  }

  static async open(options: CreateNodeOptions<Handlers> = {}): Promise<ApiBed> {
    const held: Array<() => void> = []
    const node = await createNode<Handlers>({
      http: '127.0.0.1:0',
      handlers: {
        double: run => run.payload * 2,
        fail: () => {
          throw new Error('it failed')
        },
        // Runs until it is released.
        hold: () => new Promise<void>(resolve => held.push(resolve)),
        talk: run => run.log('hello', run.payload),
      },
      ...options,
    })
    return new ApiBed(node, held)
  }

  release(): void {
    for (const each of this.#held.splice(0)) each()
  }

  async request(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    return {
      status: response.status,
      headers: response.headers,
      body: (await response.json()) as Answer['body'],
    }
  }

  /** Sends raw bytes, and resolves with all that came back when the server has closed, or after `waitMs`. */
  raw(bytes: string, waitMs = 2000): Promise<string> {
    const { hostname, port } = new URL(this.url)
    return new Promise(resolve => {
      const socket = connect(Number(port), hostname)
      let text = ''
      const timer = setTimeout(() => socket.destroy(), waitMs)
      socket.setEncoding('latin1').on('data', (more: string) => {
        text += more
        if (text.includes('\r\n\r\n') && text.includes('"error"')) socket.destroy()
      })
      socket.on('error', () => undefined)
      socket.on('close', () => {
        clearTimeout(timer)
        resolve(text)
      })
      socket.write(bytes, 'latin1')
    })
  }

  async close(): Promise<void> {
    this.release()
    await this.node.close({ graceMs: 100 })
  }
}
