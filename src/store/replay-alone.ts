/**
 * Replay of a store that is alone. All that its journal says comes from itself, in order: what ended goes at once, and a
 * change is applied only above the version at hand (its dot is not in the record).
 */

import { CorruptBytes } from '../lib/bytes.ts'
import { type Change, readChange } from '../task/change.ts'
import { applyChange } from '../task/merge.ts'
import type { Run, TaskRecord } from '../task/record.ts'
import { isRunEnd } from '../task/task.ts'
import { type Blob, ENTRY } from './blob.ts'
import type { Context } from './context.ts'
import { keepRuns, learnRequests } from './fold.ts'
import type { History } from './history.ts'
import { meshStore } from './meta.ts'
import { Bases, type BlobReader, type ReplayInput } from './replay.ts'

interface Step {
  readonly change: Change
  readonly range: number
  readonly n: number
}

export class AloneReader<R extends Run> implements BlobReader {
  readonly #input: ReplayInput<R>
  /** What the index has. */
  readonly #context: Context
  readonly #bases: Bases<R>
  /** What the journal covers, of all its actors. */
  readonly seen: Context = new Map()
  readonly baseless = new Set<string>()

  constructor(input: ReplayInput<R>, context: Context) {
    this.#input = input
    this.#context = context
    this.#bases = new Bases(input)
  }

  async apply(blob: Blob, actor: number): Promise<number> {
    const steps = this.#read(blob)
    await this.#bases.load(steps.map(({ change, range }) => ({ range, id: change.id })))
    for (const step of steps) this.#step(step, actor)
    return steps.length
  }

  #read(blob: Blob): Step[] {
    const { meta, startIds } = this.#input.identity
    const steps: Step[] = []
    for (const { kind, range, n, body } of blob.entries()) {
      if (MESH_KINDS.has(kind)) throw meshStore()
      if (kind !== ENTRY.change)
        throw new CorruptBytes(`entry of kind ${kind}, which this version doesn't know`)
      if (range >= meta.ranges) throw new CorruptBytes(`range ${range}`)
      steps.push({ change: readChange(body, startIds), range, n })
    }
    return steps
  }

  #covers(actor: number, range: number, n: number): boolean {
    return (this.#context.get(actor)?.[range] ?? 0) >= n
  }

  #step({ change, range, n }: Step, actor: number): void {
    const { requests, history, makeRun, identity, memory, now } = this.#input
    let seen = this.seen.get(actor)
    if (seen === undefined) {
      seen = this.#context.get(actor)?.slice() ?? new Float64Array(identity.meta.ranges)
      this.seen.set(actor, seen)
    }
    seen[range] = Math.max(seen[range] as number, n)
    learnRequests(requests, change, { range, actor, n }, false, now)
    let base = memory.live.get(change.id)
    if (base?.includes(actor, n)) return keepOf(history, base, change)
    if (base !== undefined && change.definition === undefined && change.life > base.life) {
      // The index is a life behind: the start of this one is no longer in the journal, since its end is.
      base.life = change.life
      this.#drop(base)
      base = undefined
    }
    if (base === undefined && this.#covers(actor, range, n)) {
      return // ended and dropped, and the index knows it
    }
    const compareActors = identity.startIds.compare
    const merged = applyChange(base, change, { actor, n, range, makeRun, compareActors })
    if (merged.kind === 'none') {
      if (base === undefined) this.baseless.add(change.id)
      if (change.dropped) this.baseless.delete(change.id)
      return
    }
    const { record } = merged
    keepRuns(history, record, change, actor, n, record !== base)
    // All that was said of these runs comes from this store, in order: none is opened again by a late word.
    record.prune()
    if (change.definition !== undefined && record !== base) this.baseless.delete(record.id)
    if (base !== undefined && record !== base) record.indexedDue = base.indexedDue
    const tombstone = memory.tombstones.get(change.id)
    // The replacement that ended may lie in a segment that is gone, and the index have the version before it.
    if (merged.kind === 'record' && !change.dropped) {
      if (record.timesVersion === undefined) this.baseless.delete(record.id)
      else this.baseless.add(record.id)
      if (tombstone !== undefined) record.indexedDue = tombstone.indexedDue
      memory.tombstones.delete(change.id)
      memory.live.set(change.id, record)
      return
    }
    this.baseless.delete(change.id)
    this.#drop(record)
  }

  #drop(record: TaskRecord<R>): void {
    const { history, memory } = this.#input
    if (record.kept.length > 0) history.removeRecurring(record)
    memory.live.delete(record.id)
    if (!Number.isNaN(record.indexedDue)) memory.tombstones.set(record.id, record)
  }
}

/** The index has this change, but perhaps not yet what is kept of it: that is written when a spill ends. */
export function keepOf<R extends Run>(history: History, record: TaskRecord<R>, change: Change): void {
  if (change.life !== record.life) return
  if (change.definition !== undefined && change.version?.rev === 1) history.remove(record.id)
  for (const run of change.runs) {
    const now = record.findRun(run.instant)
    if (run.state === 'queued') history.remove(record.id)
    else if (!isRunEnd(run.state)) continue
    else if (record.kept.includes(run.instant)) history.addKept(record, run)
    else if (now?.state === run.state && now.attempt === run.attempt) history.add(record, run, true)
  }
}

const MESH_KINDS: ReadonlySet<number> = new Set([
  ENTRY.remoteChange,
  ENTRY.record,
  ENTRY.state,
  ENTRY.stateDeleted,
  ENTRY.recordsDeleted,
  ENTRY.dropped,
  ENTRY.extras,
])
