/** Nodes whose disks are gone, one after another: each comes back as a new store, and nobody is unsure for it. */

import { afterEach, expect, test } from 'vitest'
import { type BedNode, MeshBed } from './bed.ts'

let bed: MeshBed | undefined

afterEach(async () => {
  await bed?.stop()
  bed = undefined
})

test('every disk is lost in turn: what was scheduled at first runs on time, and all are sure', async () => {
  bed = new MeshBed(3, { segmentChangesMax: 8 })
  bed.handle('work')
  await bed.found()
  const ids = Array.from({ length: 30 }, (_, i) => `t${i}`)
  for (const id of ids) await bed.call(node => node.schedule({ name: 'work', id, after: 240_000 }))
  for (const node of [...bed.nodes, ...bed.nodes] as BedNode[]) {
    node.crash()
    await bed.advance(2000)
    node.wipe()
    await bed.restart(node)
    await bed.advance(10_000)
    await bed.settled(1000)
    expect(bed.nodes.map(each => each.engine.mesh?.status().ranges.belowReplicas)).toEqual([0, 0, 0])
    // Who starts again has to be sure of all that was acknowledged before: the dead stores are nobody to wait for.
    const other = bed.nodes[(node.number + 1) % 3] as BedNode
    await other.stop()
    await bed.restart(other)
    await bed.advance(10_000)
    await bed.settled(1000)
  }
  expect(bed.nodes[0]?.engine.mesh?.status().stores).toHaveLength(9)
  await bed.expectConverged()
  await bed.advance(240_000)
  expect(bed.entered.map(({ task }) => task).toSorted()).toEqual(ids.toSorted())
  expect(Math.max(...bed.entered.map(({ at, scheduledAt }) => at - scheduledAt))).toBeLessThan(50)
})
