/** Whole runs of a mesh: they replay, they pass in every mix, and they fail where nothing can be promised. */

import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { MEMBERSHIP_MIXES, TASK_MIXES } from '../../../sim/mesh/mixes.ts'
import { type MeshPlan, planMesh } from '../../../sim/mesh/planner.ts'
import { runMesh, runPlan } from '../../../sim/mesh/run.ts'
import { LAN } from '../../../sim/network/link.ts'
import type { SeedResult } from '../../../sim/seeds.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))

function simulate(...args: string[]): Promise<{ code: number; output: string }> {
  return new Promise(resolve => {
    execFile(process.execPath, ['sim/main.ts', ...args], { cwd: root }, (error, output) =>
      resolve({ code: Number(error?.code ?? 0), output }),
    )
  })
}

/** A calm mesh of so many nodes, with what else is wanted. */
function scenario(nodes: number, changes: Partial<MeshPlan>, seed = 1): Promise<SeedResult> {
  const calm = planMesh({ seed: 1, mix: 'calm', minutes: 2, nodes })
  return runPlan({ ...calm, profile: 'lan', ...changes }, { seed, minutes: 2 })
}

describe('a seed', () => {
  test('gives the same run twice, and another one gives another', async () => {
    const run = { minutes: 1, mix: 'all', nodes: 6 }
    const first = await runMesh({ ...run, seed: 11 })
    const other = await runMesh({ ...run, seed: 12 })
    expect(await runMesh({ ...run, seed: 11 })).toEqual(first)
    expect(other.hash).not.toBe(first.hash)
    expect(first.events).toBeGreaterThan(1000)
  })

  test('gives the same run in another process, and says how to see it again', async () => {
    const run = ['--seed', '11', '--nodes', '5', '--minutes', '1', '--mix', 'crash']
    const { code, output } = await simulate(...run)
    const { hash } = await runMesh({ seed: 11, nodes: 5, minutes: 1, mix: 'crash' })
    expect(code).toBe(0)
    expect(output.split('\n')[0]).toBe('seeds 11 to 11, 1 virtual minutes each, mix crash, meshes of 5')
    expect(output).toContain(`seed 11: passed, hash ${hash}, crash, 5 nodes, R `)
  })

  test.each([
    ['--nodes', '2'],
    ['--mesh', '--mix', 'disk'],
    ['--mix', 'loss'],
  ])('is refused with %s %s', async (...args) => {
    expect(await simulate(...args)).toEqual({ code: 2, output: '' })
  })
})

test.each(Object.keys(MEMBERSHIP_MIXES))('a seed of the mix %s passes', async mix => {
  const { faults, counters } = await runMesh({ seed: 3, mix, minutes: 1, nodes: 5 })
  expect(faults).toEqual([])
  // Too many that found with each other may have stopped all.
  expect((counters.views ?? 0) + (counters['refused TOO_MANY_FRESH'] ?? 0)).toBeGreaterThan(0)
})

describe('with tasks', () => {
  // Nodes that join make more of it.
  test.each(Object.keys(TASK_MIXES))('one node passes a seed of the mix %s', async mix => {
    const { faults, counters } = await runMesh({ seed: 4, mix, minutes: 1, nodes: 1 })
    expect(faults).toEqual([])
    expect(counters['acknowledged calls']).toBeGreaterThan(50)
    expect(counters.runs).toBeGreaterThan(50)
    expect(counters['calls never answered']).toBeUndefined()
  })

  test('a seed gives the same run twice, also where calls fail and workers are lost', async () => {
    const run = { seed: 7, mix: 'task-crash', minutes: 1, nodes: 1 }
    const first = await runMesh(run)
    expect(first.counters['fault worker-loss']).toBeGreaterThan(0)
    expect(await runMesh(run)).toEqual(first)
  })

  /** Engines that know nothing of each other's tasks: whoever is asked has it alone. */
  test('the report of a failing seed tells the story of the task', async () => {
    const plan = planMesh({ seed: 2, mix: 'task-calm', minutes: 1, nodes: 1 })
    const wiped = { fault: 'wipe', atMs: 30_000, lastsMs: 2000, nodes: [0] }
    const { faults } = await runPlan({ ...plan, strikes: [wiped], faults: ['wipe'] }, { seed: 2, minutes: 1 })
    const lost = faults.find(fault => fault.startsWith('durability: ')) ?? ''
    expect(lost).toMatch(
      /^durability: \S+ was acknowledged at [\d.]+ s, (due at [\d.]+ s, and was not carried out|lies ahead, and no store has it)\n/,
    )
    expect(lost).toMatch(/schedule n=\d+ of \w+ is sent to n0/)
    expect(lost).toContain('- wipe n0')
    expect(lost).toContain('- n0 starts, boot 1')
  })
})

test('ten of fifteen that die at once are away for the others, and stay so', async () => {
  const { faults, counters } = await scenario(15, { leftDead: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] })
  expect(faults).toEqual([])
  expect(counters.alarms).toBeGreaterThanOrEqual(50)
})

test('a mesh whose links lose three of four packets finds no rest, and the judge says so', async () => {
  const { faults } = await scenario(8, { conditions: { ...LAN, loss: 0.75 } }, 2)
  expect(faults.some(fault => fault.startsWith('one-view: '))).toBe(true)
})

test('a disk that is put back is found out', async () => {
  const strike = { fault: 'rollback', atMs: 10_000, lastsMs: 8000, nodes: [2], amount: 1 }
  const { faults, counters } = await scenario(4, { strikes: [strike], faults: ['rollback'] })
  expect(faults).toEqual([])
  expect(counters['refused ROLLED_BACK']).toBe(1)
})

/**
 * What nobody can promise: of four fresh stores that expect three, each of two pairs is a majority of three, and as long
 * as neither hears of the other nothing tells them that they are too many. The judge must see it.
 */
test('four that expect three found two meshes if they are cut into pairs from the first moment on', async () => {
  const crowd = planMesh({ seed: 1, mix: 'crowd', minutes: 2, nodes: 4 })
  const cut = { fault: 'halves', atMs: 0, lastsMs: 60_000, nodes: [0, 1], others: [2, 3] }
  const plan = { ...crowd, profile: 'lan' as const, faults: ['halves'], strikes: [cut] }
  const { faults } = await runPlan(plan, { seed: 1, minutes: 2 })
  expect(faults.some(fault => fault.startsWith('founding: '))).toBe(true)
  const whole = await runPlan({ ...plan, strikes: [] }, { seed: 1, minutes: 2 })
  expect(whole.faults).toEqual([])
})
