/** Against a model: whatever takes how long, what is about one task is done in the order in which it was asked for. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { TaskOrder } from '../../src/work/task-order.ts'
import { runs } from '../support/tasks.ts'

const TASKS = ['a', 'b', 'c'] as const

interface Asked {
  readonly tasks: readonly string[]
  readonly isChange: boolean
  /** Turns that it takes; 0: it is done at once. */
  readonly takes: number
  readonly fails: boolean
}

const asked: fc.Arbitrary<Asked> = fc.record({
  tasks: fc.uniqueArray(fc.constantFrom(...TASKS), { minLength: 1 }),
  isChange: fc.boolean(),
  takes: fc.nat(4),
  fails: fc.boolean(),
})

test('changes of a task, and looks at it, keep their order, also behind one that failed', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(asked, { maxLength: 12 }), async list => {
      const order = new TaskOrder()
      const done: number[] = []
      const act = (i: number, { takes, fails }: Asked): number | Promise<number> => {
        const end = (): number => {
          done.push(i)
          if (fails && takes > 0) throw new Error('it can not be read')
          return i
        }
        return takes === 0 ? end() : turns(takes).then(end)
      }
      const ends = list.map(async (each, i) => {
        const tasks = each.tasks.map(id => ({ id }))
        return each.isChange
          ? order.change(tasks, () => act(i, each))
          : order.after(tasks, () => act(i, each))
      })
      await Promise.allSettled(ends)
      expect(done.toSorted((a, b) => a - b)).toEqual(list.map((_, i) => i))
      for (const [i, { tasks, isChange }] of list.entries()) {
        for (const [j, other] of list.entries()) {
          // What only looks holds nobody up.
          if (j >= i || !other.isChange || !other.tasks.some(id => tasks.includes(id))) continue
          expect(done.indexOf(j), `${j} before ${i}${isChange ? '' : '?'}`).toBeLessThan(done.indexOf(i))
        }
      }
    }),
    runs(500),
  )
})

async function turns(n: number): Promise<void> {
  for (let i = 0; i < n; i++) await Promise.resolve()
}
