/** What run this is, what is wrong with it, and the tools. */

import { KINDS } from '../kinds.ts'
import { instantText } from '../model/span.ts'
import type { Violation } from '../recording.ts'
import { type Desk, kindsIn } from './desk.ts'
import { button, byId, colourOf, made } from './dom.ts'

/** Ids that the search offers. */
const OFFERED_MAX = 2000
const KEYS: readonly (readonly [keys: string, what: string])[] = [
  ['wheel', 'closer or wider, at the pointer'],
  ['Shift wheel', 'earlier or later'],
  ['drag', 'earlier or later, up and down'],
  ['Shift drag', 'zoom to what is marked'],
  ['double click', 'zoom to an item'],
  ['← → or h l', 'earlier, later'],
  ['+ −', 'closer, wider'],
  ['↑ ↓', 'lanes up and down'],
  ['0', 'the whole run'],
  ['n p', 'next and previous event found'],
  ['v', 'next violation'],
  ['f', 'all that was found'],
  ['z', 'zoom to the selected item'],
  ['d', 'lanes dense or roomy'],
  ['/', 'search'],
  ['Esc', 'select nothing, then search for nothing'],
]

export class Header {
  readonly #desk: Desk
  readonly #search = byId('search', HTMLInputElement)
  readonly #around = byId('around', HTMLInputElement)
  readonly #found = byId('found', HTMLElement)
  readonly #density = byId('density', HTMLButtonElement)
  readonly #cards: { readonly violation: Violation; readonly card: HTMLElement }[] = []

  constructor(desk: Desk) {
    this.#desk = desk
    this.#tellRun()
    this.#tellViolations()
    this.#offerNames()
    this.#fillLegend()
    this.#search.addEventListener('input', () => desk.search(this.#search.value))
    this.#search.addEventListener('keydown', event => {
      if (event.key === 'Enter') desk.lookAtFound()
    })
    this.#around.addEventListener('change', () => desk.search(desk.query, this.#around.checked))
    const clicked = (id: string, what: () => void): void =>
      byId(id, HTMLButtonElement).addEventListener('click', what)
    clicked('closer', () => desk.zoom(0.5))
    clicked('wider', () => desk.zoom(2))
    clicked('whole', () => desk.look(desk.bounds))
    clicked('density', () => this.toggleDensity())
    clicked('legend-button', () => toggle('legend'))
    clicked('help-button', () => toggle('help'))
    desk.show(() => this.draw())
  }

  draw(): void {
    const { query, found, violation, density, isSearching } = this.#desk
    if (this.#search.value !== query) this.#search.value = query
    const items = new Set(found.map(({ item }) => item))
    const own = isSearching ? [...items].filter(item => this.#desk.rankOf(item) === 2).length : 0
    this.#found.textContent = isSearching
      ? `${own.toLocaleString('en')} found${items.size > own ? `, ${(items.size - own).toLocaleString('en')} around` : ''}`
      : ''
    this.#density.textContent = density === 'dense' ? 'Roomy' : 'Dense'
    for (const each of this.#cards) each.card.classList.toggle('shown', each.violation === violation)
  }

  focusSearch(): void {
    this.#search.focus()
    this.#search.select()
  }

  toggleDensity(): void {
    this.#desk.density = this.#desk.density === 'dense' ? 'roomy' : 'dense'
    this.#desk.changed()
  }

  #tellRun(): void {
    const { violations, facts } = this.#desk.data
    const verdict = byId('verdict', HTMLElement)
    verdict.textContent = violations.length === 0 ? 'passed' : 'FAILED'
    verdict.classList.toggle('failed', violations.length > 0)
    byId('facts', HTMLElement).append(
      ...facts.map(([name, value]) => made('span', '', `${name} `, made('code', '', value))),
    )
  }

  #tellViolations(): void {
    const place = byId('violations', HTMLElement)
    for (const violation of this.#desk.data.violations) {
      const { checker, text, more, from, to } = violation
      const words = made('span', 'words', checker === '' ? '' : made('b', '', `${checker}: `), text)
      words.tabIndex = 0
      words.title = 'Show it'
      words.addEventListener('click', () => this.#desk.lookAtViolation(violation))
      words.addEventListener('keydown', event => {
        if (event.key === 'Enter') this.#desk.lookAtViolation(violation)
      })
      const when = from === to ? instantText(from) : `${instantText(from)} to ${instantText(to)}`
      const card = made(
        'div',
        'violation',
        words,
        button(`show ${when}`, () => words.click(), 'link'),
      )
      if (more !== '')
        card.append(made('details', '', made('summary', '', 'all its words'), made('pre', '', more)))
      this.#cards.push({ violation, card })
      place.append(card)
    }
  }

  #offerNames(): void {
    const { lanes, items, ranges } = this.#desk.recording
    const tasks = new Set(items.flatMap(({ task }) => (task === undefined ? [] : [`task:${task}`])))
    const names = [
      ...lanes.map(({ name }) => name.replace(' ', '-')),
      ...Array.from({ length: ranges }, (_, range) => `range:${range}`),
      ...kindsIn(this.#desk.recording).map(kind => `kind:${kind}`),
      ...[...tasks].slice(0, OFFERED_MAX),
    ]
    byId('names', HTMLDataListElement).append(
      ...names.map(name => {
        const option = made('option')
        option.value = name
        return option
      }),
    )
  }

  #fillLegend(): void {
    const place = byId('legend', HTMLElement)
    const counts = new Map<string, number>()
    for (const { kind } of this.#desk.recording.items) counts.set(kind, (counts.get(kind) ?? 0) + 1)
    for (const kind of kindsIn(this.#desk.recording)) {
      const box = made('input')
      box.type = 'checkbox'
      box.checked = true
      box.addEventListener('change', () => this.#desk.toggle(kind))
      const colour = made('i')
      colour.style.background = colourOf(KINDS[kind].tone)
      const count = made('span', '', `${counts.get(kind)?.toLocaleString('en')}`)
      place.append(made('label', '', box, colour, KINDS[kind].title, count))
    }
    byId('help', HTMLElement).append(
      ...KEYS.map(([keys, what]) => made('div', '', made('kbd', '', keys), ` ${what}`)),
    )
  }
}

export function toggle(id: string): void {
  const element = byId(id, HTMLElement)
  element.hidden = !element.hidden
}
