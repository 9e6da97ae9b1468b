/** The whole run in a strip: how much happened when, the faults and violations, and what is shown of it. */

import { KINDS } from '../kinds.ts'
import { endOf } from '../model/rows.ts'
import { within } from '../model/span.ts'
import { GUTTER_PX } from './chart.ts'
import type { Desk } from './desk.ts'
import { byId, colourOf, type Sheet, sheetOf } from './dom.ts'

const FAULTS_PX = 12
const COLUMN = 2

export class Overview {
  readonly #desk: Desk
  readonly #canvas = byId('overview', HTMLCanvasElement)
  #counts: { readonly key: string; readonly columns: readonly number[] } = { key: '', columns: [] }

  constructor(desk: Desk) {
    this.#desk = desk
    desk.show(() => this.draw())
    new ResizeObserver(() => desk.changed()).observe(this.#canvas)
    this.#canvas.addEventListener('pointerdown', event => {
      this.#canvas.setPointerCapture(event.pointerId)
      this.#centre(event)
    })
    this.#canvas.addEventListener('pointermove', event => {
      if (event.buttons === 1) this.#centre(event)
    })
  }

  draw(): void {
    const { bounds, span, data, violation: shown } = this.#desk
    const sheet = sheetOf(this.#canvas, this.#canvas.clientWidth, this.#canvas.clientHeight)
    const { context, width, height } = sheet
    context.fillStyle = colourOf('panel')
    context.fillRect(0, 0, width, height)
    const xOf = (at: number): number =>
      GUTTER_PX + ((at - bounds.from) / (bounds.to - bounds.from)) * (width - GUTTER_PX)
    this.#paintCounts(sheet)
    this.#paintFaults(context, xOf)
    for (const violation of data.violations) {
      const [from, to] = [xOf(violation.from), xOf(violation.to)]
      context.fillStyle = colourOf('violation')
      context.globalAlpha = violation === shown ? 0.35 : 0.12
      context.fillRect(from, 0, Math.max(to - from, 2), height)
      context.globalAlpha = 1
      context.fillRect(to - 1, 0, 2, height)
    }
    const [from, to] = [xOf(span.from), xOf(span.to)]
    context.fillStyle = colourOf('page')
    context.globalAlpha = 0.55
    context.fillRect(GUTTER_PX, 0, from - GUTTER_PX, height)
    context.fillRect(to, 0, width - to, height)
    context.globalAlpha = 1
    context.strokeStyle = colourOf('accent')
    context.lineWidth = 2
    context.strokeRect(from, 1, Math.max(to - from, 3), height - 2)
    context.fillStyle = colourOf('faint')
    context.font = '11px system-ui, sans-serif'
    context.textBaseline = 'middle'
    context.fillText('whole run', 9, height / 2, GUTTER_PX - 12)
  }

  #paintCounts({ context, width, height }: Sheet): void {
    const columns = this.#countsFor(Math.ceil((width - GUTTER_PX) / COLUMN))
    const most = columns.reduce((max, each) => Math.max(max, each), 1)
    context.fillStyle = colourOf('quiet')
    for (const [column, count] of columns.entries()) {
      const high = (count / most) * (height - FAULTS_PX - 4)
      context.fillRect(GUTTER_PX + column * COLUMN, height - high, COLUMN, high)
    }
  }

  /** Of what was found, or of all: attempts and calls. */
  #countsFor(count: number): readonly number[] {
    const { query, bounds, found } = this.#desk
    const key = `${count} ${query} ${found.length}`
    if (this.#counts.key === key) return this.#counts.columns
    const columns = new Array<number>(Math.max(count, 1)).fill(0)
    for (const { at, item } of found) {
      const { row } = KINDS[this.#desk.item(item).kind]
      if (row !== 'runs' && row !== 'calls') continue
      const column = Math.floor(((at - bounds.from) / (bounds.to - bounds.from)) * count)
      columns[column] = (columns[column] ?? 0) + 1
    }
    this.#counts = { key, columns }
    return columns
  }

  #paintFaults(context: CanvasRenderingContext2D, xOf: (at: number) => number): void {
    for (const { items, row } of this.#desk.rows) {
      if (row !== 'faults') continue
      for (const index of items) {
        const item = this.#desk.item(index)
        const x = xOf(item.from)
        context.fillStyle = colourOf(KINDS[item.kind].tone)
        context.globalAlpha = 0.5
        context.fillRect(
          x,
          2,
          Math.max(xOf(Math.min(endOf(item), this.#desk.bounds.to)) - x, 1),
          FAULTS_PX - 4,
        )
      }
    }
    context.globalAlpha = 1
  }

  #centre({ offsetX }: PointerEvent): void {
    const { bounds, span } = this.#desk
    const share = (offsetX - GUTTER_PX) / (this.#canvas.clientWidth - GUTTER_PX)
    const at = bounds.from + share * (bounds.to - bounds.from)
    const half = (span.to - span.from) / 2
    this.#desk.look(within({ from: at - half, to: at + half }, bounds))
  }
}
