/** The backlog against a list in the order of arrival. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Backlog } from '../../src/work/backlog.ts'
import type { LiveRecord } from '../../src/work/live-run.ts'

const HELD_MAX = 8

function record(id: string, name: string): LiveRecord {
  return { id, definition: { name } } as unknown as LiveRecord
}

function rename(of: LiveRecord, name: string): void {
  ;(of as unknown as { definition: { name: string } }).definition = { name }
}

describe('a backlog', () => {
  test('lets each handler hold as many as it leaves free for the others; the rest is leaving', () => {
    const backlog = new Backlog(HELD_MAX)
    const records = Array.from({ length: 10 }, (_, i) => record(`a${i}`, 'a'))
    for (const each of records) backlog.add(each)
    expect(records.map(each => backlog.isLeaving(each))).toEqual([
      ...new Array(4).fill(false),
      ...new Array(6).fill(true),
    ])
    const other = record('b', 'b')
    backlog.add(other)
    expect(backlog.isLeaving(other)).toBe(false)
    expect(backlog.size).toBe(11)
  })

  test('takes out in the order of arrival, as many as there is room for, of each handler', () => {
    const backlog = new Backlog(100)
    for (const id of ['a1', 'b1', 'a2', 'b2', 'a3']) backlog.add(record(id, id[0] as string))
    const taken: string[] = []
    const room: Record<string, number> = { a: 2, b: 0 }
    backlog.take(
      name => room[name] as number,
      each => {
        taken.push(each.id)
        room[each.definition.name] = (room[each.definition.name] as number) - 1
      },
    )
    expect(taken).toEqual(['a1', 'a2'])
    expect(backlog.size).toBe(3)
  })

  test('one that comes back while it is taken waits behind the others, and is not taken twice', () => {
    const backlog = new Backlog(100)
    backlog.add(record('a1', 'a'))
    backlog.add(record('a2', 'a'))
    const taken: string[] = []
    backlog.take(
      () => 1,
      each => {
        taken.push(each.id)
        backlog.add(each)
      },
    )
    expect(taken).toEqual(['a1', 'a2'])
    expect(backlog.size).toBe(2)
  })

  test('a task that was replaced waits for its new handler, and only there', () => {
    const backlog = new Backlog(100)
    const moved = record('x', 'a')
    backlog.add(moved)
    rename(moved, 'b')
    backlog.add(moved)
    expect(backlog.size).toBe(1)
    const taken: string[] = []
    backlog.take(
      name => (name === 'a' ? 1 : 0),
      each => taken.push(each.id),
    )
    expect(taken).toEqual([])
    rename(moved, 'c')
    backlog.remove(moved)
    expect(backlog.size).toBe(0)
  })

  test('wants back what was passed over once there is room and nothing of its handler waits', () => {
    const backlog = new Backlog(2)
    const [held, leaving] = [record('a1', 'a'), record('a2', 'a')]
    backlog.add(held)
    backlog.add(leaving)
    expect(backlog.left(held)).toBe(false)
    backlog.add(held)
    expect(backlog.isLeaving(leaving)).toBe(true)
    expect(backlog.left(leaving)).toBe(true)
    expect(backlog.wantsBack(() => 5, 1)).toBe(false)
    backlog.remove(held)
    expect(backlog.wantsBack(() => 5, 6)).toBe(false)
    expect(backlog.wantsBack(() => 5, 5)).toBe(true)
    const done = backlog.readAgain()
    done(false)
    expect(backlog.hasPassedOver).toBe(true)
    backlog.readAgain()(true)
    expect(backlog.hasPassedOver).toBe(false)
  })

  test('keeps no more and no fewer than a set would, whatever is done', () => {
    const ids = fc.integer({ min: 0, max: 11 })
    const step = fc.oneof(
      fc.record({ what: fc.constantFrom('add', 'remove', 'left'), id: ids }),
      fc.record({ what: fc.constant('rename'), id: ids, name: fc.constantFrom('a', 'b', 'c') }),
      fc.record({
        what: fc.constant('take'),
        id: ids,
        name: fc.constantFrom('a', 'b', 'c'),
        room: fc.integer({ min: 0, max: 4 }),
      }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), steps => {
        const backlog = new Backlog(HELD_MAX)
        const records = Array.from({ length: 12 }, (_, i) => record(String(i), 'abc'[i % 3] as string))
        const waiting = new Set<LiveRecord>()
        for (const each of steps) {
          const one = records[each.id] as LiveRecord
          if (each.what === 'add') {
            backlog.add(one)
            waiting.add(one)
          } else if (each.what === 'rename' && 'name' in each) rename(one, each.name)
          else if (each.what === 'take' && 'room' in each) {
            let left = each.room
            backlog.take(
              name => (name === each.name ? left : 0),
              taken => {
                left--
                expect(waiting.delete(taken)).toBe(true)
              },
            )
          } else {
            if (each.what === 'left') backlog.left(one)
            else backlog.remove(one)
            waiting.delete(one)
          }
          expect(backlog.size).toBe(waiting.size)
          for (const other of records) if (!waiting.has(other)) expect(backlog.isLeaving(other)).toBe(false)
        }
      }),
      { seed: 7, numRuns: 500 },
    )
  })
})
