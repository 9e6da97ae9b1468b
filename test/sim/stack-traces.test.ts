import { expect, test } from 'vitest'
import { portableStacks } from '../../sim/stack-traces.ts'
import { VirtualClock } from '../../sim/virtual-clock.ts'

test('a stack names no folder, ends where the clock drives, and is what it was afterwards', async () => {
  const before = { ...Error }
  const restore = portableStacks()
  const clock = new VirtualClock()
  let stack = ''
  clock.setTimer(1, function due() {
    stack = String(new Error('why').stack)
  })
  await clock.advanceBy(2)
  restore()
  expect(stack).toMatch(/^Error: why\n {4}at \S*due \(stack-traces\.test\.ts:\d+\)$/)
  expect({ ...Error }).toEqual(before)
})
