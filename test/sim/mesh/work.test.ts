/** A run that did too little to say anything fails, and says what there was too little of. */

import { beforeEach, describe, expect, test } from 'vitest'
import { MeshHistory } from '../../../sim/mesh/history.ts'
import { type MeshPlan, planMesh } from '../../../sim/mesh/planner.ts'
import { runPlan } from '../../../sim/mesh/run.ts'
import { tooLittleWork } from '../../../sim/mesh/work.ts'
import { VirtualClock } from '../../../sim/virtual-clock.ts'
import type { StoreId } from '../../../src/membership/view.ts'

const PLAN: MeshPlan = {
  ...planMesh({ seed: 1, mix: 'task-calm', minutes: 1, nodes: 3 }),
  strikes: [
    { fault: 'crash', atMs: 1000, lastsMs: 50, nodes: [0] },
    { fault: 'crash', atMs: 59_000, lastsMs: 50, nodes: [1] },
  ],
}

let history: MeshHistory

beforeEach(() => {
  history = new MeshHistory(new VirtualClock())
  for (const node of [0, 1, 2])
    history.starts.push({ at: 0, node, store: `${node}` as StoreId, boot: 1, startId: '', disk: 1 })
  for (const { fault, nodes } of PLAN.strikes)
    history.strikes.push({ fault, from: 0, to: 1, nodes, others: [] })
  history.count('acknowledged calls', 100)
  history.count('attempts', 100)
})

describe('a run', () => {
  test('that did enough passes', () => {
    expect(tooLittleWork(PLAN, history, 1)).toBeUndefined()
  })

  test('whose users were hardly answered fails', () => {
    history.counters['acknowledged calls'] = 19
    expect(tooLittleWork(PLAN, history, 1)).toBe('19 acknowledged calls in 1 minutes')
    expect(tooLittleWork(PLAN, history, 0.5)).toBeUndefined()
  })

  test('in which hardly anything was carried out fails', () => {
    history.counters.attempts = 19
    expect(tooLittleWork(PLAN, history, 1)).toBe('19 attempts in 1 minutes')
  })

  test('whose faults did not strike fails, but for those that came after its end', () => {
    history.strikes.pop()
    expect(tooLittleWork(PLAN, history, 1)).toBe('1 of 2 strikes were carried out')
    expect(tooLittleWork(PLAN, history, 0.9)).toBeUndefined()
  })

  test('in which a node never started fails, but for those in reserve', () => {
    history.starts.pop()
    expect(tooLittleWork(PLAN, history, 1)).toBe('2 of 3 nodes started')
    const nodes = PLAN.nodes.map((node, i) => (i === 2 ? { ...node, isReserve: true } : node))
    expect(tooLittleWork({ ...PLAN, nodes }, history, 1)).toBeUndefined()
  })

  test('without tasks needs no calls; with calls that are written down one has to be answered', () => {
    history.counters['acknowledged calls'] = 0
    expect(tooLittleWork({ ...PLAN, tasks: undefined }, history, 1)).toBeUndefined()
    const call = { atMs: 1, client: 0, method: 'cancel' as const, tasks: [{ id: 'a' }] }
    const tasks = { clients: 1, gapMs: 1, recurringMax: 0, repeatShare: 0, embeddedShare: 1, calls: [call] }
    expect(tooLittleWork({ ...PLAN, tasks }, history, 1)).toBe('no call was acknowledged')
    history.counters['acknowledged calls'] = 1
    expect(tooLittleWork({ ...PLAN, tasks }, history, 1)).toBeUndefined()
  })
})

test('is judged at the end of a whole run', async () => {
  const plan = planMesh({ seed: 1, mix: 'task-calm', minutes: 1, nodes: 1 })
  const slow = { ...plan, tasks: { ...(plan.tasks as NonNullable<MeshPlan['tasks']>), gapMs: 30_000 } }
  const { faults } = await runPlan(slow, { seed: 1, minutes: 1 })
  expect(faults).toEqual([expect.stringMatching(/^too little work: \d+ acknowledged calls in 1 minutes$/)])
})
