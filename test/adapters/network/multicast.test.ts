import { createSocket } from 'node:dgram'
import { afterEach, expect, test } from 'vitest'
import { isOnLink, Multicast } from '../../../src/adapters/network/multicast.ts'
import { SeededRandom } from '../../../src/lib/seeded-random.ts'
import { eventually } from '../../support/loopback-nodes.ts'

const LOOPBACK = { address: '127.0.0.1', netmask: '255.0.0.0' }
const GROUP = '224.0.0.251'
const open: Multicast[] = []

afterEach(async () => {
  for (const each of open.splice(0)) await each.stop()
})

interface Heard {
  readonly it: Multicast
  readonly queries: unknown[]
  readonly responses: { readonly packet: unknown; readonly from: string }[]
  readonly failures: string[]
}

function listen(port: number, interfaces = [LOOPBACK]): Heard {
  const heard: Omit<Heard, 'it'> = { queries: [], responses: [], failures: [] }
  const it = new Multicast(
    {
      query: packet => heard.queries.push(packet),
      response: (packet, from) => heard.responses.push({ packet, from }),
      failed: (address, why) => heard.failures.push(`${address} ${why}`),
    },
    { port, interfaces: () => interfaces },
  )
  open.push(it)
  it.look()
  return { it, ...heard }
}

async function freeUdpPort(): Promise<number> {
  const socket = createSocket('udp4')
  await new Promise<void>(resolve => socket.bind(0, '127.0.0.1', resolve))
  const { port } = socket.address()
  await new Promise<void>(resolve => socket.close(resolve))
  return port
}

const QUESTION = { questions: [{ name: 'x.local', type: 'PTR' }] }
const ANSWER = { answers: [{ name: 'x.local', type: 'PTR', ttl: 9, data: 'y.local' }] }

test('what one says over an interface others hear, with where it came from', async () => {
  const port = await freeUdpPort()
  const [a, b] = [listen(port), listen(port)]
  await eventually(() => {
    a.it.query(QUESTION)
    return b.queries.length > 0
  }, 'a question is heard')
  expect(b.queries[0]).toMatchObject(QUESTION)
  b.it.respond(address => (address === LOOPBACK.address ? ANSWER : undefined))
  await eventually(() => a.responses.length > 0, 'an answer is heard')
  expect(a.responses[0]).toMatchObject({ packet: ANSWER, from: '127.0.0.1' })
  const { length } = a.responses
  b.it.respond(() => undefined)
  expect([a.responses.length, a.failures, b.failures]).toEqual([length, [], []])
})

test('packets that are none are dropped, and those of another port no answers', {
  timeout: 30_000,
}, async () => {
  const port = await freeUdpPort()
  const [a, b] = [listen(port), listen(port)]
  await eventually(() => {
    b.it.query(QUESTION)
    return a.queries.length > 0
  }, 'both are up')
  const random = new SeededRandom('packets')
  const stranger = createSocket('udp4')
  const send = (bytes: Uint8Array): Promise<void> =>
    new Promise(resolve => stranger.send(bytes, port, GROUP, () => resolve()))
  await new Promise<void>(resolve => stranger.bind(0, () => resolve()))
  stranger.setMulticastInterface('127.0.0.1')
  for (let i = 0; i < 2000; i++) {
    const bytes = random.bytes(Math.floor(random.float() * 200))
    // A response, with plausible counts and names that point anywhere.
    if (bytes.length > 12 && i % 2 === 0) bytes.set([0, 0, 0x84, 0, 0, i % 3, 0, i % 5, 0, 0, 0, i % 4, 0xc0])
    await send(bytes)
  }
  const { length } = a.queries
  await eventually(() => {
    b.it.query(QUESTION)
    return a.queries.length > length + 1
  }, 'it hears still')
  expect([a.responses, a.failures, b.failures]).toEqual([[], [], []])
  await new Promise<void>(resolve => stranger.close(resolve))
})

test('an interface that can not be used is told once, and the others go on', async () => {
  const port = await freeUdpPort()
  // From the block of documentation: no machine has it.
  const a = listen(port, [{ address: '192.0.2.1', netmask: '255.255.255.0' }, LOOPBACK])
  const b = listen(port)
  await eventually(() => {
    a.it.look()
    a.it.query(QUESTION)
    return b.queries.length > 2
  }, 'the loopback works')
  expect(new Set(a.failures).size).toBe(a.failures.length)
  expect(a.failures.length).toBeGreaterThan(0)
  expect(a.failures.every(line => line.startsWith('192.0.2.1 '))).toBe(true)
})

test('a port that somebody else has for himself is told, and tried again', async () => {
  const port = await freeUdpPort()
  const holder = createSocket('udp4')
  await new Promise<void>(resolve => holder.bind(port, '0.0.0.0', resolve))
  const [a, b] = [listen(port), listen(port)]
  await eventually(() => a.failures.length > 0, 'it is told')
  expect(a.failures).toEqual(['127.0.0.1 EADDRINUSE'])
  await new Promise<void>(resolve => holder.close(resolve))
  await eventually(() => {
    a.it.look()
    b.it.look()
    a.it.query(QUESTION)
    return b.queries.length > 0
  }, 'it works now')
  expect(a.failures).toEqual(['127.0.0.1 EADDRINUSE'])
})

test.each([
  ['10.1.2.3', '10.1.9.9', '255.255.0.0', true],
  ['10.2.2.3', '10.1.9.9', '255.255.0.0', false],
  ['192.168.1.200', '192.168.1.1', '255.255.255.0', true],
  ['8.8.8.8', '192.168.1.1', '255.255.255.0', false],
  ['fe80::1', '192.168.1.1', '255.255.255.0', false],
])('%s is on the link of %s/%s: %s', (address, own, netmask, near) => {
  expect(isOnLink(address, { address: own, netmask })).toBe(near)
})
