/**
 * A store of a mesh against a list of what was journaled (mesh-model.ts): own changes, those of a peer, copies, drops,
 * ranges that are let go of, in any order, with crashes at any instant, and segments so small that spills are always
 * under way.
 */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SimulatedNode } from '../../sim/node.ts'
import { IDS, MeshWorld, RANGES } from './mesh-model.ts'
import { VERBS } from './rooms.ts'
import { OPTIONS, StoreBed } from './test-bed.ts'

const id = fc.constantFrom(...IDS)
const range = fc.nat(RANGES - 1)
const act = {
  verb: fc.constantFrom(...VERBS, 'finish' as const, 'finish' as const, 'cancel' as const),
  id,
  recurring: fc.boolean(),
  pick: fc.nat(5),
}
const command = fc.oneof(
  { weight: 20, arbitrary: fc.record({ type: fc.constant('act' as const), ...act }) },
  { weight: 20, arbitrary: fc.record({ type: fc.constant('peer' as const), ...act }) },
  {
    weight: 8,
    arbitrary: fc.record({ type: fc.constant('deliver' as const), range, max: fc.constantFrom(1, 3, 50) }),
  },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('follow-up' as const), id }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant('copy' as const), range, id }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('requests' as const), range }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('stable' as const), range }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('drop' as const), range, id }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('delete' as const), range }) },
  {
    weight: 12,
    arbitrary: fc.record({ type: fc.constantFrom('flush' as const, 'flush' as const, 'sync' as const) }),
  },
  {
    weight: 8,
    arbitrary: fc.record({ type: fc.constant('wait' as const), ms: fc.constantFrom(0.1, 0.3, 1, 3, 30) }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('check' as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({ type: fc.constant('crash' as const), powerCut: fc.boolean(), tear: fc.boolean() }),
  },
)
type Command = typeof command extends fc.Arbitrary<infer T> ? T : never

async function carryOut(world: MeshWorld, one: Command): Promise<void> {
  const { bed } = world
  switch (one.type) {
    case 'act':
      return world.act(one.verb, one.id, one.recurring, one.pick)
    case 'peer':
      return world.peerAct(one.verb, one.id, one.recurring, one.pick)
    case 'deliver':
      return world.deliver(one.range, one.max)
    case 'follow-up':
      return world.followUp(one.id)
    case 'copy':
      return world.copy(one.range, one.id)
    case 'requests':
      return world.copyRequests(one.range)
    case 'stable':
      return world.stable(one.range)
    case 'drop':
      return world.drop(one.range, one.id)
    case 'delete':
      return world.deleteRange(one.range)
    case 'flush':
      world.acknowledge()
      return bed.tasks.flush()
    case 'sync':
      return world.sync()
    case 'wait':
      return bed.clock.advanceBy(one.ms)
    case 'check':
      return world.check()
    case 'crash':
      bed.crash({ powerCut: one.powerCut, tear: one.tear && SimulatedNode.mayTear })
      await bed.open()
      return world.restarted()
  }
}

describe('a store of a mesh that crashes', () => {
  test('has all that was synced, and of the rest a first part, whatever was done', async () => {
    const seen = { restarts: 0, lost: 0, dropped: 0, deleted: 0, spilled: 0, ended: 0, outbox: 0 }
    await fc.assert(
      fc.asyncProperty(
        fc.array(command, { minLength: 40, maxLength: 200 }),
        fc.nat(),
        async (commands, seed) => {
          const options = { ranges: RANGES, replicated: true, endedKeepMs: 1e9, requestWindowMs: 1e14 }
          const bed = new StoreBed({ ...OPTIONS, ...options }, seed)
          await bed.open()
          const world = new MeshWorld(bed)
          await world.openPeer()
          world.begin()
          for (const one of commands) await carryOut(world, one)
          await bed.settle()
          await world.check()
          bed.crash()
          await bed.open()
          await world.restarted()
          await world.checkSettled()
          await world.check()
          expect(bed.failures).toEqual([])
          for (const key of Object.keys(seen) as Array<keyof typeof seen>) seen[key] += world.counts[key]
        },
      ),
      { seed: 20_251_128, numRuns: 500 },
    )
    // It did test what it says.
    expect(Math.min(...Object.values(seen))).toBeGreaterThan(50)
  })
})
