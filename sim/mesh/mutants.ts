/**
 * Known bugs of meshes with tasks, put in one at a time from outside, into every engine at once: the judges must find them.
 * The first ones show on a single node as well; the others need stores that keep each other's changes.
 */

import { Acknowledgements, type AckView } from '../../src/replication/acknowledgements.ts'
import { Relays } from '../../src/replication/relay.ts'
import { WallClock } from '../../src/schedule/wall-clock.ts'
import { Fold } from '../../src/store/fold.ts'
import { MeshRequests } from '../../src/store/mesh-requests.ts'
import type { Change } from '../../src/task/change.ts'
import type { Run } from '../../src/task/record.ts'
import { Creation } from '../../src/work/creation.ts'
import { Duty } from '../../src/work/duty.ts'
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
    MeshRequests.prototype,
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
    'take-over-not-armed',
    'who takes a range over arms nothing of it',
    Duty.prototype,
    'takeUp',
    () => () => undefined,
    'task-crash',
  ),
  patched(
    'attempts-of-the-dead-left',
    'an attempt whose node has gone is not started again',
    Duty.prototype,
    'watch',
    () => () => undefined,
    'task-crash',
  ),
  patched(
    'cancel-not-applied',
    'a cancel of another store is journaled and confirmed, and changes nothing',
    Fold.prototype,
    'change',
    change => {
      return function (this: unknown, ...args) {
        const [range, actor, n, said, now] = args as Parameters<Fold<Run>['change']>
        const isCancel = said.register?.what === 'cancelled'
        const heard: Change = isCancel ? { ...said, register: undefined, dropped: false, runs: [] } : said
        return change.call(this, range, actor, n, heard, now)
      }
    },
    'task-crash',
  ),
  patched(
    'outbox-not-relayed',
    'a follow-up of another range waits for ever',
    Relays.prototype,
    'send',
    () => () => undefined,
    'task-calm',
  ),
  patched(
    'ack-at-w-1',
    'a change is acknowledged with one copy less than W',
    Acknowledgements.prototype,
    'settle',
    settle => {
      return function (this: unknown, ...args) {
        const [view] = args as [AckView]
        const { list, former } = view
        const fewer: AckView = {
          list,
          former,
          quorum: view.quorum - 1,
          confirmed: store => view.confirmed(store),
          isDurable: store => view.isDurable(store),
        }
        return settle.call(this, fewer)
      }
    },
    'task-disks',
  ),
]

export const MESH_MUTANTS: readonly MeshMutant[] = [
  ...LOCAL.map(mutant => ({ ...mutant, isLocal: true })),
  ...REPLICATED.map(mutant => ({ ...mutant, isLocal: false })),
]
