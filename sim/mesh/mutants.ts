/**
 * Known bugs of meshes with tasks, put in one at a time from outside, into every engine at once: the judges must find them.
 * The first ones show on a single node as well; the others need stores that keep each other's changes.
 */

import type { Acknowledgements as Acks, AckView } from '../../src/replication/acknowledgements.ts'
import { Acknowledgements } from '../../src/replication/acknowledgements.ts'
import { WallClock } from '../../src/schedule/wall-clock.ts'
import { RequestLog } from '../../src/store/requests.ts'
import { Creation } from '../../src/work/creation.ts'
import { LYING_DISKS } from '../mutants/lying-disks.ts'
import type { Mutant } from '../mutants/mutant.ts'
import { patched } from '../mutants/patched.ts'

export interface MeshMutant extends Mutant {
  /** One node shows it; else it takes a mesh. */
  readonly isLocal: boolean
}

const LOCAL: readonly Mutant[] = [
  ...LYING_DISKS.filter(({ name }) => name === 'ack-before-sync' || name === 'no-sync').map(mutant => ({
    ...mutant,
    mix: 'task-disks',
  })),
  patched(
    'early-fire',
    'the scheduler is 30 ms ahead of the wall clock',
    WallClock.prototype,
    'now',
    now => {
      return function (this: unknown) {
        return (now.call(this) as number) + 30
      }
    },
    'task-calm',
  ),
  patched(
    'requests-forgotten',
    'a repeated request is carried out again',
    RequestLog.prototype,
    'find',
    () => () => undefined,
    'task-crash',
  ),
  patched(
    'follow-ups-dropped',
    'a completion is kept, and what should follow it is not made',
    Creation.prototype,
    'followUp',
    () => () => undefined,
    'task-calm',
  ),
]

const REPLICATED: readonly Mutant[] = [
  patched(
    'ack-at-w-1',
    'a change is acknowledged with one copy less than W',
    Acknowledgements.prototype,
    'copiesOf',
    copiesOf => {
      return function (this: unknown, ...args) {
        const [waiting, view] = args as [Parameters<Acks['copiesOf']>[0], AckView]
        const { list, former } = view
        const fewer: AckView = {
          list,
          former,
          quorum: view.quorum - 1,
          confirmed: store => view.confirmed(store),
          isDurable: store => view.isDurable(store),
        }
        return copiesOf.call(this, waiting, fewer)
      }
    },
    'task-disks',
  ),
]

export const MESH_MUTANTS: readonly MeshMutant[] = [
  ...LOCAL.map(mutant => ({ ...mutant, isLocal: true })),
  ...REPLICATED.map(mutant => ({ ...mutant, isLocal: false })),
]
