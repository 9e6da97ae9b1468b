/** The list of events: each item as it begins, and where that matters as it ends, in the order of time. Pure. */

import { KINDS } from '../kinds.ts'
import type { Item, Recording } from '../recording.ts'
import { lowest } from './rows.ts'
import type { Span } from './span.ts'

export interface Entry {
  readonly at: number
  /** Its index in the recording. */
  readonly item: number
  readonly isEnd: boolean
}

export function entriesOf({ items }: Recording): Entry[] {
  const entries: Entry[] = []
  for (const [item, { kind, from, to }] of items.entries()) {
    entries.push({ at: from, item, isEnd: false })
    if (KINDS[kind].ends !== undefined && to !== undefined && Number.isFinite(to))
      entries.push({ at: to, item, isEnd: true })
  }
  // Stable: what was recorded first stays first, and a beginning stays before its own end.
  return entries.sort((a, b) => a.at - b.at)
}

/** What the search found, or stands around it. */
export function foundOf(entries: readonly Entry[], ranks: Uint8Array): Entry[] {
  return entries.filter(({ item }) => ranks[item] !== 0)
}

/** The places of those in the span: [first, behind the last). */
export function entriesIn(entries: readonly Entry[], { from, to }: Span): [number, number] {
  const first = lowest(entries.length, at => (entries[at] as Entry).at >= from)
  return [first, lowest(entries.length, at => (entries[at] as Entry).at > to)]
}

export function entryText({ isEnd }: Entry, { kind, text, to }: Item): string {
  const { ends, row } = KINDS[kind]
  if (isEnd) return `${ends}: ${text}`
  if (row === 'runs' && to !== undefined)
    return `starts: ${text}${Number.isFinite(to) ? '' : ' (and runs to the end)'}`
  return ends !== undefined && to !== undefined && !Number.isFinite(to)
    ? `${text} (to the end of the run)`
    : text
}

/** Ids that nobody tells apart at their full length: m.656815c74dba2336c7@1735689641834 is m.6568..36c7@..41834. */
export function shortIds(text: string): string {
  return text
    .replaceAll(/\bm\.([0-9a-f]{4})[0-9a-f]{10}([0-9a-f]{4})\b/g, 'm.$1..$2')
    .replaceAll(/@\d{8}(\d{5})\b/g, '@..$1')
}
