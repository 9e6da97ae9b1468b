/** Mutants inside the engine: a method of a room is replaced by one with a bug. */

import { Horizon } from '../../src/schedule/horizon.ts'
import { Scheduler } from '../../src/schedule/scheduler.ts'
import { TimingWheel } from '../../src/schedule/timing-wheel.ts'
import { WallClock } from '../../src/schedule/wall-clock.ts'
import { Journal } from '../../src/store/journal.ts'
import { RequestLog } from '../../src/store/requests.ts'
import { TaskStore } from '../../src/store/task-store.ts'
import { Definition } from '../../src/task/definition.ts'
import { type Run, TaskRecord } from '../../src/task/record.ts'
import { MESSAGE } from '../../src/wire/frame.ts'
import type { DueRun } from '../../src/work/due-run.ts'
import { Lifecycle } from '../../src/work/lifecycle.ts'
import { Occurrences } from '../../src/work/occurrences.ts'
import { WorkerConnection } from '../../src/work/worker-connection.ts'
import type { Mutant } from './mutant.ts'
import { patched, together } from './patched.ts'

export const PATCHED_ROOMS: readonly Mutant[] = [
  patched(
    'replay-trusts-index',
    'replay takes a record of the index for one that has all of the journal',
    TaskRecord.prototype,
    'includes',
    () => () => true,
    'spill',
  ),
  patched(
    'requests-forgotten',
    'a repeated request is carried out again',
    RequestLog.prototype,
    'find',
    () => () => undefined,
  ),
  patched(
    'horizon-holds-nothing',
    'what is spilled below the horizon leaves memory',
    Horizon.prototype,
    'covers',
    () => () => false,
    'calm',
  ),
  patched(
    'early-clock',
    'the scheduler is 30 ms ahead of the wall clock',
    WallClock.prototype,
    'now',
    now => {
      return function (this: unknown) {
        return (now.call(this) as number) + 30
      }
    },
    'calm',
  ),
  patched(
    'recurrence-from-now',
    'the next instant follows now, not the instant before',
    Occurrences.prototype,
    'recurrence',
    (recurrence, { clock }) => {
      return function (this: unknown, ...args) {
        const found = recurrence.apply(this, args) as { next(after: number): number | undefined } | undefined
        const [record] = args as [TaskRecord]
        const { schedule } = record.definition
        if (found === undefined || schedule.kind !== 'every') return found
        return { next: (after: number) => Math.max(after, clock.now()) + schedule.everyMs }
      }
    },
    'calm',
  ),
  patched(
    'claim-not-awaited',
    'a strict attempt starts before its claim is on the disk',
    Lifecycle.prototype,
    'claim',
    claim => {
      return function (this: unknown, ...args) {
        const [run, done] = args as [unknown, (go: boolean) => void]
        claim.call(this, run, () => {})
        done(true)
      }
    },
    'stall',
  ),
  patched(
    'constant-fence',
    'every attempt has the same fence',
    Journal.prototype,
    'nextN',
    () => () => 1,
    'all',
  ),
  together('cancel-in-memory', 'a cancel is journaled as a known request only', 'crash', [
    patched('ended', '', TaskStore.prototype, 'ended', ended => {
      return function (this: unknown, ...args) {
        const [record, , update] = args as [TaskRecord, unknown, { register?: string; request?: unknown }]
        if (update?.register !== 'cancelled') return ended.apply(this, args)
        ;(this as { updated(...of: unknown[]): void }).updated(record, { request: update.request })
        record.gone = true
      }
    }),
    // Gone from memory only.
    patched('peek', '', TaskStore.prototype, 'peek', peek => {
      return function (this: unknown, ...args) {
        const found = peek.apply(this, args)
        return found instanceof TaskRecord && found.gone ? 'absent' : found
      }
    }),
  ]),
  patched(
    'keys-ignored',
    'a key replaces instead of leaving alone',
    Definition.prototype,
    'ifAbsent',
    () => () => false,
    'calm',
  ),
  patched(
    'key-free-once-due',
    'whether a key is taken is asked of the clock: what is due by now is held for done',
    Definition.prototype,
    'ifAbsent',
    (ifAbsent, { clock }) => {
      return function (this: unknown) {
        return ifAbsent.call(this) === true && (this as Definition).at > clock.now()
      }
    },
    'calm',
  ),
  patched(
    'horizon-after-cursor',
    'the horizon is raised once the cursor has read: what is spilled meanwhile is in neither',
    Horizon.prototype,
    'covers',
    () => {
      return function (this: unknown, ...args) {
        return (args[1] as number) < (this as Horizon<Run>).reachedTo
      }
    },
    'calm',
  ),
  remainingDelay(),
  patched(
    'wheel-turn-too-many',
    "what lies in the last slot of the wheel's second level waits for one more turn of it",
    TimingWheel.prototype,
    'add',
    add => {
      return function (this: unknown, ...args) {
        const [due, item] = args as [number, unknown]
        const isLast = Math.floor(due / WHEEL_SLOTS) % WHEEL_SLOTS === WHEEL_SLOTS - 1
        return add.call(this, isLast ? due + WHEEL_SLOTS ** 2 : due, item)
      }
    },
    'calm',
  ),
  patched(
    'credit-leak',
    'now and then the credit of an attempt is not given back when it ends',
    WorkerConnection.prototype,
    'handleMessage',
    (handleMessage, { random }) => {
      return function (this: unknown, ...args) {
        const isOutcome = args[0] === MESSAGE.outcomes
        const [credit] = isOutcome && random.float() < 0.05 ? (this as Connection).credits.values() : []
        if (credit !== undefined) credit.used++
        return handleMessage.apply(this, args)
      }
    },
    'calm',
  ),
  patched(
    'lost-means-started',
    'an at-most-once attempt that was lost is tried again',
    Lifecycle.prototype,
    'adopt',
    adopt => {
      return function (this: unknown, ...args) {
        const [record] = args as [TaskRecord]
        for (const run of record.runs) if (run.state === 'running') run.state = 'queued'
        return adopt.apply(this, args)
      }
    },
  ),
  patched(
    'closed-forgotten',
    'the watermark of ended occurrences is not kept',
    TaskRecord.prototype,
    'close',
    () => {
      return function (this: unknown) {
        const record = this as TaskRecord
        record.runs = record.runs.filter(
          run => run.endedAt === 0 || run.state === 'queued' || run.state === 'running',
        )
      }
    },
  ),
  patched(
    'timers-left',
    'a stop leaves its timers',
    Scheduler.prototype,
    'stop',
    () => () => undefined,
    'calm',
  ),
]

/** Slots of a level. */
const WHEEL_SLOTS = 256

type Connection = WorkerConnection<DueRun>

/** After a restart a one-shot waits as long as it would have waited when it was made. */
function remainingDelay(): Mutant {
  const startedAt = new WeakMap<object, number>()
  return together('remaining-delay-stored', 'what is kept of an instant is how far it lies ahead', 'crash', [
    patched('start', '', Scheduler.prototype, 'start', (start, { clock }) => {
      return function (this: unknown) {
        startedAt.set(this as object, clock.now())
        return start.call(this)
      }
    }),
    patched('arm', '', Scheduler.prototype, 'arm', arm => {
      return function (this: unknown, ...args) {
        const [record, at] = args as [TaskRecord, number]
        const { madeAt, recurring } = record.definition
        const lostMs = Math.max(0, (startedAt.get(this as object) ?? 0) - madeAt)
        return arm.call(this, record, recurring || record.runs.length > 0 ? at : at + lostMs)
      }
    }),
  ])
}
