/**
 * What is kept of the ranges of a mesh beside their records: how far each actor's changes are in, the lists, readiness.
 * The disk has it under c/<range> as it was at the end of the last segment that was dropped; from there replay follows
 * the journal. Contexts are values, so what nobody changed since is seen by its identity, and is not written again.
 */

import { CarillonError } from '../errors.ts'
import { CorruptBytes } from '../lib/bytes.ts'
import { openBytes, sealBytes } from '../lib/sealed.ts'
import type { Store, StoreOp } from '../ports/store.ts'
import { Context } from '../replication/context.ts'
import { decodeState, encodeState } from '../replication/context-codec.ts'
import type { RangeState } from '../replication/host.ts'
import { FormerLists } from '../replication/lists.ts'
import type { Actors } from '../task/version.ts'
import type { Context as AloneContext } from './context.ts'
import { allStates, CONTEXT_KEY, META_KEY, rangeOfKey, stateKey } from './keys.ts'
import { encodeMeta, type Meta } from './meta.ts'

/** What became of the states since the segment before. */
export interface StateChanges {
  readonly changed: ReadonlyArray<readonly [range: number, state: RangeState]>
  readonly deleted: readonly number[]
}

/** The states that a journal comes to. */
export class RangeStates {
  readonly all: Map<number, RangeState>

  constructor(states: ReadonlyMap<number, RangeState> = new Map()) {
    this.all = new Map(states)
  }

  /** `fillsGaps`: changes that are missing become holes; else they are CorruptBytes. */
  change(range: number, actor: number, n: number, fillsGaps = false): void {
    const state = this.all.get(range)
    if (state === undefined || state.context.of(actor) >= n) return
    let { context } = state
    for (let missing = context.of(actor) + 1; missing < n; missing++) {
      if (!fillsGaps)
        throw new CorruptBytes(`change ${n} of an actor follows ${missing - 1} in range ${range}`)
      context = context.withHole(actor, missing)
    }
    this.all.set(range, { ...state, context: context.advance(actor, n) })
  }

  dropped(range: number, life: number): void {
    const state = this.all.get(range)
    if (state !== undefined) this.all.set(range, { ...state, context: state.context.withLife(life) })
  }

  covers(range: number, actor: number, n: number): boolean {
    return this.all.get(range)?.context.covers(actor, n) === true
  }
}

/** Tells what changed from segment to segment. */
export class StateSnapshots {
  readonly #read: () => Iterable<readonly [number, RangeState]>
  #last: ReadonlyMap<number, RangeState>

  constructor(last: ReadonlyMap<number, RangeState>, read: () => Iterable<readonly [number, RangeState]>) {
    this.#last = last
    this.#read = read
  }

  take(): StateChanges {
    const now = new Map(this.#read())
    const changes = changesOf(this.#last, now)
    this.#last = now
    return changes
  }
}

export function changesOf(
  before: ReadonlyMap<number, RangeState>,
  now: ReadonlyMap<number, RangeState>,
): StateChanges {
  const changed = [...now].filter(([range, state]) => !isSame(before.get(range), state))
  return { changed, deleted: [...before.keys()].filter(range => !now.has(range)) }
}

function isSame(a: RangeState | undefined, b: RangeState): boolean {
  if (a === b) return true
  if (a === undefined || a.context !== b.context || a.lists !== b.lists) return false
  return a.list === b.list && a.quorum === b.quorum && a.ready === b.ready
}

/** Says nothing that a range without a state does not say. */
export function isEmptyState({ context, lists, list, ready }: RangeState): boolean {
  return (
    context.isEmpty &&
    context.life === Number.NEGATIVE_INFINITY &&
    lists.all.length === 0 &&
    list.length === 0 &&
    !ready
  )
}

export function stateOps({ changed, deleted }: StateChanges, actors: Actors): StoreOp[] {
  const ops: StoreOp[] = deleted.map(range => ({ type: 'del', key: stateKey(range) }))
  for (const [range, state] of changed)
    ops.push({ type: 'put', key: stateKey(range), value: sealBytes(encodeState(state, actors)) })
  return ops
}

/** The states on the disk. Throws STORE_CORRUPT, but with `repair` goes on without what can't be read. */
export async function readStates(
  store: Store,
  actors: Actors,
  repair: boolean,
): Promise<Map<number, RangeState>> {
  const states = new Map<number, RangeState>()
  const cursor = store.cursor(allStates())
  try {
    for (;;) {
      const page = await cursor.next(1000)
      if (page.length === 0) return states
      for (const [key, value] of page) {
        try {
          states.set(rangeOfKey(key), decodeState(openBytes(value), actors))
        } catch (cause) {
          if (!(cause instanceof CorruptBytes)) throw cause
          if (repair) continue
          throw new CarillonError('STORE_CORRUPT', `the state of a range is broken: ${cause.message}`, {
            cause,
          })
        }
      }
    }
  } finally {
    await cursor.close()
  }
}

/**
 * A store that was alone becomes one of a mesh: what its index has is its state of each range, of which no list is known
 * yet. Each range gets one, so that the changes in the journal, too, count from here on.
 */
export async function takeOver(
  store: Store,
  context: AloneContext,
  meta: Meta,
  actors: Actors,
): Promise<Map<number, RangeState>> {
  const states = new Map<number, RangeState>()
  for (let range = 0; range < meta.ranges; range++) {
    const dots = [...context]
      .map(([actor, ns]) => ({ actor, n: ns[range] as number }))
      .filter(({ n }) => n > 0)
    states.set(range, newState(Context.from(dots)))
  }
  await store.write(
    [
      { type: 'del', key: CONTEXT_KEY },
      { type: 'put', key: META_KEY, value: encodeMeta({ ...meta, mesh: true }) },
      ...stateOps({ changed: [...states], deleted: [] }, actors),
    ],
    { sync: true },
  )
  return states
}

function newState(context: Context): RangeState {
  return { context, lists: FormerLists.NONE, list: [], quorum: 0, ready: false }
}
