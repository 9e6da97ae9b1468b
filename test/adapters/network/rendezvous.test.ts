import { createServer, type Server } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import type { Dialled } from '../../../src/adapters/network/dialler.ts'
import type { Libp2pNetwork } from '../../../src/adapters/network/libp2p-network.ts'
import type { Libp2pNetworkOptions } from '../../../src/adapters/network/options.ts'
import { localEndpoint } from '../../../src/adapters/network/places.ts'
import type { Refusal } from '../../../src/adapters/network/refusals.ts'
import { Rendezvous } from '../../../src/adapters/network/rendezvous.ts'
import { freePort, libp2pNode } from '../../support/libp2p-nodes.ts'
import { eventually } from '../../support/loopback-nodes.ts'
import { NetworkLog } from '../../support/network-log.ts'

const FAILED = { kind: 'failed', why: 'rejected' } as const

function rendezvous(listenFails?: string) {
  const listened: unknown[] = []
  const lines: string[] = []
  const it = new Rendezvous(
    'local:7500',
    { host: '127.0.0.1', port: 7500 },
    {
      listen: async endpoint => {
        listened.push(endpoint)
        if (listenFails !== undefined) throw new Error(`listen ${listenFails}: 127.0.0.1:7500`)
      },
      tell: line => lines.push(line),
    },
  )
  const dialled = async (...hows: Dialled[]): Promise<Dialled | undefined> => {
    let last: Dialled | undefined
    for (const how of hows) last = await it.dialled(how)
    return last
  }
  return { it, listened, lines, dialled }
}

describe('at the well-known port', () => {
  test('who finds nobody listens, and holds it then', async () => {
    const { it, listened, dialled } = rendezvous()
    expect(await dialled({ kind: 'failed', why: 'refused' })).toEqual({ kind: 'self' })
    expect([it.isHeld, listened]).toEqual([true, [{ host: '127.0.0.1', port: 7500 }]])
  })

  test('who reaches itself holds it, and need not listen again', async () => {
    const { it, listened, dialled } = rendezvous()
    await dialled({ kind: 'self' })
    expect([it.isHeld, listened]).toEqual([true, []])
  })

  test('who was too slow dials again, and says nothing', async () => {
    const { it, lines, dialled } = rendezvous('EADDRINUSE')
    expect(await dialled({ kind: 'failed', why: 'refused' })).toEqual({ kind: 'failed', why: 'refused' })
    expect([it.isHeld, lines]).toEqual([false, []])
  })

  test('who may not listen says why', async () => {
    const { it, lines, dialled } = rendezvous('EACCES')
    await dialled({ kind: 'failed', why: 'refused' })
    expect([it.isHeld, lines]).toEqual([false, [expect.stringContaining("this node can't (EACCES)")]])
  })

  test('one that is no node is told of, when it is not just about to begin or to end', async () => {
    const { it, lines, listened, dialled } = rendezvous()
    await dialled(FAILED, FAILED, { kind: 'attached', peer: 'n1' }, FAILED, FAILED)
    expect(lines).toEqual([])
    await dialled(FAILED)
    expect(lines).toEqual([
      '127.0.0.1:7500, where nodes of this host meet (join "local:7500"): who has it does not answer as a node ' +
        'of a mesh does. Stop it, or name another port on all of them, like "local:7500"',
    ])
    expect([it.isHeld, listened]).toEqual([false, []])
  })

  test('one of another mesh is told of by the refusal alone', async () => {
    const { lines, dialled } = rendezvous()
    const refused = { ...FAILED, isTold: true }
    await dialled(refused, refused, refused, refused)
    expect(lines).toEqual([])
  })
})

test.each([
  ['local', 7400],
  ['local:7500', 7500],
])('%s is a port of the loopback', (address, port) => {
  expect(localEndpoint(address)).toEqual({ host: '127.0.0.1', port })
})

test.each(['local.example', 'localhost', '127.0.0.1', '[::1]:7400', 'a b'])('%s is no such port', address => {
  expect(localEndpoint(address)).toBeUndefined()
})

describe('real nodes that were told a port of this host', { timeout: 30_000 }, () => {
  const logs: NetworkLog[] = []
  const servers: Server[] = []

  afterEach(async () => {
    for (const log of logs.splice(0)) await log.stop()
    for (const server of servers.splice(0)) server.close()
  })

  async function start(local: string, options: Partial<Libp2pNetworkOptions> = {}): Promise<Libp2pNetwork> {
    const network = await libp2pNode({ local, ...options })
    const log = new NetworkLog(network)
    logs.push(log)
    await log.start()
    network.connect(local)
    return network
  }

  function stop(network: Libp2pNetwork): Promise<void> | undefined {
    const at = logs.findIndex(log => log.network === network)
    return logs.splice(at, 1)[0]?.stop()
  }

  function peersOf(network: Libp2pNetwork): ReadonlySet<string> {
    return logs.find(log => log.network === network)?.peers ?? new Set()
  }

  test('find each other there, one holds it, and another does when that one is gone', async () => {
    const local = `local:${await freePort()}`
    const nodes = await Promise.all([0, 1, 2].map(() => start(local)))
    const holders = (): Libp2pNetwork[] => nodes.filter(node => node.isAtRendezvous)
    await eventually(() => holders().length === 1, 'one holds it')
    const [first] = holders() as [Libp2pNetwork]
    await eventually(() => peersOf(first).size === 2, 'the others are connected with it')
    await stop(first)
    const rest = nodes.filter(node => node !== first)
    const heldMs = performance.now()
    await eventually(() => rest.some(node => node.isAtRendezvous), 'another holds it')
    expect(performance.now() - heldMs).toBeLessThan(2500)
    const next = await start(local)
    await eventually(() => peersOf(next).size === 1, 'a newcomer finds it')
    expect([next.isAtRendezvous, rest.filter(node => node.isAtRendezvous).length]).toEqual([false, 1])
  })

  test('that listens at it anyway holds it, and who only dials does not', async () => {
    const port = await freePort()
    const client = await start(`local:${port}`, { listen: undefined })
    await eventually(() => !client.isSought(`local:${port}`), 'it has seen that nobody is there')
    const node = await start(`local:${port}`, { listen: `127.0.0.1:${port}` })
    await eventually(() => node.isAtRendezvous && peersOf(client).size === 1, 'the client finds it')
    expect([client.isAtRendezvous, node.addresses]).toEqual([false, [`127.0.0.1:${port}`]])
  })

  test('where another program is say so, and do not hold it', async () => {
    const port = await freePort()
    const server = createServer(socket => {
      socket.on('error', () => undefined).end('HTTP/1.1 400 Bad Request\r\n\r\n', () => socket.destroy())
    })
    servers.push(server)
    await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve))
    const refusals: Refusal[] = []
    const node = await start(`local:${port}`, { refused: refusal => refusals.push(refusal) })
    await eventually(() => refusals.length > 0, 'it says so')
    expect(refusals).toMatchObject([
      { code: 'UNREACHABLE', line: expect.stringContaining('does not answer as a node') },
    ])
    expect(node.isAtRendezvous).toBe(false)
  })

  test('where another mesh is are told that, and do not hold it', async () => {
    const local = `local:${await freePort()}`
    const other = await start(local, { mesh: { name: 'other', secrets: ['a secret that only it knows'] } })
    await eventually(() => other.isAtRendezvous, 'the other mesh holds it')
    const refusals: Refusal[] = []
    const node = await start(local, { refused: refusal => refusals.push(refusal) })
    await eventually(() => refusals.length > 0, 'it says so')
    expect(refusals.map(({ code }) => code)).toEqual(['OTHER_MESH'])
    expect(node.isAtRendezvous).toBe(false)
  })
})
