/** The explorer in short: worlds of every mix are judged, runs replay, and the judges can fail. The long run is a soak. */

import { describe, expect, test } from 'vitest'
import { hunt, REPLICATION_MUTANTS } from '../../sim/replication/mutants.ts'
import { MIXES, runSeed, worldOf } from '../../sim/replication/world.ts'

test.each(MIXES)('worlds with %s keep every promise', mix => {
  for (let seed = 1; seed <= 12; seed++) expect(runSeed(seed, mix), `seed ${seed}, mix ${mix}`).toEqual([])
})

test('a seed gives the same history twice', () => {
  const [one, other] = [worldOf(7, 'storm'), worldOf(7, 'storm')]
  one.run()
  other.run()
  expect(one.network.sent).toBe(other.network.sent)
  expect(one.history.starts.length).toBeGreaterThan(10)
  expect(one.history.starts).toEqual(other.history.starts)
  expect(one.history.ops).toEqual(other.history.ops)
})

/** Those that show soonest; the rest takes more seeds than a test has time for. */
describe('the judges find', () => {
  test.each([
    'W from the live',
    'boot without start id',
    'answer before the sync',
    'context joined early',
    'fire before activation',
    'follow-up not relayed',
    'requestId forgotten',
  ])('%s', name => {
    const mutant = REPLICATION_MUTANTS.find(each => each.name === name)
    expect(mutant).toBeDefined()
    if (mutant !== undefined) expect(hunt(mutant, 1, 120).by).toBeDefined()
  })
})
