/** What an operator does to a mesh of nodes over real connections, by their HTTP APIs: look, drain, forget. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { HttpClient } from '../../src/http/client.ts'
import { createNode, isCarillonError, type Node, type Run } from '../../src/index.ts'
import { freePort } from '../support/libp2p-nodes.ts'

interface Made {
  readonly node: Node<{ readonly work: (run: Run<unknown>) => undefined }>
  readonly client: HttpClient
  readonly address: string
}

let directory: string
const open = new Set<Made>()

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'carillon-'))
})

afterEach(async () => {
  await Promise.all([...open].map(({ node }) => node.close({ graceMs: 0 })))
  open.clear()
  await rm(directory, { recursive: true, force: true })
})

const ran: string[] = []

async function start(name: string, to: readonly string[], expected?: number): Promise<Made> {
  const address = `127.0.0.1:${await freePort()}`
  const node = await createNode({
    dataDir: join(directory, name),
    listen: address,
    join: to,
    http: '127.0.0.1:0',
    mesh: { secret: 'what only these nodes know', ...(expected === undefined ? {} : { expect: expected }) },
    network: 'local',
    handlers: { work: (run: Run<unknown>) => void ran.push(run.taskId) },
  })
  const { url, token } = node.http as { url: string; token: string }
  const made = { node, address, client: new HttpClient({ url, token, timeoutMs: 5000 }) }
  open.add(made)
  return made
}

/** Waits for what other threads do: there is no virtual clock between them. */
async function eventually(holds: () => Promise<boolean> | boolean, what: string, ms = 20_000): Promise<void> {
  for (const until = performance.now() + ms; !(await holds()); ) {
    if (performance.now() > until) throw new Error(`not within ${ms} ms: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

/** So many are there, and all ranges have their copies. */
async function settled(made: Made, live: number): Promise<void> {
  await eventually(async () => {
    const { mesh } = await made.client.status()
    const there = mesh?.stores.filter(({ state }) => state === 'live').length
    return there === live && mesh?.ranges.belowReplicas === 0 && mesh.ranges.unsure === 0
  }, `${live} live nodes with all copies`)
}

test('a node of three is drained and comes back as another store; a dead one is forgotten', {
  timeout: 90_000,
}, async () => {
  const first = await start('a', [], 3)
  const others = ['b', 'c'].map(name => start(name, [first.address], 3))
  const [second, third] = (await Promise.all(others)) as [Made, Made]
  for (const made of [first, second, third]) await settled(made, 3)

  const ring = await first.client.ring('task-1')
  expect(ring.nodes.map(({ kept }) => kept)).toEqual([256, 256, 256])
  expect(ring.nodes.reduce((sum, { owned }) => sum + owned, ring.unowned)).toBe(256)
  expect(ring.range?.list).toHaveLength(3)
  expect(ring.range?.list.every(({ state, ready }) => state === 'live' && ready === true)).toBe(true)
  const { mesh: before } = await third.client.status()
  expect(before).toMatchObject({ quorum: 2, draining: null, ranges: { belowQuorum: 0, copying: 0 } })

  const ids = Array.from({ length: 12 }, (_, i) => `task-${i}`)
  for (const id of ids) await schedule([first, second, third], id, 5000)
  await expect(first.client.forget(before?.stores[0]?.node as string)).rejects.toMatchObject({
    code: 'CONFLICT',
  })
  const { store } = await third.client.status()
  const began = await third.client.drain()
  expect(began.step).toBe('ranges')
  await third.node.closed
  open.delete(third)
  await settled(first, 2)
  expect((await first.client.status()).mesh?.stores).toHaveLength(2)

  const back = await start('c', [first.address])
  await settled(back, 3)
  expect((await back.client.status()).store).not.toBe(store)
  await eventually(() => ids.every(id => ran.includes(id)), 'all ran', 30_000)
  expect(ran.toSorted()).toEqual(ids.toSorted())

  const { store: dead } = await back.client.status()
  await back.node.close({ graceMs: 0 })
  open.delete(back)
  await eventually(
    async () =>
      (await first.client.ring()).nodes.some(({ stores }) => stores.some(({ state }) => state === 'away')),
    'away',
  )
  expect((await first.client.forget(dead.slice(0, 10))).map(each => each.store)).toEqual([dead])
  await settled(second, 2)
})

/** At whichever node acts for it. */
async function schedule(nodes: readonly Made[], id: string, after: number): Promise<void> {
  for (const { node } of nodes) {
    try {
      await node.schedule({ id, name: 'work', after })
      return
    } catch (error) {
      if (!isCarillonError(error, 'NOT_OWNER')) throw error
    }
  }
  throw new Error(`nobody acts for ${id}`)
}
