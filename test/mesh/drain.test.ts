/** Leaving a mesh of whole engines: what is held goes to the others first, and comes back with nobody. */

import { afterEach, expect, test } from 'vitest'
import { type BedNode, MeshBed } from './bed.ts'

let bed: MeshBed | undefined

afterEach(async () => {
  await bed?.stop()
  bed = undefined
})

async function founded(size: number, replicas = 3): Promise<MeshBed> {
  bed = new MeshBed(size, { segmentChangesMax: 8, replicas })
  bed.handle('work')
  bed.handle('long', (_, node) => node.sleep(4000))
  await bed.found()
  return bed
}

async function scheduled(mesh: MeshBed, count: number, after: number): Promise<string[]> {
  const ids = Array.from({ length: count }, (_, i) => `t${i}`)
  for (const id of ids) await mesh.call(node => node.schedule({ name: 'work', id, after }))
  return ids
}

/** Until it has left and closed. */
async function drained(mesh: MeshBed, node: BedNode, limitMs = 60_000): Promise<void> {
  await mesh.done(node.api.drain())
  await mesh.done(node.api.closed, limitMs)
  await mesh.done(node.engine.stopped)
  node.isUp = false
}

/** It belongs to a mesh of so many. */
async function joined(mesh: MeshBed, node: BedNode, size: number): Promise<void> {
  const isIn = (): boolean =>
    node.engine.mesh?.membership.isAdmitted === true && storesAt(node).length === size
  await mesh.clock.runUntil(isIn, 20_000)
  expect(isIn(), 'it has joined').toBe(true)
}

const storesAt = (node: BedNode | undefined) => node?.engine.mesh?.membership.view.stores ?? []

test('what it holds is with R others before it leaves, and what runs there ends there', async () => {
  const mesh = await founded(4)
  const ids = await scheduled(mesh, 40, 30_000)
  await mesh.call(node => node.schedule({ name: 'long', id: 'long' }))
  await mesh.advance(500)
  const leaver = mesh.ownerOf('long')
  const rest = mesh.nodes.filter(node => node !== leaver)
  const first = await mesh.done(leaver.api.drain())
  expect(first).toMatchObject({ step: 'ranges', running: 1 })
  await mesh.advance(1500)
  expect(await mesh.done(leaver.api.drain())).toMatchObject({ step: 'runs', acting: 0, running: 1 })
  const { mesh: view } = await mesh.done(leaver.api.status())
  expect(view?.draining?.step).toBe('runs')
  expect(storesAt(rest[0]).map(({ state }) => state)).toEqual(['live', 'live', 'live', 'live'])
  await mesh.clock.runUntil(() => storesAt(rest[0]).length === 3, 20_000)
  expect(storesAt(rest[0])).toHaveLength(3)
  expect(leaver.engine.mesh?.tasks.holding).toBe(0)
  await mesh.done(leaver.api.closed)
  leaver.isUp = false
  await mesh.settled()
  await mesh.expectConverged()
  expect(mesh.entered.filter(({ task }) => task === 'long')).toMatchObject([{ attempt: 1 }])
  expect((await mesh.call(node => node.runs('long')))[0]).toMatchObject({ state: 'completed', attempt: 1 })
  await mesh.advance(30_000)
  const ran = mesh.entered.filter(({ task }) => task !== 'long').map(({ task }) => task)
  expect(ran.toSorted()).toEqual(ids.toSorted())
})

test('one after another until one is left: every task is on time', async () => {
  const mesh = await founded(5)
  const ids = await scheduled(mesh, 40, 120_000)
  for (const i of [2, 0, 4, 1]) await drained(mesh, mesh.nodes[i] as BedNode)
  await mesh.settled()
  const last = mesh.nodes[3] as BedNode
  expect(storesAt(last)).toHaveLength(1)
  await mesh.advance(120_000)
  expect(mesh.entered.map(({ task }) => task).toSorted()).toEqual(ids.toSorted())
  expect(Math.max(...mesh.entered.map(({ at, scheduledAt }) => at - scheduledAt))).toBeLessThan(50)
  await expect(mesh.done(last.api.drain())).rejects.toMatchObject({ code: 'CONFLICT' })
})

test('a node that has left joins again as a new store, with nothing of before', async () => {
  const mesh = await founded(3)
  const ids = await scheduled(mesh, 20, 60_000)
  const leaver = mesh.nodes[1] as BedNode
  const before = leaver.store
  await drained(mesh, leaver)
  await mesh.settled()
  await mesh.restart(leaver)
  await joined(mesh, leaver, 3)
  await mesh.settled()
  expect(leaver.store).not.toBe(before)
  expect(storesAt(leaver).map(({ state }) => state)).toEqual(['live', 'live', 'live'])
  await mesh.advance(10_000)
  await mesh.expectConverged()
  await mesh.advance(60_000)
  expect(mesh.entered.map(({ task }) => task).toSorted()).toEqual(ids.toSorted())
})

test.each([
  ['while its runs end', 1000],
  ['while others copy', 4300],
])('a node that dies %s is a member still', async (_, ms) => {
  const mesh = await founded(4)
  const ids = await scheduled(mesh, 20, 60_000)
  await mesh.call(node => node.schedule({ name: 'long', id: 'long' }))
  await mesh.advance(200)
  const leaver = mesh.ownerOf('long')
  const before = leaver.store
  await mesh.done(leaver.api.drain())
  await mesh.advance(ms)
  expect(leaver.engine.mesh?.status().draining?.step).toBe(ms < 4000 ? 'runs' : 'copies')
  leaver.crash()
  await mesh.advance(5000)
  await mesh.restart(leaver)
  await mesh.settled()
  expect(leaver.store).toBe(before)
  expect(storesAt(leaver).map(({ state }) => state)).toEqual(['live', 'live', 'live', 'live'])
  await mesh.advance(70_000)
  const ran = mesh.entered.filter(({ task }) => task !== 'long').map(({ task }) => task)
  expect(ran.toSorted()).toEqual(ids.toSorted())
})

test('forget takes a node or a store that is not live, by a piece of its id, and nothing else', async () => {
  const mesh = await founded(4)
  const [first, , , last] = mesh.nodes as [BedNode, BedNode, BedNode, BedNode]
  const gone = last.store
  const other = first.store
  await expect(mesh.done(first.api.forget('n3'))).rejects.toMatchObject({ code: 'CONFLICT' })
  await expect(mesh.done(first.api.forget('n9'))).rejects.toMatchObject({ code: 'NOT_FOUND' })
  await expect(mesh.done(first.api.forget(gone.slice(0, 5)))).rejects.toMatchObject({ code: 'NOT_FOUND' })
  last.crash()
  await mesh.clock.runUntil(() => storesAt(first).some(({ state }) => state === 'away'), 10_000)
  expect(await mesh.done(first.api.forget(gone.slice(0, 8)))).toEqual([{ store: gone, node: 'n3' }])
  expect(storesAt(first)).toHaveLength(3)
  await mesh.advance(2000)
  // It hears of it at its start; the one after that is another store's.
  await mesh.restart(last)
  await mesh.advance(5000)
  const { mesh: view } = await mesh.done(last.api.status())
  expect(view?.admitted).toBe(false)
  expect(view?.refusals).toMatchObject([
    { code: 'REMOVED', line: expect.stringContaining('start this node again') },
  ])
  await last.stop()
  await mesh.restart(last)
  await joined(mesh, last, 4)
  await mesh.settled()
  expect([gone, other]).not.toContain(last.store)
  expect(storesAt(first)).toHaveLength(4)
})
