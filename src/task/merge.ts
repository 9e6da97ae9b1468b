/**
 * How a change becomes part of a record. Replay uses it now, replication will: the rules are joins wherever one node
 * can tell (a greater version takes the definition, `closed` and the watermark take the maximum, an end beats no
 * end, completed beats every other end), so that applying a change twice, or an older one late, alters nothing.
 */

import { invariant } from '../invariant.ts'
import type { Change } from './change.ts'
import { NOT_YET, type Run, TaskRecord } from './record.ts'
import { isRunEnd } from './task.ts'

export type Merged<R extends Run> =
  | { readonly kind: 'record'; readonly record: TaskRecord<R> }
  /** The task ended with this change. */
  | { readonly kind: 'dropped' }
  /** The change says nothing new, or there is nothing that it could change. */
  | { readonly kind: 'none' }

const NONE: { readonly kind: 'none' } = { kind: 'none' }
const DROPPED: { readonly kind: 'dropped' } = { kind: 'dropped' }

export interface MergeOptions<R extends Run> {
  readonly actor: number
  readonly n: number
  readonly range: number
  readonly makeRun: (record: TaskRecord<R>, instant: number, manual: boolean) => R
}

export function applyChange<R extends Run>(
  base: TaskRecord<R> | undefined,
  change: Change,
  options: MergeOptions<R>,
): Merged<R> {
  const { actor, n, range } = options
  let record = base
  if (record?.includes(actor, n)) return NONE
  if (change.definition !== undefined && (record === undefined || change.life > record.life)) {
    record = new TaskRecord<R>(change.id, range, change.life, change.firstLife, change.definition)
    takeVersion(record, change, actor)
  } else if (record === undefined || change.life !== record.life) {
    return NONE
  } else if (change.register !== undefined && isNewer(record, change.register, actor)) {
    if (change.definition !== undefined) {
      record.definition = change.definition
      record.fired = 0
      record.lastAt = NOT_YET
      record.closed = NOT_YET
      record.next = change.definition.at
    }
    takeVersion(record, change, actor)
    if (change.definition !== undefined && change.times !== undefined) record.next = change.times.next
  }
  const lost = change.definition !== undefined && record.definition !== change.definition
  if (change.times !== undefined && !lost) takeTimes(record, change.times)
  for (const run of change.runs) takeRun(record, run, options)
  record.include(actor, n)
  if (change.runs.length > 0) record.close()
  return change.dropped ? DROPPED : { kind: 'record', record }
}

function isNewer(record: TaskRecord, register: NonNullable<Change['register']>, actor: number): boolean {
  if (register.rev !== record.rev) return register.rev > record.rev
  if (register.hlc !== record.hlc) return register.hlc > record.hlc
  return actor > record.actor
}

function takeVersion<R extends Run>(record: TaskRecord<R>, change: Change, actor: number): void {
  const { register } = change
  invariant(register !== undefined, 'a definition comes with its version')
  record.rev = register.rev
  record.hlc = register.hlc
  record.actor = actor
  record.paused = register.paused
  record.cancelled = register.cancelled
}

function takeTimes(record: TaskRecord, times: NonNullable<Change['times']>): void {
  if (Number.isNaN(record.next) || times.next > record.next) record.next = times.next
  if (times.fired > record.fired) record.fired = times.fired
  if (times.lastAt > record.lastAt) record.lastAt = times.lastAt
  if (times.closed > record.closed) record.closed = times.closed
}

function takeRun<R extends Run>(record: TaskRecord<R>, change: Run, options: MergeOptions<R>): void {
  if (!change.manual && change.instant <= record.closed && record.findRun(change.instant) === undefined) {
    if (isRunEnd(change.state)) return
  }
  let run = record.findRun(change.instant)
  if (run === undefined) {
    run = options.makeRun(record, change.instant, change.manual)
    record.runs.push(run)
  } else if (run.state === 'completed' || (isRunEnd(run.state) && change.attempt < run.attempt)) {
    return
  }
  run.state = change.state
  run.attempt = change.attempt
  run.retryAt = change.retryAt
  run.startedAt = change.startedAt
  run.endedAt = change.endedAt
  run.fence = change.fence
  run.body = change.body
}
