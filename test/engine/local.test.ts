/** Processes of one host that find each other at its well-known port: real ones, that are killed. */

import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createClient, createNode } from '../../src/index.ts'
import { freePort } from '../support/libp2p-nodes.ts'
import { eventually, SECRET } from '../support/loopback-nodes.ts'
import { NodeProcess } from '../support/node-process.ts'

let directory: string
let local: string
const running: NodeProcess[] = []

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'carillon-local-'))
  local = `local:${await freePort()}`
})

afterEach(async () => {
  for (const node of running.splice(0)) node.kill()
  await rm(directory, { recursive: true, force: true, maxRetries: 10 })
})

/** A process with a data directory of that name. */
function start(name: string, options: object = {}): NodeProcess {
  const mesh = { secret: SECRET }
  const node = new NodeProcess({
    dataDir: join(directory, name),
    join: [local],
    mesh,
    network: 'local',
    ...options,
  })
  running.push(node)
  return node
}

function meshesOf(nodes: readonly NodeProcess[]): ReadonlySet<string | undefined> {
  return new Set(nodes.map(({ said }) => said.mesh))
}

async function allLive(nodes: readonly NodeProcess[], what: string): Promise<void> {
  await eventually(() => nodes.every(({ said }) => said.live === nodes.length), what, 60_000)
  expect(meshesOf(nodes).size).toBe(1)
}

describe('processes that were told nothing but a secret and local', { timeout: 600_000 }, () => {
  test('found one mesh together, and newcomers find it whoever was killed', async () => {
    let nodes = ['a', 'b', 'c'].map(name => start(name))
    await allLive(nodes, 'three that started at once are live')
    const [mesh] = meshesOf(nodes)
    expect(new Set(nodes.map(({ said }) => said.address)).size).toBe(3)
    // Each in turn: so whoever holds the port is among them.
    for (const [at, name] of ['d', 'e', 'f'].entries()) {
      nodes[0]?.kill()
      const next = start(name)
      nodes = [...nodes.slice(1), next]
      await allLive(nodes, `${name} has found the others, ${at + 1} were killed`)
      expect(next.said.mesh).toBe(mesh)
    }
    const client = await createClient({ join: [local], mesh: { secret: SECRET } })
    expect((await client.status()).mesh?.id).toBe(mesh)
    await client.close()
  })

  test('that all were killed go on as the mesh that they were', async () => {
    const nodes = [start('a'), start('b')]
    await allLive(nodes, 'both are live')
    const [mesh] = meshesOf(nodes)
    for (const node of nodes) node.kill()
    const again = [start('b'), start('a'), start('c')]
    await allLive(again, 'both are back, and a third one has joined')
    expect(meshesOf(again)).toEqual(new Set([mesh]))
  })

  test('found none where another program has the port, and say so', async () => {
    const server = createServer(socket => {
      socket.on('error', () => undefined).end('no node\n', () => socket.destroy())
    })
    await new Promise<void>(resolve => server.listen(Number(local.split(':')[1]), '127.0.0.1', resolve))
    const node = start('a')
    await eventually(() => (node.said.refused?.length ?? 0) > 0, 'it says so', 30_000)
    expect(node.said.refused).toEqual([
      expect.stringMatching(/^UNREACHABLE: 127\.0\.0\.1:\d+, .* does not answer as a node of a mesh does/),
    ])
    expect(node.said.mesh).toBeUndefined()
    await new Promise(resolve => server.close(resolve))
    await eventually(() => node.said.mesh !== undefined, 'it has the port now', 30_000)
  })

  test('of another mesh do not join, are told why, and found none beside it', async () => {
    const first = start('a')
    await eventually(() => first.said.mesh !== undefined, 'the first is there', 30_000)
    const named = start('b', { mesh: { secret: SECRET, name: 'other' } })
    const stranger = start('c', { mesh: { secret: 'what nobody else knows' } })
    const codes = ({ said }: NodeProcess): string[] =>
      (said.refused ?? []).map(line => line.split(':')[0] as string)
    await eventually(() => codes(named).includes('OTHER_MESH'), 'it is told of the mesh', 30_000)
    await eventually(() => codes(stranger).includes('SECRET_DIFFERS'), 'it is told of the secret', 30_000)
    expect([named.said.mesh, stranger.said.mesh, first.said.live]).toEqual([undefined, undefined, 1])
  })
})

describe('what is wrong about it is said', () => {
  const refused = (options: object, field: string, message: string): Promise<void> =>
    expect(createNode(options)).rejects.toMatchObject({
      code: 'INVALID',
      field,
      message: expect.stringContaining(message),
    })

  test('no secret', () =>
    refused({ join: ['local'] }, 'mesh.secret', 'give all of them the same mesh.secret'))
  test('two ports', () =>
    refused({ join: ['local', 'local:7500'], mesh: { secret: SECRET } }, 'join', 'one port of this host'))
  test('no port', () =>
    refused({ join: ['local:0'], mesh: { secret: SECRET } }, 'join[0]', 'the port at which'))
  test('beside others it needs to be told where it listens', () =>
    refused({ join: ['local', 'b.example'], mesh: { secret: SECRET } }, 'listen', 'without listen'))
  test('it is no address of a node', () =>
    refused(
      { listen: '127.0.0.1:0', advertise: 'local', mesh: { secret: SECRET } },
      'advertise',
      'how a node finds',
    ))
})
