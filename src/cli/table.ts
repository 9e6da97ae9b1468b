/**
 * Tables for people: columns as wide as their cells, and no wider together than the terminal. What has to give way
 * gives way by its column's rank, the most willing first, down to its least width; where there is no terminal nothing
 * is cut, so that scripts get whole ids.
 */

import { cut, pad, printable, widthOf } from './text-width.ts'

export interface Column {
  readonly title: string
  readonly right?: boolean
  /** Who is cut first: higher gives way earlier. Default: 0, last of all. */
  readonly yields?: number
  /** Never cut below this. Default: 8. */
  readonly least?: number
}

const GAP = 2
const LEAST = 8

/** The lines, the titles first. Cells are made printable; `paint` may colour a cell once it is cut and padded. */
export function tableLines(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width: number | undefined,
  paint: (text: string, column: number, row: number) => string = text => text,
): string[] {
  const cells = [columns.map(({ title }) => title), ...rows.map(row => row.map(printable))]
  const natural = columns.map((_, i) => cells.reduce((most, row) => Math.max(most, widthOf(row[i] ?? '')), 0))
  const widths = fitted(columns, natural, width)
  return cells.map((row, r) => {
    const parts = columns.map((column, i) => {
      const isLast = i === columns.length - 1
      const text = cut(row[i] ?? '', widths[i] as number)
      const padded = isLast && column.right !== true ? text : pad(text, widths[i] as number, column.right)
      return paint(padded, i, r - 1)
    })
    return parts
      .filter((_, i) => (widths[i] as number) > 0)
      .join(' '.repeat(GAP))
      .trimEnd()
  })
}

/** The width of each column: natural where there is room, else cut by rank; 0 leaves a column out. */
export function fitted(
  columns: readonly Column[],
  natural: readonly number[],
  width: number | undefined,
): number[] {
  const widths = [...natural]
  if (width === undefined) return widths
  const total = (): number => {
    const shown = widths.filter(each => each > 0)
    return shown.reduce((sum, each) => sum + each, 0) + GAP * Math.max(0, shown.length - 1)
  }
  const order = columns
    .map((column, i) => ({ i, yields: column.yields ?? 0, least: column.least ?? LEAST }))
    .sort((a, b) => b.yields - a.yields || b.i - a.i)
  for (const { i, least } of order) {
    const over = total() - width
    if (over <= 0) return widths
    widths[i] = Math.max(Math.min(least, widths[i] as number), (widths[i] as number) - over)
  }
  // Too narrow even so: what yields first goes altogether, and at last the first column is cut to the terminal.
  for (const { i, yields } of order) {
    if (total() <= width) return widths
    if (yields > 0) widths[i] = 0
  }
  for (const { i } of order) {
    const over = total() - width
    if (over <= 0) return widths
    widths[i] = Math.max(1, (widths[i] as number) - over)
  }
  return widths
}
