/** What callers are told when copies, or the node that acts, are out of reach; and what comes of it at the heal. */

import { afterEach, expect, test } from 'vitest'
import { type BedNode, MeshBed, RANGES } from './bed.ts'

let bed: MeshBed

afterEach(async () => {
  bed.switch.heal()
  await bed.stop()
})

/** Nothing passes between these and the others, either way. */
function cutOff(...nodes: BedNode[]): void {
  const others = bed.nodes.filter(node => !nodes.includes(node))
  bed.switch.partition(
    nodes.map(({ host }) => host),
    others.map(({ host }) => host),
  )
}

test('who does not act for a task refuses it, and says who does', async () => {
  bed = new MeshBed(3)
  await bed.found()
  const owner = bed.ownerOf('t')
  const other = bed.nodes.find(node => node !== owner) as BedNode
  const refused = bed.done(other.api.schedule({ name: 'work', id: 't', after: 60_000 }))
  await expect(refused).rejects.toMatchObject({
    code: 'NOT_OWNER',
    message: expect.stringContaining(owner.host.name),
  })
  await expect(bed.done(other.api.cancel('t'))).rejects.toMatchObject({ code: 'NOT_OWNER' })
  await bed.done(owner.api.schedule({ name: 'work', id: 't', after: 60_000 }))
})

test('strict guarantees are refused in a mesh', async () => {
  bed = new MeshBed(3)
  await bed.found()
  const strict = bed.call(node =>
    node.schedule({ name: 'work', id: 't', after: 60_000, guarantee: 'exactly-once' }),
  )
  await expect(strict).rejects.toMatchObject({ code: 'UNSUPPORTED' })
})

test('a node that is cut off answers nothing as done, and what it wrote is there after the heal', async () => {
  bed = new MeshBed(3)
  bed.handle('work')
  await bed.found()
  const alone = bed.ownerOf('t')
  cutOff(alone)
  const call = bed.done(alone.api.schedule({ name: 'work', id: 't', after: 90_000 }), 10_000)
  await expect(call).rejects.toMatchObject({ code: 'NOT_DURABLE' })
  bed.switch.heal()
  await bed.settled()
  await bed.advance(5000)
  await bed.expectConverged()
  // The same again tells what became of it.
  expect((await bed.call(node => node.schedule({ name: 'work', id: 't', after: 90_000 }))).status).not.toBe(
    'created',
  )
  await bed.advance(100_000)
  expect(bed.entered).toHaveLength(1)
})

test('each side of a cut may fire what both have; the records are one after the heal', async () => {
  bed = new MeshBed(5)
  bed.handle('work')
  await bed.found()
  for (let i = 0; i < 20; i++)
    await bed.call(node => node.schedule({ name: 'work', id: `t${i}`, after: 40_000 }))
  cutOff(bed.nodes[0] as BedNode, bed.nodes[1] as BedNode)
  await bed.advance(50_000)
  bed.switch.heal()
  await bed.settled()
  await bed.advance(15_000)
  await bed.expectConverged()
  const tasks = new Set(bed.entered.map(({ task }) => task))
  expect(tasks.size).toBe(20)
  expect(bed.entered.length).toBeLessThanOrEqual(40)
  for (let range = 0; range < RANGES; range++) expect(bed.actingFor(range)).toHaveLength(1)
})

test('trace 21: a take-over leaves the attempt of a live node alone, and its end is written where it ran', async () => {
  bed = new MeshBed(3)
  bed.handle('slow', (_, node: BedNode) => node.sleep(8000))
  await bed.found()
  const owner = bed.ownerOf('long')
  // The first of the list comes back, and takes over what another began meanwhile.
  owner.crash()
  await bed.advance(5000)
  await bed.call(node => node.schedule({ name: 'slow', id: 'long', after: 100 }))
  await bed.advance(1000)
  expect(bed.entered).toHaveLength(1)
  await bed.restart(owner)
  await bed.settled()
  expect(bed.ownerOf('long')).toBe(owner)
  await bed.advance(20_000)
  expect(bed.entered).toHaveLength(1)
  expect((await bed.done(owner.api.runs('long')))[0]).toMatchObject({ state: 'completed', attempt: 1 })
})

test('who leaves hands everything over first, and is missed by nobody', async () => {
  bed = new MeshBed(4, { segmentChangesMax: 8 })
  bed.handle('work')
  await bed.found()
  for (let i = 0; i < 40; i++)
    await bed.call(node => node.schedule({ name: 'work', id: `t${i}`, after: 30_000 }))
  const [first] = bed.nodes as [BedNode]
  await bed.done(first.engine.mesh?.leave(10_000) ?? Promise.resolve(), 30_000)
  await first.stop()
  await bed.settled()
  await bed.advance(10_000)
  await bed.expectConverged()
  await bed.advance(30_000)
  expect(bed.entered.map(({ task }) => task).sort()).toEqual(
    Array.from({ length: 40 }, (_, i) => `t${i}`).sort(),
  )
})

test('to stop all nodes one after another costs no attempt', async () => {
  bed = new MeshBed(3)
  bed.handle('work')
  await bed.found()
  await bed.call(node => node.schedule({ name: 'work', id: 't', after: 20_000 }))
  for (const node of bed.nodes) await node.stop()
  await bed.advance(5000)
  for (const node of bed.nodes) await bed.restart(node)
  await bed.settled()
  await bed.advance(30_000)
  expect(bed.entered.map(({ attempt }) => attempt)).toEqual([1])
})

test('a follow-up that no mesh can make fails its run, and harms nobody', async () => {
  bed = new MeshBed(3)
  bed.handle('first', run => {
    for (let i = 0; i < 4; i++) run.schedule({ name: 'second', guarantee: 'at-most-once' })
  })
  bed.handle('second')
  await bed.found()
  await bed.call(node => node.schedule({ name: 'first', id: 'parent', after: 10, retry: false }))
  await bed.advance(5000)
  const [run] = await bed.done(bed.ownerOf('parent').api.runs('parent'))
  expect(run).toMatchObject({ state: 'failed', error: { code: 'UNSUPPORTED' } })
  expect(bed.entered).toHaveLength(1)
  expect(bed.up).toHaveLength(3)
})

test('who waits for a result is told when its end has too few copies, and learns it later', async () => {
  bed = new MeshBed(3)
  bed.handle('slow', (_, node: BedNode) => node.sleep(3000))
  await bed.found()
  const owner = bed.ownerOf('t')
  const task = await bed.done(owner.api.schedule({ name: 'slow', id: 't', after: 10 }))
  await bed.advance(500)
  const result = task.result()
  result.catch(() => undefined)
  cutOff(owner)
  await expect(bed.done(result, 20_000)).rejects.toMatchObject({ code: 'NOT_DURABLE' })
  bed.switch.heal()
  await bed.settled()
  await bed.advance(5000)
  expect(await bed.done(bed.ownerOf('t').api.runs('t'))).toMatchObject([{ state: 'completed' }])
})

test('an attempt goes on here though another node has failed at the same run meanwhile', async () => {
  bed = new MeshBed(3)
  let entered = 0
  bed.handle('flaky', (_, node: BedNode) => {
    entered++
    if (entered > 1) throw new Error('not here')
    return node.sleep(40_000)
  })
  await bed.found()
  const owner = bed.ownerOf('t')
  await bed.call(node =>
    node.schedule({ name: 'flaky', id: 't', after: 10, timeout: 30_000, retry: { max: 5, base: 60_000 } }),
  )
  await bed.advance(1000)
  cutOff(owner)
  await bed.advance(12_000)
  expect(entered).toBe(2)
  bed.switch.heal()
  await bed.settled()
  // It runs into its timeout, with the other's word in the record.
  await bed.advance(25_000)
  expect(bed.up).toHaveLength(3)
  await bed.expectConverged()
})
