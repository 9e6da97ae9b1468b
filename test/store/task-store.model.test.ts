/**
 * The task store against a list of what was done (judge.ts): random lives of a few ids, with crashes at any instant,
 * unsynced writes lost or torn, and segments so small that spills are always under way.
 */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SimulatedNode } from '../../sim/node.ts'
import type { TaskRecord } from '../../src/task/record.ts'
import { Judge } from './judge.ts'
import { StoreBed } from './test-bed.ts'

const IDS = ['a', 'b', 'c', 'd', 'e', 'f']

type Command =
  | { type: 'create'; id: string; recurring: boolean }
  | { type: 'begin' | 'complete' | 'fail' | 'retry' | 'pause' | 'cancel' | 'release'; id: string }
  | { type: 'flush' | 'sync' | 'idle' | 'check' }
  | { type: 'wait'; ms: number }
  | { type: 'hold'; id: string | undefined }
  | { type: 'crash'; powerCut: boolean; tear: boolean }
  | { type: 'close' }

const id = fc.constantFrom(...IDS)
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.record({ type: fc.constant('create' as const), id, recurring: fc.boolean() }),
  },
  {
    weight: 14,
    arbitrary: fc.record({
      type: fc.constantFrom(
        'begin',
        'begin',
        'complete',
        'complete',
        'fail',
        'retry',
        'pause',
        'cancel',
        'release',
      ),
      id,
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({ type: fc.constantFrom('flush', 'flush', 'sync', 'idle') }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('check' as const) }) },
  {
    weight: 8,
    arbitrary: fc.record({ type: fc.constant('wait' as const), ms: fc.constantFrom(0.1, 0.3, 1, 1, 3, 30) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant('hold' as const), id: fc.option(id, { nil: undefined }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('crash' as const),
      powerCut: fc.boolean(),
      tear: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('close' as const) }) },
) as fc.Arbitrary<Command>

async function carryOut(bed: StoreBed, judge: Judge, one: Command): Promise<void> {
  const { tasks } = bed
  switch (one.type) {
    case 'flush':
      judge.acknowledge()
      return tasks.flush()
    case 'sync':
      judge.acknowledge()
      await bed.run(tasks.journal.drain())
      return
    case 'idle':
      await bed.clock.advanceBy(6000)
      tasks.journal.closeIdle()
      return tasks.flush()
    case 'wait':
      return bed.clock.advanceBy(one.ms)
    case 'hold':
      bed.holds = record => record.id === one.id
      return
    case 'check':
      return judge.check()
    case 'crash':
      bed.crash({ powerCut: one.powerCut, tear: one.tear && SimulatedNode.mayTear })
      await bed.open()
      return judge.restarted()
    case 'close':
      judge.acknowledge()
      await bed.close()
      await bed.open()
      return judge.restarted()
  }
  const [record] = await bed.run(tasks.load([one.id]))
  if (one.type === 'create') return judge.create(one.id, record, { recurring: one.recurring })
  if (record === undefined) return
  act(bed, judge, one.type, record)
}

function act(bed: StoreBed, judge: Judge, type: string, record: TaskRecord): void {
  if (type === 'begin' && !record.paused) judge.begin(record)
  else if (type === 'complete') judge.outcome(record, 'completed')
  else if (type === 'fail') judge.outcome(record, 'failed')
  else if (type === 'retry') judge.outcome(record, 'retrying')
  else if (type === 'pause') judge.pause(record)
  else if (type === 'cancel') judge.cancel(record)
  else if (type === 'release') bed.tasks.release(record)
}

describe('a task store that crashes', () => {
  test('has all that was acknowledged, and of the rest a first part, whatever was done', async () => {
    const seen = { cut: 0, lost: 0, spilled: 0, restarts: 0, ended: 0 }
    await fc.assert(
      fc.asyncProperty(
        fc.array(command, { minLength: 20, maxLength: 90 }),
        fc.nat(),
        async (commands, seed) => {
          const bed = new StoreBed({}, seed)
          await bed.open()
          const judge = new Judge(bed, IDS)
          for (const one of commands) await carryOut(bed, judge, one)
          await bed.settle()
          await judge.check()
          bed.crash()
          await bed.open()
          await judge.restarted()
          expect(bed.failures).toEqual([])
          for (const key of Object.keys(seen) as Array<keyof typeof seen>) seen[key] += judge.counts[key]
        },
      ),
      { seed: 20_251_124, numRuns: 1000 },
    )
    // It did test what it says.
    expect(Math.min(...Object.values(seen))).toBeGreaterThan(10)
  })
})
