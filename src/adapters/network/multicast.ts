/**
 * Multicast DNS (RFC 6762) over each IPv4 interface of the machine, by the package multicast-dns: the packets of others, and
 * ours out. A machine may have no multicast, its firewall may forbid it, interfaces come and go: none of that is an error of
 * the node. It is told, once for each interface and reason, and tried again.
 *
 * Invariant: nothing that comes from the network or the system throws out of here.
 */

import { createSocket, type RemoteInfo } from 'node:dgram'
import { isIPv4 } from 'node:net'
import { networkInterfaces } from 'node:os'
import makeResponder from 'multicast-dns'

/** An IPv4 address of this machine, and the part of the network that it reaches without a router. */
export interface Interface {
  readonly address: string
  readonly netmask: string
}

export interface MulticastEvents {
  /** Whatever was sent to the group, decoded; by whom. Its shape is not checked. */
  query(packet: unknown): void
  response(packet: unknown, from: string): void
  /** The interface can't be used now, for this reason. */
  failed(address: string, why: string): void
}

export interface MulticastOptions {
  readonly port: number
  readonly interfaces: () => readonly Interface[]
}

/** More are left out. */
const INTERFACES_MAX = 16
export const MDNS_PORT = 5353

type Responder = ReturnType<typeof makeResponder>

export class Multicast {
  readonly #options: MulticastOptions
  readonly #events: MulticastEvents
  readonly #open = new Map<string, Responder>()
  readonly #told = new Set<string>()
  #interfaces: readonly Interface[] = []

  constructor(events: MulticastEvents, options: Partial<MulticastOptions> = {}) {
    this.#options = { port: MDNS_PORT, interfaces: machineInterfaces, ...options }
    this.#events = events
  }

  /** Opens interfaces that are there now, and closes those that are no more. */
  look(): void {
    this.#interfaces = this.#options.interfaces().slice(0, INTERFACES_MAX)
    const addresses = new Set(this.#interfaces.map(({ address }) => address))
    for (const address of this.#open.keys()) if (!addresses.has(address)) this.#close(address)
    for (const address of addresses) if (!this.#open.has(address)) this.#listen(address)
  }

  query(packet: object): void {
    for (const [address, responder] of this.#open)
      this.#guard(address, () => responder.query(packet, this.#sent(address)))
  }

  /** `packetFor`: what is said over an interface; undefined: nothing. */
  respond(packetFor: (address: string) => object | undefined): void {
    for (const [address, responder] of this.#open) {
      const packet = packetFor(address)
      if (packet !== undefined) this.#guard(address, () => responder.respond(packet, this.#sent(address)))
    }
  }

  /** What was said before is sent still. */
  async stop(): Promise<void> {
    // A datagram leaves the process within its turn, unless its socket is being bound.
    await new Promise(resolve => setImmediate(resolve))
    for (const address of [...this.#open.keys()]) this.#close(address)
  }

  #listen(address: string): void {
    const { port } = this.#options
    this.#guard(address, () => {
      const socket = createSocket({ type: 'udp4', reuseAddr: true })
      // Called by the package as the socket comes up, where nobody would catch what they throw.
      socket.setMulticastTTL = quiet(socket.setMulticastTTL.bind(socket))
      socket.setMulticastLoopback = quiet(socket.setMulticastLoopback.bind(socket))
      // Bound to the address of an interface it would hear no multicast.
      const responder = makeResponder({ socket, interface: address, bind: '0.0.0.0', port })
      this.#open.set(address, responder)
      const isOurs = (): boolean => this.#open.get(address) === responder
      responder.on('query', packet => {
        if (isOurs()) this.#events.query(packet)
      })
      responder.on('response', (packet, from) => {
        if (isOurs() && this.#isNear(from)) this.#events.response(packet, from.address)
      })
      responder.on('error', error => {
        if (isOurs()) this.#failed(address, error)
      })
      responder.on('warning', error => {
        // Also a packet that is none; the system's errors have a name.
        if (isOurs() && codeOf(error) !== undefined) this.#tell(address, error)
      })
    })
  }

  /** From this link, and from where answers come (RFC 6762, 6 and 11): others are no answers. */
  #isNear({ address, port }: RemoteInfo): boolean {
    return port === this.#options.port && this.#interfaces.some(each => isOnLink(address, each))
  }

  #sent(address: string): (error?: Error | null) => void {
    return error => {
      if (error !== undefined && error !== null) this.#tell(address, error)
    }
  }

  /** Its socket is of no use any more. */
  #failed(address: string, error: unknown): void {
    this.#tell(address, error)
    this.#close(address)
  }

  #tell(address: string, error: unknown): void {
    const why = codeOf(error) ?? String(error)
    const key = `${address} ${why}`
    if (this.#told.has(key) || this.#told.size >= 4 * INTERFACES_MAX) return
    this.#told.add(key)
    this.#events.failed(address, why)
  }

  #close(address: string): void {
    const responder = this.#open.get(address)
    this.#open.delete(address)
    try {
      responder?.destroy()
    } catch {
      // Its socket had failed, and is closed.
    }
  }

  #guard(address: string, act: () => void): void {
    try {
      act()
    } catch (error) {
      this.#failed(address, error)
    }
  }
}

/** All that others can reach; on a machine without such its loopback. */
function machineInterfaces(): Interface[] {
  const all = Object.values(networkInterfaces())
    .flatMap(addresses => addresses ?? [])
    .filter(({ family }) => family === 'IPv4')
  const outer = all.filter(({ internal }) => !internal)
  return outer.length > 0 ? outer : all
}

export function isOnLink(address: string, { address: own, netmask }: Interface): boolean {
  if (!isIPv4(address)) return false
  const mask = bitsOf(netmask)
  return ((bitsOf(address) & mask) ^ (bitsOf(own) & mask)) === 0
}

function bitsOf(address: string): number {
  return address.split('.').reduce((bits, part) => (bits << 8) | Number(part), 0)
}

function quiet<Value, Result>(act: (value: Value) => Result): (value: Value) => Result {
  return value => {
    try {
      return act(value)
    } catch {
      // The default will do: 1 hop, and heard by this machine itself.
      return value as unknown as Result
    }
  }
}

function codeOf(error: unknown): string | undefined {
  const { code, syscall } = (error ?? {}) as { code?: unknown; syscall?: unknown }
  return typeof code === 'string' && syscall !== undefined ? code : undefined
}
