/** Clients of meshes over real connections on this machine's loopback: what a user of createClient meets. */

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  type Client,
  type CreateClientOptions,
  createClient,
  type Handlers,
  type Run,
  type Task,
} from '../../src/index.ts'
import { freePort } from '../support/libp2p-nodes.ts'
import { eventually, LoopbackNodes, listOf, liveOf, type Made, SECRET } from '../support/loopback-nodes.ts'
import { SharedMesh } from '../support/shared-mesh.ts'

let all: LoopbackNodes

beforeEach(async () => {
  all = await LoopbackNodes.make()
})

afterEach(() => all.close())

async function open(options: CreateClientOptions<Handlers>): Promise<Client> {
  return all.add(await createClient({ mesh: { secret: SECRET }, ...options })) as unknown as Client
}

const addressesOf = (nodes: readonly Made[]): string[] => nodes.map(({ address }) => address)

/** The node that takes the client's calls. */
async function gatewayOf(client: Client, nodes: readonly Made[]): Promise<Made> {
  const { store } = await client.status()
  for (const made of nodes) if ((await made.node.status()).store === store) return made
  throw new Error('the client is connected to none of them')
}

const idsOf = (prefix: string): string[] => Array.from({ length: 12 }, (_, i) => `${prefix}-${i}`)

/** Enough of them that each node acts for some. */
function schedule(client: Client, prefix: string, name: string, after = 0): Promise<Task[]> {
  return client.schedule(idsOf(prefix).map(id => ({ id, name, after })))
}

const resultsOf = (tasks: readonly Task[]): Promise<unknown[]> =>
  Promise.all(tasks.map(task => task.result()))

describe('a client of three nodes', { timeout: 60_000 }, () => {
  const mesh = new SharedMesh()

  test('asks one of them, and has what all of them do', async () => {
    const [first] = mesh.nodes
    const client = await open({ join: [first.address] })
    const tasks = await schedule(client, 'node', 'work')
    expect(tasks.every(({ copies }) => copies >= 2)).toBe(true)
    expect(new Set(await resultsOf(tasks))).toEqual(new Set(['a', 'b', 'c']))
    for (const id of idsOf('node'))
      expect((await client.runs(id)).map(({ state }) => state)).toEqual(['completed'])
    await schedule(client, 'late', 'work', 3_600_000)
    expect((await listOf(client.tasks())).map(({ id }) => id).toSorted()).toEqual(idsOf('late').toSorted())
    for (const id of idsOf('late')) expect(await client.cancel(id)).toBe(true)
    // It is none of them.
    expect(await liveOf(first)).toBe(3)
  })

  test('runs the tasks of all of them, if no node has the handler', async () => {
    const ran: string[] = []
    const here = (run: Run<unknown>): string => {
      ran.push(run.taskId)
      return 'client'
    }
    const client = await open({ join: addressesOf(mesh.nodes), handlers: { here } })
    expect(new Set(await resultsOf(await schedule(client, 'client', 'here')))).toEqual(new Set(['client']))
    expect(ran.toSorted()).toEqual(idsOf('client').toSorted())
  })

  test('goes on at another one when that to which it is connected stops, and is told of it', async () => {
    const [first, ...rest] = mesh.nodes
    const there = (): string => 'client'
    // Of the others it learns from the one that it was given.
    const client = await open({ join: [first.address], handlers: { there } })
    const runs: string[] = []
    client.on('run', ({ run }) => runs.push(run.state))
    const told: string[] = []
    client.on('member', ({ state }) => told.push(state))
    await resultsOf(await schedule(client, 'before', 'there'))
    expect(runs).toContain('completed')
    const results = resultsOf(await schedule(client, 'during', 'there', 2000))
    await mesh.all.stop(first)
    expect(rest).toContain(await gatewayOf(client, rest))
    expect(new Set(await results)).toEqual(new Set(['client']))
    expect(await resultsOf(await schedule(client, 'after', 'there'))).toHaveLength(12)
    const gateway = await gatewayOf(client, rest)
    await mesh.all.stop(rest.find(made => made !== gateway) as Made)
    await eventually(() => told.length > 0, 'the client is told of who leaves')
  })
})

describe('a client of one node', { timeout: 60_000 }, () => {
  test('waits for a result over a restart of the node', async () => {
    const node = await all.start({ name: 'a' })
    const client = await open({ join: [node.address] })
    const task = await client.schedule({ name: 'work', after: 2000 })
    const result = task.result()
    await all.stop(node)
    await all.start({ name: 'a', address: node.address })
    expect(await result).toBe('a')
  })

  test('joins with a token instead of a secret, which is used up then', async () => {
    const node = await all.start({ name: 'a' })
    const token = await node.node.token()
    const client = all.add(await createClient({ join: [token] }))
    expect(await (await client.schedule({ name: 'work' })).result()).toBe('a')
    const again = createClient({ join: [token] })
    await expect(again).rejects.toMatchObject({
      code: 'TOKEN_REFUSED',
      message: expect.stringContaining('was used before'),
    })
  })

  test('makes a token, with which another comes in', async () => {
    const node = await all.start({ name: 'a' })
    const client = await open({ join: [node.address] })
    const other = all.add(await createClient({ join: [await client.token({ ttl: '1m' })] }))
    expect((await other.status()).store).toBe((await node.node.status()).store)
  })

  test('that has another secret, or belongs to another mesh, is told so', async () => {
    const { address, refusals } = await all.start({ name: 'a' })
    const secret = open({ join: [address], mesh: { secret: 'what nobody else knows' } })
    await expect(secret).rejects.toMatchObject({
      code: 'SECRET_DIFFERS',
      message: expect.stringMatching(`${address}.*the secrets for the mesh "carillon" differ`),
    })
    const mesh = open({ join: [address], mesh: { name: 'other', secret: SECRET } })
    await expect(mesh).rejects.toMatchObject({ code: 'OTHER_MESH' })
    await eventually(() => refusals.includes('SECRET_DIFFERS'), 'the node is told')
  })

  test('that reaches nobody is told where it tried, and can be given up before', async () => {
    const join = [`127.0.0.1:${await freePort()}`]
    await expect(open({ join, waitMs: 300 })).rejects.toMatchObject({
      code: 'NOT_CONNECTED',
      message: expect.stringContaining(`${join[0]} (nobody listens there)`),
    })
    const signal = AbortSignal.timeout(300)
    await expect(open({ join, signal })).rejects.toMatchObject({ code: 'ABORTED' })
  })
})

describe('a wrong option of a client', () => {
  const join = ['127.0.0.1:7400']
  test.each<[string, object, string, string]>([
    ['no addresses', {}, 'join', 'an array of addresses of nodes, or of one join token'],
    ['an empty list', { join: [] }, 'join', '1 to 100 addresses'],
    ['what is no address', { join: ['a b'] }, 'join[0]', 'host and port'],
    ['port 0', { join: ['127.0.0.1:0'] }, 'join[0]', 'the port at which a node listens'],
    ['a token that is none', { join: ['crl1.what'] }, 'token', 'what a member printed, whole'],
    ['a token and an address', { join: ['crl1.what', ...join] }, 'join', 'one join token alone'],
    ['a token and a secret', { join: ['crl1.what'], mesh: { secret: SECRET } }, 'mesh.secret', 'none beside'],
    ['no secret', { join }, 'mesh.secret', 'join with a token'],
    ['a variable that is not set', { join, mesh: { secret: undefined } }, 'mesh.secret', 'the environment'],
    ['a short secret', { join, mesh: { secret: 'short' } }, 'mesh.secret', '16 characters'],
    ['an option of nodes', { join, mesh: { secret: SECRET, expect: 3 } }, 'mesh.expect', 'not known'],
    ['no function', { join, mesh: { secret: SECRET }, handlers: { a: 1 } }, 'handlers["a"]', 'a function'],
    ['a wait of 0', { join, mesh: { secret: SECRET }, waitMs: 0 }, 'waitMs', 'a whole number from 1'],
  ])('%s is refused with what is allowed', async (_, options, field, text) => {
    await expect(createClient(options as CreateClientOptions<Handlers>)).rejects.toMatchObject({
      code: 'INVALID',
      field,
      message: expect.stringContaining(text),
    })
  })
})
