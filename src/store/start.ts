/**
 * What a store reads at its start beside records, and writes with the last batch of each segment: alone, one context of
 * the index and one list of requests; in a mesh, the states of the ranges and the requests of that segment.
 */

import type { Store, StoreOp } from '../ports/store.ts'
import type { RangeState } from '../replication/host.ts'
import type { Run } from '../task/record.ts'
import type { Actors } from '../task/version.ts'
import { type Context, decodeContext, encodeContext } from './context.ts'
import type { DirtyLists } from './dirty-list.ts'
import { Fold } from './fold.ts'
import { ADOPTED_SEGMENT, type Segment } from './journal.ts'
import { allOf, CONTEXT_KEY, numberOf, REQUESTS_KEY } from './keys.ts'
import type { MeshRequests } from './mesh-requests.ts'
import {
  changesOf,
  isEmptyState,
  RangeStates,
  readStates,
  type StateChanges,
  StateSnapshots,
  stateOps,
  takeOver,
} from './range-states.ts'
import { type Replayed, type ReplayInput, replay } from './replay.ts'
import { AloneReader } from './replay-alone.ts'
import { MeshReader } from './replay-mesh.ts'
import type { RequestLog } from './requests.ts'

export interface Restart {
  replay<R extends Run>(input: ReplayInput<R>, dirty: DirtyLists<R>): Promise<Replayed>
  /** Of a mesh, as the journal leaves them. */
  readonly states: ReadonlyMap<number, RangeState>
  /** What the journal of earlier boots changed of them. */
  readonly adoptedStates: StateChanges | undefined
  /** Called when a segment is closed; undefined: there is nothing to keep. */
  snapshots(read: () => Iterable<readonly [number, RangeState]>): (() => StateChanges) | undefined
  /** For the last batch of a segment. */
  segmentOps(segment: Segment, now: number): StoreOp[]
}

export class AloneStart implements Restart {
  readonly states: ReadonlyMap<number, RangeState> = new Map()
  readonly adoptedStates = undefined
  readonly #requests: RequestLog
  #context: Context = new Map()
  #actor = -1

  constructor(requests: RequestLog) {
    this.#requests = requests
  }

  async replay<R extends Run>(input: ReplayInput<R>): Promise<Replayed> {
    const { store, identity } = input
    this.#actor = identity.actor.index
    this.#context = decodeContext(await store.get(CONTEXT_KEY), identity.meta.ranges)
    const requests = await store.get(REQUESTS_KEY)
    if (requests !== undefined) this.#requests.decode(requests)
    const reader = new AloneReader(input, this.#context)
    const replayed = await replay(input, reader)
    for (const [actor, seen] of reader.seen) this.#context.set(actor, seen)
    return replayed
  }

  snapshots(): undefined {
    return undefined
  }

  segmentOps(segment: Segment, now: number): StoreOp[] {
    if (segment.number !== ADOPTED_SEGMENT) this.#context.set(this.#actor, segment.context)
    this.#requests.sweep(now)
    return [
      { type: 'put', key: CONTEXT_KEY, value: encodeContext(this.#context) },
      { type: 'put', key: REQUESTS_KEY, value: this.#requests.encode() },
    ]
  }
}

export class MeshStart implements Restart {
  states: ReadonlyMap<number, RangeState> = new Map()
  adoptedStates: StateChanges | undefined
  readonly #requests: MeshRequests
  #actors!: Actors

  constructor(requests: MeshRequests) {
    this.#requests = requests
  }

  async replay<R extends Run>(input: ReplayInput<R>, dirty: DirtyLists<R>): Promise<Replayed> {
    const { store, identity, repair, memory, history, makeRun } = input
    const actors = identity.startIds
    this.#actors = actors
    await this.#readRequests(store, input.now)
    let stored = await readStates(store, actors, repair)
    if (identity.meta.mesh !== true) {
      const context = decodeContext(await store.get(CONTEXT_KEY), identity.meta.ranges)
      stored = await takeOver(store, context, identity.meta, actors)
    }
    const states = new RangeStates(stored)
    const fold = new Fold<R>({ memory, dirty, history, requests: this.#requests, actors, makeRun })
    const reader = new MeshReader(input, { fold, states })
    const replayed = await replay(input, reader)
    this.adoptedStates = changesOf(stored, states.all)
    this.states = new Map([...states.all].filter(([, state]) => !isEmptyState(state)))
    return replayed
  }

  snapshots(read: () => Iterable<readonly [number, RangeState]>): () => StateChanges {
    const snapshots = new StateSnapshots(this.states, read)
    return () => snapshots.take()
  }

  segmentOps(segment: Segment, now: number): StoreOp[] {
    this.#requests.sweep(now)
    const states = segment.states === undefined ? [] : stateOps(segment.states, this.#actors)
    return [...states, ...this.#requests.takeOps(segment.lastSeq, now)]
  }

  async #readRequests(store: Store, now: number): Promise<void> {
    const cursor = store.cursor(allOf('q'))
    try {
      for (;;) {
        const page = await cursor.next(100)
        if (page.length === 0) return
        for (const [key, value] of page)
          this.#requests.readValue(key.length === REQUESTS_KEY.length ? 0 : numberOf(key), value, now)
      }
    } finally {
      await cursor.close()
    }
  }
}
