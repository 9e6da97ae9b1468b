import { expect, test } from 'vitest'
import { VirtualClock } from '../../sim/virtual-clock.ts'
import { Wake } from '../../src/lib/wake.ts'

test('rings once, at the earliest of what it was told, and says which that was', async () => {
  const clock = new VirtualClock()
  const rings: [number, number][] = []
  const wake = new Wake(clock, at => rings.push([at, clock.monotonic()]))
  wake.by(500)
  wake.by(200)
  wake.by(300)
  expect(wake.at).toBe(200)
  await clock.advanceTo(1000)
  // A timer may fire a millisecond early: it is set for a little later.
  expect(rings).toEqual([[200, 201]])
  expect([wake.at, clock.pending]).toEqual([Number.POSITIVE_INFINITY, 0])
  wake.by(1500)
  wake.set(1800)
  await clock.advanceTo(1700)
  wake.cancel()
  await clock.advanceTo(3000)
  expect(rings.length).toBe(1)
})
