/** Scripts of a store's whole life, cut off at each of their writes (crash-points.ts). */

import { describe, expect, test } from 'vitest'
import { NEVER, Run, TaskRecord } from '../../src/task/record.ts'
import { atEveryWrite } from './crash-points.ts'
import { Judge } from './judge.ts'
import { CALLER, definition, OPTIONS, type StoreBed } from './test-bed.ts'

const IDS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']

/** Each line is a turn: what is done to which ids, then what the turn ends with. */
type Turn = readonly [acts: string, end: 'flush' | 'sync' | 'settle']

/** An act is a verb and an id: +a schedules, *a schedules a recurring task, >a begins a run, and so on. */
async function carryOut(bed: StoreBed, judge: Judge, turns: readonly Turn[]): Promise<void> {
  for (const [acts, end] of turns) {
    for (const [verb, id] of acts.split(' ').map(act => [act[0], act.slice(1)] as const)) {
      const [record] = await bed.run(bed.tasks.load([id]))
      if (verb === '+' || verb === '*') judge.create(id, record, { recurring: verb === '*' })
      else if (record === undefined) throw new Error(`${verb}${id}: there is no ${id}`)
      else if (verb === '>') judge.begin(record)
      else if (verb === '.') judge.outcome(record, 'completed')
      else if (verb === '!') judge.outcome(record, 'failed')
      else if (verb === '?') judge.outcome(record, 'retrying')
      else if (verb === '=') judge.pause(record)
      else if (verb === '-') judge.cancel(record)
    }
    judge.acknowledge()
    if (end === 'flush') bed.tasks.flush()
    else if (end === 'sync') await bed.run(bed.tasks.journal.drain())
    else await bed.settle()
  }
}

const SCRIPTS: Record<string, readonly Turn[]> = {
  'puts in the journal alone': [
    ['+a', 'sync'],
    ['>a +b', 'sync'],
    ['.a', 'sync'],
  ],
  'most tasks die young': [
    ['+a +b +c', 'sync'],
    ['>a >b >c', 'flush'],
    ['.a .b +d', 'sync'],
    ['.c >d', 'flush'],
    ['.d +e', 'settle'],
    ['>e', 'sync'],
  ],
  'a spill to the index, and changes while it is under way': [
    ['+a +b +c +d', 'sync'],
    ['=a +e +f', 'flush'],
    ['>b +g', 'flush'],
    ['.b >c', 'sync'],
    ['-a ?c', 'settle'],
    ['=d .c', 'settle'],
    ['+a +b', 'settle'],
  ],
  'ends of tasks that the index has': [
    ['+a +b *c *d +e +f', 'settle'],
    ['>a >b >c >d', 'settle'],
    ['.a .b', 'flush'],
    ['.c -d +h', 'settle'],
    ['+a >c', 'flush'],
    ['.c -e -f', 'settle'],
  ],
  'recurring tasks, whose oldest kept runs go': [
    ['*a *b', 'sync'],
    ['>a >b', 'flush'],
    ['.a .b >a', 'settle'],
    ['!a >a', 'flush'],
    ['.a >a >b', 'flush'],
    ['.a !b', 'settle'],
    ['>a', 'flush'],
    ['.a -b', 'settle'],
    ['>a', 'sync'],
    ['.a', 'settle'],
  ],
  'trace 10: one id lives again and again': [
    ['+a +b', 'sync'],
    ['>a', 'sync'],
    ['.a +b', 'settle'],
    ['+a =b', 'settle'],
    ['>a', 'flush'],
    ['!a', 'flush'],
    ['+a', 'settle'],
    ['-a +c +d', 'flush'],
    ['+a', 'flush'],
    ['>a', 'settle'],
    ['.a', 'settle'],
    ['+a', 'flush'],
  ],
  'trace 23: newer state over older segments': [
    ['+a +b', 'flush'],
    ['=a =b >a', 'flush'],
    ['=a ?a +c', 'flush'],
    ['=b =c =a', 'flush'],
    ['.a +c =b', 'flush'],
    ['=b =b', 'settle'],
    ['=c', 'settle'],
  ],
}

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
        const due = [...(await bed.run(bed.tasks.page(undefined, 100)))].filter(each => each.dueAt !== NEVER)
        expect((await bed.dump('d')).length, where).toBe(due.length)
        expect(live, where).toBe((await bed.run(bed.tasks.page(undefined, 100))).length)
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
        const ids = new Set((await bed.run(bed.tasks.page(undefined, COUNT))).map(record => record.id))
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
