import { beforeEach, describe, expect, test } from 'vitest'
import { ByteWriter } from '../../src/lib/bytes.ts'
import { decodeEnded, History, type HistoryOptions } from '../../src/store/history.ts'
import { allOf } from '../../src/store/keys.ts'
import { Run, TaskRecord } from '../../src/task/record.ts'
import type { RunState } from '../../src/task/task.ts'
import { definition } from './test-bed.ts'

const OPTIONS: HistoryOptions = {
  completedMax: 3,
  completedMs: 1000,
  deadMax: 2,
  deadMs: 5000,
  perTaskMax: 2,
}

describe('the history of ended runs', () => {
  let history: History
  let evictedDead: string[]
  /** What the index has, by key, after the batches so far. */
  let index: Map<string, Uint8Array>
  const out = new ByteWriter()

  beforeEach(() => {
    evictedDead = []
    index = new Map()
    history = new History(OPTIONS, id => evictedDead.push(id))
  })

  function record(id: string, recurring = false, name = 'mail'): TaskRecord {
    return new TaskRecord(id, 1, 7, true, definition(id, { recurring, name }))
  }

  function end(of: TaskRecord, instant: number, state: RunState = 'completed', last = true): void {
    history.add(of, Object.assign(new Run(instant, false), { state, attempt: 1, endedAt: instant }), last)
  }

  /** A batch: `meanwhile` happens after it was made and before it is written. */
  function spill(meanwhile: () => void = () => undefined): void {
    const { ops, stored } = history.takeOps(out)
    meanwhile()
    for (const op of ops) {
      const key = Buffer.from(op.key).toString('latin1')
      if (op.type === 'put') index.set(key, op.value)
      else index.delete(key)
    }
    stored()
  }

  function restart(): void {
    history = new History(OPTIONS, id => evictedDead.push(id))
    const r = Buffer.from(allOf('r').gte).toString('latin1')
    const entries = [...index].filter(([key]) => key.startsWith(r))
    history.adopt(
      entries.map(([key, value]) => ({ key: Buffer.from(key, 'latin1'), ended: decodeEnded(value, 1) })),
    )
  }

  function kept(): string[] {
    return 'abcdefgh'.split('').filter(id => history.find(id) !== undefined)
  }

  test('keeps the newest of each handler; successes do not push failures out', () => {
    for (const [at, id] of ['a', 'b', 'c', 'd', 'e'].entries())
      end(record(id), at, at === 0 ? 'failed' : 'completed')
    expect(kept()).toEqual(['a', 'c', 'd', 'e'])
    end(record('f', false, 'other'), 9)
    expect(kept()).toEqual(['a', 'c', 'd', 'e', 'f'])
    expect([...history.dead()]).toEqual(['a'])
  })

  test('says which dead tasks are kept no longer, by count and by age', () => {
    for (const [at, id] of ['a', 'b', 'c'].entries()) end(record(id), at, 'failed')
    expect(evictedDead).toEqual(['a'])
    history.sweep(5001)
    expect(evictedDead).toEqual(['a'])
    history.sweep(5002)
    expect(evictedDead).toEqual(['a', 'b'])
    expect(history.deadCount).toBe(1)
  })

  test('forgets what is too old, and deletes it from the index', () => {
    end(record('a'), 0)
    spill()
    end(record('b'), 500)
    history.sweep(1200)
    expect(kept()).toEqual(['b'])
    spill()
    expect(index.size).toBe(1)
  })

  test('what was removed does not count: as many as may be are kept', () => {
    for (let round = 0; round < 100; round++) {
      for (const id of ['a', 'b', 'c']) end(record(id), round)
      expect(kept()).toEqual(['a', 'b', 'c'])
      history.remove('b')
      end(record('d'), round)
      expect(kept()).toEqual(['a', 'c', 'd'])
      history.remove('d')
    }
    spill()
    expect(index.size).toBe(2)
  })

  test('deletes in the next batch what is evicted while a batch writes it', () => {
    for (const id of ['a', 'b', 'c']) end(record(id), 1)
    spill(() => {
      for (const id of ['d', 'e']) end(record(id), 2)
      history.remove('c')
    })
    expect(kept()).toEqual(['d', 'e'])
    spill()
    expect(index.size).toBe(2)
    restart()
    expect(kept()).toEqual(['d', 'e'])
  })

  test('deletes in the next batch a kept run of a recurring task that goes while a batch writes it', () => {
    const task = record('a', true)
    end(task, 1, 'completed', false)
    end(task, 2, 'failed', false)
    spill(() => {
      end(task, 3, 'completed', false)
      expect(history.youngOf('a').map(({ run }) => run.instant)).toEqual([2, 3])
    })
    expect(task.kept).toEqual([2, 3])
    spill()
    expect([...index.values()].map(value => decodeEnded(value, 1).run.instant).sort()).toEqual([2, 3])
    history.removeRecurring(task)
    spill()
    expect(index.size).toBe(0)
  })

  test('knows after a restart what the index has, and lets the oldest go by when they ended', () => {
    for (const [id, at] of [
      ['c', 5],
      ['a', 6],
      ['b', 7],
    ] as const)
      end(record(id), at)
    spill()
    restart()
    expect(history.find('c')).toMatchObject({ life: 7 })
    end(record('d'), 8)
    expect(kept()).toEqual(['a', 'b', 'd'])
    spill()
    expect(index.size).toBe(3)
  })

  test('the same run ends twice, as a replay has it: it is kept once, and written over', () => {
    const task = record('a', true)
    end(task, 1, 'failed', false)
    end(task, 1, 'completed', false)
    end(record('b'), 1)
    spill()
    end(record('b'), 1)
    spill()
    expect(task.kept).toEqual([1])
    expect([...index.values()].map(value => decodeEnded(value, 1).run.state)).toEqual([
      'completed',
      'completed',
    ])
  })
})
