/** What is used of the package, which has no types of its own. */

declare module 'multicast-dns' {
  import type { RemoteInfo, Socket } from 'node:dgram'
  import type { EventEmitter } from 'node:events'

  interface Responder extends EventEmitter {
    on(event: 'query' | 'response', listener: (packet: unknown, from: RemoteInfo) => void): this
    on(event: 'error' | 'warning', listener: (error: Error) => void): this
    on(event: 'ready', listener: () => void): this
    query(packet: object, done: (error?: Error | null) => void): void
    respond(packet: object, done: (error?: Error | null) => void): void
    destroy(done?: () => void): void
  }

  export default function makeResponder(options: {
    readonly socket: Socket
    readonly interface: string
    readonly bind: string
    readonly port: number
  }): Responder
}
