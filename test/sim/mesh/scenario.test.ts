/** Scenarios: a seed's plan as data is the same run, what is wrong with a file is said, and all that are kept pass. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ANY_MIX, MESH_MIXES } from '../../../sim/mesh/mixes.ts'
import { type MeshPlan, planMesh } from '../../../sim/mesh/planner.ts'
import { runMesh, runPlan } from '../../../sim/mesh/run.ts'
import {
  checkScenario,
  planOf,
  readScenario,
  type Scenario,
  scenarioOf,
  textOf,
  writeScenario,
} from '../../../sim/mesh/scenario.ts'

let dir: string

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'carillon-scenario-'))
})

afterEach(() => rmSync(dir, { recursive: true, force: true }))

const CALM: Scenario = { about: 'nothing happens', seed: 1, minutes: 0.1, nodes: 3, strikes: [] }

function through(plan: MeshPlan, seed: number, minutes: number): MeshPlan {
  const file = join(dir, 'scenario.json')
  writeScenario(file, scenarioOf(plan, { about: 'a seed', seed, minutes }))
  return planOf(readScenario(file))
}

describe('a plan that is written and read', () => {
  test.each([...Object.keys(MESH_MIXES), ANY_MIX])('is what it was: mix %s', mix => {
    for (let seed = 0; seed < 10; seed++) {
      const plan = planMesh({ seed, mix, minutes: 2 })
      const faults = [...new Set(plan.strikes.map(({ fault }) => fault))]
      const expected = { ...plan, mix: 'scenario', isGentle: false, faults }
      expect(through(plan, seed, 2)).toEqual(expected)
    }
  })

  test('is the same run', async () => {
    const run = { seed: 3, minutes: 0.2 }
    const plan = planMesh({ ...run, mix: 'task-crash', nodes: 3 })
    const { hash } = await runMesh({ ...run, mix: 'task-crash', nodes: 3 })
    expect((await runPlan(through(plan, run.seed, run.minutes), run)).hash).toBe(hash)
  })

  test('has a line for each node, strike and call, and can be read', () => {
    const strike = { fault: 'crash', atMs: 1, lastsMs: 2, nodes: [1] }
    const text = textOf({ ...CALM, strikes: [strike, { ...strike, atMs: 5 }] })
    expect(text).toContain('    { "fault": "crash", "atMs": 1, "lastsMs": 2, "nodes": [ 1 ] },\n')
    expect(JSON.parse(text).strikes).toHaveLength(2)
    const call = { atMs: 1, client: 0, method: 'cancel' as const, tasks: [{ id: 'a\n  b' }] }
    const withCalls = { ...CALM, tasks: { clients: 2, calls: [call, call] } }
    expect(
      textOf(withCalls)
        .split('\n')
        .filter(line => line.includes('"cancel"')),
    ).toHaveLength(2)
    expect(JSON.parse(textOf(withCalls))).toEqual(withCalls)
  })
})

test.each(['task-calm', 'task-night'])(
  'calls that are written down one by one are made, and are what users asked for: mix %s',
  async mix => {
    const run = { seed: 5, minutes: 0.2 }
    const drawn = planMesh({ ...run, mix, nodes: 3 })
    const { calls = [], counters } = await runPlan(drawn, { ...run, keepsCalls: true })
    expect(calls.length).toBeGreaterThan(20)
    expect(new Set(calls.map(({ method }) => method)).size).toBeGreaterThan(2)
    const tasks = { ...drawn.tasks, clients: drawn.tasks?.clients ?? 1, calls }
    const planned = through(
      { ...drawn, tasks: { ...drawn.tasks, ...tasks } as MeshPlan['tasks'] },
      run.seed,
      run.minutes,
    )
    const again = await runPlan(planned, { ...run, keepsCalls: true })
    expect(again.faults).toEqual([])
    expect(again.calls).toEqual(calls)
    expect(again.counters).toEqual(counters)
  },
)

describe('refuses', () => {
  const strike = { fault: 'crash', atMs: 1, lastsMs: 1, nodes: [0] }
  const call = { atMs: 1, client: 0, method: 'cancel', tasks: [{ id: 'a' }] }
  test.each([
    [{ ...CALM, seed: undefined }, 'seed is missing: allowed is a whole number from 0'],
    [{ ...CALM, minutes: -1 }, 'minutes is -1: allowed is a number of virtual minutes from 0'],
    [{ ...CALM, nodes: 0 }, 'nodes is 0: allowed is a whole number from 1 to 100, or an array of'],
    [{ ...CALM, profil: 'lan' }, 'profil is not known: did you mean profile?'],
    [{ ...CALM, profile: 'moon' }, 'profile is "moon": allowed is one of local, lan, wan'],
    [
      { ...CALM, strikes: [{ ...strike, fault: 'crush' }] },
      'strikes[0].fault is "crush": allowed is one of crash,',
    ],
    [
      { ...CALM, strikes: [strike, { ...strike, nodes: [3] }] },
      'strikes[1].nodes[0] is 3: allowed is the number of a node, 0 to 2',
    ],
    [
      { ...CALM, strikes: [{ ...strike, fault: 'halves' }] },
      'strikes[0].others is undefined: allowed is an array of numbers of nodes',
    ],
    [
      { ...CALM, tasks: { calls: [{ ...call, method: 'kill' }] } },
      'tasks.calls[0].method is "kill": allowed is one of schedule,',
    ],
    [
      { ...CALM, tasks: { clients: 2, calls: [{ ...call, client: 2 }] } },
      'tasks.calls[0].client is 2: allowed is the number of a client, 0 to 1',
    ],
    [
      { ...CALM, tasks: { calls: [{ ...call, tasks: [] }] } },
      'tasks.calls[0].tasks is []: allowed is an array of 1 or more',
    ],
  ])('%j', (value, why) => {
    expect(() => checkScenario(JSON.parse(JSON.stringify(value)))).toThrow(why)
  })

  test('a file that is not there, or no JSON, and names it', () => {
    expect(() => readScenario(join(dir, 'none.json'))).toThrow('none.json')
    const file = join(dir, 'broken.json')
    writeFileSync(file, '{ "seed": 1,')
    expect(() => readScenario(file)).toThrow(file)
    writeFileSync(file, readFileSync(file, 'utf8').replace(',', '}'))
    expect(() => readScenario(file)).toThrow(`${file}: about is missing: allowed is a text`)
  })
})
