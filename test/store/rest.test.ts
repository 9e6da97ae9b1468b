/** A closed segment rests before it is moved to the index: what ends meanwhile is never written there. */

import { beforeEach, expect, test } from 'vitest'
import { taskIdOf } from '../../src/store/keys.ts'
import { Judge } from './judge.ts'
import { carryOut, IDS } from './scripts.ts'
import { OPTIONS, StoreBed } from './test-bed.ts'

const REST_MS = 1000

let bed: StoreBed
let judge: Judge
let indexed: Set<string>

beforeEach(async () => {
  bed = new StoreBed({ journal: { ...OPTIONS.journal, restMs: REST_MS } })
  indexed = new Set()
  bed.onWrite = (_, __, ops) => {
    for (const { type, key } of ops) if (type === 'put' && key[0] === 0x74) indexed.add(taskIdOf(key))
  }
  await bed.open()
  judge = new Judge(bed, IDS)
})

test('a task that ends while the segment rests never touches the index, one that lives on is moved there', async () => {
  await carryOut(bed, judge, [
    ['+a +b +c +d +e', 'settle'],
    ['>a >b', 'settle'],
    ['.a .b', 'settle'],
  ])
  expect([...indexed]).toEqual([])
  await bed.clock.advanceBy(REST_MS)
  await bed.settle()
  expect([...indexed].sort()).toEqual(['c', 'd', 'e'])
  expect(bed.tasks.journal.segmentsWaiting).toBe(0)
  await judge.check()
})

test('the next segment to be closed ends the rest', async () => {
  await carryOut(bed, judge, [
    ['+a +b +c +d +e', 'settle'],
    ['=a =b =c =d =e', 'settle'],
  ])
  expect([...indexed].sort()).toEqual(['a', 'b', 'c', 'd', 'e'])
  expect(bed.tasks.journal.segmentsWaiting).toBe(1)
})

test('after a crash what rested is replayed, and moved at once', async () => {
  await carryOut(bed, judge, [['+a +b +c +d +e', 'settle']])
  bed.crash()
  await bed.open()
  await judge.restarted()
  await bed.settle()
  expect([...indexed].sort()).toEqual(['a', 'b', 'c', 'd', 'e'])
})
