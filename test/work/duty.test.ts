/** What comes of runs that a copied record no longer has. */

import { expect, test } from 'vitest'
import { Duty, type DutyParts } from '../../src/work/duty.ts'
import { type LiveRecord, LiveRun } from '../../src/work/live-run.ts'
import type { Ownership } from '../../src/work/ownership.ts'
import { definitionOf, recordOf } from '../support/tasks.ts'

test('a run that its record has forgotten is taken back, told of, and nothing more is written of it', () => {
  const record = recordOf(definitionOf(), 1000) as unknown as LiveRecord
  const [here, elsewhere] = [2000, 3000].map(instant => {
    const run = new LiveRun(record, instant, true)
    return Object.assign(run, { state: 'running', attempt: 1, actor: 1, n: 1 })
  }) as [LiveRun, LiveRun]
  const told: unknown[] = []
  let mayRun = true
  const ownership: Partial<Ownership> = { acts: () => true, mayRunElsewhere: () => mayRun }
  const duty = new Duty({
    store: { recordIn: () => record },
    lifecycle: {
      takeBack: (run: LiveRun, reason: string) => told.push([reason, run.instant]),
      attemptLost: () => told.push('lost'),
    },
    ownership: () => ownership,
    forgotten: (of: LiveRecord, run: LiveRun) => told.push(['forgotten', of.id, run.instant]),
    endedElsewhere: () => told.push('ended'),
    stir: () => undefined,
  } as unknown as DutyParts)
  expect(duty.isElsewhere(elsewhere)).toBe(true)
  duty.applied({ record, ended: [], forgotten: [here, elsewhere] })
  expect(told).toEqual([
    ['elsewhere', 2000],
    ['forgotten', record.id, 2000],
    ['elsewhere', 3000],
    ['forgotten', record.id, 3000],
  ])
  // Who acts would start again what a node was at that has gone.
  mayRun = false
  duty.watch()
  expect([told.length, duty.watched, here.state]).toEqual([4, 0, 'unknown'])
})
