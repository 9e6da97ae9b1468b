/** Processes that share one data directory, as PM2 and node:cluster start them: real ones, that are killed. */

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createNode } from '../../src/api/create-node.ts'
import { freePort } from '../support/libp2p-nodes.ts'
import { eventually } from '../support/loopback-nodes.ts'
import { NodeProcess } from '../support/node-process.ts'

let directory: string
const running: NodeProcess[] = []

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'carillon-slots-'))
})

afterEach(async () => {
  for (const node of running.splice(0)) node.kill()
  await rm(directory, { recursive: true, force: true, maxRetries: 10 })
})

function start(options: object): NodeProcess {
  const node = new NodeProcess(options)
  running.push(node)
  return node
}

describe('the slots of a data directory', { timeout: 120_000 }, () => {
  test('are taken by a process each; that of a killed one by the next, with its store', async () => {
    const [first, api] = [await freePorts(3), await freePorts(3)]
    const options = {
      dataDir: directory,
      slots: 3,
      listen: `127.0.0.1:${first}`,
      join: [`127.0.0.1:${first}`],
      http: `127.0.0.1:${api}`,
      mesh: { secret: 'what only these processes know', expect: 3 },
      network: 'local',
    }
    const nodes = [1, 2, 3].map(() => start(options))
    await eventually(() => nodes.every(({ said }) => said.live === 3), 'all three are live', 60_000)
    expect(nodes.map(({ said }) => said.slot).toSorted()).toEqual([1, 2, 3])
    expect(new Set(nodes.map(({ said }) => said.store)).size).toBe(3)
    for (const { said } of nodes) expect(said.url).toBe(`http://127.0.0.1:${api + (said.slot as number) - 1}`)

    const more = start(options)
    await eventually(() => more.said.error !== undefined, 'a fourth is refused', 30_000)
    expect(more.said.error).toMatchObject({
      code: 'STORE_LOCKED',
      message: expect.stringContaining('all 3 slots'),
    })

    const dead = nodes.find(({ said }) => said.slot === 2) as NodeProcess
    dead.kill()
    const rest = nodes.filter(node => node !== dead)
    await eventually(() => rest.every(({ said }) => said.live === 2), 'the others miss it', 30_000)
    const next = start(options)
    await eventually(() => [...rest, next].every(({ said }) => said.live === 3), 'all are live', 60_000)
    expect(next.said).toMatchObject({ slot: 2, store: dead.said.store })
  })

  test('are for nodes of a mesh with a data directory, which is not already of one node', async () => {
    const mesh = { listen: '127.0.0.1:0', mesh: { secret: 'what only these processes know' } }
    await expect(createNode({ dataDir: directory, slots: 2 })).rejects.toMatchObject({ field: 'listen' })
    await expect(createNode({ ...mesh, slots: 2 })).rejects.toMatchObject({ field: 'slots' })
    const own = join(directory, 'own')
    await mkdir(own)
    await writeFile(join(own, 'FORMAT'), '{"format":1,"product":"carillon"}\n')
    await expect(createNode({ ...mesh, dataDir: own, slots: 2 })).rejects.toMatchObject({
      code: 'STORE_FORMAT',
      message: expect.stringContaining('slot-1'),
    })
  })
})

/** The first of so many free ports in a row. */
async function freePorts(count: number): Promise<number> {
  for (;;) {
    const first = await freePort()
    const isFree = await Promise.all(Array.from({ length: count }, (_, at) => canListen(first + at)))
    if (isFree.every(Boolean)) return first
  }
}

function canListen(port: number): Promise<boolean> {
  if (port > 65_535) return Promise.resolve(false)
  const server = createServer()
  return new Promise(resolve => {
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
