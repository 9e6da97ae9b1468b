/**
 * The page of a run. It opens at the first violation, or shows the whole run; what is looked at stands in the address
 * behind the `#`, so that a place in a run can be passed on with the file.
 */

import { instantText } from '../model/span.ts'
import type { PageData } from '../recording.ts'
import { Chart } from './chart.ts'
import { controls } from './controls.ts'
import { Desk } from './desk.ts'
import { Details } from './details.ts'
import { byId, onOtherColours } from './dom.ts'
import { EventList } from './events.ts'
import { Header } from './header.ts'
import { Overview } from './overview.ts'

function open(): void {
  const data = JSON.parse(byId('data', HTMLScriptElement).textContent ?? '') as PageData
  const desk = new Desk(data)
  const header = new Header(desk)
  new Overview(desk)
  const chart = new Chart(desk)
  new Details(desk)
  new EventList(desk)
  controls(desk, chart, header)
  onOtherColours(() => desk.changed())
  const [violation] = data.violations
  if (violation !== undefined) desk.lookAtViolation(violation)
  followAddress(desk)
  desk.show(() => writeAddress(desk))
  document.documentElement.dataset.ready = `${data.recording.items.length} items`
  desk.changed()
}

/** `#from=61.2&to=64&q=task:task-3&item=17`, instants in seconds. */
function followAddress(desk: Desk): void {
  const asked = new URLSearchParams(location.hash.slice(1))
  const [query, from, to, item] = ['q', 'from', 'to', 'item'].map(name => asked.get(name))
  if (query !== null && query !== undefined) desk.search(query)
  if (from && to) desk.look({ from: Number(from) * 1000, to: Number(to) * 1000 })
  if (item && Number(item) < desk.recording.items.length) desk.select(Number(item))
}

function writeAddress(desk: Desk): void {
  const { span, query, selected } = desk
  const told = new URLSearchParams({ from: secondsOf(span.from), to: secondsOf(span.to), q: query })
  if (selected !== undefined) told.set('item', String(selected))
  const hash = `#${told}`
  if (location.hash !== hash) waitToWrite(hash)
}

let written: number | undefined

/** Browsers take it ill when the address changes with each frame. */
function waitToWrite(hash: string): void {
  clearTimeout(written)
  written = setTimeout(() => history.replaceState(null, '', hash), 300)
}

function secondsOf(ms: number): string {
  return instantText(ms).replace(' s', '')
}

open()
