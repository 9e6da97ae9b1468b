/**
 * Bugs that meshes had, and that whole simulated engines or real processes found (docs/protocols.md, by the number of the trace):
 * each put back from outside, so that the scenario kept for it (sim/scenarios) can show that it would be found again.
 */

import { StallWatch } from '../../src/mesh/stall.ts'
import { Activation } from '../../src/replication/activation.ts'
import { Copying } from '../../src/replication/copying.ts'
import { RangeReplica } from '../../src/replication/range-replica.ts'
import { Replication } from '../../src/replication/replication.ts'
import type { Mutant } from '../mutants/mutant.ts'
import { patched } from '../mutants/patched.ts'
import { MESH_MUTANTS } from './mutants.ts'

export const OLD_BUGS: readonly Mutant[] = [
  patched(
    'trace-43',
    'of nodes that go at once one hands its ranges over to the other',
    RangeReplica.prototype,
    'isReady',
    () =>
      function (this: unknown) {
        const { ready, released } = this as RangeReplica
        return ready && !released
      },
    'task-disks',
  ),
  patched(
    'trace-53',
    'who starts to act does not wait for those that act still',
    Activation.prototype,
    'hasCeased',
    () => () => true,
    'task-moves',
  ),
  patched(
    'trace-56',
    'a newcomer acts with half of a copy',
    Copying.prototype,
    'isComing',
    () => () => false,
    'task-moves',
  ),
  patched(
    'trace-57',
    'who stops is gone before others have what ended in its last moments',
    Replication.prototype,
    'isKept',
    () => () => true,
    'task-moves',
  ),
  patched(
    'stuck-connections',
    'a connection on which nothing gets on is kept',
    StallWatch.prototype,
    'answered',
    () => () => false,
    'task-partition',
  ),
]

/** A bug by its name, of these or of the mutants. */
export function meshBug(name: string | undefined): Mutant | undefined {
  return [...MESH_MUTANTS, ...OLD_BUGS].find(each => each.name === name)
}

export function meshBugNames(): string[] {
  return [...MESH_MUTANTS, ...OLD_BUGS].map(({ name }) => name)
}
