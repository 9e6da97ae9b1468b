/** Scripts of a store's whole life, cut off at each of their writes (crash-points.ts). */

import { describe, expect, test } from 'vitest'
import { NEVER, Run, TaskRecord } from '../../src/task/record.ts'
import { atEveryWrite } from './crash-points.ts'
import { Judge } from './judge.ts'
import { carryOut, IDS, SCRIPTS } from './scripts.ts'
import { CALLER, definition, OPTIONS } from './test-bed.ts'

describe('a store that dies at any of its writes', () => {
  for (const [name, turns] of Object.entries(SCRIPTS)) {
    test(name, async () => {
      const points = await atEveryWrite(
        {},
        bed => new Judge(bed, IDS),
        (bed, judge) => carryOut(bed, judge, turns),
        async ({ bed, where }, judge) => {
          try {
            await bed.open()
            await judge.restarted()
            // It goes on, and dies once more.
            await carryOut(bed, judge, [['+g', 'flush']])
            await judge.check()
            await carryOut(bed, judge, [['=g +h', 'sync']])
            bed.crash()
            await bed.open()
            await judge.restarted()
            await bed.settle()
            await judge.check()
            expect(bed.failures).toEqual([])
          } catch (error) {
            throw new Error(`${name}, ${where}: ${String(error)}`, { cause: error })
          }
        },
      )
      expect(points).toBeGreaterThan(10)
    })
  }

  test('compaction leaves no blob and no context behind that a start would still need or find again', async () => {
    await atEveryWrite(
      {},
      bed => new Judge(bed, IDS),
      (bed, judge) =>
        carryOut(bed, judge, SCRIPTS['a spill to the index, and changes while it is under way'] ?? []),
      async ({ bed, where }, judge) => {
        await bed.open()
        await judge.restarted()
        await bed.settle()
        const live = (await bed.dump('t')).length
        // All was spilled: the journal is empty, and each task that has an instant has one due key.
        expect(await bed.dump('j'), where).toEqual([])
        const due = [...(await bed.run(bed.tasks.page(undefined, 100))).records].filter(
          each => each.dueAt !== NEVER,
        )
        expect((await bed.dump('d')).length, where).toBe(due.length)
        expect(live, where).toBe((await bed.run(bed.tasks.page(undefined, 100))).records.length)
        expect(await bed.open().catch(() => 'locked'), where).toBe('locked')
      },
    )
  })
})

describe('a store whose segment is larger than a chunk of a spill', () => {
  const COUNT = 1100

  test('has all or none of one commit, wherever it dies, and a due key for each', async () => {
    const outcomes = new Set<number>()
    await atEveryWrite(
      { journal: { ...OPTIONS.journal, segmentChangesMax: COUNT } },
      () => undefined,
      async bed => {
        for (let n = 0; n < COUNT; n++) {
          const record = new TaskRecord<Run>(
            `t${n}`,
            bed.tasks.rangeOf(`t${n}`),
            1,
            true,
            definition(`t${n}`, { n }),
          )
          bed.tasks.created(record)
          bed.tasks.requests.add(CALLER, n, n, 1000)
        }
        await bed.settle()
      },
      async ({ bed, where }) => {
        await bed.open()
        const ids = new Set(
          (await bed.run(bed.tasks.page(undefined, COUNT))).records.map(record => record.id),
        )
        expect([0, COUNT], where).toContain(ids.size)
        outcomes.add(ids.size)
        await bed.settle()
        expect(bed.tasks.size, where).toBe(0)
        expect((await bed.dump('t')).length, where).toBe(ids.size)
        expect((await bed.dump('d')).length, where).toBe(ids.size)
        expect(bed.failures).toEqual([])
      },
    )
    expect([...outcomes].sort()).toEqual([0, COUNT])
  })
})

describe('a store that keeps few ended runs', () => {
  const history = { ...OPTIONS.history, completedMax: 3, deadMax: 2 }

  test('retention: has never more of them than it may, nor any of them on the disk that nobody remembers', async () => {
    await atEveryWrite(
      { history },
      () => ({ acked: 0 }),
      async (bed, state) => {
        for (let n = 0; n < 14; n++) {
          const id = `t${n}`
          const record = new TaskRecord<Run>(id, bed.tasks.rangeOf(id), 1, true, definition(id, { n }))
          bed.tasks.created(record)
          const run = Object.assign(new Run(2e12, false), {
            state: 'completed',
            attempt: 1,
            endedAt: 1e6 + n,
          })
          bed.tasks.ended(record, run)
          bed.tasks.history.add(record, run, true)
          if (n % 2 === 0) bed.tasks.flush()
          else await bed.run(bed.tasks.journal.drain())
          if (n % 2 === 1) state.acked = n + 1
        }
        await bed.settle()
      },
      async ({ bed, where }, { acked }) => {
        await bed.open()
        for (const round of ['after the start', 'after a spill']) {
          const kept: number[] = []
          for (let n = 0; n < 14; n++) {
            const [ended] = await bed.run(bed.tasks.endedRuns(`t${n}`, undefined, 10))
            if (ended !== undefined) kept.push(ended.run.endedAt - 1e6)
          }
          // The newest three of a first part of what ended, and of all that was acknowledged.
          const last = kept.at(-1) ?? -1
          expect(kept, `${where} ${round}`).toEqual([last - 2, last - 1, last].filter(n => n >= 0))
          expect(last, `${where} ${round}`).toBeGreaterThanOrEqual(acked - 1)
          await bed.settle()
        }
        expect((await bed.dump('r')).length, where).toBeLessThanOrEqual(3)
      },
    )
  })
})
