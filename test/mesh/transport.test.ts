/** What the replication says goes over the planes of the network, whole or not at all. */

import { describe, expect, test } from 'vitest'
import { Transport, type TransportHost } from '../../src/mesh/transport.ts'
import type { Network, NetworkEvents, Plane } from '../../src/ports/network.ts'
import { Context } from '../../src/replication/context.ts'
import type { Message } from '../../src/replication/messages.ts'
import { Actors } from '../../src/task/version.ts'

const MESH = 'ab'.repeat(16)
const STORES = { n1: '01'.repeat(16), n2: '02'.repeat(16) } as const
const ACTOR = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)

interface Sent {
  readonly peer: string
  readonly plane: Plane
  readonly frame: Uint8Array
}

/** Takes so many frames until it is drained. */
class NarrowNetwork implements Network {
  readonly self = 'n1'
  readonly addresses = []
  readonly frameBytesMax = { liveness: 100, replication: 300, bulk: 300, calls: 300 }
  readonly sent: Sent[] = []
  readonly cut: string[] = []
  credit = Number.POSITIVE_INFINITY

  async start(_: NetworkEvents): Promise<void> {}
  connect(): void {}
  forget(): void {}
  isSought(): boolean {
    return false
  }
  async stop(): Promise<void> {}
  disconnect(peer: string): void {
    this.cut.push(peer)
  }

  send(peer: string, plane: Plane, frame: Uint8Array): boolean {
    if (this.credit <= 0) return false
    this.credit--
    this.sent.push({ peer, plane, frame })
    return true
  }
}

const STALL = { quietMs: 2000, askMs: 1000, stallMs: 2500, againMs: 15_000 } as const

function bed(network = new NarrowNetwork()) {
  const actors = new Actors([ACTOR])
  const received: Message[] = []
  const renewed: string[] = []
  const time = { now: 0 }
  const host: TransportHost = {
    meshId: () => MESH,
    nodeOf: store => Object.entries(STORES).find(([, id]) => id === store)?.[0],
    heard: node => STORES[node as keyof typeof STORES],
    received: (_, message) => received.push(message),
    renew: node => renewed.push(node),
    monotonic: () => time.now,
  }
  const transport = new Transport(network, actors, host, STALL)
  return { network, transport, received, renewed, time }
}

const HAVE: Message = { type: 'have', range: 3, context: Context.from([{ actor: 0, n: 7 }]), durable: true }

function append(bytes: number): Message {
  return {
    type: 'append',
    range: 1,
    entries: [{ actor: 0, n: 1, after: [], bytes: new Uint8Array(bytes).fill(9) }],
  }
}

describe('the transport of replication', () => {
  test('sends what a turn has in one frame a plane, and the other side reads it', () => {
    const here = bed()
    const there = bed()
    here.transport.connected('n2')
    there.transport.connected('n1')
    for (let i = 0; i < 5; i++) here.transport.send(STORES.n2, HAVE)
    here.transport.send(STORES.n2, append(10))
    expect(here.network.sent).toEqual([])
    here.transport.flush()
    expect(here.network.sent.map(({ plane }) => plane)).toEqual(['replication', 'bulk'])
    for (const { plane, frame } of here.network.sent)
      there.transport.frame('n1', plane as 'replication' | 'bulk', frame)
    expect(there.received).toHaveLength(6)
    expect(there.received[0]).toMatchObject(HAVE as unknown as Record<string, unknown>)
  })

  test('keeps the parts of a long message in order until there is credit', () => {
    const here = bed()
    const there = bed()
    here.transport.connected('n2')
    there.transport.connected('n1')
    here.network.credit = 2
    here.transport.send(STORES.n2, append(2000))
    here.transport.flush()
    expect(here.network.sent).toHaveLength(2)
    here.network.credit = Number.POSITIVE_INFINITY
    here.transport.drained('n2', 'bulk')
    for (const { frame } of here.network.sent) there.transport.frame('n1', 'bulk', frame)
    expect(there.received).toHaveLength(1)
    expect(there.received[0]).toMatchObject({ type: 'append', range: 1 })
  })

  test('drops what it has for a peer when the connection ends, and begins anew with the next', () => {
    const { network, transport } = bed()
    transport.send(STORES.n2, HAVE)
    transport.flush()
    expect(network.sent).toEqual([])
    transport.connected('n2')
    network.credit = 1
    transport.send(STORES.n2, append(2000))
    transport.flush()
    transport.disconnected('n2')
    transport.connected('n2')
    network.credit = Number.POSITIVE_INFINITY
    transport.drained('n2', 'bulk')
    expect(network.sent).toHaveLength(1)
  })

  test('holds a bounded number of bytes for a peer that takes nothing', () => {
    const { network, transport } = bed()
    transport.connected('n2')
    network.credit = 0
    for (let i = 0; i < 40; i++) {
      transport.send(STORES.n2, append(900_000))
      transport.flush()
    }
    expect(transport.dropped).toBeGreaterThan(15)
    expect(transport.dropped).toBeLessThan(40)
  })

  test('ends the connection of a peer whose frames are no frames, and of nobody else', () => {
    const { network, transport, received } = bed()
    transport.connected('n2')
    transport.frame('n2', 'replication', Uint8Array.of(1, 2, 3))
    expect(network.cut).toEqual(['n2'])
    expect(transport.broken).toBe(1)
    transport.frame('n9', 'replication', Uint8Array.of(1, 2, 3))
    expect(network.cut).toEqual(['n2'])
    expect(received).toEqual([])
  })

  test('cuts a connection on which nothing arrives, though the peer answers at once', () => {
    const here = bed()
    const there = bed()
    here.transport.connected('n2')
    there.transport.connected('n1')
    here.transport.send(STORES.n2, HAVE)
    here.transport.flush()
    const questions = () => here.network.sent.filter(({ plane }) => plane === 'liveness')
    for (; here.time.now < 10_000 && here.network.cut.length === 0; here.time.now += 50) {
      const asked = questions().length
      here.transport.tick()
      for (const { frame } of questions().slice(asked)) there.transport.tallies('n1', frame)
      for (const { frame } of there.network.sent.splice(0)) here.transport.tallies('n2', frame)
    }
    expect(here.network.cut).toEqual(['n2'])
    expect(here.renewed).toEqual(['n2'])
    expect(here.transport.stalled).toBe(1)
    expect(here.time.now).toBe(5050)
    expect(questions()).toHaveLength(4)
  })

  test('asks nobody who has received all, and leaves frames alone that are none of its own', () => {
    const here = bed()
    const there = bed()
    here.transport.connected('n2')
    there.transport.connected('n1')
    here.transport.send(STORES.n2, HAVE)
    here.transport.flush()
    there.transport.frame('n1', 'replication', (here.network.sent[0] as Sent).frame)
    there.transport.tallies('n1', Uint8Array.of(0x43, 0x54, 9))
    there.transport.tallies('n1', Uint8Array.of())
    for (; here.time.now < 60_000; here.time.now += 50) {
      here.transport.tick()
      for (const { frame } of here.network.sent.splice(1)) there.transport.tallies('n1', frame)
      for (const { frame } of there.network.sent.splice(0)) here.transport.tallies('n2', frame)
    }
    expect(here.network.cut).toEqual([])
    expect(there.network.cut).toEqual([])
  })

  test('carries contexts', () => {
    const here = bed()
    const there = bed()
    here.transport.connected('n2')
    there.transport.connected('n1')
    const context = Context.from([{ actor: 0, n: 12 }])
    here.transport.send(STORES.n2, { type: 'activate', range: 2, number: 5, context })
    here.transport.flush()
    there.transport.frame('n1', 'replication', (here.network.sent[0] as Sent).frame)
    const [message] = there.received
    expect(message?.type === 'activate' && message.context.equals(context)).toBe(true)
  })
})
