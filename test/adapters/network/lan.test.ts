/** MdnsLan over a link of the test's own and a virtual clock. Real packets: multicast.test.ts, and test/engine/lan.test.ts. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { VirtualClock } from '../../../sim/virtual-clock.ts'
import { type Endpoint, endpointText } from '../../../src/adapters/network/addresses.ts'
import { MdnsLan, tagOf } from '../../../src/adapters/network/lan.ts'
import type { MulticastEvents } from '../../../src/adapters/network/multicast.ts'
import { SeededRandom } from '../../../src/lib/seeded-random.ts'

const ANY = '0.0.0.0'

interface Answer {
  readonly answers: readonly { readonly ttl: number; readonly data: string }[]
  readonly additionals: readonly { readonly data: { readonly port: number } }[]
}

/** All who are on it hear all that is said, themselves included. */
class Link {
  readonly clock = new VirtualClock()
  readonly said: { readonly host: string; readonly packet: Answer }[] = []
  readonly lines: string[] = []
  readonly #all = new Map<string, MulticastEvents>()
  readonly #random = new SeededRandom('lan')

  /** A machine of that address. Null: it can't be dialled. */
  add(host: string, name = 'night', listensAt: Endpoint | null = { host: ANY, port: 7400 }): MdnsLan {
    const lan = new MdnsLan(
      {
        clock: this.clock,
        random: this.#random.fork(host),
        multicast: events => ({
          look: () => this.#all.set(host, events),
          query: packet => this.ask(packet),
          respond: packetFor => {
            const packet = packetFor(host)
            if (packet !== undefined) this.say(host, packet)
          },
          stop: async () => void this.#all.delete(host),
        }),
      },
      { name, tell: line => this.lines.push(line) },
    )
    lan.start(listensAt ?? undefined)
    return lan
  }

  ask(packet: unknown): void {
    for (const events of [...this.#all.values()]) events.query(packet)
  }

  say(host: string, packet: unknown): void {
    this.said.push({ host, packet: packet as Answer })
    for (const events of [...this.#all.values()]) events.response(packet, host)
  }

  fail(host: string, why: string): void {
    this.#all.get(host)?.failed(host, why)
  }

  run(ms: number): Promise<void> {
    return this.clock.advanceBy(ms)
  }

  async found(lan: MdnsLan): Promise<string[]> {
    const { endpoints } = await lan.find()
    return endpoints.map(endpointText).toSorted()
  }
}

/** An answer as a member of the mesh gives it, for an instance of that number. */
function answerOf(instance: number, port: unknown, ttl: unknown = 75, name = 'night'): object {
  const service = `${instance.toString(16).padStart(16, '0')}._carillon._tcp.local`
  return {
    answers: [{ name: `${tagOf(name)}._sub._carillon._tcp.local`, type: 'PTR', ttl, data: service }],
    additionals: [{ name: service, type: 'SRV', ttl, data: { port, target: 'x.local' } }],
  }
}

function isPort(port: unknown): boolean {
  return Number.isInteger(port) && (port as number) > 0 && (port as number) < 65_536
}

test('members find each other, and nobody of another mesh', async () => {
  const link = new Link()
  const night = [link.add('10.0.0.1'), link.add('10.0.0.2')] as const
  const day = link.add('10.0.0.3', 'day')
  await link.run(700)
  const late = link.add('10.0.0.4', 'night', { host: ANY, port: 41233 })
  await link.run(2000)
  expect(await link.found(night[0])).toEqual(['10.0.0.2:7400', '10.0.0.4:41233'])
  expect(await link.found(night[1])).toEqual(['10.0.0.1:7400', '10.0.0.4:41233'])
  expect(await link.found(late)).toEqual(['10.0.0.1:7400', '10.0.0.2:7400'])
  expect(await link.found(day)).toEqual([])
})

test('the first find waits for an answer, and says whether others may come', async () => {
  const link = new Link()
  const lan = link.add('10.0.0.1')
  let found: unknown
  void lan.find().then(result => {
    found = result
  })
  await link.run(200)
  expect(found).toBeUndefined()
  link.say('10.0.0.2', answerOf(2, 7400))
  await link.run(1)
  expect(found).toEqual({ endpoints: [{ host: '10.0.0.2', port: 7400 }], isWhole: false })
  await link.run(1500)
  expect((await lan.find()).isWhole).toBe(true)
  const alone = link.add('10.0.0.9', 'alone')
  const nobody = alone.find()
  await link.run(2000)
  expect(await nobody).toEqual({ endpoints: [], isWhole: true })
})

test('who says farewell is forgotten at once, who is silent after a while, and who goes on is not', async () => {
  const link = new Link()
  const lan = link.add('10.0.0.1')
  const leaves = link.add('10.0.0.2')
  link.add('10.0.0.3')
  await link.run(2000)
  link.say('10.0.0.4', answerOf(4, 7400))
  expect(await link.found(lan)).toEqual(['10.0.0.2:7400', '10.0.0.3:7400', '10.0.0.4:7400'])
  await leaves.stop()
  expect(await link.found(lan)).toEqual(['10.0.0.3:7400', '10.0.0.4:7400'])
  await link.run(80_000)
  expect(await link.found(lan)).toEqual(['10.0.0.3:7400'])
  // A farewell that comes after the next start at the same place.
  link.say('10.0.0.4', answerOf(5, 7400))
  link.say('10.0.0.4', answerOf(4, 7400, 0))
  expect(await link.found(lan)).toContain('10.0.0.4:7400')
})

test('what is said tells the port and nothing of the mesh but a hash of its name', async () => {
  const link = new Link()
  link.add('10.0.0.1', 'a name that is private')
  await link.run(30_000)
  const texts = new Set(link.said.map(({ packet }) => JSON.stringify(packet)))
  expect(texts.size).toBe(1)
  const [text] = [...texts] as [string]
  expect(text).not.toContain('private')
  const names = text.match(/[\w-]+(?:\._?\w+)+/g) ?? []
  for (const name of names) expect(name).toMatch(/^[0-9a-f]{16,32}\.(?:_sub\.)?(?:_carillon\._tcp\.)?local$/)
})

test('who can not be dialled, or not over that interface, is not to be found, and finds others', async () => {
  const link = new Link()
  const client = link.add('10.0.0.1', 'night', null)
  const inner = link.add('10.0.0.2', 'night', { host: '127.0.0.1', port: 7400 })
  link.add('10.0.0.3', 'night', { host: '::', port: 7401 })
  link.add('10.0.0.4', 'night', { host: '10.0.0.4', port: 7402 })
  await link.run(2000)
  for (const lan of [client, inner]) expect(await link.found(lan)).toEqual(['10.0.0.3:7401', '10.0.0.4:7402'])
})

test('a flood of answers takes bounded places, of each host fewer, and no host but its own', async () => {
  const link = new Link()
  const lan = link.add('10.0.0.1')
  link.add('10.0.0.2')
  await link.run(2000)
  for (let i = 0; i < 500; i++) link.say('10.0.0.66', answerOf(1000 + i, 1 + i))
  expect((await link.found(lan)).filter(each => each.startsWith('10.0.0.66:'))).toHaveLength(16)
  for (let host = 0; host < 200; host++) link.say(`10.0.1.${host}`, answerOf(2000 + host, 7400))
  const found = await link.found(lan)
  expect(found).toHaveLength(64)
  expect(found).toContain('10.0.0.2:7400')
  // Those that were there before go on, the others expire.
  await link.run(80_000)
  expect(await link.found(lan)).toEqual(['10.0.0.2:7400'])
})

test('a flood of questions has two answers a second', async () => {
  const link = new Link()
  link.add('10.0.0.1')
  await link.run(15_000)
  link.said.splice(0)
  const questions = [{ name: `${tagOf('night').toUpperCase()}._sub._carillon._tcp.local`, type: 'PTR' }]
  for (let i = 0; i < 1000; i++) {
    link.ask({ questions })
    await link.run(3)
  }
  expect(link.said.length).toBeGreaterThanOrEqual(5)
  expect(link.said.length).toBeLessThanOrEqual(7)
})

test('what is asked and said in any other shape is nothing', async () => {
  const link = new Link()
  const lan = link.add('10.0.0.1')
  await link.run(2000)
  const good = answerOf(7, 7400)
  const shapes = fc.oneof(
    fc.anything(),
    fc.record({ answers: fc.anything(), additionals: fc.anything(), questions: fc.anything() }),
    fc.record({ answers: fc.array(fc.anything()), questions: fc.array(fc.anything()) }),
    fc
      .anything()
      .filter(port => !isPort(port))
      .map(port => answerOf(7, port)),
    fc.anything().map(answers => ({ ...good, answers })),
    fc.anything().map(additionals => ({ ...good, additionals })),
  )
  fc.assert(
    fc.property(shapes, packet => {
      link.ask(packet)
      link.say('10.0.0.2', packet)
    }),
    { numRuns: 3000 },
  )
  expect(await link.found(lan)).toEqual([])
  link.say('10.0.0.2', good)
  expect(await link.found(lan)).toEqual(['10.0.0.2:7400'])
})

test('an interface that does not work is told in a line that says what to do', () => {
  const link = new Link()
  link.add('10.0.0.1')
  return link.run(1).then(() => {
    link.fail('10.0.0.1', 'EADDRINUSE')
    expect(link.lines).toEqual([
      "mdns does not work over 10.0.0.1 (EADDRINUSE): nodes there are not found, and don't find this one. Allow " +
        'multicast to 224.0.0.251, port 5353, or name addresses of nodes in join',
    ])
  })
})

test('after its end nothing is said, and who waits is told', async () => {
  const link = new Link()
  const lan = link.add('10.0.0.1')
  const waits = lan.find()
  await link.run(10)
  await lan.stop()
  expect((await waits).endpoints).toEqual([])
  const { length } = link.said
  await link.run(60_000)
  expect(link.said).toHaveLength(length)
})
