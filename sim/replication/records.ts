/** The records of one process: what its journal comes to, by the rules of src/task. */

import { ByteReader, ByteWriter } from '../../src/lib/bytes.ts'
import { rangeOf } from '../../src/lib/hash.ts'
import type { Dot } from '../../src/replication/context.ts'
import type { RecordHead } from '../../src/replication/host.ts'
import { decodeSnapshot, encodeSnapshot } from '../../src/store/snapshot.ts'
import { type Change, readChange } from '../../src/task/change.ts'
import { applyChange, hasEnded, mergeRecords } from '../../src/task/merge.ts'
import { Run, type TaskRecord } from '../../src/task/record.ts'
import type { Actors } from '../../src/task/version.ts'
import type { Entry } from './disk.ts'
import type { Flaws } from './flaws.ts'

const makeRun = (_: TaskRecord, instant: number, manual: boolean): Run => new Run(instant, manual)
const out = new ByteWriter(4096)

export class Records {
  readonly #actors: Actors
  readonly #ranges: number
  readonly #flaws: Flaws
  readonly #byRange = new Map<number, Map<string, TaskRecord>>()
  /** Which change a request made. */
  readonly requests = new Map<string, Dot & { readonly range: number }>()

  constructor(actors: Actors, ranges: number, flaws: Flaws) {
    this.#actors = actors
    this.#ranges = ranges
    this.#flaws = flaws
  }

  of(range: number): Map<string, TaskRecord> {
    let records = this.#byRange.get(range)
    if (records === undefined) {
      records = new Map()
      this.#byRange.set(range, records)
    }
    return records
  }

  get(range: number, id: string): TaskRecord | undefined {
    return this.#byRange.get(range)?.get(id)
  }

  withRecords(): Set<number> {
    const ranges = new Set<number>()
    for (const [range, records] of this.#byRange) if (records.size > 0) ranges.add(range)
    return ranges
  }

  /** A follow-up that waits in the range of its run. */
  isOutbox(range: number, id: string): boolean {
    return rangeOf(id, this.#ranges) !== range
  }

  replay(entries: readonly Entry[]): void {
    for (const entry of entries) {
      const { range } = entry
      if (entry.kind === 'change') this.apply(range, entry.actor, entry.n, entry.bytes)
      else if (entry.kind === 'record') this.adopt(range, entry.bytes)
      else if (entry.kind === 'extras') this.adoptExtras(range, entry.bytes)
      else if (entry.kind === 'drop') this.drop(range, entry.id)
      else if (entry.kind === 'delete-records') this.deleteAll(range)
    }
  }

  apply(range: number, actor: number, n: number, bytes: Uint8Array): Change {
    const change = readChange(new ByteReader(bytes), this.#actors)
    this.#remember(change, { range, actor, n })
    const compareActors = this.#actors.compare
    const base = this.get(range, change.id)
    if (base !== undefined) this.#flaws.before?.(base)
    const merged = applyChange(base, change, { actor, n, range, makeRun, compareActors })
    if (merged.kind !== 'none') {
      this.#flaws.applied?.(merged.record)
      this.#put(range, merged.record)
    }
    return change
  }

  #put(range: number, record: TaskRecord): void {
    this.of(range).set(record.id, record)
  }

  #remember({ definition, request }: Change, dot: Dot & { readonly range: number }): void {
    if (definition !== undefined) {
      const key = requestKey(dot.range, definition.caller, definition.requestNumber)
      if (!this.requests.has(key)) this.requests.set(key, dot)
    }
    if (request !== undefined) this.requests.set(requestKey(dot.range, request.caller, request.n), dot)
  }

  adopt(range: number, bytes: Uint8Array): void {
    const other = this.decode(range, bytes)
    const { caller, requestNumber } = other.definition
    const key = requestKey(range, caller, requestNumber)
    // The list of requests comes with the last chunk; until then this one would be taken for new.
    const dot = other.dots.find(({ actor }) => actor === other.actor)
    if (dot !== undefined && !this.requests.has(key)) this.requests.set(key, { ...dot, range })
    const mine = this.get(range, other.id)
    const compareActors = this.#actors.compare
    const merge = this.#flaws.merge ?? mergeRecords
    this.#put(range, mine === undefined ? other : merge(mine, other, { makeRun, compareActors }))
  }

  drop(range: number, id: string): void {
    const record = this.get(range, id)
    this.#flaws.dropped?.(this, record)
    this.#byRange.get(range)?.delete(id)
  }

  deleteAll(range: number): void {
    this.#byRange.delete(range)
  }

  encode(range: number, id: string): Uint8Array | undefined {
    const record = this.get(range, id)
    return record && encodeSnapshot(out, record, this.#actors)
  }

  decode(range: number, bytes: Uint8Array): TaskRecord {
    return decodeSnapshot(bytes, range, makeRun, this.#actors)
  }

  /** A copy to work on: what is written of it is applied to the record as on any other store. */
  draft(record: TaskRecord): TaskRecord {
    return this.decode(record.range, encodeSnapshot(out, record, this.#actors))
  }

  /** The same bytes for the same record, whatever the order in which its changes came. */
  canonical(record: TaskRecord, prunes = false): string {
    const copy = this.draft(record)
    // Each store forgets ended runs when it knows that all have them; which, depends on when.
    if (prunes) {
      copy.runs = copy.runs.filter(run => copy.isOpen(run))
      copy.closedBefore = []
    }
    const name = (actor: number): string => this.#actors.nameOf(actor)
    copy.dots = [...copy.dots].sort((a, b) => (name(a.actor) < name(b.actor) ? -1 : 1))
    copy.closedBefore = [...copy.closedBefore].sort(
      (a, b) => a.version.rev - b.version.rev || a.version.hlc - b.version.hlc || a.closed - b.closed,
    )
    copy.runs.sort((a, b) => a.instant - b.instant || Number(a.manual) - Number(b.manual))
    return Buffer.from(encodeSnapshot(out, copy, this.#actors)).toString('base64')
  }

  heads(range: number, after: string | undefined, limit: number): RecordHead[] {
    const records = this.#byRange.get(range)
    if (records === undefined) return []
    const ids = [...records.keys()].filter(id => after === undefined || id > after).sort()
    return ids.slice(0, limit).map(id => {
      const record = records.get(id) as TaskRecord
      return { id, dots: record.dots, ended: hasEnded(record) }
    })
  }

  headOf(range: number, bytes: Uint8Array): RecordHead {
    const record = this.decode(range, bytes)
    return { id: record.id, dots: record.dots, ended: hasEnded(record) }
  }

  idOf(bytes: Uint8Array): string {
    return readChange(new ByteReader(bytes), this.#actors).id
  }

  encodeExtras(range: number): Uint8Array {
    const list: Array<[string, number, number]> = []
    for (const [key, dot] of this.requests) if (dot.range === range) list.push([key, dot.actor, dot.n])
    return Buffer.from(JSON.stringify(list))
  }

  adoptExtras(range: number, bytes: Uint8Array): void {
    const list = JSON.parse(Buffer.from(bytes).toString()) as Array<[string, number, number]>
    for (const [key, actor, n] of list)
      if (!this.requests.has(key)) this.requests.set(key, { range, actor, n })
  }
}

/** A follow-up that waits for its range has the same requestId there as in that of its run. */
export function requestKey(range: number, caller: string, n: number): string {
  return `${range} ${caller} ${n}`
}
