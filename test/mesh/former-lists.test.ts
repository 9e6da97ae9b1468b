/** Former lists of ranges, once who acts has retired them. */

import { expect, test } from 'vitest'
import { type BedNode, MeshBed, RANGES } from './bed.ts'

test('that a former list is over is known to all that keep the range: else what ended stays with them for a day', async () => {
  const bed = new MeshBed(3)
  await bed.found()
  await bed.restart(bed.add())
  await bed.settled()
  await bed.advance(5000)
  let [moved, open] = [0, 0]
  for (const { engine } of bed.nodes) {
    for (let range = 0; range < RANGES; range++) {
      const replica = engine.mesh?.tasks.replica(range)
      if (replica?.role !== 'owner' && replica?.role !== 'replica') continue
      moved += replica.lists.all.length
      open += replica.lists.open.length
    }
  }
  expect(moved).toBeGreaterThan(10)
  expect(open).toBe(0)
  await bed.stop()
})

test('a list that is retired only after days is known to be by all, who fall silent again', async () => {
  const bed = new MeshBed(3)
  await bed.found()
  const away = bed.nodes[1] as BedNode
  away.crash()
  await bed.advance(120_000)
  // All machines are off over a long weekend.
  bed.clock.jump(3 * 86_400_000)
  await bed.advance(2000)
  await bed.restart(away)
  await bed.settled()
  await bed.advance(10_000)
  const sent = (): number =>
    bed.nodes.reduce((sum, { host }) => sum + host.traffic.planes.replication.sentFrames, 0)
  const before = sent()
  await bed.advance(10_000)
  // At rest: a digest of each range in ten seconds, to each of two.
  expect(sent() - before).toBeLessThan(150)
  await bed.stop()
})
