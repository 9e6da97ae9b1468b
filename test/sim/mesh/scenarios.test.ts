/**
 * The scenarios that are kept (sim/scenarios): each a bug that was found once, as small as it could be made. All pass; those
 * whose bug can be put back fail with it, by the word of the judge that they name.
 */

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { meshBug, OLD_BUGS } from '../../../sim/mesh/old-bugs.ts'
import { type MeshResult, runPlan } from '../../../sim/mesh/run.ts'
import { planOf, readScenario, type Scenario, textOf } from '../../../sim/mesh/scenario.ts'
import { judgeOf, type ShrinkPorts, shrink } from '../../../sim/mesh/shrink.ts'

const FOLDER = join(import.meta.dirname, '../../../sim/scenarios')
const NAMES = readdirSync(FOLDER).filter(name => name.endsWith('.json'))
/** Of all of them together: a third of it here, and cores that share what they compute with take twice as long. */
const CPU_SECONDS_MAX = 60

let usedMs = 0

function run(scenario: Scenario, mutant: string | undefined, keepsCalls = false): Promise<MeshResult> {
  const { seed, minutes } = scenario
  return runPlan(planOf(scenario), { seed, minutes, mutant: meshBug(mutant), keepsCalls })
}

test.each(NAMES)('%s passes, and fails with its bug', async name => {
  const scenario = readScenario(join(FOLDER, name))
  expect(scenario.about.length).toBeGreaterThan(40)
  expect(textOf(scenario)).toBe(textOf(JSON.parse(textOf(scenario))))
  const before = process.cpuUsage()
  expect((await run(scenario, undefined)).faults).toEqual([])
  if (scenario.mutant !== undefined) {
    const { faults } = await run(scenario, scenario.mutant)
    expect(faults.map(judgeOf)).toContain(scenario.judge)
  }
  const { user, system } = process.cpuUsage(before)
  usedMs += (user + system) / 1000
})

test('they take little, all together', () => {
  expect(usedMs).toBeGreaterThan(0)
  expect(usedMs / 1000).toBeLessThan(CPU_SECONDS_MAX)
})

test('each old bug that can be put back has its scenario', () => {
  const mutants = NAMES.map(name => readScenario(join(FOLDER, name)).mutant)
  for (const { name } of OLD_BUGS) expect(mutants).toContain(name)
})

test('a scenario of a known bug among troubles that have nothing to do with it is shrunk to what it takes', async () => {
  const small = readScenario(join(FOLDER, 'ack-at-w-1.json'))
  const minutes = small.minutes + 0.1
  const troubles = [
    { fault: 'slow-disk', atMs: 2000, lastsMs: 3000, nodes: [0], amount: 20 },
    { fault: 'worker-loss', atMs: 9000, lastsMs: 500, nodes: [0], amount: 0.2 },
  ]
  const large: Scenario = { ...small, minutes, strikes: [...troubles, ...small.strikes] }
  const ports: ShrinkPorts = {
    tell: () => {},
    run: (scenario, keepsCalls) => run(scenario, 'ack-at-w-1', keepsCalls),
  }
  const { scenario } = await shrink(large, ports, { judge: 'durability', triesMax: 16 })
  expect(scenario.strikes.length).toBeLessThanOrEqual(small.strikes.length)
  expect(scenario.strikes.some(({ fault }) => fault === 'slow-disk' || fault === 'worker-loss')).toBe(false)
  expect((await run(scenario, 'ack-at-w-1')).faults.map(judgeOf)).toContain('durability')
  expect((await run(scenario, undefined)).faults).toEqual([])
})
