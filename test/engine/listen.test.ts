/** Where a node listens when the port that it would have is taken: the default may move, what was promised may not. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { createNode } from '../../src/index.ts'
import { eventually, LoopbackNodes, liveOf, SECRET } from '../support/loopback-nodes.ts'

const DEFAULT_PORT = 7400
const MAIN = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts')
const mesh = { secret: SECRET }
let holder: Server
let all: LoopbackNodes

/** Whoever has the default port, this test or somebody else: it is taken. */
beforeAll(async () => {
  holder = createServer()
  await new Promise<void>(resolve => {
    holder.once('error', () => resolve())
    holder.listen(DEFAULT_PORT, '127.0.0.1', resolve)
  })
})

afterAll(() => void holder.close())

beforeEach(async () => {
  all = await LoopbackNodes.make()
})

afterEach(() => all.close())

function portOf(address: string | undefined): number {
  return Number(address?.split(':').at(-1))
}

test('a node that was told no port takes a free one, says which, and is found there', async () => {
  const node = all.add(await createNode({ listen: '127.0.0.1', mesh, network: 'local' }))
  expect(node.address).toMatch(/^127\.0\.0\.1:\d+$/)
  expect(portOf(node.address)).not.toBe(DEFAULT_PORT)
  const own = (await node.status()).mesh?.stores.map(({ addresses }) => addresses)
  expect(own).toEqual([[node.address]])
  const other = await all.start({ name: 'b', to: [node.address as string] })
  await eventually(async () => (await liveOf(other)) === 2, 'two live nodes')
})

test.each([
  ['names its port', { listen: `127.0.0.1:${DEFAULT_PORT}` }],
  ['has told others where it is', { listen: '127.0.0.1', advertise: 'a.example' }],
])('a node that %s is refused', async (_, options) => {
  await expect(createNode({ ...options, mesh })).rejects.toMatchObject({
    code: 'LISTEN_FAILED',
    message: expect.stringContaining(`127.0.0.1:${DEFAULT_PORT}: EADDRINUSE`),
  })
})

test('a node that is alone has no address', async () => {
  const alone = all.add(await createNode())
  expect(alone.address).toBeUndefined()
})

test('carillon up says which port was taken, and goes on', { timeout: 60_000 }, async () => {
  const argv = ['up', '--memory', '--http', 'off', '--listen', '127.0.0.1', '--for', '100ms']
  const child = spawn(process.execPath, [MAIN, ...argv], { env: { ...process.env, NO_COLOR: '1' } })
  let out = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
  })
  const [code] = await once(child, 'close')
  expect([code, out]).toEqual([
    0,
    expect.stringMatching(
      /^ {2}port 7400 is taken by another process, so this node listens at port (\d+); --listen HOST:PORT names one$/m,
    ),
  ])
  const [, port] = /listens at port (\d+)/.exec(out) ?? []
  expect(out).toContain(`a node of a mesh, at 127.0.0.1:${port},`)
})
