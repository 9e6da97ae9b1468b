/**
 * What of a row is drawn where: one mark for each item that is wide enough, one for all that fall on the same pixel of a
 * track. So the work of a frame is bounded by the width of the screen, however much happened. Pure.
 */

import { KINDS } from '../kinds.ts'
import type { Item } from '../recording.ts'
import { endOf, type RowItems, seenIn } from './rows.ts'
import type { Span } from './span.ts'

export interface Mark {
  /** Pixels from the left of the span. */
  readonly x: number
  readonly width: number
  readonly track: number
  /** The one that counts most of those on this pixel. */
  readonly item: number
  readonly count: number
}

interface OpenMark {
  x: number
  width: number
  item: number
  count: number
  rank: number
}

/** `rank`: what the search found goes before what only stands around, and that before the rest. */
export function marksOf(
  row: RowItems,
  items: readonly Item[],
  span: Span,
  widthPx: number,
  rank: (item: number) => number,
): Mark[] {
  const scale = widthPx / (span.to - span.from)
  const [first, behind] = seenIn(row, items, span)
  const open: (OpenMark | undefined)[] = []
  const marks: Mark[] = []
  for (let at = first; at < behind; at++) {
    const index = row.items[at] as number
    const item = items[index] as Item
    if (endOf(item) < span.from) continue
    const track = row.tracks[at] as number
    const x = Math.max(-2, (item.from - span.from) * scale)
    const right = Math.min(widthPx + 2, (endOf(item) - span.from) * scale)
    const own = rank(index) * 10 + (KINDS[item.kind].weight ?? 1)
    const last = open[track]
    if (last !== undefined && right < Math.floor(last.x) + 1 && last.width < 1) {
      last.count++
      if (own > last.rank) {
        last.item = index
        last.rank = own
      }
      continue
    }
    if (last !== undefined) marks.push({ ...last, track })
    open[track] = { x, width: right - x, item: index, count: 1, rank: own }
  }
  for (const [track, last] of open.entries()) if (last !== undefined) marks.push({ ...last, track })
  return marks
}

export interface Column {
  readonly x: number
  /** How many began there, by tone. */
  readonly tones: ReadonlyMap<string, number>
  readonly count: number
}

/** How many of a row begin in each column of so many pixels. */
export function columnsOf(
  row: RowItems,
  items: readonly Item[],
  span: Span,
  widthPx: number,
  columnPx: number,
  isShown: (item: number) => boolean,
): Column[] {
  const scale = widthPx / (span.to - span.from)
  const [first, behind] = seenIn(row, items, span)
  const columns = new Map<number, Map<string, number>>()
  for (let at = first; at < behind; at++) {
    const index = row.items[at] as number
    const { from, kind } = items[index] as Item
    if (from < span.from || !isShown(index)) continue
    const column = Math.floor(((from - span.from) * scale) / columnPx)
    let tones = columns.get(column)
    if (tones === undefined) {
      tones = new Map()
      columns.set(column, tones)
    }
    const { tone } = KINDS[kind]
    tones.set(tone, (tones.get(tone) ?? 0) + 1)
  }
  return [...columns].map(([column, tones]) => ({
    x: column * columnPx,
    tones,
    count: [...tones.values()].reduce((sum, each) => sum + each, 0),
  }))
}
