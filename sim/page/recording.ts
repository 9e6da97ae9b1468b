/**
 * A recording: what the page shows of a run, as data. Lanes, and items in them: with a length or without, each of a kind
 * (kinds.ts). Instants are on the run's monotonic clock, in ms, as in the words of the checkers. Pure: it runs in Node,
 * which packs it, and in the page, which unpacks it.
 */

import { KIND_NAMES, type Kind } from './kinds.ts'

export interface Lane {
  /** How the checkers call it: n3, client 0. */
  readonly name: string
  readonly title: string
}

export type Detail = readonly [name: string, value: string]

export interface Item {
  readonly kind: Kind
  /** The index of its lane. */
  readonly lane: number
  readonly from: number
  /** Undefined: it has no length. Infinity: it had no end in this run. */
  readonly to?: number | undefined
  readonly text: string
  readonly task?: string | undefined
  readonly range?: number | undefined
  /** Other lanes that it is about. */
  readonly others?: readonly number[] | undefined
  readonly details?: readonly Detail[] | undefined
}

export interface Recording {
  readonly lanes: readonly Lane[]
  /** In the order of their beginnings. */
  readonly items: readonly Item[]
  readonly from: number
  readonly to: number
  /** The true wall clock less the monotonic clock, ms; where it jumped, as of the beginning. */
  readonly wallOffset: number
  /** 0: it has none to show. */
  readonly ranges: number
}

/** What a checker said, and what of the run it is about. */
export interface Violation {
  readonly checker: string
  /** Its first line. */
  readonly text: string
  readonly more: string
  readonly task: string | undefined
  readonly ranges: readonly number[]
  readonly lanes: readonly number[]
  /** The instants that it names, or the page's best guess. */
  readonly from: number
  readonly to: number
}

/** All that a page is made of. */
export interface PageData {
  readonly title: string
  readonly facts: readonly Detail[]
  readonly recording: Packed
  readonly violations: readonly Violation[]
}

type PackedItem = readonly [
  kind: number,
  lane: number,
  from: number,
  /** null: none; -1: no end. */
  length: number | null,
  text: string,
  /** An index, or -1. */
  task: number,
  range: number,
  others: readonly number[] | 0,
  details: readonly Detail[] | 0,
]

export interface Packed extends Omit<Recording, 'items'> {
  readonly kinds: readonly string[]
  readonly tasks: readonly string[]
  readonly items: readonly PackedItem[]
}

/** Ids of tasks come once, and names of members never: a third of the plain size. */
export function packed({ items, ...rest }: Recording): Packed {
  const tasks = new Map<string, number>()
  const numberOf = (task: string): number => {
    const known = tasks.get(task)
    if (known !== undefined) return known
    tasks.set(task, tasks.size)
    return tasks.size - 1
  }
  const rows = items.map(
    ({ kind, lane, from, to, text, task, range, others, details }): PackedItem => [
      KIND_NAMES.indexOf(kind),
      lane,
      rounded(from),
      to === undefined ? null : Number.isFinite(to) ? rounded(to - from) : -1,
      text,
      task === undefined ? -1 : numberOf(task),
      range ?? -1,
      others === undefined || others.length === 0 ? 0 : others,
      details === undefined || details.length === 0 ? 0 : details,
    ],
  )
  return { ...rest, kinds: KIND_NAMES, tasks: [...tasks.keys()], items: rows }
}

export function unpacked({ kinds, tasks, items, ...rest }: Packed): Recording {
  return {
    ...rest,
    items: items.map(([kind, lane, from, length, text, task, range, others, details]) => ({
      kind: kinds[kind] as Kind,
      lane,
      from,
      to: length === null ? undefined : length === -1 ? Number.POSITIVE_INFINITY : rounded(from + length),
      text,
      task: tasks[task],
      range: range === -1 ? undefined : range,
      others: others === 0 ? undefined : others,
      details: details === 0 ? undefined : details,
    })),
  }
}

/**
 * In the order in which a page has them: by beginning, and what began in one instant as it was recorded. What lies outside
 * of the run is left out: a task may be due tomorrow.
 */
export function inOrder(items: readonly Item[], from: number, to: number): Item[] {
  return items.filter(each => each.from >= from && each.from <= to).sort((a, b) => a.from - b.from)
}

function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000
}
