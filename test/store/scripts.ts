/** Whole lives of a store in a few lines each, for tests that go through all of their writes. */

import type { Judge } from './judge.ts'
import type { StoreBed } from './test-bed.ts'

/** The ids that the scripts use. */
export const IDS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']

/** Each line is a turn: what is done to which ids, then what the turn ends with. */
export type Turn = readonly [acts: string, end: 'flush' | 'sync' | 'settle']

/** An act is a verb and an id: +a schedules, *a schedules a recurring task, >a begins a run, and so on. */
export async function carryOut(bed: StoreBed, judge: Judge, turns: readonly Turn[]): Promise<void> {
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
    else if (end === 'sync') await bed.drain()
    else await bed.settle()
  }
}

export const SCRIPTS: Record<string, readonly Turn[]> = {
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
  'a task that the index has is replaced, and ends': [
    ['+a', 'settle'],
    ['+a +b', 'flush'],
    ['+c +d =b =c', 'flush'],
    ['>a', 'flush'],
    ['.a =d =b', 'flush'],
    ['+e +f =e', 'settle'],
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
  'trace 10: a dead task is made again while its segment is spilled': [
    ['+b +a =a =a =a', 'flush'],
    ['>b', 'flush'],
    ['!b +b', 'flush'],
    ['=a', 'settle'],
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
