import { beforeEach, describe, expect, test } from 'vitest'
import { PeerChannels, type SessionKind } from '../../src/mesh/peer-channels.ts'
import type { Plane } from '../../src/ports/network.ts'
import type { WorkerChannel } from '../../src/ports/worker-channel.ts'

const FRAME_MAX = 100
const WAITING_MAX = 2000

/** One side of a connection of two nodes: what it sends lies until the other takes it. */
class Side {
  readonly frameBytesMax = { liveness: 1, replication: 1, bulk: 1, calls: FRAME_MAX }
  readonly sent: Uint8Array[] = []
  readonly opened: Array<{ node: string; kind: SessionKind; log: ChannelLog }> = []
  readonly disconnects: string[] = []
  /** Frames that are taken before credit is used up. */
  credit = Number.POSITIVE_INFINITY
  readonly channels: PeerChannels

  constructor() {
    const opened = (node: string, kind: SessionKind, channel: WorkerChannel): void => {
      this.opened.push({ node, kind, log: new ChannelLog(channel) })
    }
    this.channels = new PeerChannels(this, { opened }, WAITING_MAX)
  }

  send(_: string, plane: Plane, frame: Uint8Array): boolean {
    expect(plane).toBe('calls')
    expect(frame.length).toBeLessThanOrEqual(FRAME_MAX)
    if (this.credit <= 0) return false
    this.credit--
    this.sent.push(frame)
    return true
  }

  disconnect(node: string): void {
    this.disconnects.push(node)
  }
}

class ChannelLog {
  readonly channel: WorkerChannel
  readonly frames: number[][] = []
  closedCount = 0

  constructor(channel: WorkerChannel) {
    this.channel = channel
    channel.start({
      frame: bytes => this.frames.push([...bytes]),
      closed: () => this.closedCount++,
    })
  }
}

let a: Side
let b: Side

function pass(): void {
  while (a.sent.length > 0 || b.sent.length > 0) {
    for (const frame of a.sent.splice(0)) b.channels.frame('a', frame)
    for (const frame of b.sent.splice(0)) a.channels.frame('b', frame)
  }
}

function opened(side: Side, at = 0): ChannelLog {
  const session = side.opened[at]
  if (session === undefined) throw new Error('no session was opened')
  return session.log
}

function open(side: Side, node: string, kind: SessionKind = 'node'): ChannelLog {
  const channel = side.channels.open(node, kind)
  if (channel === undefined) throw new Error('no connection')
  return new ChannelLog(channel)
}

beforeEach(() => {
  a = new Side()
  b = new Side()
  a.channels.connected('b')
  b.channels.connected('a')
})

describe('a session between peers', () => {
  test('carries frames both ways, whole and in order, and tells who opened it', () => {
    const here = open(a, 'b', 'client')
    pass()
    expect(b.opened.map(({ node, kind }) => [node, kind])).toEqual([['a', 'client']])
    here.channel.send(new Uint8Array([1]))
    here.channel.send(new Uint8Array([2, 3]))
    opened(b).channel.send(new Uint8Array([4]))
    pass()
    expect(opened(b).frames).toEqual([[1], [2, 3]])
    expect(here.frames).toEqual([[4]])
  })

  test('cuts a frame that is longer than those of the plane, and puts it together again', () => {
    const here = open(a, 'b')
    const long = Uint8Array.from({ length: 1000 }, (_, i) => i % 251)
    here.channel.send(long)
    here.channel.send(new Uint8Array([9]))
    pass()
    expect(opened(b).frames).toEqual([[...long], [9]])
  })

  test('of both sides at once does not mix with the other', () => {
    const here = open(a, 'b')
    const there = open(b, 'a')
    here.channel.send(new Uint8Array([1]))
    there.channel.send(new Uint8Array([2]))
    pass()
    opened(b).channel.send(new Uint8Array([3]))
    opened(a).channel.send(new Uint8Array([4]))
    pass()
    expect([opened(b).frames, opened(a).frames, here.frames, there.frames]).toEqual([
      [[1]],
      [[2]],
      [[3]],
      [[4]],
    ])
  })

  test('waits for credit, and goes on in order', () => {
    const here = open(a, 'b')
    a.credit = 1
    for (let i = 0; i < 5; i++) here.channel.send(new Uint8Array([i]))
    pass()
    expect(opened(b).frames).toEqual([[0]])
    a.credit = Number.POSITIVE_INFINITY
    a.channels.drained('b')
    pass()
    expect(opened(b).frames).toEqual([[0], [1], [2], [3], [4]])
  })

  test('takes no frame beyond what may wait for credit, and ends', () => {
    const here = open(a, 'b')
    const other = open(a, 'b')
    pass()
    a.credit = 0
    here.channel.send(new Uint8Array(800))
    here.channel.send(new Uint8Array(1000))
    here.channel.send(new Uint8Array(800))
    expect([here.closedCount, other.closedCount]).toEqual([1, 0])
    a.credit = Number.POSITIVE_INFINITY
    a.channels.drained('b')
    expect(a.sent.reduce((sum, { length }) => sum + length, 0)).toBeLessThanOrEqual(WAITING_MAX)
    pass()
    expect(opened(b).frames.map(({ length }) => length)).toEqual([800, 1000])
    expect([opened(b).closedCount, opened(b, 1).closedCount]).toEqual([1, 0])
    other.channel.send(new Uint8Array([1]))
    pass()
    expect(opened(b, 1).frames).toEqual([[1]])
  })

  test('ends for both when one closes it, once', () => {
    const here = open(a, 'b')
    pass()
    here.channel.close()
    here.channel.close()
    pass()
    expect([here.closedCount, opened(b).closedCount]).toEqual([1, 1])
    here.channel.send(new Uint8Array([1]))
    expect(a.sent).toEqual([])
  })

  test('ends with its connection, and one of the next connection is another', () => {
    const here = open(a, 'b')
    pass()
    a.channels.disconnected('b')
    b.channels.disconnected('a')
    expect([here.closedCount, opened(b).closedCount]).toEqual([1, 1])
    expect(a.channels.open('b', 'node')).toBeUndefined()
    a.channels.connected('b')
    b.channels.connected('a')
    open(a, 'b').channel.send(new Uint8Array([7]))
    pass()
    expect(opened(b, 1).frames).toEqual([[7]])
  })

  test.each([
    ['an unknown kind', [9, 0, 0, 0, 0, 0]],
    ['a session kind that there is not', [1, 0, 5, 0, 0, 0, 7]],
    ['a session opened in our name', [1, 1, 5, 0, 0, 0, 0]],
    ['a frame that is cut short', [1, 0]],
    ['one that is open already', [1, 0, 0, 0, 0, 0, 0]],
  ])('is not kept up with a peer that sends %s', (_, bytes) => {
    open(a, 'b')
    pass()
    b.channels.frame('a', new Uint8Array(bytes))
    expect(b.disconnects).toEqual(['a'])
  })

  test('is refused to a peer that opens too many', () => {
    for (let i = 0; i < 17; i++) open(a, 'b')
    pass()
    expect(b.opened).toHaveLength(16)
    expect(b.disconnects).toEqual(['a'])
  })
})
