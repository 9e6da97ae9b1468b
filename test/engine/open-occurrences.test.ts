/**
 * Occurrences that are open while nothing is written of them: an opening is not journaled, but the times of any other
 * change of the task say that its instant was reached. Found while the merge was tested: they were lost.
 */

import { describe, expect, test } from 'vitest'
import { BEGAN_AT, Bed } from './bed.ts'

const instantsOf = (bed: Bed): number[] => [...new Set(bed.entered.map(each => each.scheduledAt))]

describe('an occurrence that waits for a worker', () => {
  test('is not lost in a crash after the end of one before it', async () => {
    const bed = new Bed({}, { concurrency: 1 })
    let ms = 3500
    bed.handle('slow', () => bed.sleep(ms))
    await bed.start()
    const task = { id: 't', name: 'slow', every: 100, start: BEGAN_AT + 1000, max: 40 }
    await bed.done(bed.node.schedule(task))
    await bed.until(4600)
    ms = 1
    bed.crash()
    await bed.start()
    await bed.until(10_000)
    expect(instantsOf(bed)).toEqual(Array.from({ length: 40 }, (_, i) => 1000 + i * 100))
    await bed.stop()
  })

  test('is not lost in a crash after its task was paused', async () => {
    const bed = new Bed()
    await bed.start()
    await bed.done(bed.node.schedule({ id: 't', name: 'later', every: '1m' }))
    await bed.until(60_100)
    await bed.done(bed.node.pause('t'))
    bed.crash()
    bed.handle('later')
    await bed.start()
    await bed.until(300_000)
    expect(instantsOf(bed)).toEqual([60_000])
    await bed.stop()
  })

  test('is not lost in a crash after its task was triggered', async () => {
    const bed = new Bed()
    await bed.start()
    await bed.done(bed.node.schedule({ id: 't', name: 'later', at: BEGAN_AT + 1000 }))
    await bed.until(2000)
    await bed.done(bed.node.trigger('t'))
    bed.crash()
    bed.handle('later')
    await bed.start()
    await bed.until(5000)
    expect(instantsOf(bed)).toEqual([1000, 2000])
    await bed.stop()
  })
})

test('a task that is replaced by an earlier instant while its run waits is not lost in a crash', async () => {
  const bed = new Bed()
  await bed.start()
  await bed.done(bed.node.schedule({ id: 't', name: 'later', at: BEGAN_AT + 1000 }))
  await bed.until(2000)
  const { status } = await bed.done(bed.node.schedule({ id: 't', name: 'other', at: BEGAN_AT + 500 }))
  expect(status).toBe('replaced')
  bed.crash()
  bed.handle('later')
  bed.handle('other')
  await bed.start()
  await bed.until(5000)
  expect(bed.entered.map(each => each.name)).toEqual(['other'])
  await bed.stop()
})
