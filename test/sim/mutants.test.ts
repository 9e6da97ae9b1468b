/** Known bugs, put in one at a time: the checkers find them. All of them, with more seeds: `npm run sim -- --mutants`. */

import { describe, expect, test } from 'vitest'
import { hunt, MUTANTS } from '../../sim/mutants/index.ts'
import { MIXES, runSeed } from '../../sim/world.ts'

describe('a known bug is found within a few seeds', () => {
  test.each([
    ['early-clock', /^timeliness: .* before its instant/],
    ['no-sync', /^(completion|recurrence|strict|cancel|keys|limits): |the engine died/],
    ['lost-means-started', /^strict: .* is at-most-once, and was started at/],
    ['timers-left', /^limits: \d+ timers were waiting/],
  ])('%s', async (name, by) => {
    const mutants = MUTANTS.filter(mutant => mutant.name === name)
    for await (const { found } of hunt({ seed: 1, seeds: 5, minutes: 2 }, mutants)) {
      expect(found?.by).toMatch(by)
      return
    }
    expect.unreachable()
  })
})

test('a mutant leaves nothing behind: the seed passes again after it', async () => {
  const run = { seed: 1, minutes: 1, mix: 'calm' }
  const before = await runSeed(run)
  for (const mutant of MUTANTS.filter(({ name }) => name === 'early-clock' || name === 'keys-ignored'))
    await runSeed({ ...run, mutant })
  expect(await runSeed(run)).toEqual(before)
  expect(before.faults).toEqual([])
})

test('each mutant has a name of its own, says what it breaks, and its mix is known', () => {
  expect(new Set(MUTANTS.map(mutant => mutant.name)).size).toBe(MUTANTS.length)
  for (const { breaks, mix } of MUTANTS) {
    expect(breaks).not.toBe('')
    expect(Object.keys(MIXES)).toContain(mix)
  }
})
