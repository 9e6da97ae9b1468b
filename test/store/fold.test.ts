/**
 * What the rooms do to a record and then journal gives, byte for byte, what another store gets by applying the journaled
 * change: random operations as src/work does them on one store, each change applied on a second one.
 */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { hasEnded } from '../../src/task/merge.ts'
import type { TaskRecord } from '../../src/task/record.ts'
import { save } from './mesh-states.ts'
import { Rooms, VERBS, type Verb } from './rooms.ts'
import { StoreBed } from './test-bed.ts'

const ID = 'task'
type Step = readonly [verb: Verb | 'fresh actor', recurring: boolean, pick: number]

/** A store that writes, and one that gets its changes. */
class Pair {
  readonly writer = new StoreBed({ ranges: 1, replicated: true }, 'writer')
  readonly other = new StoreBed({ ranges: 1, replicated: true }, 'other')
  readonly rooms = new Rooms(this.writer)
  changes = 0

  async open(): Promise<void> {
    await this.writer.open()
    await this.other.open()
    save(this.writer, 0)
    save(this.other, 0)
    this.writer.wrote = (range, bytes, _, { actor, n }) => {
      this.changes++
      const { tasks } = this.other
      expect(tasks.idOf(bytes)).toBe(ID)
      tasks.apply(range, tasks.actors.learn(this.writer.tasks.actors.startIdOf(actor)), n, bytes)
    }
  }

  carryOut([verb, recurring, pick]: Step): void {
    if (verb === 'fresh actor') this.writer.freshActor(0)
    else this.rooms.carryOut(verb, ID, recurring, pick)
  }

  compare(): void {
    expect(shown(this.other)).toEqual(shown(this.writer))
  }
}

/** The record in parts that can be read, with names of actors, and its canonical form. */
function shown({ tasks }: StoreBed): object | undefined {
  const record = [...tasks.rangeRecords(0), ...tasks.endedIn(0)][0] as TaskRecord
  const named = (version: TaskRecord['timesVersion']): unknown =>
    version && `${version.rev} ${version.hlc} ${version.actor < 0 ? '-' : tasks.actors.nameOf(version.actor)}`
  const { life, rev, paused, cancelled, next, fired, lastAt, closed, ended, gone } = record
  return {
    ...{ life, rev, paused, cancelled, ended, fired, gone, hasEnded: hasEnded(record) },
    times: [next, lastAt, closed].map(String),
    versions: [record.version, record.pausedVersion, record.cancelVersion, record.timesVersion].map(named),
    closedBefore: record.closedBefore.map(each => `${named(each.version)} ${each.closed}`).sort(),
    runs: record.runs
      .map(run => `${run.instant} ${run.manual} ${run.state} ${run.attempt} ${named(run.version)} ${run.n}`)
      .sort(),
    canonical: tasks.canonical(record),
  }
}

describe('a change that was journaled', () => {
  test('gives what its writer has, byte for byte, whatever was done', async () => {
    let compared = 0
    const seen = new Set<string>()
    const verb = fc.constantFrom(...VERBS, 'fresh actor' as const)
    const step = fc.tuple(verb, fc.boolean(), fc.nat(5))
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60 }), async steps => {
        const pair = new Pair()
        await pair.open()
        for (const each of steps) {
          const before = pair.changes
          pair.carryOut(each)
          // Of what was reached or started and not written yet the other knows nothing.
          if (pair.changes === before || pair.rooms.isAhead(ID)) continue
          pair.compare()
          compared++
          seen.add(each[0])
        }
      }),
      { seed: 20_251_127, numRuns: 1000 },
    )
    expect(compared).toBeGreaterThan(3000)
    expect(seen.size).toBeGreaterThan(10)
  })
})
