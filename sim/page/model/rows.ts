/**
 * Rows: the items of each lane, row by row, laid out in tracks so that what overlaps stands one below the other, and
 * found again by time. Pure, and made once.
 */

import { KINDS, ROWS, type Row } from '../kinds.ts'
import type { Item, Recording } from '../recording.ts'
import type { Span } from './span.ts'

export interface RowItems {
  readonly lane: number
  readonly row: Row
  /** Indices into the recording, by beginning. */
  readonly items: readonly number[]
  /** Of each of them. */
  readonly tracks: readonly number[]
  readonly trackCount: number
  /** Up to each of them the latest end: what overlaps an instant is not before the first that reaches it. */
  readonly reach: readonly number[]
}

export function endOf({ from, to }: Item): number {
  return to ?? from
}

export function rowsOf({ lanes, items, ranges }: Recording): RowItems[] {
  const byPlace = new Map<string, number[]>()
  for (const [index, { lane, kind }] of items.entries()) {
    const place = `${lane} ${KINDS[kind].row}`
    const known = byPlace.get(place)
    if (known === undefined) byPlace.set(place, [index])
    else known.push(index)
  }
  return lanes.flatMap((_, lane) =>
    ROWS.flatMap(row => {
      const own = byPlace.get(`${lane} ${row}`)
      return own === undefined ? [] : [rowOf(lane, row, own, items, ranges)]
    }),
  )
}

function rowOf(
  lane: number,
  row: Row,
  own: readonly number[],
  items: readonly Item[],
  ranges: number,
): RowItems {
  const isStrip =
    own.every(index => items[index]?.range !== undefined) && (row === 'acts' || row === 'owners')
  const tracks = isStrip ? own.map(index => items[index]?.range ?? 0) : tracksOf(own, items)
  let latest = Number.NEGATIVE_INFINITY
  const reach = own.map(index => {
    latest = Math.max(latest, endOf(items[index] as Item))
    return latest
  })
  const trackCount = isStrip ? ranges : tracks.reduce((most, track) => Math.max(most, track + 1), 1)
  return { lane, row, items: own, tracks, trackCount, reach }
}

/** Each into the first track that is free; what has no length is in the way of nobody. */
export function tracksOf(own: readonly number[], items: readonly Item[]): number[] {
  const freeAt: number[] = []
  return own.map(index => {
    const item = items[index] as Item
    if (item.to === undefined) return 0
    let track = freeAt.findIndex(at => at <= item.from)
    if (track < 0) track = freeAt.length
    freeAt[track] = item.to
    return track
  })
}

/** The places in `row.items` of what may be seen: [first, behind the last). */
export function seenIn(row: RowItems, items: readonly Item[], { from, to }: Span): [number, number] {
  const first = lowest(row.reach.length, at => (row.reach[at] as number) >= from)
  const behind = lowest(row.items.length, at => (items[row.items[at] as number] as Item).from > to)
  return [Math.min(first, behind), behind]
}

/** The lowest number below `count` for which it holds, when it holds for all above; else `count`. */
export function lowest(count: number, holds: (at: number) => boolean): number {
  let [low, high] = [0, count]
  while (low < high) {
    const middle = (low + high) >> 1
    if (holds(middle)) high = middle
    else low = middle + 1
  }
  return low
}
