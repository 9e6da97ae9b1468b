/** A disk that has no space for a while, and one whose sync fails: the first is waited out, the second ends the store. */

import { describe, expect, test } from 'vitest'
import type { CarillonError } from '../../src/errors.ts'
import { Judge } from './judge.ts'
import { carryOut, IDS, SCRIPTS } from './scripts.ts'
import { Crashed, StoreBed } from './test-bed.ts'

/** Counts the writes of a script: those that `counts` says. */
async function writesOf(script: string, counts: (sync: boolean) => boolean): Promise<number> {
  const bed = new StoreBed()
  await bed.open()
  let count = 0
  bed.onWrite = (_, sync) => void (counts(sync) && count++)
  await carryOut(bed, new Judge(bed, IDS), SCRIPTS[script] ?? [])
  return count
}

async function untilCrash(doing: Promise<void>): Promise<void> {
  try {
    await doing
  } catch (error) {
    if (!(error instanceof Crashed)) throw error
  }
}

/** A bed that calls `act` when its write number `at` comes. */
async function bedThat(
  at: number,
  counts: (sync: boolean) => boolean,
  act: (bed: StoreBed) => void,
): Promise<StoreBed> {
  const bed = new StoreBed({}, at)
  await bed.open()
  let writes = 0
  bed.onWrite = (_, sync) => {
    if (counts(sync) && ++writes === at) act(bed)
  }
  return bed
}

const SPILLING = [
  'a spill to the index, and changes while it is under way',
  'ends of tasks that the index has',
]

describe('a store on a disk that is full', () => {
  const waits = SPILLING.flatMap(script => [2500, 12_500].map(ms => ({ script, ms })))
  test.each(waits)('waits $ms ms for space at any write of: $script', async ({ script, ms }) => {
    const count = await writesOf(script, () => true)
    expect(count).toBeGreaterThan(10)
    for (let at = 1; at <= count; at++) {
      const bed = await bedThat(
        at,
        () => true,
        each => {
          each.disk.full(true)
          each.clock.setTimer(ms, () => each.disk.full(false))
        },
      )
      const judge = new Judge(bed, IDS)
      await carryOut(bed, judge, SCRIPTS[script] ?? [])
      await bed.clock.advanceBy(15_000)
      expect(bed.failures.map(String), `full at write ${at} of ${count}`).toEqual([])
      expect(bed.fullness, `full at write ${at} of ${count}`).toEqual([true, false])
      expect(bed.tasks.isFull).toBe(false)
      await bed.settle()
      await judge.check()
      bed.crash()
      await bed.open()
      await judge.restarted()
    }
  })

  test.each(SPILLING)(
    'loses nothing acknowledged when it dies meanwhile, at any write of: %s',
    async script => {
      const count = await writesOf(script, () => true)
      for (let at = 1; at <= count; at++) {
        const bed = await bedThat(
          at,
          () => true,
          each => {
            each.disk.full(true)
            // Killed: the batch that met the full disk may show up later, and what came before it is there too.
            each.clock.setTimer(1700, () => each.isAlive && each.crash({ powerCut: false }))
          },
        )
        const judge = new Judge(bed, IDS)
        await untilCrash(carryOut(bed, judge, SCRIPTS[script] ?? []).then(() => bed.clock.advanceBy(2000)))
        if (bed.isAlive) bed.crash({ powerCut: false })
        await expect(bed.open(), `full at write ${at}`).rejects.toMatchObject({ code: 'STORE_FULL' })
        bed.disk.full(false)
        await bed.open()
        await judge.restarted()
        await bed.settle()
        await judge.check()
      }
    },
  )

  test('tells callers after a while that their change is kept, and writes it when there is space', async () => {
    const bed = new StoreBed()
    await bed.open()
    const judge = new Judge(bed, IDS)
    const told: Array<[at: number, code: string | undefined]> = []
    const note = (error?: CarillonError): void => void told.push([bed.clock.monotonic(), error?.code])
    bed.disk.full(true)
    const from = bed.clock.monotonic()
    judge.create('a', undefined)
    bed.tasks.afterSync(note)
    bed.tasks.flush()
    judge.create('b', undefined)
    bed.tasks.afterSync(note)
    await bed.clock.advanceBy(4900)
    expect(told).toEqual([])
    await bed.clock.advanceBy(200)
    expect(told.map(([, code]) => code)).toEqual(['STORE_FULL', 'STORE_FULL'])
    expect((told[0]?.[0] ?? 0) - from).toBeGreaterThanOrEqual(5000)
    bed.disk.full(false)
    await bed.settle()
    expect(told.length).toBe(2)
    expect(bed.failures).toEqual([])
    judge.acknowledge()
    await bed.settle()
    expect(judge.acked).toBe(2)
    bed.crash()
    await bed.open()
    await judge.restarted()
  })

  test('can be stopped: what was not acknowledged may be lost, the rest is there', async () => {
    const bed = new StoreBed()
    await bed.open()
    const judge = new Judge(bed, IDS)
    await carryOut(bed, judge, [['+a +b', 'sync']])
    bed.disk.full(true)
    judge.create('c', undefined)
    let told: CarillonError | undefined
    bed.tasks.afterSync(error => {
      told = error
    })
    bed.tasks.flush()
    await bed.clock.advanceBy(100)
    await bed.close()
    await bed.clock.advanceBy(10_000)
    expect(told?.code).toBe('STORE_FULL')
    bed.disk.full(false)
    await bed.open()
    await judge.restarted()
  })
})

describe('trace 24: a store whose disk fails to sync', () => {
  test.each(SPILLING)(
    'says so, tries nothing again, and lost nothing acknowledged, at any sync of: %s',
    async script => {
      const count = await writesOf(script, sync => sync)
      expect(count).toBeGreaterThan(5)
      for (let at = 1; at <= count; at++) {
        const bed = await bedThat(
          at,
          sync => sync,
          each => each.disk.failNextSync(),
        )
        const judge = new Judge(bed, IDS)
        let writes = 0
        const died = await carryOut(bed, judge, SCRIPTS[script] ?? []).then(
          () => undefined,
          (error: unknown) => error,
        )
        if (died instanceof Crashed) throw died
        await bed.clock.advanceBy(100)
        expect(bed.failures[0], `sync ${at} of ${count}`).toMatchObject({ code: 'STORE_FAILED' })
        // Who waits, and who comes later, is told; the disk is not tried again.
        const acked = judge.acked
        writes = bed.disk.writeCount
        let told: CarillonError | undefined
        bed.tasks.afterSync(error => {
          told = error
        })
        bed.tasks.flush()
        await bed.clock.advanceBy(10_000)
        expect(told).toMatchObject({ code: 'STORE_FAILED' })
        expect([judge.acked, bed.disk.writeCount]).toEqual([acked, writes])
        bed.crash()
        await bed.open()
        await judge.restarted()
      }
    },
  )
})
