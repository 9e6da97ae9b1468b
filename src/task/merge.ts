/**
 * How a change becomes part of a record. Replay uses it, replication will: every rule is a join, so that the same
 * changes give the same record in whatever order they come (those of one actor in the order of their dots), and one
 * that comes again alters nothing (PROTOCOLS, A7).
 *
 * - A greater life takes the place of a lesser one, with all of it.
 * - Definition, pause and cancel are registers: the greater version stays. A cancel is above or below each definition.
 * - The times are of one version: a greater one takes their place, within one they grow. Of the others `closed` is kept.
 * - Of what is said of a run one is the greatest, and stays (see compareRuns). An end beats no end, a completion
 *   every other end, a later drive what an earlier one came to.
 * Nothing is forgotten here, what `closed` ended (see isClosed) no more than what ended by itself: it stays in the
 * record until somebody who knows that nobody else will speak of it prunes it. What one of two records has pruned is not
 * open in the other any more. A dropped record may be given as a base again, as a greater version may come late.
 */

import type { Change, Times } from './change.ts'
import type { Definition } from './definition.ts'
import { NONE_CLOSED, NOT_YET, type Run, TaskRecord } from './record.ts'
import { isRunEnd, RUN_STATES, type RunState } from './task.ts'
import { type CompareActors, compareVersions, SOME_FIRST, type Version, WRITER } from './version.ts'

export type Merged<R extends Run> =
  | { readonly kind: 'record'; readonly record: TaskRecord<R> }
  /** The task has ended. */
  | { readonly kind: 'dropped'; readonly record: TaskRecord<R> }
  /** The change says nothing new, or there is nothing that it could change. */
  | { readonly kind: 'none' }

const NONE: { readonly kind: 'none' } = { kind: 'none' }

export interface MergeOptions<R extends Run> {
  readonly actor: number
  readonly n: number
  readonly range: number
  readonly makeRun: (record: TaskRecord<R>, instant: number, manual: boolean) => R
  readonly compareActors: CompareActors
}

export function applyChange<R extends Run>(
  base: TaskRecord<R> | undefined,
  change: Change,
  options: MergeOptions<R>,
): Merged<R> {
  const { actor, n, range, compareActors } = options
  const { definition } = change
  let record = base
  if (record?.includes(actor, n)) return NONE
  if (definition !== undefined && (record === undefined || change.life > record.life)) {
    record = new TaskRecord<R>(change.id, range, change.life, change.firstLife, definition)
    const { rev, hlc } = change.version as Version
    Object.assign(record, { rev, hlc, actor })
  } else if (record === undefined || change.life !== record.life) return NONE
  const version = versionOf(change, record, actor)
  // Two who made the same life, of whom one knew of an earlier one: its runs must not have the names of that one's.
  if (definition !== undefined && !change.firstLife) record.firstLife = false
  if (definition !== undefined) takeDefinition(record, definition, version, compareActors)
  if (change.register !== undefined) takeRegister(record, change.register, options)
  if (change.times !== undefined || change.dropped)
    takeTimes(record, change.times ?? NO_TIMES, change.dropped, version, compareActors)
  for (const run of change.runs) takeRun(record, run, version, options)
  record.include(actor, n)
  const { cancelVersion } = record
  record.cancelled = cancelVersion !== undefined && compareVersions(cancelVersion, record, compareActors) > 0
  return { kind: hasEnded(record) ? 'dropped' : 'record', record }
}

/**
 * What two stores have of one record: the same as if each change that either includes were applied to one. Of two lives
 * the greater is left. `into` is changed and returned, unless it is the one that is left behind.
 */
export function mergeRecords<R extends Run>(
  into: TaskRecord<R>,
  other: TaskRecord<R>,
  { makeRun, compareActors }: Pick<MergeOptions<R>, 'makeRun' | 'compareActors'>,
): TaskRecord<R> {
  if (other.life !== into.life) return other.life > into.life ? other : into
  const { range } = into
  if (!other.firstLife) into.firstLife = false
  const isSame = isSameFirst(into, into.definition, other, other.definition)
  // Before the definition: a version that loses takes its times and runs with it as any change would.
  takeDefinition(into, other.definition, other.version, compareActors)
  // What both made of one request is one version: what is said of the one is said of the other.
  const theirs = isSame ? into.version : other.version
  const { pausedVersion, cancelVersion, timesVersion = theirs } = other
  const register = (what: 'paused' | 'resumed' | 'cancelled', { rev, hlc, actor }: Version): void =>
    takeRegister(into, { what, rev, hlc }, { actor, n: 0, range, makeRun, compareActors })
  if (pausedVersion !== undefined) register(other.paused ? 'paused' : 'resumed', pausedVersion)
  if (cancelVersion !== undefined) register('cancelled', cancelVersion)
  for (const { version, closed } of other.closedBefore) {
    takeTimes(into, { ...NO_TIMES, closed }, false, version, compareActors)
  }
  const { next, fired, lastAt, closed, ended } = other
  takeTimes(into, { next, fired, lastAt, closed }, ended, timesVersion, compareActors)
  // Before the dots are united: what each knew of the other's runs.
  const pruned = into.runs.filter(run => !isRunEnd(run.state) && hasPruned(other, run))
  const said = other.runs.filter(run => !hasPruned(into, run))
  if (pruned.length > 0) into.runs = into.runs.filter(run => !pruned.includes(run))
  for (const run of said) {
    const { actor, n, version = theirs } = run
    takeRun(into, run, version, { actor, n, range, makeRun, compareActors })
  }
  for (const { actor, n } of other.dots) into.include(actor, n)
  into.cancelled =
    into.cancelVersion !== undefined && compareVersions(into.cancelVersion, into, compareActors) > 0
  return into
}

/**
 * True if the record once had what is said here of a run, and has the run no more: it has ended, and all had its end. A
 * word that nobody has a change of yet is none that could be known.
 */
function hasPruned(record: TaskRecord, { instant, manual, actor, n }: Run): boolean {
  if (n === 0 || !record.includes(actor, n)) return false
  return !record.runs.some(run => run.instant === instant && run.manual === manual)
}

/** Nothing of it is to come: its record is kept only until all have its end. */
export function hasEnded(record: TaskRecord): boolean {
  return record.cancelled || (record.ended && record.timesVersion === undefined && !record.hasAskedRun)
}

const NO_TIMES: Times = { next: NOT_YET, fired: 0, lastAt: NOT_YET, closed: NOT_YET }

/** The version that the change's times, runs and end are of. */
function versionOf(change: Change, record: TaskRecord, actor: number): Version {
  const { version } = change
  if (version !== undefined) return version.actor === WRITER ? { ...version, actor } : version
  // An actor's own first version came before this change: if it isn't the one at hand, it has lost.
  const isAtHand = record.rev === 1 && (record.actor === actor || record.definition.minted)
  return isAtHand ? record.version : SOME_FIRST
}

/** A request that reached two owners: as nobody else has the id, both made the same of it. */
function isSameFirst(a: Version, { minted }: Definition, b: Version, other: Definition): boolean {
  return a.rev === 1 && b.rev === 1 && minted && other.minted
}

function takeDefinition<R extends Run>(
  record: TaskRecord<R>,
  definition: Definition,
  version: Version,
  compareActors: CompareActors,
): void {
  const before = record.version
  if (compareVersions(version, before, compareActors) <= 0) return
  const isSame = isSameFirst(before, record.definition, version, definition)
  record.rev = version.rev
  record.hlc = version.hlc
  record.actor = version.actor
  if (isSame) return
  record.definition = definition
  for (const run of record.runs) run.version = stampOf(run.version ?? before, record, compareActors)
  const { closedBefore, timesVersion = before } = record
  record.closedBefore = NONE_CLOSED
  for (const each of closedBefore) rememberClosed(record, each.version, each.closed, compareActors)
  const order = compareVersions(timesVersion, version, compareActors)
  if (order > 0) return
  if (order < 0) {
    rememberClosed(record, timesVersion, record.closed, compareActors)
    setTimes(record, NO_TIMES, false)
  }
  record.timesVersion = undefined
  growTimes(record, { ...NO_TIMES, next: definition.at }, false)
}

/** Keeps how far another version than that of the times is closed. */
function rememberClosed(
  record: TaskRecord,
  version: Version,
  closed: number,
  compareActors: CompareActors,
): void {
  if (closed === NOT_YET) return
  const of = stampOf(version, record, compareActors) ?? version
  const before = closedOf(record, of, compareActors)
  if (closed <= before) return
  const others = record.closedBefore.filter(each => compareVersions(each.version, of, compareActors) !== 0)
  record.closedBefore = [...others, { version: of, closed }]
}

/** How far another version than that of the times is closed. */
function closedOf(record: TaskRecord, version: Version, compareActors: CompareActors): number {
  for (const each of record.closedBefore) {
    if (compareVersions(each.version, version, compareActors) === 0) return each.closed
  }
  return NOT_YET
}

/** A run's version as it is kept: undefined if it is the one at hand. Of those that lost the first need no name. */
function stampOf(version: Version, record: TaskRecord, compareActors: CompareActors): Version | undefined {
  const order = compareVersions(version, record, compareActors)
  if (order === 0) return undefined
  return order < 0 && version.rev === 1 ? SOME_FIRST : version
}

function takeRegister<R extends Run>(
  record: TaskRecord<R>,
  { what, rev, hlc }: NonNullable<Change['register']>,
  { actor, compareActors }: MergeOptions<R>,
): void {
  const version = { rev, hlc, actor }
  const field = what === 'cancelled' ? 'cancelVersion' : 'pausedVersion'
  const before = record[field]
  if (before !== undefined && compareVersions(version, before, compareActors) <= 0) return
  record[field] = version
  if (what !== 'cancelled') record.paused = what === 'paused'
}

function takeTimes(
  record: TaskRecord,
  times: Times,
  ended: boolean,
  version: Version,
  compareActors: CompareActors,
): void {
  const atHand = record.timesVersion ?? record.version
  const order = compareVersions(version, atHand, compareActors)
  if (order < 0) return rememberClosed(record, version, times.closed, compareActors)
  if (order > 0) {
    rememberClosed(record, atHand, record.closed, compareActors)
    record.timesVersion = version
    setTimes(record, times, ended)
  } else growTimes(record, times, ended)
}

function setTimes(record: TaskRecord, times: Times, ended: boolean): void {
  record.next = times.next
  record.fired = times.fired
  record.lastAt = times.lastAt
  record.closed = times.closed
  record.ended = ended
}

function growTimes(record: TaskRecord, times: Times, ended: boolean): void {
  if (Number.isNaN(record.next) || times.next > record.next) record.next = times.next
  if (times.fired > record.fired) record.fired = times.fired
  if (times.lastAt > record.lastAt) record.lastAt = times.lastAt
  if (times.closed > record.closed) record.closed = times.closed
  if (ended) record.ended = true
}

/** Takes what is said of a run into the record, if it is the greater word. `change` is changed, and may be kept. */
export function takeRun<R extends Run>(
  record: TaskRecord<R>,
  change: Run,
  version: Version,
  options: MergeOptions<R>,
): void {
  change.version = stampOf(change.version ?? version, record, options.compareActors)
  change.actor = options.actor
  change.n = options.n
  const { instant, manual } = change
  let run = record.runs.find(each => each.instant === instant && each.manual === manual)
  if (run === undefined) {
    run = options.makeRun(record, instant, manual)
    record.addRun(run)
  } else {
    const order = compareRuns(change, run, record, options.compareActors)
    // Equal ones are one actor's, and of two records the other may have its earlier word.
    if (order < 0 || (order === 0 && change.actor === run.actor && change.n < run.n)) return
  }
  run.state = change.state
  run.attempt = change.attempt
  run.drive = change.drive
  run.drivenFrom = change.drivenFrom
  run.returned = change.returned
  run.retryAt = change.retryAt
  run.startedAt = change.startedAt
  run.endedAt = change.endedAt
  run.fence = change.fence
  run.body = change.body
  run.version = change.version
  run.actor = change.actor
  run.n = change.n
}

/**
 * Which of two words about one run stays: the greater; of equal ones, which are one actor's, the later. The stamp of an
 * end is the instant that it has anyway, and its actor.
 */
function compareRuns(a: Run, b: Run, record: TaskRecord, compareActors: CompareActors): number {
  if (a.state === 'completed' || b.state === 'completed') {
    if (a.state !== b.state) return a.state === 'completed' ? 1 : -1
    return -compareStamps(a, b, compareActors)
  }
  const [one, other] = [a.version ?? record, b.version ?? record]
  // Which of some first versions it was is not kept, and they share the run's id.
  if (one.rev > 1 || other.rev > 1) {
    const order = compareVersions(one, other, compareActors)
    if (order !== 0) return order
  }
  if (a.drive !== b.drive) return a.drive - b.drive
  const isEnd = isRunEnd(a.state)
  if (isEnd !== isRunEnd(b.state)) return isEnd ? 1 : -1
  // Attempts that were given back had begun as well.
  const [begun, others] = [a.attempt + a.returned, b.attempt + b.returned]
  if (begun !== others) return begun - others
  if (a.state !== b.state) return RANK[a.state] - RANK[b.state]
  return isEnd ? -compareStamps(a, b, compareActors) : compareActors(a.actor, b.actor)
}

function compareStamps(a: Run, b: Run, compareActors: CompareActors): number {
  return a.endedAt === b.endedAt ? compareActors(a.actor, b.actor) : a.endedAt - b.endedAt
}

/** Open ones in the order in which an attempt goes through them; of ends the more definite is the greater. */
const RANK: Readonly<Record<RunState, number>> = {
  running: 0,
  retrying: 1,
  queued: 2,
  unknown: 3,
  skipped: 4,
  missed: 5,
  failed: 6,
  cancelled: 7,
  completed: RUN_STATES.length,
}
