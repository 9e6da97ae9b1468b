/** What the simulated network does beyond the contract: each fault, as it looks from both ends. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LAN, WAN } from '../../sim/network/link.ts'
import { FRAME_OVERHEAD_BYTES } from '../../sim/network/traffic.ts'
import type { Plane } from '../../src/ports/network.ts'
import { type NetOfTest, SimulatedNets } from '../support/simulated-nets.ts'

const ORDERED = ['replication', 'bulk', 'calls'] as const

function frame(number: number, length = 4): Uint8Array {
  const bytes = new Uint8Array(length)
  new DataView(bytes.buffer).setUint32(0, number)
  return bytes
}

function numbersAt(net: NetOfTest, from: NetOfTest, plane: Plane): number[] {
  return net.log.framesFrom(from.log.self, plane).map(bytes => new DataView(bytes.buffer).getUint32(0))
}

function send(from: NetOfTest, to: NetOfTest, plane: Plane, number: number, length?: number): boolean {
  return from.log.send(to.log.self, plane, frame(number, length))
}

const range = (count: number): number[] => Array.from({ length: count }, (_, at) => at)

describe('the liveness plane', () => {
  test('loses 30 % of its frames where the link does, and keeps the rest', async () => {
    const nets = new SimulatedNets(1)
    const [a, b] = await nets.pair()
    nets.switch.disturb([a.host], [b.host], { loss: 0.3 })
    for (const number of range(5000)) {
      send(a, b, 'liveness', number)
      send(b, a, 'liveness', number)
      await nets.clock.advanceBy(1)
    }
    await nets.clock.advanceBy(100)
    // Sigma is 32 frames: five of them.
    expect(Math.abs(numbersAt(b, a, 'liveness').length - 3500)).toBeLessThan(160)
    expect(numbersAt(a, b, 'liveness')).toHaveLength(5000)
    expect(a.host.traffic.planes.liveness.lostFrames).toBe(5000 - numbersAt(b, a, 'liveness').length)
  })

  test('brings frames twice, late and out of order where the link does', async () => {
    const nets = new SimulatedNets(2)
    const [a, b] = await nets.pair()
    nets.switch.disturb([a.host], [b.host], { duplicate: 0.2, late: 0.1 })
    for (const number of range(2000)) {
      send(a, b, 'liveness', number)
      await nets.clock.advanceBy(5)
    }
    await nets.clock.advanceBy(5000)
    const numbers = numbersAt(b, a, 'liveness')
    expect(new Set(numbers).size).toBe(2000)
    expect(Math.abs(numbers.length - 2400)).toBeLessThan(100)
    const overtaken = numbers.filter((number, at) => number < Math.max(...numbers.slice(0, at)))
    expect(overtaken.length).toBeGreaterThan(200)
  })

  test('brings no frame of one connection in the next', async () => {
    const nets = new SimulatedNets(3)
    const [a, b] = await nets.pair()
    nets.switch.disturb([a.host], [b.host], { late: 1 })
    for (const number of range(200)) send(a, b, 'liveness', number)
    await nets.clock.advanceBy(100)
    const before = numbersAt(b, a, 'liveness').length
    a.log.disconnect(b.log.self)
    await nets.clock.advanceBy(1000)
    expect(b.log.isConnected(a.log.self)).toBe(true)
    await nets.clock.advanceBy(5000)
    expect(numbersAt(b, a, 'liveness')).toHaveLength(before)
  })

  test('refuses what is beyond its credit while nothing passes, and tells when it has gone', async () => {
    const nets = new SimulatedNets(4)
    const [a, b] = await nets.pair()
    const unclog = nets.switch.disturb([a.host], [b.host], { clog: true })
    const taken = range(1000).filter(number => send(a, b, 'liveness', number, 1000))
    expect(taken).toHaveLength(131)
    unclog()
    await nets.clock.advanceBy(100)
    expect(a.log.drainedCount(b.log.self, 'liveness')).toBe(1)
    expect(numbersAt(b, a, 'liveness').sort((x, y) => x - y)).toEqual(taken)
  })
})

describe('an ordered plane', () => {
  test('brings all in order through 30 % loss, later than it would have', async () => {
    const nets = new SimulatedNets(5)
    const [a, b] = await nets.pair()
    nets.switch.disturb([a.host], [b.host], { loss: 0.3 })
    for (const number of range(300)) for (const plane of ORDERED) send(a, b, plane, number)
    await nets.clock.advanceBy(150)
    expect(numbersAt(b, a, 'bulk').length).toBeLessThan(100)
    await nets.clock.advanceBy(120_000)
    for (const plane of ORDERED) expect(numbersAt(b, a, plane)).toEqual(range(300))
  })

  test('keeps order, brings each once, and all when no connection closed, whatever the schedule', async () => {
    const step = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({ do: fc.constant('send' as const), count: fc.integer({ min: 1, max: 30 }) }),
      },
      {
        weight: 4,
        arbitrary: fc.record({
          do: fc.constant('pass' as const),
          count: fc.integer({ min: 1, max: 12_000 }),
        }),
      },
      {
        weight: 3,
        arbitrary: fc.record({
          do: fc.constantFrom(
            'loss' as const,
            'cut' as const,
            'clog' as const,
            'slow' as const,
            'wire' as const,
          ),
          count: fc.integer({ min: 1, max: 95 }),
          back: fc.boolean(),
        }),
      },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('heal' as const), count: fc.constant(0) }) },
      {
        weight: 1,
        arbitrary: fc.record({
          do: fc.constantFrom('stop' as const, 'go on' as const),
          count: fc.constant(0),
        }),
      },
    )
    let closed = 0
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.array(step, { minLength: 5, maxLength: 60 }), async (seed, steps) => {
        const nets = new SimulatedNets(seed, { conditions: seed % 2 === 0 ? LAN : WAN })
        const [a, b] = await nets.pair()
        a.log.forget(b.host.address)
        let sent = 0
        // Slow links add up: beyond this what was sent arrives when nobody waits any more.
        let slowness = 1
        for (const each of steps) {
          if (each.do === 'slow' && slowness * each.count > 100) continue
          if (each.do === 'slow') slowness *= each.count
          if (each.do === 'heal') slowness = 1
          if (each.do === 'send') {
            for (let at = 0; at < each.count; at++) {
              if (ORDERED.every(plane => send(a, b, plane, sent, 4 + (sent % 50)))) sent++
            }
          } else if (each.do === 'pass') await nets.clock.advanceBy(each.count)
          else if (each.do === 'heal') nets.switch.heal()
          else if (each.do === 'stop' || each.do === 'go on') b.process.stop(each.do === 'stop')
          else {
            const [from, to] = 'back' in each && each.back ? [b, a] : [a, b]
            nets.switch.disturb([from.host], [to.host], {
              cut: each.do === 'cut',
              clog: each.do === 'clog',
              loss: each.do === 'loss' ? each.count / 100 : 0,
              slower: each.do === 'slow' ? each.count : 1,
              ...(each.do === 'wire' ? { bytesPerMs: each.count } : {}),
            })
          }
        }
        b.process.stop(false)
        nets.switch.heal()
        await nets.clock.advanceBy(300_000)
        const isWhole = a.log.told.length === 1 && b.log.told.length === 1
        if (!isWhole) closed++
        for (const plane of ORDERED) {
          const numbers = numbersAt(b, a, plane)
          expect(numbers).toEqual(range(isWhole ? sent : numbers.length))
        }
        expect(a.log.isConnected(b.log.self)).toBe(b.log.isConnected(a.log.self))
      }),
      { numRuns: 150 },
    )
    expect(closed).toBeGreaterThan(0)
    expect(closed).toBeLessThan(120)
  })

  test('takes as long as the wire is narrow', async () => {
    const nets = new SimulatedNets(6)
    const [a, b] = await nets.pair()
    nets.switch.disturb([a.host], [b.host], { bytesPerMs: 100 })
    for (const number of range(10)) send(a, b, 'bulk', number, 10_000 - FRAME_OVERHEAD_BYTES)
    await nets.clock.advanceBy(500)
    expect(numbersAt(b, a, 'bulk').length).toBe(4)
    await nets.clock.advanceBy(501)
    expect(numbersAt(b, a, 'bulk').length).toBe(10)
  })
})

describe('a cut', () => {
  test('is not noticed when it ends in time, and costs liveness frames only', async () => {
    const nets = new SimulatedNets(7)
    const [a, b] = await nets.pair()
    const mend = nets.switch.partition([a.host], [b.host])
    send(a, b, 'liveness', 1)
    send(a, b, 'replication', 1)
    await nets.clock.advanceBy(14_000)
    expect(b.log.frames).toEqual([])
    mend()
    await nets.clock.advanceBy(5000)
    expect(numbersAt(b, a, 'replication')).toEqual([1])
    expect(numbersAt(b, a, 'liveness')).toEqual([])
    expect(a.log.told).toHaveLength(1)
  })

  test.each(['both ways', 'there', 'back'])(
    'is noticed on both sides by their silence when it lasts: %s',
    async way => {
      const nets = new SimulatedNets(8)
      const [a, b] = await nets.pair()
      if (way !== 'back') nets.switch.disturb([a.host], [b.host], { cut: true })
      if (way !== 'there') nets.switch.disturb([b.host], [a.host], { cut: true })
      await nets.clock.advanceBy(14_500)
      expect([a.log.told.length, b.log.told.length]).toEqual([1, 1])
      await nets.clock.advanceBy(2000)
      // Where packets still pass, the one that notices first tells the other.
      const whys = [a.log.told[1], b.log.told[1]].map(line => line?.split(': ')[1])
      if (way === 'both ways') expect(whys).toEqual(['timeout', 'timeout'])
      expect(whys.every(why => why === 'timeout' || why === 'reset')).toBe(true)
      expect(whys).toContain('timeout')
      // Dials meet nobody, and a connection comes back once it is mended.
      await nets.clock.advanceBy(20_000)
      expect(new Set(a.log.told.slice(2))).toEqual(new Set([`dial of ${b.host.address} failed: timeout`]))
      nets.switch.heal()
      await nets.clock.advanceBy(12_000)
      expect([a.log.isConnected(b.log.self), b.log.isConnected(a.log.self)]).toEqual([true, true])
    },
  )

  test('lets frames pass the other way', async () => {
    const nets = new SimulatedNets(9)
    const [a, b] = await nets.pair()
    nets.switch.disturb([a.host], [b.host], { cut: true })
    for (const plane of ['liveness', 'replication'] as const) {
      send(a, b, plane, 1)
      send(b, a, plane, 2)
    }
    await nets.clock.advanceBy(1000)
    expect([a.log.frames.length, b.log.frames.length]).toEqual([2, 0])
  })
})

test('a clog holds all frames back, and lets them go when it ends', async () => {
  const nets = new SimulatedNets(10)
  const [a, b] = await nets.pair()
  const unclog = nets.switch.disturb([a.host], [b.host], { clog: true })
  for (const number of range(20)) for (const plane of ['liveness', 'bulk'] as const) send(a, b, plane, number)
  await nets.clock.advanceBy(10_000)
  expect(b.log.frames).toEqual([])
  unclog()
  await nets.clock.advanceBy(10)
  expect(numbersAt(b, a, 'bulk')).toEqual(range(20))
  expect(new Set(numbersAt(b, a, 'liveness'))).toEqual(new Set(range(20)))
})

describe('a process that dies', () => {
  test('is spoken for by its machine when it was killed', async () => {
    const nets = new SimulatedNets(11)
    const [a, b] = await nets.pair()
    b.process.die()
    await nets.clock.advanceBy(200)
    expect(a.log.told.slice(1, 3)).toEqual([
      `disconnected ${b.log.self}: reset`,
      `dial of ${b.host.address} failed: refused`,
    ])
  })

  test('is missed by nobody but for its silence when its power was cut', async () => {
    const nets = new SimulatedNets(12)
    const [a, b] = await nets.pair()
    b.process.die(true)
    await nets.clock.advanceBy(14_500)
    expect(a.log.told).toHaveLength(1)
    await nets.clock.advanceBy(7000)
    expect(a.log.told.slice(1)).toEqual([
      `disconnected ${b.log.self}: timeout`,
      `dial of ${b.host.address} failed: timeout`,
    ])
    b.host.powerOn()
    await nets.clock.advanceBy(7000)
    expect(a.log.told.at(-1)).toBe(`dial of ${b.host.address} failed: refused`)
  })

  test('is found out by a reset when its machine is on again before anyone gave up', async () => {
    const nets = new SimulatedNets(13)
    const [a, b] = await nets.pair()
    b.process.die(true)
    await nets.clock.advanceBy(3000)
    await nets.restart(b)
    await nets.clock.advanceBy(6000)
    expect(a.log.told[1]).toBe(`disconnected ${b.log.self}: reset`)
    expect(b.log.told).toEqual([`connected ${a.log.self} at undefined`])
  })

  test('says nothing across a cut, and is reset when that is mended in time', async () => {
    const nets = new SimulatedNets(14)
    const [a, b] = await nets.pair()
    const mend = nets.switch.partition([a.host], [b.host])
    b.process.die()
    await nets.clock.advanceBy(10_000)
    expect(a.log.told).toHaveLength(1)
    mend()
    await nets.clock.advanceBy(4000)
    expect(a.log.told[1]).toBe(`disconnected ${b.log.self}: reset`)
  })

  test('hears nothing any more, of what is on the way to it neither', async () => {
    const nets = new SimulatedNets(15, { conditions: WAN })
    const [a, b] = await nets.pair()
    for (const number of range(50))
      for (const plane of ['liveness', ...ORDERED] as const) send(a, b, plane, number)
    const before = b.log.frames.length
    b.process.die()
    const { log } = b
    await nets.restart(b)
    await nets.clock.advanceBy(30_000)
    expect(log.frames.length).toBe(before)
    expect(log.told).toHaveLength(1)
    expect(b.log.frames).toEqual([])
    expect(b.log.told).toEqual([`connected ${a.log.self} at undefined`])
  })

  test('loses, by chance, some of what it had sent last, and never from the middle', async () => {
    const counts = new Set<number>()
    for (const seed of range(40)) {
      const nets = new SimulatedNets(seed, { conditions: WAN })
      const [a, b] = await nets.pair()
      for (const number of range(50)) send(b, a, 'replication', number)
      b.process.die()
      await nets.clock.advanceBy(3000)
      const numbers = numbersAt(a, b, 'replication')
      expect(numbers).toEqual(range(numbers.length))
      counts.add(numbers.length)
    }
    expect(counts.has(50)).toBe(true)
    expect(Math.min(...counts)).toBeLessThan(50)
  })

  test('leaves nobody with half a connection when it dies while somebody connects to it', async () => {
    for (const powerCut of [false, true]) {
      for (const afterMs of range(60)) {
        const nets = new SimulatedNets(afterMs, { conditions: { ...WAN, jitterMs: 0, loss: 0 } })
        const [a, b] = [await nets.add(), await nets.add()]
        a.log.connect(b.host.address)
        await nets.clock.advanceBy(3 * 40 + afterMs * 1.5)
        b.process.die(powerCut)
        await nets.clock.advanceBy(25_000)
        expect(a.log.isConnected(b.log.self)).toBe(false)
        await nets.restart(b)
        await nets.clock.advanceBy(12_000)
        expect([a.log.isConnected(b.log.self), b.log.isConnected(a.log.self)]).toEqual([true, true])
      }
    }
  })
})

test('a process that is stopped hears all when it goes on, in order, and keeps its connections', async () => {
  const nets = new SimulatedNets(16)
  const [a, b] = await nets.pair()
  b.process.stop(true)
  let sent = 0
  while (send(a, b, 'replication', sent, 5000)) sent++
  send(a, b, 'liveness', 7)
  await nets.clock.advanceBy(60_000)
  expect([b.log.frames.length, a.log.told.length]).toEqual([0, 1])
  expect(a.log.drainedCount(b.log.self, 'replication')).toBe(0)
  b.process.stop(false)
  await nets.clock.advanceBy(10)
  expect(numbersAt(b, a, 'replication')).toEqual(range(sent))
  expect(numbersAt(b, a, 'liveness')).toEqual([7])
  expect(a.log.drainedCount(b.log.self, 'replication')).toBe(1)
})

test('a dial to a process that is stopped times out: the machine answers, the process does not', async () => {
  const nets = new SimulatedNets(17)
  const [a, b] = [await nets.add(), await nets.add()]
  b.process.stop(true)
  a.log.connect(b.host.address)
  a.log.connect('nowhere:1')
  await nets.clock.advanceBy(5500)
  expect(a.log.count(`dial of ${b.host.address} failed: timeout`)).toBe(1)
  expect(a.log.count('dial of nowhere:1 failed: unreachable')).toBeGreaterThan(2)
  b.process.stop(false)
  await nets.clock.advanceBy(1000)
  expect(a.log.isConnected(b.log.self)).toBe(true)
  expect(b.log.told).toHaveLength(1)
})

test('a frame is what it was when it was sent, also if the sender uses the buffer again', async () => {
  const nets = new SimulatedNets(18)
  const [a, b] = await nets.pair()
  const buffer = frame(1)
  for (const plane of ['liveness', ...ORDERED] as const) {
    buffer.set(frame(1))
    a.log.send(b.log.self, plane, buffer)
    buffer.fill(0xff)
  }
  await nets.clock.advanceBy(100)
  for (const plane of ['liveness', ...ORDERED] as const) expect(numbersAt(b, a, plane)).toEqual([1])
})

test('the traffic of a host is counted per plane, over all lives of its process', async () => {
  const nets = new SimulatedNets(19)
  const [a, b] = await nets.pair()
  for (const number of range(10)) send(a, b, 'liveness', number, 100)
  send(a, b, 'bulk', 1, 1000)
  await nets.clock.advanceBy(100)
  a.process.die()
  await nets.restart(a)
  a.log.connect(b.host.address)
  await nets.clock.advanceBy(1000)
  send(a, b, 'bulk', 1, 1000)
  await nets.clock.advanceBy(100)
  const { liveness, bulk, replication } = a.host.traffic.planes
  expect([liveness.sentFrames, liveness.sentBytes]).toEqual([10, 10 * (100 + FRAME_OVERHEAD_BYTES)])
  expect([bulk.sentFrames, bulk.sentBytes]).toEqual([2, 2 * (1000 + FRAME_OVERHEAD_BYTES)])
  expect(replication.sentFrames).toBe(0)
  expect(b.host.traffic.planes.bulk.receivedBytes).toBe(bulk.sentBytes)
  expect(a.host.traffic.dials).toBe(2)
})

describe('a seed', () => {
  /** Some nodes that all dial each other, send, fail and come back. */
  async function run(seed: number): Promise<SimulatedNets> {
    const nets = new SimulatedNets(seed, { conditions: { ...LAN, loss: 0.02, duplicate: 0.05, late: 0.05 } })
    const { clock, random } = nets
    for (let at = 0; at < 6; at++) await nets.add()
    const pick = (): NetOfTest => nets.nets[Math.floor(random.float() * nets.nets.length)] as NetOfTest
    const dialAll = (net: NetOfTest): void => {
      for (const other of nets.nets) if (other !== net) net.log.connect(other.host.address)
    }
    for (const net of nets.nets) dialAll(net)
    const ends: Array<() => void> = []
    for (let round = 0; round < 300; round++) {
      await clock.advanceBy(random.float() * 400)
      const [one, other] = [pick(), pick()]
      const dice = random.float()
      if (one.process.isDead || dice < 0.05) {
        one.process.die(dice < 0.02)
        await nets.restart(one)
        dialAll(one)
      } else if (dice < 0.15)
        ends.push(nets.switch.disturb([one.host], [other.host], { cut: dice < 0.1, loss: 0.5 }))
      else if (dice < 0.3) ends.shift()?.()
      else if (dice < 0.33) one.log.disconnect(other.log.self)
      else for (const plane of ['liveness', ...ORDERED] as const) send(one, other, plane, round, 40)
    }
    nets.switch.heal()
    await clock.advanceBy(60_000)
    return nets
  }

  test('gives the same trace twice, and another seed gives another', async () => {
    const [first, again, other] = [await run(1), await run(1), await run(2)]
    expect(again.trace.hash).toBe(first.trace.hash)
    expect(again.trace.events).toBe(first.trace.events)
    expect(other.trace.hash).not.toBe(first.trace.hash)
  })

  test('ends with each pair connected once, as both sides see it, whatever happened before', async () => {
    for (const seed of range(25)) {
      const { nets } = await run(100 + seed)
      for (const one of nets) {
        for (const other of nets) {
          if (other !== one) expect(one.log.isConnected(other.log.self), `seed ${100 + seed}`).toBe(true)
        }
      }
    }
  })
})
