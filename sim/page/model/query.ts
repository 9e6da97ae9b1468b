/**
 * What is searched for, and what of a recording it finds. Words, all of which have to hold: `task:ID` or an id that
 * there is, `range:5`, `n3` (any name of a lane), `kind:takeover`, or any part of a text. What surrounds a task or a
 * range is found with it: what its nodes and links went through meanwhile, and who acted for it. Pure.
 */

import { KINDS, type Kind } from '../kinds.ts'
import type { Item, Recording } from '../recording.ts'
import { endOf } from './rows.ts'

export type Term =
  | { readonly of: 'task'; readonly task: string }
  | { readonly of: 'range'; readonly range: number }
  | { readonly of: 'lane'; readonly lane: number }
  | { readonly of: 'kind'; readonly kind: Kind }
  | { readonly of: 'text'; readonly text: string }

/** 2: found. 1: it stands around what was found. 0: neither. */
export type Rank = 0 | 1 | 2

/** What happened shortly before and after a story belongs to it, ms. */
const AROUND_MS = 5000

export function termsOf(query: string, { lanes, items }: Recording): Term[] {
  const tasks = new Set(items.map(({ task }) => task))
  const words = tasks.has(query.trim()) ? [query.trim()] : query.split(/\s+/).filter(word => word !== '')
  return words.map((word): Term => {
    const [, name = '', value = ''] = /^(task|range|kind|node|lane):(.+)$/.exec(word) ?? []
    if (name === 'task') return { of: 'task', task: value }
    if (name === 'range' && /^\d+$/.test(value)) return { of: 'range', range: Number(value) }
    if (name === 'kind' && value in KINDS) return { of: 'kind', kind: value as Kind }
    const called = name === 'node' || name === 'lane' ? value : word
    const lane = lanes.findIndex(each => each.name === called || each.name === called.replace('-', ' '))
    if (lane >= 0) return { of: 'lane', lane }
    return tasks.has(word) ? { of: 'task', task: word } : { of: 'text', text: word.toLowerCase() }
  })
}

/** The rank of each item. */
export function ranksOf(terms: readonly Term[], { items }: Recording, withAround: boolean): Uint8Array {
  const ranks = new Uint8Array(items.length)
  for (const [index, item] of items.entries()) ranks[index] = terms.every(term => holds(term, item)) ? 2 : 0
  if (withAround) addAround(terms, items, ranks)
  return ranks
}

function holds(term: Term, item: Item): boolean {
  if (term.of === 'task') return item.task === term.task
  if (term.of === 'range') return item.range === term.range
  if (term.of === 'lane') return item.lane === term.lane || item.others?.includes(term.lane) === true
  if (term.of === 'kind') return item.kind === term.kind
  return item.text.toLowerCase().includes(term.text) || item.task?.toLowerCase().includes(term.text) === true
}

function addAround(terms: readonly Term[], items: readonly Item[], ranks: Uint8Array): void {
  const task = terms.find(term => term.of === 'task')?.task
  if (task === undefined && !terms.some(({ of }) => of === 'range')) return
  const ranges = new Set<number | undefined>()
  let [from, to] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (const [index, item] of items.entries()) {
    if (ranks[index] !== 2) continue
    if (item.range !== undefined) ranges.add(item.range)
    from = Math.min(from, item.from - AROUND_MS)
    to = Math.max(to, endOf(item) + AROUND_MS)
  }
  const lanes = new Set(terms.flatMap(term => (term.of === 'lane' ? [term.lane] : [])))
  for (const [index, item] of items.entries()) {
    if (ranks[index] === 2 || item.from > to || endOf(item) < from) continue
    const { isContext, isStrip } = KINDS[item.kind]
    const isHere = lanes.size === 0 || lanes.has(item.lane) || item.others?.some(each => lanes.has(each))
    const isOwnership = isStrip === true || item.kind === 'takeover'
    if (isContext === true ? isHere : isOwnership && ranges.has(item.range)) ranks[index] = 1
    else if (task !== undefined && item.task !== undefined && isKin(task, item.task)) ranks[index] = 1
  }
}

/** What a run asks for is named after it: task-3@1735689600000/0, and of a later life task-3~2@1735689600000/0. */
export function isKin(task: string, other: string): boolean {
  return isOfRun(task, other) || isOfRun(other, task)
}

function isOfRun(task: string, other: string): boolean {
  return other.startsWith(`${task}@`) || other.startsWith(`${task}~`)
}
