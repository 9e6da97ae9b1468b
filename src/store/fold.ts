/**
 * How what others wrote becomes part of a store: a change, or a copied record, is taken into the record that is here, and
 * with it what it says of ended runs and of requests. Replay and the running store do this by the same code; who journals,
 * and when, is theirs.
 */

import type { Change } from '../task/change.ts'
import { waitingNumber } from '../task/follow-up.ts'
import { applyChange, hasEnded, mergeRecords } from '../task/merge.ts'
import { NEVER, type Run, type TaskRecord } from '../task/record.ts'
import { isRunEnd } from '../task/task.ts'
import type { Actors } from '../task/version.ts'
import type { DirtyLists } from './dirty-list.ts'
import type { History } from './history.ts'
import type { Memory } from './memory.ts'
import type { RequestDot, Requests } from './requests.ts'

/** Ended runs of one record that are kept until all have them. More: a late word is known for longer, larger records. */
export const ENDED_RUNS_MAX = 100

export interface FoldParts<R extends Run> {
  readonly memory: Memory<R>
  readonly dirty: DirtyLists<R>
  readonly history: History
  readonly requests: Requests
  readonly actors: Actors
  readonly makeRun: (record: TaskRecord<R>, instant: number, manual: boolean) => R
}

/** What a change or a copy has come to. */
export interface Applied<R extends Run> {
  /** Live, or ended (`gone`); undefined: there is nothing that it could change, or it says nothing new. */
  readonly record: TaskRecord<R> | undefined
  /** Whose place the record took. */
  readonly before?: TaskRecord<R> | undefined
  /** Runs that were open or unknown here, and have ended. */
  readonly ended: readonly R[]
  /** Runs that were open here and are no longer in the record: they have ended, and nobody says how. */
  readonly forgotten: readonly R[]
}

const NONE: readonly never[] = Object.freeze([])
const NOTHING: Applied<never> = Object.freeze({ record: undefined, ended: NONE, forgotten: NONE })

export class Fold<R extends Run> {
  readonly #parts: FoldParts<R>

  constructor(parts: FoldParts<R>) {
    this.#parts = parts
  }

  /** A change of any actor, to a record that is in memory or certainly nowhere. */
  change(range: number, actor: number, n: number, change: Change, now: number): Applied<R> {
    const { memory, makeRun, actors, requests } = this.#parts
    learnRequests(requests, change, { range, actor, n }, memory.isOutbox(range, change.id), now)
    const base = memory.find(range, change.id)
    const over = endedRunsOf(base)
    const options = { actor, n, range, makeRun, compareActors: actors.compare }
    const merged = applyChange(base, change, options)
    if (merged.kind === 'none') return NOTHING
    const { record } = merged
    const before = this.#place(base, record)
    if (!record.outbox) keepRuns(this.#parts.history, record, change, actor, n, record !== base)
    return { record, before, ended: this.#settle(record, over), forgotten: NONE }
  }

  /** A record that was copied. It becomes the store's own, unless there is one already. */
  record(other: TaskRecord<R>): Applied<R> {
    const { memory, makeRun, actors, requests, history } = this.#parts
    const { range, id } = other
    const { caller, requestNumber, madeAt } = other.definition
    const made = other.dots.find(({ actor }) => actor === other.actor)
    // The list of requests comes with the end of a copy: until then this one would be taken for new.
    if (made !== undefined) {
      const number = memory.isOutbox(range, id) ? waitingNumber(requestNumber) : requestNumber
      requests.learn(caller, number, madeAt, undefined, { range, ...made })
    }
    const base = memory.find(range, id)
    const over = endedRunsOf(base)
    const open = base?.runs.filter(run => !isRunEnd(run.state)) ?? NONE
    const record =
      base === undefined ? other : mergeRecords(base, other, { makeRun, compareActors: actors.compare })
    const before = this.#place(base, record)
    const forgotten = record === base ? open.filter(run => !record.runs.includes(run)) : NONE
    const ended = this.#settle(record, over)
    if (!record.outbox) {
      if (before !== undefined) history.remove(id)
      const last = hasEnded(record) || (record.nextAt === NEVER && !record.hasOpenRun)
      for (const run of ended) history.add(record, run, last && run === record.runs.at(-1))
    }
    return { record, before, ended, forgotten }
  }

  /** Nothing of the record is kept any more; if the index has it, the spill of this segment deletes it there. */
  drop(record: TaskRecord<R>, segment: number): void {
    const { memory, dirty, history } = this.#parts
    if (record.kept.length > 0) history.removeRecurring(record)
    memory.remove(record)
    dirty.remove(record)
    record.gone = true
    if (Number.isNaN(record.indexedDue)) return
    record.segment = segment
    memory.tombstones.set(memory.keyOf(record), record)
  }

  /** All of a range goes at once, also what the index has: who calls sees to that. Returns what was live. */
  deleteRange(range: number): TaskRecord<R>[] {
    const { memory, dirty, history } = this.#parts
    const records = memory.range(range)
    const live = [...(records?.live.values() ?? [])]
    for (const record of [...live, ...(records?.ended.values() ?? [])]) {
      memory.remove(record)
      dirty.remove(record)
      record.gone = true
    }
    for (const [key, record] of memory.tombstones) if (record.range === range) memory.tombstones.delete(key)
    history.removeRange(range)
    return live
  }

  /** A record of this store, or what became of one, takes its place: of another life, or of none. */
  replace(record: TaskRecord<R>): TaskRecord<R> | undefined {
    return this.#place(this.#parts.memory.find(record.range, record.id), record)
  }

  #place(base: TaskRecord<R> | undefined, record: TaskRecord<R>): TaskRecord<R> | undefined {
    const { memory, dirty } = this.#parts
    if (record !== base) {
      // A tombstone stays: a record of the same life that was dropped must not be its base after a crash.
      if (base !== undefined) record.indexedDue = base.indexedDue
      if (base !== undefined) {
        memory.remove(base)
        dirty.remove(base)
        base.gone = true
      }
    }
    memory.put(record)
    return record === base ? undefined : base
  }

  #settle(record: TaskRecord<R>, over: ReadonlySet<R> | undefined): readonly R[] {
    const { memory, history } = this.#parts
    if (record.gone && record.kept.length > 0) {
      history.removeRecurring(record)
      record.kept = []
    }
    const isEnded = (run: R): boolean => isRunEnd(run.state) && over?.has(run) !== true
    const ended = record.runs.length === 0 ? NONE : record.runs.filter(isEnded)
    record.pruneOldest(ENDED_RUNS_MAX)
    memory.prunes(record)
    return ended
  }
}

function endedRunsOf<R extends Run>(record: TaskRecord<R> | undefined): ReadonlySet<R> | undefined {
  let ended: Set<R> | undefined
  for (const run of record?.runs ?? NONE) {
    if (!isRunEnd(run.state)) continue
    ended ??= new Set()
    ended.add(run)
  }
  return ended
}

/** The requests that a change carried out. */
export function learnRequests(
  requests: Requests,
  change: Change,
  dot: RequestDot,
  isOutbox: boolean,
  now: number,
): void {
  if (change.definition !== undefined) {
    const { caller, requestNumber, madeAt } = change.definition
    const number = isOutbox ? waitingNumber(requestNumber) : requestNumber
    requests.learn(caller, number, madeAt, undefined, dot)
  }
  if (change.request !== undefined) {
    const { caller, n, answer } = change.request
    requests.learn(caller, n, now, answer, dot)
  }
}

/** What a change said of runs that are kept, as far as it stays. */
export function keepRuns(
  history: History,
  record: TaskRecord,
  change: Change,
  actor: number,
  n: number,
  isNew: boolean,
): void {
  // A new life takes the place of the one before, and of what was kept of it.
  if (change.definition !== undefined && isNew) history.remove(record.id)
  for (const run of change.runs) {
    const { instant, manual } = run
    const now = record.runs.find(each => each.instant === instant && each.manual === manual)
    if (now === undefined || now.actor !== actor || now.n !== n) continue
    if (run.state === 'queued') history.remove(record.id)
    if (isRunEnd(run.state))
      history.add(record, run, change.dropped || (record.nextAt === NEVER && !record.hasOpenRun))
  }
}
