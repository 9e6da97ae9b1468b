/** Connections on which nothing gets on any more though the nodes hear each other: what one has is soon with all. */

import { afterEach, expect, test } from 'vitest'
import type { Disturbance } from '../../sim/network/link.ts'
import { type BedNode, MeshBed } from './bed.ts'

let bed: MeshBed

afterEach(async () => {
  bed.switch.heal()
  await bed.stop()
})

/** All links are so for a while, in which tasks are made. */
async function disturbed(disturbance: Disturbance, ms: number, gapMs?: number): Promise<void> {
  const hosts = bed.nodes.map(({ host }) => host)
  const end = bed.switch.disturb(hosts, hosts, disturbance)
  await busy(ms, gapMs)
  end()
}

let made = 0

/** Tasks are made for so long; nobody waits for an answer. */
async function busy(ms: number, gapMs = 100): Promise<void> {
  for (const until = bed.now + ms; bed.now < until; ) {
    for (const { api } of bed.up)
      api.schedule({ name: 'work', id: `t${made++}`, after: 600_000 }).catch(() => undefined)
    await bed.advance(gapMs)
  }
}

const stalled = (): number => bed.nodes.reduce((sum, node) => sum + (node.engine.mesh?.tasks.stalled ?? 0), 0)
const views = (): string[] => bed.nodes.map(node => node.engine.mesh?.status().view ?? '')

test('after a moment in which all was very slow all have the same within ten seconds, and nobody was away', async () => {
  bed = new MeshBed(3)
  bed.handle('work')
  await bed.found()
  await busy(1000)
  const before = views()
  // What is sent now arrives in a minute or later, and holds back all that comes behind it.
  await disturbed({ slower: 600_000 }, 1500)
  await bed.advance(10_000)
  await bed.expectConverged()
  expect(stalled()).toBeGreaterThan(0)
  expect(stalled()).toBeLessThanOrEqual(6)
  await bed.advance(30_000)
  expect(views()).toEqual(before)
  expect(bed.nodes.flatMap(node => node.engine.mesh?.membership.suspects ?? [])).toEqual([])
})

test('one pair alone is stuck, one way: it is cut, once, and nobody else', async () => {
  bed = new MeshBed(3)
  bed.handle('work')
  await bed.found()
  const [first, second] = bed.nodes as [BedNode, BedNode]
  const end = bed.switch.disturb([first.host], [second.host], { slower: 600_000 })
  await busy(1000)
  end()
  const since = stalled()
  await busy(6000)
  expect(stalled() - since).toBe(1)
  expect(bed.nodes.at(-1)?.engine.mesh?.tasks.stalled).toBe(0)
  await bed.advance(3000)
  await bed.expectConverged()
  await bed.advance(60_000)
  expect(stalled() - since).toBe(1)
})

test.each<[string, Disturbance]>([
  ['long', { slower: 100_000 }],
  ['narrow', { bytesPerMs: 20 }],
  ['cut, one way and the other', { cut: true }],
])('links that are %s all the time are cut for it by nobody', async (_, disturbance) => {
  bed = new MeshBed(3)
  bed.handle('work')
  await bed.found()
  await disturbed(disturbance, 14_000)
  expect(stalled()).toBe(0)
})

test('links that lose a third of what is sent flap no more than is allowed', async () => {
  bed = new MeshBed(3)
  bed.handle('work')
  await bed.found()
  await disturbed({ loss: 0.3 }, 40_000, 500)
  expect(stalled()).toBeLessThanOrEqual(1)
  await bed.advance(10_000)
  await bed.expectConverged()
})

test('after a cut in which connections backed off all have the same within ten seconds', async () => {
  bed = new MeshBed(5)
  bed.handle('work')
  await bed.found()
  for (const ms of [14_000, 30_000]) {
    const [first, second, ...others] = bed.nodes.map(({ host }) => host)
    const end = bed.switch.partition([first, second] as never, others)
    await busy(ms, 500)
    end()
    await bed.settled()
    await bed.advance(10_000)
    await bed.expectConverged()
  }
})

test('a quiet mesh cuts nothing', async () => {
  bed = new MeshBed(3)
  bed.handle('work')
  await bed.found()
  await busy(1000)
  await bed.advance(120_000)
  expect(stalled()).toBe(0)
})
