/** Whole engines keep every task on R stores, and one of them acts. */

import { afterEach, describe, expect, test } from 'vitest'
import { rangeOf } from '../../src/lib/hash.ts'
import type { RangeInspection } from '../../src/mesh/tasks.ts'
import { BEGAN_AT, type BedNode, MeshBed, RANGES } from './bed.ts'

let bed: MeshBed

afterEach(async () => {
  await bed?.stop()
})

describe('a mesh of three', () => {
  test('carries out what any node acts for once, and all have the same of it', async () => {
    bed = new MeshBed(3)
    bed.handle('work')
    await bed.found()
    const tasks = []
    for (let i = 0; i < 30; i++)
      tasks.push(await bed.call(node => node.schedule({ name: 'work', id: `t${i}`, after: 1000 })))
    await bed.advance(5000)
    expect(bed.entered.map(({ task }) => task).sort()).toEqual(tasks.map(({ id }) => id).sort())
    await bed.expectConverged()
  })

  test('keeps to the instants of a recurring task when the node that acts for it dies', async () => {
    bed = new MeshBed(3)
    bed.handle('tick')
    await bed.found()
    await bed.call(node => node.schedule({ name: 'tick', id: 'every', every: 1000, anchor: BEGAN_AT }))
    await bed.advance(5000)
    const before = bed.entered.length
    bed.ownerOf('every').crash()
    await bed.advance(20_000)
    const instants = bed.entered.map(({ scheduledAt }) => scheduledAt)
    expect(before).toBeGreaterThanOrEqual(4)
    // Every second has its run, also those of the time without an owner.
    for (let i = 1; i < instants.length; i++)
      expect([0, 1000]).toContain((instants[i] as number) - (instants[i - 1] as number))
    expect(instants.at(-1)).toBeGreaterThan(20_000)
    expect(new Set(bed.entered.map(({ node }) => node)).size).toBe(2)
  })

  test('starts the attempt of a dead node again, and not one that has ended', async () => {
    bed = new MeshBed(3)
    bed.handle('slow', (_, node: BedNode) => node.sleep(3000))
    await bed.found()
    await bed.call(node => node.schedule({ name: 'slow', id: 'long', after: 100 }))
    await bed.advance(1000)
    expect(bed.entered).toHaveLength(1)
    bed.ownerOf('long').crash()
    await bed.advance(30_000)
    expect(bed.entered.map(({ attempt }) => attempt)).toEqual([1, 2])
    expect(bed.entered[1]?.key).toBe(bed.entered[0]?.key)
    await bed.advance(60_000)
    expect(bed.entered).toHaveLength(2)
  })

  test('has what was acknowledged after all of it lost its power', async () => {
    bed = new MeshBed(3, { segmentChangesMax: 8 })
    bed.handle('work')
    await bed.found()
    for (let i = 0; i < 40; i++)
      await bed.call(node => node.schedule({ name: 'work', id: `t${i}`, after: 120_000 }))
    for (const node of bed.nodes) node.crash({ powerCut: true })
    await bed.advance(10_000)
    for (const node of bed.nodes) await bed.restart(node)
    await bed.settled()
    await bed.expectConverged()
    await bed.advance(130_000)
    expect(bed.entered.map(({ task }) => task).sort()).toEqual(
      Array.from({ length: 40 }, (_, i) => `t${i}`).sort(),
    )
  })

  test('gives a node that lost its disk everything again, and nothing is lost with it', async () => {
    bed = new MeshBed(3, { segmentChangesMax: 8 })
    bed.handle('work')
    await bed.found()
    for (let i = 0; i < 40; i++)
      await bed.call(node => node.schedule({ name: 'work', id: `t${i}`, after: 300_000 }))
    const [first] = bed.nodes as [BedNode]
    first.crash()
    first.wipe()
    await bed.restart(first)
    await bed.advance(90_000)
    await bed.settled()
    await bed.expectConverged()
  })

  test('a cancel is firm once all have it, and nothing starts after it', async () => {
    bed = new MeshBed(3)
    bed.handle('work')
    await bed.found()
    await bed.call(node => node.schedule({ name: 'work', id: 'never', after: 2000 }))
    expect(await bed.call(node => node.cancel('never'))).toBe(true)
    await bed.advance(5000)
    expect(bed.entered).toEqual([])
    await bed.expectConverged()
  })

  test('a follow-up of another range runs once', async () => {
    bed = new MeshBed(3)
    bed.handle('first', async run => {
      for (let i = 0; i < 5; i++) await run.schedule({ name: 'second' })
    })
    bed.handle('second')
    await bed.found()
    await bed.call(node => node.schedule({ name: 'first', id: 'parent', after: 10 }))
    await bed.advance(10_000)
    const followUps = bed.entered.filter(({ task }) => task !== 'parent').map(({ task }) => task)
    expect(new Set(followUps).size).toBe(5)
    expect(followUps).toHaveLength(5)
    await bed.expectConverged()
  })

  test('a follow-up of another range is as late as its way there takes', async () => {
    bed = new MeshBed(3)
    bed.handle('first', async run => {
      for (let i = 0; i < 5; i++) await run.schedule({ name: 'second' })
    })
    bed.handle('second')
    await bed.found()
    for (let i = 0; i < 20; i++) {
      await bed.call(node => node.schedule({ name: 'first', id: `parent-${i}`, after: 10 }))
      await bed.advance(137)
    }
    await bed.advance(2000)
    const late = bed.entered
      .filter(({ task }) => !task.startsWith('parent') || task.includes('/'))
      .map(({ at, scheduledAt }) => at - scheduledAt)
    expect(late).toHaveLength(100)
    expect(Math.max(...late)).toBeLessThan(5)
  })

  test('hands its ranges over when it stops, and no instant is missed', async () => {
    bed = new MeshBed(3)
    bed.handle('tick')
    await bed.found()
    await bed.call(node => node.schedule({ name: 'tick', id: 'every', every: 200, anchor: BEGAN_AT }))
    await bed.advance(3000)
    await bed.ownerOf('every').stop()
    await bed.advance(3000)
    const late = bed.entered.map(({ at, scheduledAt }) => at - scheduledAt)
    expect(Math.max(...late)).toBeLessThan(1000)
    const instants = bed.entered.map(({ scheduledAt }) => scheduledAt)
    expect(new Set(instants).size).toBe(instants.length)
  })
})

describe('a mesh that grows', () => {
  test('copies ranges to a node that joins, which then acts for its part', async () => {
    bed = new MeshBed(3, { segmentChangesMax: 8 })
    bed.handle('work')
    await bed.found()
    for (let i = 0; i < 60; i++)
      await bed.call(node => node.schedule({ name: 'work', id: `t${i}`, after: 600_000 }))
    const fourth = bed.add()
    await bed.restart(fourth)
    await bed.advance(30_000)
    await bed.settled()
    await bed.expectConverged()
    expect(fourth.engine.mesh?.tasks.status().acting).toBeGreaterThan(0)
  })
})

/** An id of that name in each range. */
function idsOf(name: string): string[] {
  const ids: string[] = []
  for (let range = 0; range < RANGES; range++) {
    let i = 0
    while (rangeOf(`${name}${range}.${i}`, RANGES) !== range) i++
    ids.push(`${name}${range}.${i}`)
  }
  return ids
}

describe('a mesh that grows and shrinks', () => {
  test('trace 47: has forgotten what ended while a store that knew of it was in no list', async () => {
    bed = new MeshBed(3)
    bed.handle('flaky', run => {
      if (run.attempt === 1) throw new Error('not yet')
    })
    await bed.found()
    const retry = { kind: 'fixed', base: 40_000 } as const
    const ids = idsOf('flaky')
    for (const id of ids)
      await bed.call(node => node.schedule({ name: 'flaky', id, after: 3_600_000, retry }))
    for (const id of ids) await bed.call(node => node.trigger(id))
    await bed.advance(1000)
    // It keeps what the fourth takes over from it, as it never hears that the fourth has it.
    const third = bed.nodes[2] as BedNode
    const fourth = bed.add()
    bed.switch.partition([third.host], [fourth.host])
    await bed.restart(fourth)
    await bed.advance(20_000)
    await bed.settled()
    let kept = 0
    for (let range = 0; range < RANGES; range++) {
      const inspected = third.engine.mesh?.tasks.inspect(range) as Promise<RangeInspection>
      const { isListed, records } = await bed.done(inspected)
      if (!isListed && records.size > 0) kept++
    }
    expect(kept, 'ranges in custody').toBeGreaterThan(0)
    const ended = (): number => bed.entered.filter(({ attempt }) => attempt === 2).length
    expect(ended()).toBe(0)
    await bed.advance(30_000)
    expect(ended()).toBe(ids.length)
    fourth.crash()
    await bed.advance(100_000)
    await bed.settled()
    await bed.expectConverged()
    expect(bed.entered).toHaveLength(2 * ids.length)
  })
})
