/** The shrinker: what is left is needed, the judge is the same, and it ends. Runs are made up. */

import { describe, expect, test } from 'vitest'
import { planMesh } from '../../../sim/mesh/planner.ts'
import { checkScenario, type Scenario, scenarioOf } from '../../../sim/mesh/scenario.ts'
import { judgeOf, type ShrinkPorts, shrink } from '../../../sim/mesh/shrink.ts'
import type { PlannedCall } from '../../../sim/mesh/tasks/planned-calls.ts'

const OPTIONS = { judge: 'durability', triesMax: 500 }
const CALLS: readonly PlannedCall[] = Array.from({ length: 40 }, (_, i) => ({
  atMs: 100 * i,
  client: 0,
  method: 'schedule',
  tasks: [{ id: `task-${i}`, spec: { inMs: 5 } }],
}))

/** Fails by what it says for as long as this holds. */
function made(
  fails: (scenario: Scenario) => readonly string[] | boolean,
): ShrinkPorts & { runs: Scenario[] } {
  const runs: Scenario[] = []
  return {
    runs,
    tell: () => {},
    run: async scenario => {
      runs.push(scenario)
      checkScenario(JSON.parse(JSON.stringify(scenario)))
      const found = fails(scenario)
      const faults = typeof found === 'boolean' ? (found ? ['durability: a is lost'] : []) : found
      return { faults, calls: scenario.tasks?.calls ?? CALLS }
    },
  }
}

function has(scenario: Scenario, fault: string): boolean {
  return scenario.strikes.some(strike => strike.fault === fault)
}

function seed(nodes: number | undefined, mix = 'task-storm', minutes = 3): Scenario {
  const plan = planMesh({ seed: 7, mix, minutes, nodes })
  return scenarioOf(plan, { about: 'a seed', seed: 7, minutes })
}

describe('of a scenario that fails', () => {
  test('only the strikes stay that it takes, and no more time than they need', async () => {
    const before = seed(5, 'task-crash')
    expect(before.strikes.length).toBeGreaterThan(8)
    const ports = made(each => has(each, 'power-cut') && has(each, 'slow-disk'))
    const { scenario, tries } = await shrink(before, ports, OPTIONS)
    expect(scenario.strikes.map(({ fault }) => fault).toSorted()).toEqual(['power-cut', 'slow-disk'])
    const last = Math.max(...scenario.strikes.map(({ atMs }) => atMs))
    expect(scenario.minutes * 60_000).toBeGreaterThan(last)
    expect(scenario.minutes * 60_000).toBeLessThan(last + 2000)
    expect(scenario.tasks).toBeUndefined()
    expect(tries).toBe(ports.runs.length)
  })

  test('only the nodes stay that it takes, under numbers that fit', async () => {
    const strike = { fault: 'crash', atMs: 10, lastsMs: 50, nodes: [6] }
    const cut = { fault: 'halves', atMs: 20, lastsMs: 50, nodes: [0, 1, 2, 6], others: [3, 4, 5, 7] }
    const before = { ...seed(8, 'calm'), strikes: [strike, cut] }
    const ports = made(each => has(each, 'crash') && has(each, 'halves'))
    const { scenario } = await shrink(before, ports, OPTIONS)
    expect(scenario.nodes).toBe(3)
    const sides = scenario.strikes.find(({ fault }) => fault === 'halves')
    expect([...(sides?.nodes ?? []), ...(sides?.others ?? [])].toSorted()).toEqual([0, 1, 2])
  })

  test('what users asked for is written down call by call, and only those stay that it takes', async () => {
    const ports = made(
      ({ tasks }) =>
        tasks !== undefined &&
        (tasks.calls === undefined ||
          ['task-7', 'task-31'].every(id => tasks.calls?.some(call => call.tasks[0]?.id === id))),
    )
    const { scenario } = await shrink(seed(3, 'task-calm'), ports, OPTIONS)
    expect(scenario.tasks?.calls?.map(({ tasks }) => tasks[0]?.id)).toEqual(['task-7', 'task-31'])
    expect(scenario.strikes).toEqual([])
  })

  test('of a call only the tasks stay that it takes, as plain as they can be', async () => {
    const policy = { priority: 3 }
    const tasks = ['a', 'b', 'c'].map(id => ({ id, spec: { inMs: 5, policy, payload: 'x', minted: true } }))
    const call = { atMs: 1.5, client: 0, method: 'schedule' as const, tasks }
    const before = { ...seed(3, 'task-calm'), tasks: { clients: 1, calls: [call] } }
    const ports = made(each => {
      const found = each.tasks?.calls?.[0]?.tasks.find(({ id }) => id === 'b')
      return found?.spec?.payload === 'x'
    })
    const { scenario } = await shrink(before, ports, OPTIONS)
    const left = {
      atMs: 2,
      client: 0,
      method: 'schedule',
      tasks: [{ id: 'b', spec: { inMs: 5, payload: 'x' } }],
    }
    expect(scenario.tasks?.calls).toEqual([left])
  })

  test('users stay a draw if their calls alone do not fail', async () => {
    const ports = made(({ tasks }) => tasks !== undefined && tasks.calls === undefined)
    const { scenario } = await shrink(seed(3, 'task-calm'), ports, OPTIONS)
    expect(scenario.tasks).toEqual({
      clients: 1,
      gapMs: expect.any(Number),
      recurringMax: 0,
      repeatShare: 0,
      embeddedShare: 1,
    })
  })

  test('one that fails by the word of another judge is not taken for it', async () => {
    const ports = made(each =>
      has(each, 'power-cut') ? ['cancel: another', 'durability: a is lost'] : ['cancel: another'],
    )
    const { scenario } = await shrink(seed(5, 'task-crash'), ports, OPTIONS)
    expect(scenario.strikes.map(({ fault }) => fault)).toEqual(['power-cut'])
  })

  test('no more is run than is allowed, and the best so far is given', async () => {
    const before = seed(8)
    const ports = made(() => true)
    const { scenario, tries } = await shrink(before, ports, { ...OPTIONS, triesMax: 1 })
    expect(tries).toBe(1)
    expect(scenario.strikes).toEqual([])
    expect(scenario.nodes).toEqual(before.nodes)
  })

  test('nothing is run twice, and it ends where nothing can go', async () => {
    const before = seed(6, 'task-crash')
    const text = JSON.stringify(before)
    const ports = made(each => JSON.stringify(each) === text)
    const { scenario } = await shrink(before, ports, OPTIONS)
    expect(JSON.stringify(scenario)).toBe(text)
    const texts = ports.runs.map(each => JSON.stringify(each))
    // The calls of the users are asked for in a run of their own.
    expect(texts.length - new Set(texts).size).toBeLessThanOrEqual(1)
  })
})

test('the judge is the word before the colon', () => {
  expect(judgeOf('durability: a: was lost\n  12 s')).toBe('durability')
})
