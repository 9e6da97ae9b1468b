/** All that is known of the selected item, and where one can go from there. */

import { KINDS } from '../kinds.ts'
import { shortIds } from '../model/entries.ts'
import { durationText, instantText } from '../model/span.ts'
import type { Detail, Item } from '../recording.ts'
import type { Desk } from './desk.ts'
import { button, byId, made } from './dom.ts'

export class Details {
  readonly #desk: Desk
  readonly #place = byId('details', HTMLElement)
  #shown: number | undefined | null = null

  constructor(desk: Desk) {
    this.#desk = desk
    desk.show(() => this.draw())
  }

  draw(): void {
    const { selected } = this.#desk
    if (selected === this.#shown) return
    this.#shown = selected
    if (selected === undefined) {
      const hint =
        'Click on something to see all of it, and the whole story of its task or range. n and p walk through what was found.'
      this.#place.replaceChildren(made('p', '', hint))
      return
    }
    const item = this.#desk.item(selected)
    this.#place.replaceChildren(
      made('h2', '', item.text),
      this.#buttons(selected, item),
      listOf([...this.#facts(item), ...(item.details ?? [])]),
    )
  }

  #buttons(index: number, { task, range, lane, others = [] }: Item): HTMLElement {
    const desk = this.#desk
    const buttons = made('div', 'buttons')
    if (task !== undefined)
      buttons.append(button(`Story of ${shortened(task)}`, () => desk.story(`task:${task}`)))
    if (range !== undefined) buttons.append(button(`Range ${range}`, () => desk.story(`range:${range}`)))
    for (const each of [lane, ...others].slice(0, 6)) {
      const name = desk.recording.lanes[each]?.name ?? ''
      buttons.append(button(name, () => desk.search(name.replace(' ', '-'))))
    }
    buttons.append(button('Zoom to it', () => desk.lookAtItem(index)))
    buttons.append(
      button('Previous', () => desk.step(-1)),
      button('Next', () => desk.step(1)),
    )
    return buttons
  }

  #facts(item: Item): Detail[] {
    const { recording } = this.#desk
    const { kind, from, to, lane, task, range, others = [] } = item
    const facts: Detail[] = [
      ['kind', KINDS[kind].title],
      ['where', recording.lanes[lane]?.title ?? ''],
      ['at', `${instantText(from)}, ${new Date(from + recording.wallOffset).toISOString()}`],
    ]
    if (to !== undefined)
      facts.push(
        ['until', Number.isFinite(to) ? instantText(to) : 'the end'],
        ['for', durationText(to - from)],
      )
    if (task !== undefined) facts.push(['task', task])
    if (range !== undefined) facts.push(['range', String(range)])
    if (others.length > 0) facts.push(['with', others.map(each => recording.lanes[each]?.name).join(' ')])
    return facts
  }
}

function listOf(details: readonly Detail[]): HTMLElement {
  return made('dl', '', ...details.flatMap(([name, value]) => [made('dt', '', name), made('dd', '', value)]))
}

function shortened(text: string): string {
  const short = shortIds(text)
  return short.length > 40 ? `${short.slice(0, 38)}..` : short
}
