/** States of ranges for tests of a store of a mesh. */

import { Context } from '../../src/replication/context.ts'
import type { RangeState } from '../../src/replication/host.ts'
import { FormerLists } from '../../src/replication/lists.ts'
import type { StoreBed } from './test-bed.ts'

export const STORES = ['0', '1', '2'].map(digit => digit.repeat(32))

export function stateOf(context: Context = Context.EMPTY): RangeState {
  return { context, lists: FormerLists.NONE, list: STORES, quorum: 2, ready: true }
}

/** Saves a state as replication does: journaled, and its own from then on. */
export function save(bed: StoreBed, range: number, state: RangeState = stateOf()): void {
  bed.states.all.set(range, state)
  bed.tasks.saveState(range, state)
}

interface Named {
  readonly tasks: { readonly actors: { nameOf(actor: number): string } }
}

/** What is left of a state when it is compared: by names, since numbers of actors differ from boot to boot. */
export function shownState({ tasks }: Named, { context, list, quorum, ready }: RangeState): object {
  const name = (actor: number): string => tasks.actors.nameOf(actor)
  return {
    ...{ list, quorum, ready, life: context.life },
    dots: [...context.dots()].map(({ actor, n }) => `${name(actor)} ${n}`).sort(),
    holes: context.holes.map(({ actor, n }) => `${name(actor)} ${n}`).sort(),
  }
}
