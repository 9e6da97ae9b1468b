/** The pointer, the wheel and the keys. */

import { instantText } from '../model/span.ts'
import type { Chart } from './chart.ts'
import type { Desk } from './desk.ts'
import { byId, made } from './dom.ts'
import { type Header, toggle } from './header.ts'

/** Less than this is a click that shook, pixels. */
const DRAG_PX = 4
const WHEEL_FACTOR = 1.0015

export function controls(desk: Desk, chart: Chart, header: Header): void {
  const canvas = byId('lanes', HTMLCanvasElement)
  pointer(desk, chart, canvas)
  canvas.addEventListener(
    'wheel',
    event => {
      // Over the names the wheel scrolls, as anywhere.
      if (chart.isGutter(event.clientX)) return
      event.preventDefault()
      const isAcross = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)
      const delta = isAcross && event.deltaX !== 0 ? event.deltaX : event.deltaY
      const px = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? delta : delta * 30
      if (isAcross) desk.pan((px * chart.msPerPx) / (desk.span.to - desk.span.from))
      else desk.zoom(WHEEL_FACTOR ** px, chart.atOf(event.clientX))
    },
    { passive: false },
  )
  document.addEventListener('keydown', event => keys(event, desk, chart, header))
}

interface Drag {
  x: number
  y: number
  readonly fromX: number
  readonly fromY: number
  readonly isMarking: boolean
  isMoving: boolean
}

function pointer(desk: Desk, chart: Chart, canvas: HTMLCanvasElement): void {
  let drag: Drag | undefined
  canvas.addEventListener('pointerdown', event => {
    if (event.button !== 0) return
    canvas.setPointerCapture(event.pointerId)
    const { clientX: x, clientY: y } = event
    drag = { x, y, fromX: x, fromY: y, isMarking: event.shiftKey, isMoving: false }
  })
  canvas.addEventListener('pointermove', event => {
    const { clientX: x, clientY: y } = event
    if (drag === undefined) return hover(desk, chart, event)
    if (Math.hypot(x - drag.fromX, y - drag.fromY) > DRAG_PX) drag.isMoving = true
    if (!drag.isMoving || drag.isMarking) return
    desk.pan((-(x - drag.x) * chart.msPerPx) / (desk.span.to - desk.span.from))
    chart.scrollBy(drag.y - y)
    drag.x = x
    drag.y = y
  })
  canvas.addEventListener('pointerup', event => {
    const ended = drag
    drag = undefined
    if (ended === undefined) return
    if (ended.isMoving && ended.isMarking) {
      const [a, b] = [chart.atOf(ended.fromX), chart.atOf(event.clientX)]
      desk.look({ from: Math.min(a, b), to: Math.max(a, b) })
    } else if (!ended.isMoving) clicked(desk, chart, event)
  })
  canvas.addEventListener('pointerleave', () => {
    desk.hover(undefined, undefined)
    byId('tip', HTMLElement).hidden = true
  })
  canvas.addEventListener('dblclick', event => {
    const index = chart.itemAt(event.clientX, event.clientY)
    if (index !== undefined) desk.lookAtItem(index)
  })
}

/** On a name: the events of that lane. */
function clicked(desk: Desk, chart: Chart, { clientX, clientY }: PointerEvent): void {
  if (!chart.isGutter(clientX)) return desk.select(chart.itemAt(clientX, clientY))
  const lane = chart.laneAt(clientY)
  const name = lane === undefined ? '' : (desk.recording.lanes[lane]?.name.replace(' ', '-') ?? '')
  desk.search(desk.query === name ? '' : name)
}

function hover(desk: Desk, chart: Chart, { clientX, clientY }: PointerEvent): void {
  const index = chart.itemAt(clientX, clientY)
  desk.hover(index, chart.isGutter(clientX) ? undefined : chart.atOf(clientX))
  const tip = byId('tip', HTMLElement)
  tip.hidden = index === undefined
  if (index === undefined) return
  const item = desk.item(index)
  const until =
    item.to === undefined ? '' : ` to ${Number.isFinite(item.to) ? instantText(item.to) : 'the end'}`
  tip.replaceChildren(item.text, made('small', '', `${instantText(item.from)}${until}`))
  tip.style.left = `${Math.min(clientX + 14, innerWidth - tip.offsetWidth - 8)}px`
  tip.style.top = `${Math.min(clientY + 16, innerHeight - tip.offsetHeight - 8)}px`
}

function keys(event: KeyboardEvent, desk: Desk, chart: Chart, header: Header): void {
  if (event.ctrlKey || event.metaKey || event.altKey) return
  if (event.target instanceof HTMLInputElement && event.target.type === 'search') {
    if (event.key === 'Escape') event.target.blur()
    return
  }
  const what = KEY_ACTIONS[event.key]
  if (what === undefined) return
  event.preventDefault()
  what(desk, chart, header)
}

const KEY_ACTIONS: Readonly<Record<string, (desk: Desk, chart: Chart, header: Header) => void>> = {
  ArrowLeft: desk => desk.pan(-0.15),
  h: desk => desk.pan(-0.15),
  ArrowRight: desk => desk.pan(0.15),
  l: desk => desk.pan(0.15),
  ArrowUp: (_, chart) => chart.scrollBy(-60),
  ArrowDown: (_, chart) => chart.scrollBy(60),
  '+': desk => desk.zoom(0.6),
  '=': desk => desk.zoom(0.6),
  '-': desk => desk.zoom(1 / 0.6),
  '0': desk => desk.look(desk.bounds),
  Home: desk => desk.look(desk.bounds),
  n: (desk, chart) => stepped(desk, chart, 1),
  p: (desk, chart) => stepped(desk, chart, -1),
  v: desk => desk.nextViolation(),
  f: desk => desk.lookAtFound(),
  z: desk => {
    if (desk.selected !== undefined) desk.lookAtItem(desk.selected)
  },
  d: (_, __, header) => header.toggleDensity(),
  '/': (_, __, header) => header.focusSearch(),
  '?': () => toggle('help'),
  Escape: desk => {
    if (desk.selected !== undefined) desk.select(undefined)
    else desk.search('')
  },
}

function stepped(desk: Desk, chart: Chart, by: 1 | -1): void {
  desk.step(by)
  if (desk.selected !== undefined) chart.reveal(desk.item(desk.selected).lane)
}
