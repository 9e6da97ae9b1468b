/** A node that stops takes nothing with it that the others need, and reads nothing more. */

import { expect, test } from 'vitest'
import { type ReplicaHostParts, StoreReplicaHost } from '../../src/mesh/replica-host.ts'
import { BEGAN_AT, MeshBed } from './bed.ts'

// Under the first of these two others had the end of a run, and the one that had come to act was not among them.
test.each(['stop', 'stop8', 'another'])(
  'trace 57: what ended while a node stopped is not run again by the others, however late they hear of it (%s)',
  async seed => {
    const bed = new MeshBed(3, { seed })
    bed.handle('work', (_run, node) => node.sleep(500))
    await bed.found()
    const ids = Array.from({ length: 30 }, (_, i) => `task-${i}`)
    for (const id of ids)
      await bed.call(node => node.schedule({ name: 'work', id, at: new Date(BEGAN_AT + 5000) }))
    await bed.advance(5100 - bed.now)
    const ran = (): string[] => bed.entered.map(({ task }) => task).sort()
    expect(ran()).toEqual([...ids].sort())
    const [first, ...others] = bed.nodes
    if (first === undefined) throw new Error('there are three')
    expect(bed.entered.filter(({ node }) => node === 0).length).toBeGreaterThan(3)
    const hosts = others.map(({ host }) => host)
    bed.switch.disturb([first.host], hosts, { slower: 3000 })
    await first.stop(10_000)
    await bed.advance(20_000)
    expect(ran()).toEqual([...ids].sort())
    await bed.stop()
  },
)

test('what is being read when a node stops goes no further', async () => {
  let isOver = (): void => {}
  const failures: unknown[] = []
  const store = {
    loadIn: () => new Promise<void>(resolve => (isOver = resolve)),
    pageOf: () => Promise.reject(new Error('it is closed')),
  }
  const parts = { store, stir: () => {}, failed: (error: unknown) => failures.push(error) }
  const host = new StoreReplicaHost(parts as unknown as ReplicaHostParts)
  let count = 0
  host.load(1, ['a'], () => count++)
  host.stop()
  isOver()
  host.load(1, ['b'], () => count++)
  host.page(1, undefined, 10, () => count++)
  await new Promise(resolve => setImmediate(resolve))
  expect([count, failures]).toEqual([0, []])
})
