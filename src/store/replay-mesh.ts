/**
 * Replay of a store of a mesh. Its journal has changes of many actors, copied records, and what was let go of; an ended
 * record goes by an entry of its own, when all had its end, not by its last change. It is carried out entry by entry as
 * it was then, upon an index that may be newer: what a record includes already is passed over.
 *
 * Only of changes of this boot's own is a base certain: others may speak of a task that was dropped here early.
 */

import { type ByteReader, CorruptBytes } from '../lib/bytes.ts'
import { decodeState } from '../replication/context-codec.ts'
import type { RangeState } from '../replication/host.ts'
import { type Change, readChange } from '../task/change.ts'
import type { Run, TaskRecord } from '../task/record.ts'
import { START_ID_BYTES } from '../task/version.ts'
import { type Blob, type BlobEntry, ENTRY } from './blob.ts'
import { decodeCopy } from './copies.ts'
import { type Fold, learnRequests } from './fold.ts'
import { ADOPTED_SEGMENT } from './journal.ts'
import { decodeExtras, type Extras, learnExtras } from './mesh-requests.ts'
import { clearRange } from './range-clearing.ts'
import type { RangeStates } from './range-states.ts'
import { Bases, type BlobReader, type ReplayInput } from './replay.ts'
import { keepOf } from './replay-alone.ts'

type Step<R extends Run> = { readonly range: number } & (
  | {
      readonly kind: 'change'
      readonly change: Change
      readonly actor: number
      readonly n: number
      readonly isOwn: boolean
    }
  | { readonly kind: 'record'; readonly record: TaskRecord<R> }
  | { readonly kind: 'state'; readonly state: RangeState }
  | { readonly kind: 'state deleted' }
  | { readonly kind: 'records deleted' }
  | { readonly kind: 'dropped'; readonly id: string; readonly life: number }
  | { readonly kind: 'extras'; readonly extras: Extras }
)

export class MeshReader<R extends Run> implements BlobReader {
  readonly #input: ReplayInput<R>
  readonly #fold: Fold<R>
  readonly #bases: Bases<R>
  readonly states: RangeStates
  readonly baseless = new Set<string>()

  constructor(input: ReplayInput<R>, parts: { fold: Fold<R>; states: RangeStates }) {
    this.#input = input
    this.#fold = parts.fold
    this.states = parts.states
    this.#bases = new Bases(input)
  }

  async apply(blob: Blob, actor: number): Promise<number> {
    const steps = [...blob.entries()].map(entry => this.#read(entry, actor))
    let from = 0
    while (from < steps.length) {
      // What is let go of counts from its place in the blob on: bases of what follows are read after it.
      const at = steps.findIndex((step, i) => i >= from && step.kind === 'records deleted')
      const end = at < 0 ? steps.length : at
      const part = steps.slice(from, end)
      await this.#bases.load(part.flatMap(placeOf))
      for (const step of part) this.#step(step)
      if (at >= 0) await this.#deleteRecords((steps[at] as Step<R>).range)
      from = end + 1
    }
    return steps.length
  }

  #read({ kind, range, n, body }: BlobEntry, actor: number): Step<R> {
    const { meta, startIds } = this.#input.identity
    if (range >= meta.ranges) throw new CorruptBytes(`range ${range}`)
    switch (kind) {
      case ENTRY.change: {
        const change = readChange(body, startIds.learning)
        return { kind: 'change', range, change, actor, n, isOwn: true }
      }
      case ENTRY.remoteChange: {
        const other = startIds.learn(body.bytes(START_ID_BYTES).slice())
        const change = readChange(body, startIds.learning)
        return { kind: 'change', range, change, actor: other, n, isOwn: false }
      }
      case ENTRY.record:
        return { kind: 'record', range, record: decodeCopy(rest(body), range, this.#input.makeRun, startIds) }
      case ENTRY.state:
        return { kind: 'state', range, state: decodeState(rest(body), startIds) }
      case ENTRY.stateDeleted:
        return { kind: 'state deleted', range }
      case ENTRY.recordsDeleted:
        return { kind: 'records deleted', range }
      case ENTRY.dropped:
        return { kind: 'dropped', range, id: body.ascii(), life: body.f64() }
      case ENTRY.extras:
        return { kind: 'extras', range, extras: decodeExtras(range, rest(body), startIds) }
      default:
        throw new CorruptBytes(`entry of kind ${kind}, which this version doesn't know`)
    }
  }

  #step(step: Step<R>): void {
    const { memory, requests } = this.#input
    const { range } = step
    switch (step.kind) {
      case 'change':
        return this.#change(range, step)
      case 'record':
        this.#fold.record(step.record)
        this.baseless.delete(keyOf(range, step.record.id))
        return
      case 'state':
        this.states.all.set(range, step.state)
        return
      case 'state deleted':
        this.states.all.delete(range)
        return
      case 'dropped': {
        this.states.dropped(range, step.life)
        this.baseless.delete(keyOf(range, step.id))
        const record = memory.find(range, step.id)
        // If the index is ahead this is what came after it, which follows here too.
        if (record !== undefined) this.#fold.drop(record, ADOPTED_SEGMENT)
        return
      }
      case 'extras':
        learnExtras(requests, step.extras, this.#input.now)
    }
  }

  #change(range: number, { change, actor, n, isOwn }: Step<R> & { kind: 'change' }): void {
    const { memory, history, now, repair } = this.#input
    const key = keyOf(range, change.id)
    const isCovered = this.states.covers(range, actor, n)
    this.states.change(range, actor, n, repair)
    let base = memory.find(range, change.id)
    if (base?.includes(actor, n)) {
      this.#learnOnly(change, { range, actor, n })
      if (!base.outbox) keepOf(history, base, change)
      return
    }
    if (isOwn && base !== undefined && change.definition === undefined && change.life > base.life) {
      // The index is a life behind: the start of this one is no longer in the journal, since its end is.
      this.#fold.drop(base, ADOPTED_SEGMENT)
      base = undefined
    }
    if (base === undefined && isCovered) return this.#learnOnly(change, { range, actor, n })
    const { record } = this.#fold.change(range, actor, n, change, now)
    if (record !== undefined || change.dropped) this.baseless.delete(key)
    else if (base === undefined && isOwn) this.baseless.add(key)
  }

  #learnOnly(change: Change, dot: { range: number; actor: number; n: number }): void {
    const isOutbox = this.#input.memory.isOutbox(dot.range, change.id)
    learnRequests(this.#input.requests, change, dot, isOutbox, this.#input.now)
  }

  async #deleteRecords(range: number): Promise<void> {
    this.#fold.deleteRange(range)
    for (const key of this.baseless) if (key.startsWith(`${range} `)) this.baseless.delete(key)
    await clearRange(this.#input.store, range)
  }
}

function keyOf(range: number, id: string): string {
  return `${range} ${id}`
}

function placeOf<R extends Run>(step: Step<R>): Array<{ range: number; id: string }> {
  const { range } = step
  if (step.kind === 'change') return [{ range, id: step.change.id }]
  if (step.kind === 'record') return [{ range, id: step.record.id }]
  return step.kind === 'dropped' ? [{ range, id: step.id }] : []
}

function rest(body: ByteReader): Uint8Array {
  return body.bytes(body.remaining)
}
