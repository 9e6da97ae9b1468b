/** Nodes that find each other over real connections on this machine's loopback: what a user of createNode meets. */

import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createNode, type Run } from '../../src/index.ts'
import {
  eventually,
  LoopbackNodes,
  listOf,
  liveOf,
  type Made,
  ownedOf,
  SECRET,
  type Wanted,
} from '../support/loopback-nodes.ts'
import { SharedMesh } from '../support/shared-mesh.ts'

let all: LoopbackNodes

beforeEach(async () => {
  all = await LoopbackNodes.make()
})

afterEach(() => all.close())

const start = (wanted: Wanted): Promise<Made> => all.start(wanted)

describe('three nodes over real connections', { timeout: 60_000 }, () => {
  const mesh = new SharedMesh()

  const ranOf = (those: readonly Made[], prefix: string): string[] =>
    those.flatMap(({ ran }) => ran.filter(id => id.startsWith(prefix))).toSorted()

  test('divide the tasks, and each runs once, at the node that acts for it', async () => {
    const ids = Array.from({ length: 24 }, (_, i) => `task-${i}`)
    // One node takes them all.
    const tasks = await mesh.nodes[0].node.schedule(ids.map(id => ({ id, name: 'work', after: 50 })))
    expect(tasks.every(({ copies }) => copies >= 2)).toBe(true)
    await eventually(() => ranOf(mesh.nodes, 'task-').length >= 24, 'all ran')
    expect(ranOf(mesh.nodes, 'task-')).toEqual(ids.toSorted())
    for (const { ran } of mesh.nodes) expect(ran.length).toBeGreaterThan(0)
  })

  test('take any call, and answer for the whole mesh', async () => {
    const [one, two, third] = mesh.nodes
    const ids = Array.from({ length: 30 }, (_, i) => `call-${String(i).padStart(2, '0')}`)
    await one.node.schedule(ids.map(id => ({ id, name: 'work', after: 60_000 })))
    const listed = await listOf(third.node.tasks({ state: 'scheduled' }))
    expect(listed.map(({ id }) => id).toSorted()).toEqual(ids)
    for (const id of ids) expect(await two.node.cancel(id)).toBe(true)
    expect(await listOf(third.node.tasks({ state: 'scheduled' }))).toEqual([])
  })

  test('wait for the result of a task that another one owns', async () => {
    const [one, two] = mesh.nodes
    const tasks = await Promise.all(
      Array.from({ length: 12 }, (_, i) => one.node.schedule({ id: `wait-${i}`, name: 'work', after: 200 })),
    )
    const results = await Promise.all(tasks.map(task => task.result()))
    expect(new Set(results).size).toBeGreaterThan(1)
    for (const { id } of tasks)
      expect((await two.node.runs(id)).map(({ state }) => state)).toEqual(['completed'])
  })

  test('go on without one of them, and it comes back under its own name', async () => {
    const [first, second, third] = mesh.nodes
    const ids = Array.from({ length: 24 }, (_, i) => `left-${i}`)
    await first.node.schedule(ids.map(id => ({ id, name: 'work', after: 4000 })))
    const before = (await third.node.status()).store
    await mesh.all.stop(third)
    const rest = [first, second]
    await eventually(() => ranOf(rest, 'left-').length >= 24, 'all ran at the other two')
    expect(ranOf(rest, 'left-')).toEqual(ids.toSorted())
    const back = await mesh.all.start({ name: 'c', address: third.address, to: [first.address] })
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
    const { secrets } = JSON.parse(await readFile(join(all.directory, 'b', 'MESH_SECRET'), 'utf8'))
    expect(secrets).toEqual([SECRET])
    await all.stop(joined)
    const again = await start({ name: 'b', to: [token], secret: undefined })
    await eventually(async () => (await liveOf(again)) === 2, 'two live nodes again')
    const late = await start({ name: 'c', to: [token], secret: undefined })
    await eventually(() => late.refusals.includes('TOKEN_REFUSED'), 'the second to use it is refused')
  })

  test('of a node that is alone there is none, and none for longer than a week', async () => {
    const alone = all.add(await createNode({ handlers: { work: (_: Run<unknown>) => '' } }))
    await expect(alone.token()).rejects.toMatchObject({ code: 'CONFLICT' })
    await expect(alone.token({ ttl: '8d' })).rejects.toMatchObject({ code: 'INVALID', field: 'ttl' })
  })
})

describe('a mesh whose first node was given no secret', { timeout: 60_000 }, () => {
  test('makes one, keeps it for its owner alone, and takes it up at the next start', async () => {
    const path = join(all.directory, 'a', 'MESH_SECRET')
    const first = await start({ name: 'a', secret: undefined })
    const text = await readFile(path, 'utf8')
    const { mesh, secrets } = JSON.parse(text)
    expect([mesh, secrets.length]).toEqual(['carillon', 1])
    if (process.platform !== 'win32') expect((await stat(path)).mode & 0o777).toBe(0o600)
    const second = await start({ name: 'b', to: [first.address], secret: secrets[0] })
    await eventually(async () => (await liveOf(second)) === 2, 'two live nodes')
    await all.stop(first)
    await start({ name: 'a', secret: undefined })
    expect(await readFile(path, 'utf8')).toBe(text)
  })
})
