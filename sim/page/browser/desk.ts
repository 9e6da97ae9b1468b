/** Desk: what is looked at (the span, the search, the selected item), and how that changes. Views draw what it says. */

import { KINDS, type Kind } from '../kinds.ts'
import { type Entry, entriesOf, foundOf } from '../model/entries.ts'
import type { Density } from '../model/layout.ts'
import { type Rank, ranksOf, termsOf } from '../model/query.ts'
import { endOf, type RowItems, rowsOf } from '../model/rows.ts'
import { padded, panned, type Span, within, zoomed } from '../model/span.ts'
import { type Item, type PageData, type Recording, unpacked, type Violation } from '../recording.ts'

/** Dense lanes from so many on. */
const DENSE_LANES = 9
const AROUND_VIOLATION_MS_MIN = 4000

export class Desk {
  readonly data: PageData
  readonly recording: Recording
  readonly rows: readonly RowItems[]
  readonly bounds: Span
  readonly #entries: readonly Entry[]
  readonly #views: (() => void)[] = []
  #isWaiting = false
  #ranks: Uint8Array
  span: Span
  query = ''
  withAround = true
  found: readonly Entry[]
  density: Density
  readonly hidden = new Set<Kind>()
  selected: number | undefined
  hovered: number | undefined
  /** Where the pointer is, as an instant. */
  pointerAt: number | undefined
  violation: Violation | undefined

  constructor(data: PageData) {
    this.data = data
    this.recording = unpacked(data.recording)
    this.rows = rowsOf(this.recording)
    this.#entries = entriesOf(this.recording)
    const { from, to } = this.recording
    this.bounds = { from, to: Math.max(to, from + 1) }
    this.span = this.bounds
    this.found = this.#entries
    this.#ranks = new Uint8Array(0)
    this.density = this.recording.lanes.length > DENSE_LANES ? 'dense' : 'roomy'
    this.search('')
  }

  /** `view` draws again, once a frame, whenever something has changed. */
  show(view: () => void): void {
    this.#views.push(view)
  }

  changed(): void {
    if (this.#isWaiting) return
    this.#isWaiting = true
    requestAnimationFrame(() => {
      this.#isWaiting = false
      for (const view of this.#views) view()
    })
  }

  item(index: number): Item {
    return this.recording.items[index] as Item
  }

  get isSearching(): boolean {
    return this.query.trim() !== ''
  }

  rankOf(index: number): Rank {
    return (this.#ranks[index] ?? 0) as Rank
  }

  isShown(index: number): boolean {
    return !this.hidden.has(this.item(index).kind)
  }

  /** Ranges that the search or a violation speaks of. */
  get ranges(): ReadonlySet<number> {
    const ranges = new Set(this.violation?.ranges ?? [])
    for (const term of termsOf(this.query, this.recording)) {
      if (term.of === 'range') ranges.add(term.range)
      if (term.of !== 'task') continue
      const range = this.recording.items.find(({ task }) => task === term.task)?.range
      if (range !== undefined) ranges.add(range)
    }
    return ranges
  }

  // --- time

  zoom(factor: number, at = (this.span.from + this.span.to) / 2): void {
    this.look(zoomed(this.span, this.bounds, at, factor))
  }

  pan(share: number): void {
    this.look(panned(this.span, this.bounds, share * (this.span.to - this.span.from)))
  }

  look(span: Span): void {
    this.span = within(span, this.bounds)
    this.changed()
  }

  // --- what is searched for

  search(query: string, withAround = this.withAround): void {
    this.query = query
    this.withAround = withAround
    this.#ranks = ranksOf(termsOf(query, this.recording), this.recording, withAround)
    this.#find()
  }

  toggle(kind: Kind): void {
    if (!this.hidden.delete(kind)) this.hidden.add(kind)
    this.#find()
  }

  /** What was found, from its beginning to its end. */
  lookAtFound(): void {
    const own = this.found.filter(({ item }) => this.rankOf(item) === 2)
    const [first, last] = [own[0], own.at(-1)]
    if (first === undefined || last === undefined) return
    this.look(padded({ from: first.at, to: last.at }, this.bounds, 0.08, 1000))
  }

  /** The whole story of a task, a range or a lane. */
  story(query: string): void {
    this.search(query)
    this.lookAtFound()
  }

  #find(): void {
    this.found = foundOf(this.#entries, this.#ranks).filter(({ item }) => this.isShown(item))
    this.changed()
  }

  // --- one item

  select(index: number | undefined, isCentred = false): void {
    this.selected = index
    if (index !== undefined && isCentred) this.#bringIntoView(index)
    this.changed()
  }

  hover(index: number | undefined, at: number | undefined): void {
    if (this.hovered === index && this.pointerAt === at) return
    this.hovered = index
    this.pointerAt = at
    this.changed()
  }

  lookAtItem(index: number): void {
    const item = this.item(index)
    const to = Math.min(endOf(item), this.bounds.to)
    this.look(padded({ from: item.from, to }, this.bounds, 0.4, 200))
  }

  /** The next event of what was found, or the one before. */
  step(by: 1 | -1): void {
    const { found, selected } = this
    if (found.length === 0) return
    const now = found.findIndex(({ item, isEnd }) => item === selected && !isEnd)
    const inSpan = found.findIndex(({ at }) => at >= this.span.from)
    let next = now < 0 ? Math.max(inSpan, 0) : now + by
    while (found[next]?.isEnd === true) next += by
    const entry = found[Math.min(Math.max(next, 0), found.length - 1)]
    if (entry !== undefined) this.select(entry.item, true)
  }

  #bringIntoView(index: number): void {
    const { from } = this.item(index)
    const length = this.span.to - this.span.from
    if (from >= this.span.from && from <= this.span.to) return
    this.span = within({ from: from - length / 2, to: from + length / 2 }, this.bounds)
  }

  // --- violations

  /** The time around it, and the story of what it is about. */
  lookAtViolation(violation: Violation): void {
    this.violation = violation
    const { task, ranges, lanes, from, to } = violation
    const [lane, range] = [lanes[0], ranges[0]]
    if (task !== undefined) this.search(`task:${task}`)
    else if (range !== undefined) this.search(`range:${range}`)
    else if (lane !== undefined) this.search(this.recording.lanes[lane]?.name.replace(' ', '-') ?? '')
    else this.search('')
    this.look(padded({ from, to }, this.bounds, 0.3, AROUND_VIOLATION_MS_MIN))
  }

  nextViolation(): void {
    const { violations } = this.data
    const now = this.violation === undefined ? -1 : violations.indexOf(this.violation)
    const next = violations[(now + 1) % violations.length]
    if (next !== undefined) this.lookAtViolation(next)
  }
}

/** The kinds that a recording has. */
export function kindsIn({ items }: Recording): Kind[] {
  const there = new Set(items.map(({ kind }) => kind))
  return (Object.keys(KINDS) as Kind[]).filter(kind => there.has(kind))
}
