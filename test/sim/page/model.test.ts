/** The page's model: time, rows, what is drawn on which pixel, what a search finds, and in what order it is told. */

import { describe, expect, test } from 'vitest'
import { entriesIn, entriesOf, entryText, foundOf, shortIds } from '../../../sim/page/model/entries.ts'
import { layoutOf, placeAt } from '../../../sim/page/model/layout.ts'
import { columnsOf, marksOf } from '../../../sim/page/model/marks.ts'
import { isKin, ranksOf, termsOf } from '../../../sim/page/model/query.ts'
import { endOf, type RowItems, rowsOf, seenIn } from '../../../sim/page/model/rows.ts'
import { padded, panned, ticksOf, within, zoomed } from '../../../sim/page/model/span.ts'
import type { Item, Recording } from '../../../sim/page/recording.ts'
import { SeededRandom } from '../../../src/lib/seeded-random.ts'

const bounds = { from: 1000, to: 11_000 }

function recordingOf(items: Item[], ranges = 4): Recording {
  const lanes = ['mesh', 'users', 'n0', 'n1'].map(name => ({ name, title: name }))
  return { lanes, items, from: 0, to: 1000, wallOffset: 0, ranges }
}

/** Attempts of any length, drawn. */
function attempts(count: number, seed = 'attempts'): Item[] {
  const random = new SeededRandom(seed)
  const items = Array.from({ length: count }, (_, n): Item => {
    const from = random.float() * 1000
    const isFailed = random.float() < 0.1
    return {
      kind: isFailed ? 'failed' : 'completed',
      lane: 2,
      from,
      to: from + random.float() ** 4 * 300,
      text: `run ${n}`,
    }
  })
  return items.sort((a, b) => a.from - b.from)
}

describe('a span', () => {
  test('is zoomed around an instant, which stays where it is on the screen', () => {
    const closer = zoomed({ from: 2000, to: 4000 }, bounds, 2500, 0.5)
    expect(closer).toEqual({ from: 2250, to: 3250 })
  })

  test('never leaves the run, however it is zoomed and moved', () => {
    const random = new SeededRandom('spans')
    let span = bounds
    for (let n = 0; n < 2000; n++) {
      const at = span.from + random.float() * (span.to - span.from)
      span =
        random.float() < 0.5
          ? zoomed(span, bounds, at, 2 ** (4 * random.float() - 2))
          : panned(span, bounds, (random.float() - 0.5) * 5000)
      expect(span.from).toBeGreaterThanOrEqual(bounds.from)
      expect(span.to).toBeLessThanOrEqual(bounds.to + 1e-6)
      expect(span.to - span.from).toBeGreaterThanOrEqual(0.499)
    }
    expect(within({ from: -5000, to: 90_000 }, bounds)).toEqual(bounds)
  })

  test('around one instant has a length all the same', () => {
    expect(padded({ from: 5000, to: 5000 }, bounds, 0.3, 4000)).toEqual({ from: 3000, to: 7000 })
  })

  test('has ticks at round instants, each with a label of its own', () => {
    for (const [from, to] of [
      [353_193, 601_522],
      [61_250, 61_250.9],
      [0, 3_600_000],
    ] as const) {
      const ticks = ticksOf({ from, to }, 900)
      expect(ticks.length).toBeGreaterThan(2)
      expect(ticks.length).toBeLessThanOrEqual(11)
      expect(new Set(ticks.map(({ label }) => label)).size).toBe(ticks.length)
      for (const { at, label } of ticks) expect(Number.parseFloat(label) * 1000).toBeCloseTo(at, 3)
    }
  })
})

describe('a row', () => {
  test('has no two items on one track at one time, and no more tracks than overlap', () => {
    const items = attempts(400)
    const [row] = rowsOf(recordingOf(items)) as [RowItems]
    const busy = new Map<number, number>()
    for (const [place, index] of row.items.entries()) {
      const track = row.tracks[place] as number
      const item = items[index] as Item
      expect(busy.get(track) ?? 0).toBeLessThanOrEqual(item.from)
      busy.set(track, endOf(item))
    }
    const overlapping = items.map(
      each => items.filter(other => other.from <= each.from && endOf(other) > each.from).length,
    )
    expect(row.trackCount).toBe(Math.max(...overlapping))
  })

  test('finds all that reaches into a span, as a look at each does', () => {
    const items = attempts(300)
    const [row] = rowsOf(recordingOf(items)) as [RowItems]
    const random = new SeededRandom('looks')
    for (let n = 0; n < 200; n++) {
      const from = random.float() * 1100 - 50
      const span = { from, to: from + random.float() * 200 }
      const [first, behind] = seenIn(row, items, span)
      const seen = row.items.slice(first, behind)
      const asked = items.flatMap((each, index) =>
        endOf(each) >= span.from && each.from <= span.to ? [index] : [],
      )
      expect(asked.filter(index => !seen.includes(index))).toEqual([])
    }
  })

  test('of ranges has a strip for each', () => {
    const acts = [0, 3].map(
      (range): Item => ({ kind: 'acts', lane: 2, from: range, to: 50, range, text: '' }),
    )
    const [row] = rowsOf(recordingOf(acts)) as [RowItems]
    expect(row.tracks).toEqual([0, 3])
    expect(row.trackCount).toBe(4)
  })
})

describe('what is drawn', () => {
  const plain = () => 1

  test('is bounded by the pixels, and counts every item once', () => {
    const items = Array.from(
      { length: 100_000 },
      (_, n): Item => ({ kind: n === 70_000 ? 'no-answer' : 'send', lane: 2, from: n / 100, text: '' }),
    )
    const [row] = rowsOf(recordingOf(items)) as [RowItems]
    const marks = marksOf(row, items, { from: 0, to: 1000 }, 500, plain)
    expect(marks.length).toBeLessThanOrEqual(502)
    expect(marks.reduce((sum, { count }) => sum + count, 0)).toBe(100_000)
    // Of thousands on one pixel the error is the one that is drawn.
    expect(marks.filter(({ item }) => item === 70_000)).toHaveLength(1)
  })

  test('is what was searched for, where it shares its pixel', () => {
    const items = attempts(5000).map(each => ({ ...each, to: each.from }))
    const [row] = rowsOf(recordingOf(items)) as [RowItems]
    const marks = marksOf(row, items, { from: 0, to: 1000 }, 300, item => (item === 2345 ? 2 : 0))
    expect(marks.some(({ item }) => item === 2345)).toBe(true)
  })

  test('from near is each item, as long as it is', () => {
    const items: Item[] = [
      { kind: 'completed', lane: 2, from: 100, to: 200, text: 'a' },
      { kind: 'failed', lane: 2, from: 150, to: 160, text: 'b' },
    ]
    const [row] = rowsOf(recordingOf(items)) as [RowItems]
    const marks = marksOf(row, items, { from: 100, to: 200 }, 1000, plain)
    expect(marks.map(({ x, width, track }) => ({ x, width, track }))).toEqual([
      { x: 0, width: 1000, track: 0 },
      { x: 500, width: 100, track: 1 },
    ])
  })

  test('in columns says how many began, of each tone', () => {
    const items = attempts(3000)
    const [row] = rowsOf(recordingOf(items)) as [RowItems]
    const span = { from: 200, to: 700 }
    const columns = columnsOf(row, items, span, 600, 3, () => true)
    const began = items.filter(({ from }) => from >= span.from && from <= span.to)
    expect(columns.reduce((sum, { count }) => sum + count, 0)).toBe(began.length)
    const failed = columns.reduce((sum, { tones }) => sum + (tones.get('warn') ?? 0), 0)
    expect(failed).toBe(began.filter(({ kind }) => kind === 'failed').length)
    expect(columns.length).toBeLessThanOrEqual(201)
  })
})

describe('a search', () => {
  const items: Item[] = [
    { kind: 'up', lane: 2, from: 0, to: 500, text: 'n0 is up' },
    { kind: 'acts', lane: 2, from: 10, to: 400, range: 1, text: 'n0 acts for range 1' },
    { kind: 'acts', lane: 3, from: 10, to: 400, range: 2, text: 'n1 acts for range 2' },
    { kind: 'call', lane: 1, from: 100, to: 120, task: 'task-1', range: 1, text: 'schedule', others: [2] },
    { kind: 'completed', lane: 2, from: 200, to: 210, task: 'task-1', range: 1, text: 'task-1@5' },
    { kind: 'completed', lane: 3, from: 220, to: 230, task: 'task-1@5/0', range: 2, text: 'a follow-up' },
    { kind: 'completed', lane: 3, from: 225, to: 230, task: 'task-11', range: 2, text: 'another' },
    { kind: 'fault', lane: 3, from: 20_000, to: 21_000, text: 'crash n1' },
  ]
  const recording = recordingOf(items)
  const found = (query: string, withAround = false) => [
    ...ranksOf(termsOf(query, recording), recording, withAround),
  ]

  test('for a task tells its whole story, with who acted for it and what follows from it', () => {
    expect(found('task:task-1')).toEqual([0, 0, 0, 2, 2, 0, 0, 0])
    // What happened long after is not around.
    expect(found('task-1', true)).toEqual([1, 1, 0, 2, 2, 1, 0, 0])
  })

  test('for a range, a lane, a kind or a word finds those, and all of several have to hold', () => {
    expect(found('range:2')).toEqual([0, 0, 2, 0, 0, 2, 2, 0])
    expect(found('n0')).toEqual([2, 2, 0, 2, 2, 0, 0, 0])
    expect(found('kind:completed n1')).toEqual([0, 0, 0, 0, 0, 2, 2, 0])
    expect(found('CRASH')).toEqual([0, 0, 0, 0, 0, 0, 0, 2])
    expect(found('  ')).toEqual(items.map(() => 2))
    expect(found('nothing-of-that-name')).toEqual(items.map(() => 0))
  })

  test('knows who follows from whom, in any life', () => {
    expect(isKin('task-1', 'task-1~2@5/0')).toBe(true)
    expect(isKin('task-1@5/0', 'task-1')).toBe(true)
    expect(isKin('task-1', 'task-11')).toBe(false)
  })

  test('is told in the order of time, with ends', () => {
    const ranks = ranksOf(termsOf('task:task-1', recording), recording, false)
    const entries = foundOf(entriesOf(recording), ranks)
    expect(entries.map(entry => `${entry.at} ${entryText(entry, items[entry.item] as Item)}`)).toEqual([
      '100 schedule',
      '120 acknowledged: schedule',
      '200 starts: task-1@5',
      '210 completed: task-1@5',
    ])
    expect(entriesIn(entries, { from: 120, to: 200 })).toEqual([1, 3])
  })

  test('has short names for long ids in its list', () => {
    expect(shortIds('m.656815c74dba2336c7@1735689641834 attempt 1')).toBe('m.6568..36c7@..41834 attempt 1')
    expect(shortIds('task-3')).toBe('task-3')
  })
})

test('lanes stand one below the other, dense ones lower, and a height tells its row', () => {
  const items: Item[] = [...attempts(50), { kind: 'up', lane: 3, from: 0, to: 9, text: '' }]
  const recording = recordingOf(items)
  const rows = rowsOf(recording)
  const heights = (['roomy', 'dense'] as const).map(density => {
    const { lanes, height } = layoutOf(recording, rows, density)
    expect(lanes.map(({ lane }) => lane)).toEqual([0, 1, 2, 3])
    let y = 0
    for (const lane of lanes) {
      expect(lane.y).toBe(y)
      y += lane.height
      for (const row of lane.rows) {
        expect(placeAt(lanes, row.y + row.height / 2)?.row).toBe(row)
        expect(row.y + row.height).toBeLessThanOrEqual(y)
      }
    }
    expect(placeAt(lanes, y + 1)).toBeUndefined()
    return height
  })
  expect(heights[1]).toBeLessThan(heights[0] as number)
})
