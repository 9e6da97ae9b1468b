/**
 * What every Network keeps. `pass(ms)` lets time go by: really for the real one, at once for a virtual clock. What an
 * adapter can't be made to do (a process that dies, a stranger at the door) is tested only where it says so. The links
 * are good: what faults do is the simulated network's own test.
 */

import { afterEach, describe, expect, test } from 'vitest'
import type { Network, Plane } from '../../src/ports/network.ts'
import { NetworkLog } from '../support/network-log.ts'

export interface NetworkBed {
  /** Not started. Each has its own id, and listens at its address once it is. */
  readonly nodes: readonly Network[]
  /** Where the node will listen: known before it starts, so that it can be dialled too early. */
  addressOf(node: number): string
  /** The node's process dies, as by kill -9. Where `supports.kill`. */
  kill?(node: number): void
  pass(ms: number): Promise<void>
  dispose(): Promise<void>
}

export interface BedOptions {
  readonly count: number
  /** This node knows another secret. Where `supports.strangers`. */
  readonly stranger?: number
  /** This node takes no frames longer than so many bytes, on any plane. Where `supports.frameLimits`. */
  readonly small?: { readonly node: number; readonly frameBytesMax: number }
}

export interface NetworkSupports {
  readonly kill: boolean
  readonly strangers: boolean
  readonly frameLimits: boolean
}

interface Flow {
  readonly from: NetworkLog
  readonly to: NetworkLog
  readonly plane: Plane
  readonly frames: readonly Uint8Array[]
}

const ORDERED = ['replication', 'bulk', 'calls'] as const
const PLANES = ['liveness', ...ORDERED] as const
/** Within this all that is about to happen on a good network has happened; ms. */
const SOON_MS = 20_000
/** More than any adapter should take before it says that its credit is used up. */
const CREDIT_BYTES_MAX = 64 * 1024 * 1024

export function networkConformance(
  name: string,
  make: (options: BedOptions) => Promise<NetworkBed>,
  supports: NetworkSupports,
): void {
  describe(`${name} keeps the contract of Network`, () => {
    let bed: NetworkBed
    let running: NetworkLog[] = []

    afterEach(async () => {
      for (const log of running.splice(0)) await settled(log.stop())
      await bed.dispose()
    })

    async function until(what: string, predicate: () => boolean): Promise<void> {
      for (let ms = 0; ms < SOON_MS && !predicate(); ms += 5) await bed.pass(5)
      expect(predicate(), what).toBe(true)
    }

    /** Lets time pass until the promise has settled. */
    async function settled(promise: Promise<void>): Promise<void> {
      let isDone = false
      const done = (): void => {
        isDone = true
      }
      promise.then(done, done)
      await until('a promise settles', () => isDone)
      await promise
    }

    async function start(log: NetworkLog): Promise<void> {
      await settled(log.start())
      running.push(log)
    }

    /** Makes nodes, and starts the first `started` of them. */
    async function nodes<N extends number>(
      count: N,
      options: Omit<BedOptions, 'count'> & { readonly started?: number } = {},
    ): Promise<Tuple<N>> {
      bed = await make({ count, ...options })
      const logs = bed.nodes.map(network => new NetworkLog(network))
      for (const log of logs.slice(0, options.started ?? count)) await start(log)
      return logs as Tuple<N>
    }

    async function bothConnected(a: NetworkLog, b: NetworkLog): Promise<void> {
      await until('both are connected', () => a.isConnected(b.self) && b.isConnected(a.self))
    }

    /** The first has dialled the second. */
    async function pair(options: Omit<BedOptions, 'count'> = {}): Promise<[NetworkLog, NetworkLog]> {
      const [a, b] = await nodes(2, options)
      a.connect(bed.addressOf(1))
      await bothConnected(a, b)
      return [a, b]
    }

    /** Sends all of all flows, each as its credit allows. */
    async function pump(flows: readonly Flow[]): Promise<void> {
      const rest = flows.map(flow => ({ flow, at: 0, refusedAt: -1 }))
      const goOn = (each: (typeof rest)[number]): boolean => {
        const { from, to, plane, frames } = each.flow
        if (each.refusedAt === from.drainedCount(to.self, plane)) return false
        while (each.at < frames.length && from.send(to.self, plane, frames[each.at] as Uint8Array)) each.at++
        each.refusedAt = each.at < frames.length ? from.drainedCount(to.self, plane) : -1
        return each.at === frames.length
      }
      await until('all is sent', () => rest.map(goOn).every(done => done))
    }

    test('names itself, and its addresses once it has started', async () => {
      const [a, b] = await nodes(2)
      expect(a.self).not.toBe(b.self)
      expect(a.network.addresses).toContain(bed.addressOf(0))
    })

    test('connects two nodes, and tells both once, the dialler with the address', async () => {
      const [a, b] = await pair()
      await bed.pass(500)
      expect(a.told).toEqual([`connected ${b.self} at ${bed.addressOf(1)}`])
      expect(b.told).toEqual([`connected ${a.self} at undefined`])
    })

    test('holds one connection to an address that it was given twice', async () => {
      const [a, b] = await pair()
      a.connect(bed.addressOf(1))
      await bed.pass(500)
      expect([a.told.length, b.told.length]).toEqual([1, 1])
    })

    test('ends in one connection when both sides dial, at once or one after the other', async () => {
      const [a, b, c] = await nodes(3)
      a.connect(bed.addressOf(1))
      b.connect(bed.addressOf(0))
      c.connect(bed.addressOf(0))
      await bothConnected(a, b)
      await bothConnected(a, c)
      a.connect(bed.addressOf(2))
      await bed.pass(2000)
      const ways = [
        [a, b],
        [b, a],
        [a, c],
        [c, a],
      ] as const
      for (const [one, other] of ways) expect(connections(one, other)).toBe(1)
      await pump(ways.map(([from, to]) => ({ from, to, plane: 'bulk', frames: [numbered(1, 9)] })))
      await until('each has heard each', () => ways.every(([a, b]) => b.framesFrom(a.self).length === 1))
    })

    test('carries frames of every size on the ordered planes', async () => {
      const [a, b] = await pair()
      for (const plane of ORDERED) {
        const frames = [1, 2, 1000, a.network.frameBytesMax[plane]].map(length => numbered(length, length))
        await pump([{ from: a, to: b, plane, frames }])
        await until('all have arrived', () => b.framesFrom(a.self, plane).length === frames.length)
        expect(differences(b.framesFrom(a.self, plane), frames)).toEqual([])
      }
      expect(b.frames.every(({ frame }) => frame.constructor === Uint8Array)).toBe(true)
    })

    test('carries frames of every size on the liveness plane, if they are sent often enough', async () => {
      const [a, b] = await pair()
      for (const length of [1, 2, 1000, a.network.frameBytesMax.liveness]) {
        const frame = numbered(length, length)
        const arrived = (): boolean => b.framesFrom(a.self, 'liveness').some(each => same(each, frame))
        for (let tries = 0; tries < 20 && !arrived(); tries++) {
          a.send(b.self, 'liveness', frame)
          await bed.pass(50)
        }
        expect(arrived()).toBe(true)
      }
      // Nothing arrives that was not sent.
      expect(new Set(b.frames.map(({ frame }) => frame.length)).size).toBe(4)
    })

    test('keeps the order of each ordered plane, both ways at once, each frame once', async () => {
      const [a, b] = await pair()
      const frames = Array.from({ length: 3000 }, (_, at) => numbered(at, 4 + ((at * 131) % 3000)))
      const flows = ORDERED.flatMap(plane => [
        { from: a, to: b, plane, frames },
        { from: b, to: a, plane, frames },
      ])
      await pump(flows)
      await until('all have arrived', () =>
        flows.every(({ from, to, plane }) => to.framesFrom(from.self, plane).length >= frames.length),
      )
      for (const { from, to, plane } of flows) {
        expect(differences(to.framesFrom(from.self, plane), frames)).toEqual([])
      }
    })

    test('takes only as much as its credit, and tells when there is room again', async () => {
      const [a, b] = await pair()
      for (const plane of ORDERED) {
        const frame = numbered(3, a.network.frameBytesMax[plane])
        let taken = 0
        while (a.send(b.self, plane, frame)) {
          taken += frame.length
          expect(taken).toBeLessThan(CREDIT_BYTES_MAX)
        }
        expect(taken).toBeGreaterThanOrEqual(frame.length)
        expect(a.drainedCount(b.self, plane)).toBe(0)
        await until('there is room', () => a.drainedCount(b.self, plane) > 0)
        expect(a.send(b.self, plane, frame)).toBe(true)
        await until('what was taken has arrived, and nothing else', () => {
          const bytes = b.framesFrom(a.self, plane).reduce((sum, each) => sum + each.length, 0)
          return bytes === taken + frame.length
        })
      }
    })

    test('sends what is sent in the event that tells of the connection', async () => {
      const [a, b] = await nodes(2)
      for (const log of [a, b]) log.onConnected = peer => void log.send(peer, 'replication', numbered(1, 4))
      a.connect(bed.addressOf(1))
      await until('both have heard the other', () => a.frames.length === 1 && b.frames.length === 1)
    })

    test('leaves a frame to whoever receives it: nobody else sees what is done to it', async () => {
      const [a, b, c] = await nodes(3)
      for (const log of [b, c]) log.onFrame = ({ frame }) => expect(same(frame, numbered(5, 500))).toBe(true)
      a.connect(bed.addressOf(1))
      a.connect(bed.addressOf(2))
      await bothConnected(a, b)
      await bothConnected(a, c)
      const frame = numbered(5, 500)
      for (const to of [b, c]) a.send(to.self, 'replication', frame)
      await until('both have it', () => b.frames.length === 1 && c.frames.length === 1)
      for (const log of [b, c]) {
        log.frames[0]?.frame.fill(0)
        a.send(log.self, 'replication', frame)
      }
      await until('both have it again', () => b.frames.length === 2 && c.frames.length === 2)
    })

    test('refuses a frame that is empty or too long, and lets the connection be', async () => {
      const [a, b] = await pair()
      for (const plane of PLANES) {
        expect(() => a.send(b.self, plane, new Uint8Array(0))).toThrow('invariant')
        const tooLong = new Uint8Array(a.network.frameBytesMax[plane] + 1)
        expect(() => a.send(b.self, plane, tooLong)).toThrow('invariant')
      }
      await bed.pass(500)
      expect([a.isConnected(b.self), b.frames.length]).toEqual([true, 0])
    })

    test('takes no frame for whom it has no connection with', async () => {
      const [a, b] = await pair()
      expect(a.send('nobody', 'replication', numbered(1, 4))).toBe(false)
      a.forget(bed.addressOf(1))
      a.disconnect(b.self)
      expect(a.send(b.self, 'replication', numbered(1, 4))).toBe(false)
      await until('the peer knows', () => !b.isConnected(a.self))
      expect(b.send(a.self, 'replication', numbered(1, 4))).toBe(false)
      await bed.pass(500)
      expect([a.frames.length, b.frames.length]).toEqual([0, 0])
    })

    test('ends a connection on both sides, tells each once why, and dials again', async () => {
      const [a, b] = await pair()
      a.disconnect(b.self)
      a.disconnect(b.self)
      await until('both know', () => a.told.length > 1 && b.told.length > 1)
      expect(a.told[1]).toBe(`disconnected ${b.self}: closed`)
      expect(b.told[1]).toMatch(new RegExp(`^disconnected ${a.self}: (?:closed|reset)$`))
      await bothConnected(a, b)
      expect([connections(a, b), connections(b, a)]).toEqual([2, 2])
      b.disconnect(a.self)
      await until('it is back', () => connections(a, b) === 3 && connections(b, a) === 3)
    })

    test('dials no more whom it has forgotten, and leaves the connection that stands', async () => {
      const [a, b] = await pair()
      a.forget(bed.addressOf(1))
      await bed.pass(500)
      expect(a.isConnected(b.self)).toBe(true)
      b.disconnect(a.self)
      await until('both know', () => !a.isConnected(b.self) && !b.isConnected(a.self))
      await bed.pass(3000)
      expect(connections(a, b)).toBe(1)
      a.forget('never dialled')
    })

    test('tells of each dial that nobody takes, waits longer after each, and gets through when somebody does', async () => {
      const [a, b] = await nodes(2, { started: 1 })
      const failed = `dial of ${bed.addressOf(1)} failed: refused`
      a.connect(bed.addressOf(1))
      expect(a.isSought(bed.addressOf(1))).toBe(true)
      await until('it was refused', () => a.count(failed) >= 3)
      const before = a.count(failed)
      await bed.pass(3000)
      expect(a.told.every(line => line === failed)).toBe(true)
      expect(a.count(failed) - before).toBeLessThan(12)
      await start(b)
      await bothConnected(a, b)
      expect(connections(a, b)).toBe(1)
    })

    test('dials no more once it has forgotten whom it did not reach', async () => {
      const [a] = await nodes(2, { started: 1 })
      a.connect(bed.addressOf(1))
      await until('it was refused', () => a.told.length >= 1)
      a.forget(bed.addressOf(1))
      await bed.pass(100)
      const before = a.told.length
      await bed.pass(3000)
      expect(a.told.length).toBe(before)
    })

    test('seeks who is at an address until the first dial has shown it, whoever else has dialled', async () => {
      const [a, b, c] = await nodes(3, { started: 2 })
      const addresses = [0, 1, 2].map(node => bed.addressOf(node)) as [string, string, string]
      expect(addresses.map(address => a.isSought(address))).toEqual([false, false, false])
      for (const address of addresses) a.connect(address)
      b.connect(addresses[0])
      expect(addresses.map(address => a.isSought(address))).toEqual([true, true, true])
      await bothConnected(a, b)
      await until('all have shown who is there', () => addresses.every(address => !a.isSought(address)))
      await start(c)
      await bothConnected(a, c)
      a.disconnect(c.self)
      await bed.pass(500)
      expect(a.isSought(addresses[2])).toBe(false)
      a.forget(addresses[2])
      expect(a.isSought(addresses[2])).toBe(false)
    })

    test('does not connect to itself', async () => {
      const [a] = await nodes(1)
      a.connect(bed.addressOf(0))
      await until('it was rejected', () => a.told.length >= 1)
      expect(new Set(a.told)).toEqual(new Set([`dial of ${bed.addressOf(0)} failed: rejected`]))
    })

    test('tells nothing after stop, and its peers that it is gone; others are refused then', async () => {
      const [a, b] = await pair()
      a.connect(bed.addressOf(1))
      const [stopped, again] = [b.stop(), b.stop()]
      await settled(stopped)
      await settled(again)
      await until('the peer knows', () => !a.isConnected(b.self))
      expect(a.told[1]).toMatch(new RegExp(`^disconnected ${b.self}: (?:closed|reset)$`))
      const failed = `dial of ${bed.addressOf(1)} failed: refused`
      await until('dials are refused', () => a.count(failed) >= 1)
      b.connect(bed.addressOf(0))
      expect(b.send(a.self, 'bulk', numbered(1, 4))).toBe(false)
      await bed.pass(1000)
      expect(connections(a, b)).toBe(1)
    })

    if (supports.kill) {
      test('tells peers that a process is gone: a reset, and then nobody takes dials', async () => {
        const [a, b, c] = await nodes(3)
        for (const log of [a, c]) {
          log.connect(bed.addressOf(1))
          await bothConnected(log, b)
        }
        bed.kill?.(1)
        running = [a, c]
        for (const log of [a, c]) {
          await until('it knows', () => log.told.length >= 3)
          expect(log.told[1]).toBe(`disconnected ${b.self}: reset`)
          expect(log.told[2]).toBe(`dial of ${bed.addressOf(1)} failed: refused`)
        }
      })
    }

    if (supports.strangers) {
      test('lets nobody in who does not know the secret, and is not let in either', async () => {
        const [a, b] = await nodes(2, { stranger: 1 })
        a.connect(bed.addressOf(1))
        b.connect(bed.addressOf(0))
        await until('both were rejected', () => a.told.length >= 1 && b.told.length >= 1)
        expect(a.told[0]).toBe(`dial of ${bed.addressOf(1)} failed: rejected`)
        expect(b.told[0]).toBe(`dial of ${bed.addressOf(0)} failed: rejected`)
        await bed.pass(2000)
        expect([connections(a, b), connections(b, a)]).toEqual([0, 0])
      })
    }

    if (supports.frameLimits) {
      test.each(PLANES)(
        'closes the connection on a frame of %s that is longer than it takes',
        async plane => {
          const [a, b] = await pair({ small: { node: 1, frameBytesMax: 100 } })
          a.forget(bed.addressOf(1))
          await pump([{ from: a, to: b, plane, frames: [numbered(1, 100)] }])
          await until('it takes what it can', () => b.frames.length === 1)
          await pump([{ from: a, to: b, plane, frames: [numbered(1, 101)] }])
          await until('both know', () => !a.isConnected(b.self) && !b.isConnected(a.self))
          expect(b.frames).toHaveLength(1)
        },
      )
    }
  })
}

type Tuple<N extends number> = N extends 1
  ? [NetworkLog]
  : N extends 2
    ? [NetworkLog, NetworkLog]
    : [NetworkLog, NetworkLog, NetworkLog]

function connections(one: NetworkLog, other: NetworkLog): number {
  return one.told.filter(line => line.startsWith(`connected ${other.self} `)).length
}

function numbered(number: number, length: number): Uint8Array {
  const frame = Uint8Array.from({ length }, (_, at) => (at * 7 + number) & 255)
  if (length >= 4) new DataView(frame.buffer).setUint32(0, number)
  return frame
}

function same(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && Buffer.compare(a, b) === 0
}

/** Where the frames that arrived are not those that were sent. */
function differences(arrived: readonly Uint8Array[], sent: readonly Uint8Array[]): number[] {
  const length = Math.max(arrived.length, sent.length)
  const at = Array.from({ length }, (_, at) => at)
  return at.filter(at => !same(arrived[at], sent[at] ?? new Uint8Array(0))).slice(0, 5)
}
