/** What a run leaves for the page: packing, who acted for what, and what the words of a checker are about. */

import { describe, expect, test } from 'vitest'
import { ownershipItems } from '../../../sim/page/ownership.ts'
import { type Item, inOrder, packed, type Recording, unpacked } from '../../../sim/page/recording.ts'
import { violationsOf } from '../../../sim/page/violations.ts'
import { rangeOf } from '../../../src/lib/hash.ts'

const lanes = ['mesh', 'users', 'n0', 'n1', 'n10', 'client 0'].map(name => ({ name, title: name }))

function recordingOf(items: Item[]): Recording {
  return { lanes, items, from: 50_000, to: 90_000, wallOffset: 5, ranges: 16 }
}

test('what is packed is unpacked as it was', () => {
  const items: Item[] = [
    { kind: 'fault', lane: 0, from: 1.5, to: 2.25, text: 'crash', others: [2, 3] },
    { kind: 'call', lane: 1, from: 2, to: Number.POSITIVE_INFINITY, text: 'a', task: 'x', range: 0 },
    { kind: 'send', lane: 2, from: 2, text: 'b', task: 'x', range: 0, details: [['a', 'b']] },
    { kind: 'note', lane: 2, from: 3, to: 3, text: '' },
  ]
  const recording = recordingOf(items)
  const again = unpacked(JSON.parse(JSON.stringify(packed(recording))))
  // Undefined or not there: the page does not tell them apart.
  expect(JSON.parse(JSON.stringify(again))).toEqual(JSON.parse(JSON.stringify(recording)))
  expect(again.items[1]?.to).toBe(Number.POSITIVE_INFINITY)
})

test('items stand in the order of their beginnings, and what lies after the run is left out', () => {
  const item = (from: number, text: string): Item => ({ kind: 'note', lane: 0, from, text })
  const ordered = inOrder([item(5, 'b'), item(2, 'a'), item(5, 'c'), item(99, 'tomorrow')], 0, 10)
  expect(ordered.map(({ text }) => text)).toEqual(['a', 'b', 'c'])
})

describe('who acts for a range', () => {
  const places = { node: (node: number) => node + 2, all: 0, stopsAt: 1000 }
  const step = (at: number, node: number, acts: boolean, range = 0) => ({ at, node, range, acts })
  const told = (items: Item[], kind: string) =>
    items.filter(each => each.kind === kind).map(({ from, to, lane, text }) => [from, to, lane, text])

  test('is told as spans, and one after another as a take-over, with the time between', () => {
    const items = ownershipItems([step(10, 0, true), step(50, 1, true)], [{ at: 40, node: 0 }], places)
    expect(told(items, 'acts')).toEqual([
      [10, 40, 2, 'n0 acts for range 0'],
      [50, Number.POSITIVE_INFINITY, 3, 'n1 acts for range 0'],
    ])
    expect(told(items, 'unowned')).toEqual([[40, 50, 0, 'nobody acts for range 0']])
    expect(told(items, 'takeover')).toEqual([
      [50, undefined, 3, 'n1 takes range 0 over from n0, which ceased 0.010 s before'],
    ])
  })

  test('of two at once is told as well, but not that nobody does after all have stopped', () => {
    const items = ownershipItems(
      [step(10, 0, true), step(20, 1, true), step(30, 0, false), step(2000, 1, false)],
      [],
      places,
    )
    expect(told(items, 'double')).toEqual([[20, 30, 0, 'n0 and n1 act for range 0']])
    expect(told(items, 'unowned')).toEqual([])
    expect(items.find(({ kind }) => kind === 'takeover')?.text).toContain('which acts still')
  })

  test('is no take-over when it goes on by itself', () => {
    const items = ownershipItems([step(1, 0, true), step(2, 0, false), step(3, 0, true)], [], places)
    expect(told(items, 'takeover')).toEqual([])
  })
})

describe('the words of a checker', () => {
  const items: Item[] = ['task-1', 'task-11', 'task-1@5/0', 'a </script> b'].map((task, n) => ({
    kind: 'send',
    lane: 2,
    from: 60_000 + n,
    text: '',
    task,
  }))
  const read = (fault: string) => violationsOf([fault], recordingOf(items))[0]

  test('say the task, its range, the nodes and when', () => {
    expect(
      read(
        'duplicates: task-11@5 started on n10 at 61.250 s; the attempt of 60.125 s on n0 is completed\n      62.000 s more',
      ),
    ).toEqual({
      checker: 'duplicates',
      text: 'task-11@5 started on n10 at 61.250 s; the attempt of 60.125 s on n0 is completed',
      more: '      62.000 s more',
      task: 'task-11',
      ranges: [rangeOf('task-11', 16)],
      lanes: [4, 2],
      from: 60_125,
      to: 61_250,
    })
  })

  test('name the longest id that stands there, with anything in it', () => {
    expect(read('durability: task-1@5/0 was made at 60.000 s')?.task).toBe('task-1@5/0')
    expect(read('durability: task-1 was lost')?.task).toBe('task-1')
    expect(read('durability: task-12 was lost')?.task).toBeUndefined()
    expect(read('durability: a </script> b was lost')?.task).toBe('a </script> b')
  })

  test('may be of a range or of nodes only, of the node itself, or of nothing', () => {
    const range = read('convergence: in the end range 3: n0 n1 act for it')
    expect([range?.ranges, range?.lanes]).toEqual([[3], [2, 3]])
    expect(read('false-alarm: node 1 held node 0 for away at 70.000 s')?.lanes).toEqual([3, 2])
    const ofNode = read(
      'duplicates: task-1@5 was started again at 61250.125; the attempt of 60000.500 is killed',
    )
    expect([ofNode?.from, ofNode?.to]).toEqual([60_000.5, 61_250.125])
    const found = read('at 61250.125: client 0 got an answer')
    expect([found?.lanes, found?.from, found?.to]).toEqual([[5], 61_250.125, 61_250.125])
    const nothing = read('the simulation itself failed: Error')
    expect([nothing?.task, nothing?.from]).toEqual([undefined, 90_000])
  })

  test('of a duration are no instant, and without any it is when the task was last heard of', () => {
    expect(read('false-alarm: at 70.000 s, which had been healthy for 55.000 s')?.from).toBe(70_000)
    expect(read('requests: task-11 was never answered')?.from).toBe(60_001)
  })
})
