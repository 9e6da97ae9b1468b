/** Paints one row of a lane: spans, points, strips, or how many there were where there are too many to tell apart. */

import { KINDS } from '../kinds.ts'
import type { PlacedRow } from '../model/layout.ts'
import { columnsOf, type Mark, marksOf } from '../model/marks.ts'
import { seenIn } from '../model/rows.ts'
import type { Desk } from './desk.ts'
import { colourOf } from './dom.ts'

export interface Brush {
  readonly context: CanvasRenderingContext2D
  readonly desk: Desk
  /** Where time begins, and how wide it is. */
  readonly left: number
  readonly width: number
  /** What was scrolled away above. */
  readonly top: number
}

const DIM = 0.13
const AROUND = 0.75
const COLUMN_PX = 3
const LABEL_PX_MIN = 34
/** A strip that is searched for is no thinner than this. */
const STRIP_PX_FOUND = 3
/** From so many on for each pixel of a track, runs are counted instead of drawn. */
const CROWDED = 0.5

export function paintRow(brush: Brush, row: PlacedRow): void {
  const { row: name } = row.items
  if (name === 'runs' && isCrowded(brush, row)) return paintColumns(brush, row)
  const { desk, width } = brush
  const rank = (item: number): number =>
    desk.isShown(item) ? 1 + desk.rankOf(item) + (item === desk.selected ? 1 : 0) : 0
  const marks = marksOf(row.items, desk.recording.items, desk.span, width, rank)
  // What was found lies above the rest.
  const isFound = (mark: Mark): boolean => desk.rankOf(mark.item) === 2
  for (const mark of marks) if (!isFound(mark)) paintMark(brush, row, mark)
  for (const mark of marks) if (isFound(mark)) paintMark(brush, row, mark)
}

function isCrowded({ desk, width }: Brush, row: PlacedRow): boolean {
  if (desk.isSearching) return false
  const [first, behind] = seenIn(row.items, desk.recording.items, desk.span)
  return behind - first > width * CROWDED
}

function paintMark(brush: Brush, row: PlacedRow, { x, width, track, item: index }: Mark): void {
  const { context, desk, left, top } = brush
  if (!desk.isShown(index)) return
  const item = desk.item(index)
  const { tone, isStrip } = KINDS[item.kind]
  const y = row.y - top + (track % row.trackCount) * row.trackPx
  const isChosen = index === desk.selected || index === desk.hovered
  context.globalAlpha = isChosen ? 1 : alphaOf(brush, index)
  context.fillStyle = item.kind === 'view' ? viewColour(item.text) : colourOf(tone)
  if (item.to === undefined) {
    paintPoint(context, left + x, row, y, item.kind === 'takeover')
  } else {
    const isFound = desk.isSearching && desk.rankOf(index) !== 0
    const height =
      isStrip === true
        ? Math.max(row.trackPx, isFound ? STRIP_PX_FOUND : 1)
        : row.trackPx - (row.trackPx > 3 ? 1 : 0)
    const bar = Math.max(width, 1)
    context.fillRect(left + x, y, bar, height)
    if (item.to === Number.POSITIVE_INFINITY && isStrip !== true) paintOpenEnd(brush, x + width, y, height)
    if (isStrip !== true && height >= 9 && bar > LABEL_PX_MIN)
      paintLabel(brush, item.text, x, width, y, height)
    if (isChosen) outline(context, left + x, y, bar, height)
  }
  context.globalAlpha = 1
}

/** Found: as it is; around: a little less; the rest hardly, once something is searched for. */
function alphaOf({ desk }: Brush, index: number): number {
  const item = desk.item(index)
  if (!desk.isSearching) return KINDS[item.kind].isStrip === true ? 0.85 : 1
  const rank = desk.rankOf(index)
  if (rank === 2) return 1
  const isGround = ['state', 'view', 'phases'].includes(KINDS[item.kind].row)
  if (rank === 1) return AROUND
  return isGround ? 0.45 : DIM
}

function paintPoint(
  context: CanvasRenderingContext2D,
  x: number,
  row: PlacedRow,
  y: number,
  isTakeover: boolean,
): void {
  if (isTakeover) {
    // A tick above and below its strip: a strip itself may be a pixel high.
    context.fillRect(x - 1, y - 2, 2, Math.max(row.trackPx, 1) + 4)
    return
  }
  const size = Math.min(row.trackPx, 9)
  const middle = y + size / 2
  context.beginPath()
  context.moveTo(x, middle - size / 2)
  context.lineTo(x + size / 2, middle)
  context.lineTo(x, middle + size / 2)
  context.lineTo(x - size / 2, middle)
  context.fill()
}

function paintOpenEnd({ context, left }: Brush, x: number, y: number, height: number): void {
  context.beginPath()
  context.moveTo(left + x, y)
  context.lineTo(left + x + height / 2, y + height / 2)
  context.lineTo(left + x, y + height)
  context.fill()
}

function paintLabel(
  { context, left, width: all }: Brush,
  text: string,
  x: number,
  width: number,
  y: number,
  height: number,
): void {
  const from = Math.max(x, 0)
  const room = Math.min(x + width, all) - from - 6
  if (room < LABEL_PX_MIN - 6) return
  context.save()
  context.beginPath()
  context.rect(left + from + 3, y, room, height)
  context.clip()
  const isDim = context.globalAlpha < 0.6
  context.globalAlpha = 0.9
  context.fillStyle = colourOf(isDim ? 'text' : 'page')
  context.font = `${Math.min(11, height)}px system-ui, sans-serif`
  context.textBaseline = 'middle'
  context.fillText(text, left + from + 3, y + height / 2 + 0.5)
  context.restore()
}

function outline(
  context: CanvasRenderingContext2D,
  x: number,
  y: number,
  width: number,
  height: number,
): void {
  context.strokeStyle = colourOf('text')
  context.lineWidth = 1.5
  context.strokeRect(x - 1, y - 1, width + 2, height + 2)
}

/** The same view has the same colour in all lanes. */
function viewColour(text: string): string {
  const hue = Number.parseInt(text.slice(0, 4), 16) || 0
  const isDark = matchMedia('(prefers-color-scheme: dark)').matches
  return `hsl(${(hue * 137) % 360} ${isDark ? '35% 62%' : '38% 45%'})`
}

/** Stacked: how many began, of each tone. */
function paintColumns(brush: Brush, row: PlacedRow): void {
  const { context, desk, left, width, top } = brush
  const columns = columnsOf(row.items, desk.recording.items, desk.span, width, COLUMN_PX, item =>
    desk.isShown(item),
  )
  const most = columns.reduce((max, { count }) => Math.max(max, count), 1)
  for (const { x, tones } of columns) {
    let y = row.y - top + row.height
    for (const [tone, count] of [...tones].sort(([a], [b]) => orderOf(a) - orderOf(b))) {
      const height = Math.max((count / most) * row.height, 1)
      y -= height
      context.fillStyle = colourOf(tone)
      context.fillRect(left + x, y, COLUMN_PX - 0.5, height)
    }
  }
}

const TONES = ['ok', 'call', 'warn', 'orphan', 'bad']

function orderOf(tone: string): number {
  return TONES.indexOf(tone)
}
