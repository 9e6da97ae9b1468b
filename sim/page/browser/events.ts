/** The list of what was found, in order; it follows the span that is shown. Only the rows that are seen are there. */

import { KINDS } from '../kinds.ts'
import { type Entry, entriesIn, entryText, shortIds } from '../model/entries.ts'
import type { Desk } from './desk.ts'
import { byId, colourOf, made } from './dom.ts'

const ROW_PX = 20

export class EventList {
  readonly #desk: Desk
  readonly #head = byId('events-head', HTMLElement)
  readonly #scroll = byId('events-scroll', HTMLElement)
  readonly #spacer = byId('events-spacer', HTMLElement)
  readonly #rows = byId('events-rows', HTMLElement)
  #first = 0
  #behind = 0
  #key = ''
  #revealed: number | undefined

  constructor(desk: Desk) {
    this.#desk = desk
    this.#scroll.addEventListener('scroll', () => this.#fill())
    new ResizeObserver(() => desk.changed()).observe(this.#scroll)
    this.#rows.addEventListener('click', event => {
      const index = indexOf(event)
      if (index === undefined) return
      this.#revealed = index
      desk.select(index, true)
    })
    this.#rows.addEventListener('dblclick', event => {
      const index = indexOf(event)
      if (index !== undefined) desk.lookAtItem(index)
    })
    this.#rows.addEventListener('pointerover', event => desk.hover(indexOf(event), undefined))
    this.#rows.addEventListener('pointerleave', () => desk.hover(undefined, undefined))
    desk.show(() => this.draw())
  }

  draw(): void {
    const { found, span, query, hidden, withAround } = this.#desk
    const [first, behind] = entriesIn(found, span)
    const key = `${first} ${behind} ${found.length} ${query} ${withAround} ${hidden.size}`
    if (key !== this.#key) {
      this.#key = key
      this.#first = first
      this.#behind = behind
      this.#spacer.style.height = `${(behind - first) * ROW_PX}px`
      const all = behind - first === found.length ? '' : ` of ${found.length.toLocaleString('en')}`
      this.#head.textContent = `${(behind - first).toLocaleString('en')}${all} events in what is shown`
    }
    this.#reveal()
    this.#fill()
  }

  /** A newly selected item comes into view. */
  #reveal(): void {
    const { selected, found } = this.#desk
    if (selected === this.#revealed) return
    this.#revealed = selected
    if (selected === undefined) return
    const place = found.findIndex(({ item }) => item === selected) - this.#first
    if (place < 0 || place >= this.#behind - this.#first) return
    const { clientHeight, scrollTop } = this.#scroll
    const y = place * ROW_PX
    if (y < scrollTop || y > scrollTop + clientHeight - ROW_PX) this.#scroll.scrollTop = y - clientHeight / 2
  }

  #fill(): void {
    const { scrollTop, clientHeight } = this.#scroll
    const from = this.#first + Math.max(0, Math.floor(scrollTop / ROW_PX) - 3)
    const to = Math.min(this.#behind, from + Math.ceil(clientHeight / ROW_PX) + 6)
    const rows = this.#desk.found
      .slice(from, to)
      .map((entry, at) => this.#row(entry, (from - this.#first + at) * ROW_PX))
    this.#rows.replaceChildren(...rows)
  }

  #row(entry: Entry, y: number): HTMLElement {
    const { item: index, at, isEnd } = entry
    const desk = this.#desk
    const item = desk.item(index)
    const mark = made('i', isEnd ? 'end' : '')
    mark.style.background = colourOf(KINDS[item.kind].tone)
    const text = entryText(entry, item)
    const row = made(
      'div',
      'event',
      made('span', 'at', (at / 1000).toFixed(3)),
      mark,
      made('span', 'lane', desk.recording.lanes[item.lane]?.name ?? ''),
      made('span', 'what', shortIds(text)),
    )
    row.title = text
    row.dataset.item = String(index)
    row.style.top = `${y}px`
    row.classList.toggle('around', desk.isSearching && desk.rankOf(index) === 1)
    row.classList.toggle('selected', desk.selected === index)
    row.classList.toggle('hovered', desk.hovered === index)
    return row
  }
}

function indexOf(event: Event): number | undefined {
  const row = event.target instanceof Element ? event.target.closest<HTMLElement>('.event') : null
  const text = row?.dataset.item
  return text === undefined ? undefined : Number(text)
}
