/** The lanes over time: a canvas as large as its window, which stays in place while the lanes are scrolled under it. */

import { KINDS } from '../kinds.ts'
import { layoutOf, type PlacedLane, placeAt } from '../model/layout.ts'
import { endOf, seenIn } from '../model/rows.ts'
import { instantText, ticksOf } from '../model/span.ts'
import type { Desk } from './desk.ts'
import { byId, colourOf, type Sheet, sheetOf } from './dom.ts'
import { type Brush, paintRow } from './paint.ts'

export const GUTTER_PX = 74
const RULER_PX = 22
/** So near the pointer has to come, pixels. */
const NEAR_PX = 4

export class Chart {
  readonly #desk: Desk
  readonly #canvas = byId('lanes', HTMLCanvasElement)
  readonly #scroll = byId('scroll', HTMLElement)
  readonly #spacer = byId('spacer', HTMLElement)
  #lanes: readonly PlacedLane[] = []
  #laidOut = ''

  constructor(desk: Desk) {
    this.#desk = desk
    this.#scroll.addEventListener('scroll', () => this.draw())
    new ResizeObserver(() => desk.changed()).observe(this.#scroll)
    desk.show(() => this.draw())
  }

  get #width(): number {
    return Math.max(this.#scroll.clientWidth - GUTTER_PX, 50)
  }

  draw(): void {
    const { density, recording } = this.#desk
    if (this.#laidOut !== density) {
      const { lanes, height } = layoutOf(recording, this.#desk.rows, density)
      this.#lanes = lanes
      this.#laidOut = density
      this.#spacer.dataset.height = String(height)
    }
    const height = this.#scroll.clientHeight
    const all = Number(this.#spacer.dataset.height) + RULER_PX
    this.#spacer.style.height = `${Math.max(0, all - height)}px`
    this.#canvas.style.height = `${height}px`
    const sheet = sheetOf(this.#canvas, this.#scroll.clientWidth, height)
    const top = this.#scroll.scrollTop - RULER_PX
    const brush: Brush = {
      context: sheet.context,
      desk: this.#desk,
      left: GUTTER_PX,
      width: this.#width,
      top,
    }
    this.#paintGround(sheet, top)
    sheet.context.save()
    sheet.context.beginPath()
    sheet.context.rect(GUTTER_PX, RULER_PX, this.#width, height)
    sheet.context.clip()
    this.#paintViolation(sheet)
    for (const lane of this.#lanes) {
      if (lane.y + lane.height < top || lane.y > top + height) continue
      for (const row of lane.rows) paintRow(brush, row)
    }
    sheet.context.restore()
    this.#paintRuler(sheet)
  }

  // --- pixels and what they mean

  atOf(clientX: number): number {
    const { from, to } = this.#desk.span
    const x = clientX - this.#canvas.getBoundingClientRect().left - GUTTER_PX
    return from + (Math.min(Math.max(x, 0), this.#width) / this.#width) * (to - from)
  }

  get msPerPx(): number {
    const { from, to } = this.#desk.span
    return (to - from) / this.#width
  }

  isGutter(clientX: number): boolean {
    return clientX - this.#canvas.getBoundingClientRect().left < GUTTER_PX
  }

  laneAt(clientY: number): number | undefined {
    return this.#placeAt(clientY)?.lane.lane
  }

  /** What was found goes before what was not, and what is short before what is long. */
  itemAt(clientX: number, clientY: number): number | undefined {
    const place = this.#placeAt(clientY)
    if (place?.row === undefined || this.isGutter(clientX)) return undefined
    const { row } = place
    const { items } = this.#desk.recording
    const at = this.atOf(clientX)
    const near = NEAR_PX * this.msPerPx
    const track = Math.floor((this.#yOf(clientY) - row.y) / row.trackPx)
    const [first, behind] = seenIn(row.items, items, { from: at - near, to: at + near })
    let best: { readonly index: number; readonly cost: number } | undefined
    for (let place = first; place < behind; place++) {
      const index = row.items.items[place] as number
      const item = this.#desk.item(index)
      if (endOf(item) < at - near || !this.#desk.isShown(index)) continue
      const ownTrack = (row.items.tracks[place] as number) % row.trackCount
      const isApart = item.to !== undefined && Math.abs(ownTrack - track) > (row.trackPx < 4 ? 1 : 0)
      if (isApart) continue
      const outside = Math.max(item.from - at, at - endOf(item), 0)
      const rank = this.#desk.isSearching ? 2 - this.#desk.rankOf(index) : 0
      const length = item.to === undefined ? 0 : 1 + Math.abs(ownTrack - track)
      const cost = rank * 1e6 + length * 1e3 - (KINDS[item.kind].weight ?? 1) * 10 + outside / this.msPerPx
      if (best === undefined || cost < best.cost) best = { index, cost }
    }
    return best?.index
  }

  /** Scrolls so far that the lane is seen. */
  reveal(lane: number): void {
    const placed = this.#lanes[lane]
    if (placed === undefined) return
    const { scrollTop, clientHeight } = this.#scroll
    if (placed.y < scrollTop) this.#scroll.scrollTop = placed.y
    else if (placed.y + placed.height > scrollTop + clientHeight - RULER_PX)
      this.#scroll.scrollTop = placed.y + placed.height - clientHeight + RULER_PX
  }

  scrollBy(px: number): void {
    this.#scroll.scrollTop += px
  }

  #yOf(clientY: number): number {
    return clientY - this.#canvas.getBoundingClientRect().top + this.#scroll.scrollTop - RULER_PX
  }

  #placeAt(clientY: number): ReturnType<typeof placeAt> {
    if (clientY - this.#canvas.getBoundingClientRect().top < RULER_PX) return undefined
    return placeAt(this.#lanes, this.#yOf(clientY))
  }

  #xOf(at: number): number {
    return GUTTER_PX + (at - this.#desk.span.from) / this.msPerPx
  }

  // --- what lies under and over the rows

  #paintGround({ context, width }: Sheet, top: number): void {
    const { violation, recording, selected } = this.#desk
    const chosen = selected === undefined ? undefined : this.#desk.item(selected)
    for (const { lane, y, height } of this.#lanes) {
      const isAccused = violation?.lanes.includes(lane) === true
      context.fillStyle = colourOf(lane % 2 === 0 ? 'page' : 'stripe')
      context.fillRect(0, y - top, width, height)
      if (isAccused) {
        context.fillStyle = colourOf('violation-soft')
        context.fillRect(0, y - top, GUTTER_PX, height)
        context.fillStyle = colourOf('violation')
        context.fillRect(0, y - top, 4, height)
      } else if (chosen?.lane === lane) {
        context.fillStyle = colourOf('accent')
        context.fillRect(0, y - top, 4, height)
      }
      context.fillStyle = colourOf(isAccused ? 'violation' : 'text')
      context.font = '600 12px system-ui, sans-serif'
      context.textBaseline = 'middle'
      context.fillText(recording.lanes[lane]?.name ?? '', 9, y - top + height / 2, GUTTER_PX - 12)
      this.#paintCount(context, lane, y - top + height / 2 + 14)
      context.fillStyle = colourOf('line')
      context.fillRect(0, y - top + height - 1, width, 1)
    }
  }

  /** For how many ranges the lane's node acts where the pointer is, or in the middle. */
  #paintCount(context: CanvasRenderingContext2D, lane: number, y: number): void {
    const { pointerAt, span, recording } = this.#desk
    const row = this.#lanes[lane]?.rows.find(each => each.items.row === 'acts')?.items
    if (row === undefined) return
    const at = pointerAt ?? (span.from + span.to) / 2
    const [first, behind] = seenIn(row, recording.items, { from: at, to: at })
    const count = row.items.slice(first, behind).filter(index => {
      const item = this.#desk.item(index)
      return item.kind === 'acts' && endOf(item) > at
    }).length
    context.fillStyle = colourOf('faint')
    context.font = '10px system-ui, sans-serif'
    context.fillText(`${count} of ${recording.ranges} ranges`, 9, y, GUTTER_PX - 12)
  }

  #paintViolation({ context, height }: Sheet): void {
    const { violation } = this.#desk
    if (violation === undefined) return
    const [from, to] = [this.#xOf(violation.from), this.#xOf(violation.to)]
    context.fillStyle = colourOf('violation')
    context.globalAlpha = 0.06
    context.fillRect(from, 0, Math.max(to - from, 1), height)
    context.globalAlpha = 0.8
    for (const x of [from, to]) context.fillRect(x - 0.5, 0, 1.5, height)
    context.globalAlpha = 1
  }

  #paintRuler({ context, width, height }: Sheet): void {
    const { span, pointerAt, violation, selected } = this.#desk
    context.fillStyle = colourOf('panel')
    context.fillRect(0, 0, width, RULER_PX)
    context.font = '11px ui-monospace, monospace'
    context.textBaseline = 'middle'
    for (const { at, label } of ticksOf(span, this.#width)) {
      const x = this.#xOf(at)
      context.fillStyle = colourOf('line')
      context.fillRect(x, RULER_PX - 5, 1, 5)
      context.globalAlpha = 0.35
      context.fillRect(x, RULER_PX, 1, height)
      context.globalAlpha = 1
      context.fillStyle = colourOf('faint')
      context.fillText(label, x + 3, RULER_PX / 2)
    }
    if (violation !== undefined)
      for (const at of new Set([violation.from, violation.to])) this.#paintFlag(context, at, 'violation')
    if (selected !== undefined) this.#paintLine(context, this.#desk.item(selected).from, 'accent', height)
    if (pointerAt !== undefined) this.#paintLine(context, pointerAt, 'faint', height, true)
    context.fillStyle = colourOf('panel')
    context.fillRect(0, 0, GUTTER_PX, RULER_PX)
    context.fillStyle = colourOf('line')
    context.fillRect(0, RULER_PX - 1, width, 1)
    context.fillRect(GUTTER_PX - 1, 0, 1, height)
  }

  #paintFlag(context: CanvasRenderingContext2D, at: number, tone: string): void {
    const x = this.#xOf(at)
    context.fillStyle = colourOf(tone)
    context.beginPath()
    context.moveTo(x - 6, 2)
    context.lineTo(x + 6, 2)
    context.lineTo(x, RULER_PX - 3)
    context.fill()
  }

  #paintLine(
    context: CanvasRenderingContext2D,
    at: number,
    tone: string,
    height: number,
    isTold = false,
  ): void {
    const x = this.#xOf(at)
    if (x < GUTTER_PX) return
    context.fillStyle = colourOf(tone)
    context.fillRect(x, isTold ? 0 : RULER_PX, 1, height)
    if (!isTold) return
    const label = instantText(at)
    const room = context.measureText(label).width + 8
    const left = Math.min(x, GUTTER_PX + this.#width - room)
    context.fillRect(left, 0, room, RULER_PX - 1)
    context.fillStyle = colourOf('page')
    context.fillText(label, left + 4, RULER_PX / 2)
  }
}
