/** Known bugs in every engine: the judges of tasks find them. All of them: `npm run sim -- --mesh --mutants`. */

import { describe, expect, test } from 'vitest'
import { MESH_MIXES } from '../../../sim/mesh/mixes.ts'
import { MESH_MUTANTS } from '../../../sim/mesh/mutants.ts'
import { runMesh } from '../../../sim/mesh/run.ts'
import { hunt, type Runner } from '../../../sim/mutants/index.ts'

const ofOneNode: Runner = run => runMesh({ ...run, nodes: 1 })

describe('a known bug that one node shows is found within a few seeds', () => {
  test.each([
    ['early-fire', /^timeliness: .* before its instant/],
    ['no-sync', /^durability: .* (was not carried out|no store has it)/],
    ['follow-ups-dropped', /^durability: .* follows .* was not carried out/],
    ['requests-forgotten', /^(requests|cancel): /],
  ])('%s', async (name, by) => {
    const mutants = MESH_MUTANTS.filter(mutant => mutant.name === name && mutant.isLocal)
    for await (const { found } of hunt({ seed: 1, seeds: 4, minutes: 2 }, mutants, ofOneNode)) {
      expect(found?.by).toMatch(by)
      return
    }
    expect.unreachable()
  })
})

test('a mutant leaves nothing behind: the seed passes again after it', async () => {
  const run = { seed: 1, minutes: 1, mix: 'task-calm', nodes: 1 }
  const before = await runMesh(run)
  for (const mutant of MESH_MUTANTS) await runMesh({ ...run, mutant })
  expect(await runMesh(run)).toEqual(before)
  expect(before.faults).toEqual([])
})

test('each mutant has a name of its own, says what it breaks, and its mix is known', () => {
  expect(new Set(MESH_MUTANTS.map(mutant => mutant.name)).size).toBe(MESH_MUTANTS.length)
  for (const { breaks, mix } of MESH_MUTANTS) {
    expect(breaks).not.toBe('')
    expect(Object.keys(MESH_MIXES)).toContain(mix)
  }
})
