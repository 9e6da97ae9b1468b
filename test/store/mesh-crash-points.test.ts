/** Lives of a store of a mesh, cut off at each of their writes (crash-points.ts), and judged by what was journaled. */

import { describe, expect, test } from 'vitest'
import { atEveryWrite } from './crash-points.ts'
import { MeshWorld, RANGES } from './mesh-model.ts'
import type { Verb } from './rooms.ts'
import { OPTIONS } from './test-bed.ts'

const OPTIONS_HERE = { ranges: RANGES, replicated: true, endedKeepMs: 1e9, requestWindowMs: 1e14 }

/** Each turn: what is done, then what it ends with. */
type Turn = readonly [acts: readonly string[], end: 'flush' | 'sync' | 'settle']

/**
 * An act is a word and what it is about: `create a`, `peer create a`, `deliver 0`, `copy 0 a`, `follow-up a`, `drop 0 a`,
 * `delete 0`, `stable 0`, `requests 0`.
 */
async function carryOut(world: MeshWorld, turns: readonly Turn[]): Promise<void> {
  for (const [acts, end] of turns) {
    for (const act of acts) {
      const [word = '', ...rest] = act.split(' ')
      const range = Number(rest[0])
      if (word === 'deliver') await world.deliver(range, 50)
      else if (word === 'copy') await world.copy(range, rest[1] as string)
      else if (word === 'drop') await world.drop(range, rest[1] as string)
      else if (word === 'requests') world.copyRequests(range)
      else if (word === 'delete') world.deleteRange(range)
      else if (word === 'stable') await world.stable(range)
      else if (word === 'follow-up') await world.followUp(rest[0] as string)
      else if (word === 'peer') await world.peerAct(rest[0] as Verb, rest[1] as string, false, 0)
      else await world.act(word as Verb, rest[0] as string, false, 0)
    }
    world.acknowledge()
    if (end === 'flush') world.bed.tasks.flush()
    else if (end === 'sync') await world.sync()
    else await world.bed.settle()
  }
}

const SCRIPTS: Record<string, readonly Turn[]> = {
  'changes of others, and what ends': [
    [['create a', 'create b', 'peer create c', 'peer create d'], 'sync'],
    [['deliver 0', 'deliver 1', 'finish a'], 'flush'],
    [['peer finish c', 'peer cancel d', 'create e', 'create a'], 'settle'],
    [['deliver 0', 'deliver 1', 'finish e'], 'flush'],
    [['stable 0', 'stable 1', 'create c', 'create d'], 'settle'],
  ],
  'a copy, and its requests': [
    [['peer create a', 'peer create b', 'peer create c', 'peer finish c', 'create b'], 'flush'],
    [['copy 0 a', 'copy 1 a', 'copy 0 b', 'copy 1 b', 'copy 0 c', 'copy 1 c'], 'flush'],
    [['requests 0', 'requests 1', 'pause a', 'pause b'], 'settle'],
    [['peer pause a', 'deliver 0', 'deliver 1'], 'settle'],
  ],
  'a range is let go of while its segments are spilled, and comes back': [
    [['create a', 'create b', 'create c', 'create d', 'create e'], 'settle'],
    [['pause a', 'pause b', 'pause c', 'pause d', 'pause e', 'finish b'], 'flush'],
    [['delete 0', 'create a', 'create c'], 'flush'],
    [['pause a', 'pause c', 'create e', 'pause e'], 'flush'],
    [['delete 1', 'create b', 'create d', 'pause d'], 'flush'],
    [['create a', 'create b', 'create c', 'finish d'], 'settle'],
  ],
  'a range is let go of twice before the index is emptied once': [
    [['create a', 'create b', 'create c', 'create d', 'create e'], 'settle'],
    [['delete 0', 'create a', 'delete 0', 'create c', 'create a'], 'flush'],
    [['pause a', 'pause b', 'pause c', 'delete 1'], 'flush'],
    [['create b', 'create d', 'pause d', 'pause b'], 'settle'],
  ],
  'what was let go of is copied back, as it was': [
    [['peer create a', 'peer create b', 'peer create c', 'deliver 0', 'deliver 1'], 'settle'],
    [['delete 0', 'delete 1', 'copy 0 a', 'copy 1 a', 'copy 0 b', 'copy 1 b'], 'flush'],
    [['copy 0 c', 'copy 1 c', 'deliver 0', 'deliver 1'], 'flush'],
    [['pause a', 'pause b', 'pause c', 'drop 0 a', 'drop 1 a'], 'settle'],
    [['copy 0 a', 'copy 1 a'], 'settle'],
  ],
  'follow-ups that wait in the range of their run': [
    [['create a', 'follow-up a', 'follow-up b', 'follow-up c'], 'settle'],
    [['follow-up a', 'create b', 'create c'], 'flush'],
    [['stable 0', 'stable 1', 'create d', 'create e'], 'settle'],
    [['delete 0', 'follow-up b', 'follow-up d'], 'settle'],
  ],
}

describe('a store of a mesh that dies at any of its writes', () => {
  for (const [name, turns] of Object.entries(SCRIPTS)) {
    test(name, async () => {
      const points = await atEveryWrite(
        OPTIONS_HERE,
        bed => new MeshWorld(bed),
        async (_, world) => {
          await world.openPeer()
          world.begin()
          await carryOut(world, turns)
        },
        async ({ bed, where }, world) => {
          await bed.open()
          await world.restarted(where)
          // It goes on, and dies once more.
          await carryOut(world, [[['create a', 'create e', 'deliver 0', 'deliver 1'], 'flush']])
          await world.check(where)
          await carryOut(world, [[['pause a', 'delete 0', 'create c', 'finish e'], 'sync']])
          bed.crash()
          await bed.open()
          await world.restarted(where)
          await world.checkSettled()
          await world.check(where)
          expect(bed.failures).toEqual([])
        },
      )
      expect(points).toBeGreaterThan(10)
    })
  }

  test('has small segments in these scripts, so that most of what they say is spilled', () => {
    expect(OPTIONS.journal.segmentChangesMax).toBeLessThan(10)
  })
})
