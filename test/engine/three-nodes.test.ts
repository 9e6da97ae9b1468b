/** Nodes that find each other over real connections on this machine's loopback: what a user of createNode meets. */

import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createNode, isCarillonError, type Node, type Run } from '../../src/index.ts'
import { freePort } from '../support/libp2p-nodes.ts'

const SECRET = 'what only these nodes know'
type Worker = Node<{ readonly work: (run: Run<unknown>) => string }>

let directory: string
const open = new Set<Worker>()

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'carillon-'))
})

afterEach(async () => {
  await Promise.all([...open].map(node => node.close({ graceMs: 0 })))
  open.clear()
  await rm(directory, { recursive: true, force: true })
})

interface Made {
  readonly node: Worker
  readonly address: string
  /** Ids of the tasks that ran here. */
  readonly ran: string[]
  readonly refusals: string[]
}

interface Wanted {
  readonly name: string
  readonly address?: string
  readonly to?: readonly string[]
  /** Undefined: none is given. */
  readonly secret?: string | undefined
  readonly expect?: number
}

async function start({ name, to = [], expect: count, ...wanted }: Wanted): Promise<Made> {
  const address = wanted.address ?? `127.0.0.1:${await freePort()}`
  const ran: string[] = []
  const refusals: string[] = []
  const secret = 'secret' in wanted ? wanted.secret : SECRET
  const node = await createNode({
    dataDir: join(directory, name),
    listen: address,
    join: to,
    mesh: { ...(secret === undefined ? {} : { secret }), ...(count === undefined ? {} : { expect: count }) },
    network: 'local',
    handlers: {
      work: (run: Run<unknown>) => {
        ran.push(run.taskId)
        return name
      },
    },
  })
  node.on('refused', ({ code }) => refusals.push(code))
  open.add(node)
  return { node, address, ran, refusals }
}

async function stop({ node }: Made): Promise<void> {
  await node.close({ graceMs: 0 })
  open.delete(node)
}

/** Waits for what other processes and threads do: there is no virtual clock between them. */
async function eventually(holds: () => Promise<boolean> | boolean, what: string, ms = 20_000): Promise<void> {
  for (const until = performance.now() + ms; !(await holds()); ) {
    if (performance.now() > until) throw new Error(`not within ${ms} ms: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

async function liveOf({ node }: Made): Promise<number> {
  const { mesh } = await node.status()
  return mesh?.stores.filter(({ state }) => state === 'live').length ?? 0
}

async function ownedOf({ node }: Made): Promise<number> {
  return (await node.status()).mesh?.ranges.owned ?? 0
}

/** At whichever node acts for it. */
async function schedule(nodes: readonly Made[], id: string, after: number): Promise<Made> {
  for (const made of nodes) {
    try {
      await made.node.schedule({ id, name: 'work', after })
      return made
    } catch (error) {
      if (!isCarillonError(error, 'NOT_OWNER')) throw error
    }
  }
  throw new Error(`nobody acts for ${id}`)
}

async function three(): Promise<readonly [Made, Made, Made]> {
  const first = await start({ name: 'a', expect: 3 })
  const to = [first.address]
  const others = [start({ name: 'b', expect: 3, to }), start({ name: 'c', expect: 3, to })] as const
  const nodes = [first, await others[0], await others[1]] as const
  for (const made of nodes) await eventually(async () => (await liveOf(made)) === 3, 'three live nodes')
  await eventually(async () => {
    const owned = await Promise.all(nodes.map(ownedOf))
    return owned.every(count => count > 0) && owned.reduce((sum, count) => sum + count) === 256
  }, 'every range has one who acts')
  return nodes
}

describe('three nodes over real connections', { timeout: 60_000 }, () => {
  test('divide the tasks, and each runs once, at the node that acts for it', async () => {
    const nodes = await three()
    const owners = new Map<string, Made>()
    for (let i = 0; i < 24; i++) owners.set(`task-${i}`, await schedule(nodes, `task-${i}`, 50))
    await eventually(() => nodes.reduce((sum, { ran }) => sum + ran.length, 0) >= 24, 'all ran')
    for (const [id, made] of owners) expect(made.ran.filter(each => each === id)).toEqual([id])
    expect(nodes.flatMap(({ ran }) => ran)).toHaveLength(24)
    expect(new Set(owners.values()).size).toBe(3)
  })

  test('go on without one of them, and it comes back under its own name', async () => {
    const nodes = await three()
    const [, , third] = nodes
    const ids = Array.from({ length: 24 }, (_, i) => `task-${i}`)
    const mine = new Set<string>()
    for (const id of ids) if ((await schedule(nodes, id, 4000)) === third) mine.add(id)
    expect(mine.size).toBeGreaterThan(0)
    const before = (await third.node.status()).store
    await stop(third)
    const rest = nodes.slice(0, 2)
    await eventually(
      () => rest.reduce((sum, { ran }) => sum + ran.length, 0) >= 24,
      'all ran at the other two',
    )
    expect(rest.flatMap(({ ran }) => ran).toSorted()).toEqual(ids.toSorted())
    const back = await start({ name: 'c', address: third.address, to: [(rest[0] as Made).address] })
    expect((await back.node.status()).store).toBe(before)
    await eventually(async () => (await liveOf(back)) === 3, 'three live nodes again')
    await eventually(async () => (await ownedOf(back)) > 0, 'it acts again')
    expect(back.ran).toEqual([])
  })
})

describe('a stranger', { timeout: 60_000 }, () => {
  test('with another secret is not let in, and both sides are told why', async () => {
    const member = await start({ name: 'a' })
    const stranger = await start({ name: 'b', to: [member.address], secret: 'what nobody else knows' })
    await eventually(() => stranger.refusals.includes('SECRET_DIFFERS'), 'the stranger is told')
    await eventually(() => member.refusals.includes('SECRET_DIFFERS'), 'the member is told')
    expect(await liveOf(member)).toBe(1)
  })

  test('who joins without a secret is told what to do', async () => {
    const member = await start({ name: 'a' })
    const joined = start({ name: 'b', to: [member.address], secret: undefined })
    await expect(joined).rejects.toMatchObject({ code: 'INVALID', field: 'mesh.secret' })
  })

  test('an address that is taken is refused with it', async () => {
    const member = await start({ name: 'a' })
    const again = start({ name: 'b', address: member.address })
    await expect(again).rejects.toMatchObject({
      code: 'LISTEN_FAILED',
      message: expect.stringContaining(member.address.split(':')[1] as string),
    })
  })
})

describe('a join token', { timeout: 60_000 }, () => {
  test('lets one node in, tells it the secret for its next start, and is used up then', async () => {
    const member = await start({ name: 'a' })
    const token = await member.node.token({ ttl: '1m' })
    const joined = await start({ name: 'b', to: [token], secret: undefined })
    await eventually(async () => (await liveOf(joined)) === 2, 'two live nodes')
    const { secrets } = JSON.parse(await readFile(join(directory, 'b', 'MESH_SECRET'), 'utf8'))
    expect(secrets).toEqual([SECRET])
    await stop(joined)
    const again = await start({ name: 'b', to: [token], secret: undefined })
    await eventually(async () => (await liveOf(again)) === 2, 'two live nodes again')
    const late = await start({ name: 'c', to: [token], secret: undefined })
    await eventually(() => late.refusals.includes('TOKEN_REFUSED'), 'the second to use it is refused')
  })

  test('of a node that is alone there is none, and none for longer than a week', async () => {
    const alone = await createNode({ handlers: { work: (_: Run<unknown>) => '' } })
    open.add(alone)
    await expect(alone.token()).rejects.toMatchObject({ code: 'CONFLICT' })
    await expect(alone.token({ ttl: '8d' })).rejects.toMatchObject({ code: 'INVALID', field: 'ttl' })
  })
})

describe('a mesh whose first node was given no secret', { timeout: 60_000 }, () => {
  test('makes one, keeps it for its owner alone, and takes it up at the next start', async () => {
    const path = join(directory, 'a', 'MESH_SECRET')
    const first = await start({ name: 'a', secret: undefined })
    const text = await readFile(path, 'utf8')
    const { mesh, secrets } = JSON.parse(text)
    expect([mesh, secrets.length]).toEqual(['carillon', 1])
    if (process.platform !== 'win32') expect((await stat(path)).mode & 0o777).toBe(0o600)
    const second = await start({ name: 'b', to: [first.address], secret: secrets[0] })
    await eventually(async () => (await liveOf(second)) === 2, 'two live nodes')
    await stop(first)
    await start({ name: 'a', secret: undefined })
    expect(await readFile(path, 'utf8')).toBe(text)
  })
})
