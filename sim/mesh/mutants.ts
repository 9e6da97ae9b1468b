/**
 * Known bugs of meshes with tasks, put in one at a time from outside, into every engine at once: the judges must find them.
 * The first ones show on a single node as well; the others need stores that keep each other's changes.
 */

import { invariant } from '../../src/invariant.ts'
import { Detector } from '../../src/membership/detector.ts'
import { Suspicion } from '../../src/membership/suspicion.ts'
import type { MemberRecord } from '../../src/membership/view.ts'
import { Acknowledgements, type AckView } from '../../src/replication/acknowledgements.ts'
import { Context } from '../../src/replication/context.ts'
import type { Message } from '../../src/replication/messages.ts'
import { RangeReplica } from '../../src/replication/range-replica.ts'
import { Relays } from '../../src/replication/relay.ts'
import { Fold } from '../../src/store/fold.ts'
import { MeshRequests } from '../../src/store/mesh-requests.ts'
import type { Change } from '../../src/task/change.ts'
import type { Run, TaskRecord } from '../../src/task/record.ts'
import { recurrenceOf } from '../../src/task/recurrence.ts'
import { Creation } from '../../src/work/creation.ts'
import { Duty } from '../../src/work/duty.ts'
import { Occurrences } from '../../src/work/occurrences.ts'
import { LYING_DISKS } from '../mutants/lying-disks.ts'
import type { Mutant } from '../mutants/mutant.ts'
import { patched, together } from '../mutants/patched.ts'
import { PATCHED_ROOMS } from '../mutants/patched-rooms.ts'

export interface MeshMutant extends Mutant {
  /** One node shows it; else it takes a mesh. */
  readonly isLocal: boolean
}

/** A known bug of one node, in a mix of meshes; `as`: its name there. */
function ofNode(name: string, mix: string, as = name): Mutant {
  const mutant = [...LYING_DISKS, ...PATCHED_ROOMS].find(each => each.name === name)
  invariant(mutant !== undefined, `there is a known bug ${name}`)
  return { ...mutant, name: as, mix }
}

const LOCAL: readonly Mutant[] = [
  ofNode('ack-before-sync', 'task-disks'),
  ofNode('no-sync', 'task-disks'),
  ofNode('early-clock', 'task-calm', 'early-fire'),
  ofNode('recurrence-from-now', 'task-calm'),
  patched(
    'requests-forgotten',
    'a repeated request is carried out again',
    MeshRequests.prototype,
    'find',
    () => () => undefined,
    'task-crash',
  ),
  patched(
    'dst-ignored',
    'what no clock shows is passed over, and what it shows twice comes once, whatever was asked for',
    Occurrences.prototype,
    'recurrence',
    recurrence => {
      return function (this: unknown, ...args) {
        const { schedule, id } = (args[0] as TaskRecord).definition
        if (schedule.kind !== 'cron') return recurrence.apply(this, args)
        return recurrenceOf({ ...schedule, dst: { gap: 'skip', overlap: 'first' } }, id)
      }
    },
    'task-night',
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
    'task-lone',
  ),
  patched(
    'gap-accepted',
    'a change is taken though those before it, and its causes, are not there',
    RangeReplica.prototype,
    'receive',
    receive => {
      return function (this: unknown, ...args) {
        const replica = this as RangeReplica
        const message = args[1] as Message
        if (message.type === 'append' && replica.role !== 'deleting') {
          const before = message.entries.flatMap(({ actor, n, after }) => [...after, { actor, n: n - 1 }])
          for (const dot of before)
            if (dot.n > replica.applied.of(dot.actor))
              replica.applied = replica.applied.join(Context.from([dot]))
        }
        return receive.apply(this, args)
      }
    },
    'task-crash',
  ),
  together('never-refuted', 'whom somebody accuses is held for away, whatever it answers', 'gentle', [
    patched('withdraw', '', Suspicion.prototype, 'withdraw', () => () => false),
    patched('startedAt', '', Suspicion.prototype, 'startedAt', () => () => Number.POSITIVE_INFINITY),
    // A refutation is news of the member, and ends no trial.
    patched('changed', '', Detector.prototype, 'changed', changed => {
      return function (this: unknown, ...args) {
        const [record] = args as [MemberRecord]
        return changed.call(this, record.state === 'live' ? { ...record, boot: 0, incarnation: 0 } : record)
      }
    }),
  ]),
]

export const MESH_MUTANTS: readonly MeshMutant[] = [
  ...LOCAL.map(mutant => ({ ...mutant, isLocal: true })),
  ...REPLICATED.map(mutant => ({ ...mutant, isLocal: false })),
]
