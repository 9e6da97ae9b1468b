import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createNode } from '../../src/index.ts'

/** Lists over a real store: what LevelDB gives in one read depends on the size of the values. */

let dataDir: string

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'carillon-queries-'))
})
afterEach(() => rm(dataDir, { recursive: true, force: true }))

async function idsOf(tasks: AsyncIterable<{ readonly id: string }>): Promise<string[]> {
  const ids: string[] = []
  for await (const { id } of tasks) ids.push(id)
  return ids.sort()
}

test('large tasks on disk are all listed, and no answer is too large for its message', async () => {
  const ids = Array.from({ length: 120 }, (_, i) => `large-${String(i).padStart(3, '0')}`)
  const large = (id: string) => ({ id, name: 'later', after: '2h' as const, payload: 'x'.repeat(250_000) })
  const first = await createNode({ dataDir })
  for (let at = 0; at < ids.length; at += 50) await first.schedule(ids.slice(at, at + 50).map(large))
  await first.close()
  // Now none is in memory.
  await using node = await createNode({ dataDir, http: '127.0.0.1:0' })
  expect(await idsOf(node.tasks({ name: 'later' }))).toEqual(ids)
  // Asked for all at once they would be 30 MB: the page is short, and says where it goes on.
  const { url, token } = node.http!
  const answer = await fetch(`${url}/v1/tasks?limit=1000`, { headers: { authorization: `Bearer ${token}` } })
  const { tasks, after } = (await answer.json()) as { tasks: object[]; after: string | null }
  expect(tasks.length).toBeLessThan(100)
  expect(after).not.toBeNull()
}, 60_000)

test('a list goes on behind those that were cancelled and are still in the index', async () => {
  const ids = Array.from({ length: 3000 }, (_, i) => `t-${String(i).padStart(4, '0')}`)
  const first = await createNode({ dataDir })
  await first.schedule(ids.map(id => ({ id, name: 'later', after: '2h' as const })))
  await first.close()
  await using node = await createNode({ dataDir })
  await Promise.all(ids.slice(0, 1500).map(id => node.cancel(id)))
  expect(await idsOf(node.tasks())).toEqual(ids.slice(1500))
}, 60_000)

test('dead tasks come in pages, too', async () => {
  const ids = Array.from({ length: 620 }, (_, i) => `dead-${String(i).padStart(3, '0')}`)
  await using node = await createNode({
    dataDir,
    handlers: {
      fail() {
        throw new Error('it failed')
      },
    },
  })
  const tasks = await node.schedule(ids.map(id => ({ id, name: 'fail', retry: false as const })))
  await Promise.allSettled(tasks.map(task => task.result()))
  expect(await idsOf(node.tasks({ state: 'dead' }))).toEqual(ids)
}, 60_000)
