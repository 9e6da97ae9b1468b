/** Mutants inside the engine: a method of a room is replaced by one with a bug. */

import { Horizon } from '../../src/schedule/horizon.ts'
import { Scheduler } from '../../src/schedule/scheduler.ts'
import { WallClock } from '../../src/schedule/wall-clock.ts'
import { Journal } from '../../src/store/journal.ts'
import { RequestLog } from '../../src/store/requests.ts'
import { TaskStore } from '../../src/store/task-store.ts'
import { Definition } from '../../src/task/definition.ts'
import { TaskRecord } from '../../src/task/record.ts'
import { Lifecycle } from '../../src/work/lifecycle.ts'
import { Occurrences } from '../../src/work/occurrences.ts'
import type { Mutant } from './mutant.ts'
import { patched } from './patched.ts'

export const PATCHED_ROOMS: readonly Mutant[] = [
  patched(
    'replay-ignores-dots',
    'replay applies what a record already has',
    TaskRecord.prototype,
    'includes',
    () => () => false,
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
  patched('cancel-in-memory', 'a cancel is not journaled', TaskStore.prototype, 'ended', ended => {
    return function (this: unknown, ...args) {
      const update = args[2] as { register?: boolean } | undefined
      if (update?.register !== true) return ended.apply(this, args)
      // Gone from memory only.
      const store = this as TaskStore<never>
      const record = args[0] as TaskRecord<never>
      record.gone = true
      store.peek(record.id) as unknown satisfies unknown
      return ended.call(this, ...args.slice(0, 2), { ...update, register: false, runs: [] })
    }
  }),
  patched(
    'keys-ignored',
    'a key replaces instead of leaving alone',
    Definition.prototype,
    'ifAbsent',
    () => () => false,
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
