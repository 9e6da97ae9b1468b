/**
 * Bugs that meshes had, and that whole simulated engines or real processes found (docs/protocols.md, by the number of the trace):
 * each put back from outside, so that the scenario kept for it (sim/scenarios) can show that it would be found again.
 */

import { Activation } from '../../src/replication/activation.ts'
import { Peer } from '../../src/replication/peer.ts'
import type { Mutant } from '../mutants/mutant.ts'
import { patched } from '../mutants/patched.ts'
import { MESH_MUTANTS } from './mutants.ts'

export const OLD_BUGS: readonly Mutant[] = [
  patched(
    'trace-53',
    'who starts to act does not wait for those that act still',
    Activation.prototype,
    'hasCeased',
    () => () => true,
    'task-moves',
  ),
  patched(
    'trace-65',
    'each change puts off the time at which what was lost is sent again',
    Peer.prototype,
    'sending',
    sending => {
      return function (this: unknown, ...args) {
        sending.apply(this, args)
        const peer = this as Peer
        const [, now, resendMs] = args as [unknown, number, number]
        peer.resendAt = now + peer.patienceMs(resendMs)
      }
    },
    'task-rush',
  ),
]

/** A bug by its name, of these or of the mutants. */
export function meshBug(name: string | undefined): Mutant | undefined {
  return [...MESH_MUTANTS, ...OLD_BUGS].find(each => each.name === name)
}

export function meshBugNames(): string[] {
  return [...MESH_MUTANTS, ...OLD_BUGS].map(({ name }) => name)
}
