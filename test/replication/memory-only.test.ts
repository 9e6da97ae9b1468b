/** Stores that lose everything when their process ends: they take part, and nothing is acknowledged or let go for them. */

import { describe, expect, test } from 'vitest'
import { Bed } from './bed.ts'

describe('stores without a disk', () => {
  test('take part, and count for any only', () => {
    const [owner, ...others] = new Bed().list() as [string, ...string[]]
    const bed = new Bed({ memoryOnly: others })
    bed.world.clients.call('create', 'task', owner, { at: bed.inMs(60_000) })
    bed.pass(1000)
    expect(bed.holders('task')).toEqual([...bed.list()].sort())
    const replica = bed.site(owner).process?.replication.replica(0)
    const dot = replica?.applied.dots().next().value
    if (replica === undefined || dot === undefined) throw new Error('it has written')
    expect([replica.copiesOf(dot, 'any'), replica.copiesOf(dot, 'majority')]).toEqual([3, 1])
    const told: string[] = []
    replica.acknowledge(dot, 'any', copies => told.push(`any ${copies}`))
    replica.acknowledge(dot, 'majority', copies => told.push(`majority ${copies}`))
    bed.pass(500)
    expect(told).toEqual(['any 3'])
  })

  test('are nobody to let go of a range for', () => {
    const list = new Bed({ stores: 4 }).list() as [string, string, string]
    const [, ...others] = list
    const bed = new Bed({ stores: 4, memoryOnly: others })
    expect(bed.list()).toEqual(list)
    const [away] = list
    const spare = bed.world
      .upSites()
      .map(({ disk }) => disk.store)
      .find(store => !list.includes(store)) as string
    bed.world.clients.call('create', 'task', away, { at: bed.inMs(60_000) })
    bed.pass(1000)
    bed.crash(away)
    bed.pass(5000)
    expect(bed.holders('task')).toContain(spare)
    bed.restart(away)
    bed.pass(5000)
    // Of the list one has a disk, and W is two.
    expect(bed.role(spare)).toBe('outside')
    expect(bed.holders('task')).toEqual([...list, spare].sort())
  })
})
