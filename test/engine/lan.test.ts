/** Nodes that find each other by mdns on a LAN of machines: Linux, with unshare, ip and nft; root, or user namespaces. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createNode } from '../../src/index.ts'

const PROGRAM = join(import.meta.dirname, 'lan-program.ts')

test('machines on a LAN find each other, and two meshes do not mix', { timeout: 600_000 }, async () => {
  const child = spawn(process.execPath, [PROGRAM], { stdio: ['ignore', 'pipe', 'pipe'] })
  let [out, err] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text
  })
  const [code] = await once(child, 'close')
  expect(code, `${out}${err}`).toBe(0)
  expect(out.trimEnd().split('\n')).toEqual([
    'three found a mesh',
    'two others found one of their own',
    'the two know nothing of each other',
    'a newcomer finds those that live, 1 were killed',
    'a newcomer finds those that live, 2 were killed',
    'who has another secret is found, told so, and not let in',
  ])
})

test.each([
  [{ join: ['mdns'] }, 'listen', 'without listen'],
  [{ listen: '127.0.0.1:0', join: ['mdns'] }, 'mesh.secret', 'give all of them the same mesh.secret'],
  [{ listen: '127.0.0.1:0', join: ['mdns:7400'] }, 'join[0]', 'mdns has no port'],
])('%j is refused with what to do', async (options, field, message) => {
  await expect(createNode(options)).rejects.toMatchObject({
    code: 'INVALID',
    field,
    message: expect.stringContaining(message),
  })
})
