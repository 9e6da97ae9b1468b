/**
 * The record of a task as its store has it: the definition register with its version, the open runs, `closed`, and
 * the stored next instant. It changes only by changes (task/change), which are what the journal and later the
 * replicas get; applying the same changes gives the same record.
 *
 * - `life` tells apart an id's lives: an ended id that is created again starts a new life, so that the completion of
 *   an earlier life does not end it. It is the creation instant in ms, or one more than the life before.
 * - the version of the definition is (life, rev, hlc, actor); rev grows with each replace. A cancel has a version too,
 *   of the same order: it cancels every definition below it. `paused` is a register of its own, since a pause says
 *   nothing of the definition: each of two that come at once (a pause, a replace) holds.
 * - `next`, `fired`, `lastAt`, `closed` and `ended` are of one version, and begin anew with the next. `closed`: every
 *   scheduled occurrence of this version up to this instant has ended.
 * - `next` is stored, never recomputed from now: tzdata differ, and clocks jump. It only grows within a version; a
 *   `next` at or below `lastAt` was reached, and what follows it is known when its run ends (every, after completion).
 * - `dots`: actor -> n of the last change included, so that replay skips what the record already has.
 */

import type { Definition } from './definition.ts'
import { isRunEnd, type RunState } from './task.ts'
import { SOME_FIRST, type Version } from './version.ts'

/** No instant: nothing more is scheduled. */
export const NEVER = Number.POSITIVE_INFINITY
/** Before every instant. */
export const NOT_YET = Number.NEGATIVE_INFINITY

export const NO_BYTES: Uint8Array = new Uint8Array(0)

/** The carrying out of one occurrence, as it is kept. */
export class Run {
  readonly instant: number
  readonly manual: boolean
  state: RunState = 'queued'
  /** Attempts started so far, of all drives. */
  attempt = 0
  /** How often it was driven again after it had failed for good. */
  drive = 0
  /** Attempts of earlier drives. */
  drivenFrom = 0
  /** Attempts that a worker gave back untouched after the journal had them; they don't count. */
  returned = 0
  /** While `retrying`: when the next attempt starts. */
  retryAt = 0
  startedAt = 0
  endedAt = 0
  /** Strict tasks: the claim's place in its range's log; grows with every attempt. */
  fence = 0
  /** JSON: the result of a completed run, else the latest error. */
  body: Uint8Array = NO_BYTES
  /** The version of the definition that it is of; undefined: the one at hand. */
  version: Version | undefined = undefined
  /** The dot of the change that said this of it; n is 0 as long as none has. */
  actor = -1
  n = 0

  constructor(instant: number, manual: boolean) {
    this.instant = instant
    this.manual = manual
  }

  /** Attempts of this drive. */
  get driveAttempts(): number {
    return this.attempt - this.drivenFrom
  }
}

export class TaskRecord<R extends Run = Run> {
  readonly id: string
  readonly range: number
  life: number
  firstLife: boolean
  definition: Definition
  rev = 1
  hlc = 0
  /** Index of the actor that wrote the definition's version. */
  actor = 0
  paused = false
  /** Of `paused`; undefined: it never was. */
  pausedVersion: Version | undefined = undefined
  /** The cancel is above the definition. */
  cancelled = false
  cancelVersion: Version | undefined = undefined
  next: number
  /** Scheduled occurrences opened so far; a schedule's `max` counts these. */
  fired = 0
  /** The latest scheduled instant that was reached. */
  lastAt = NOT_YET
  closed = NOT_YET
  /** The task has ended in this version. */
  ended = false
  /** Of next, fired, lastAt, closed and ended, if they are of a version whose definition has not come yet. */
  timesVersion: Version | undefined = undefined
  /** How far other versions are closed, which late runs of theirs may still ask. */
  closedBefore: readonly Closed[] = NONE_CLOSED
  /** Open runs, and ended ones that lie above `closed`; in the order of their instants. */
  runs: R[] = []
  /** Recurring tasks: instants of ended runs that are still kept, oldest first. */
  kept: number[] = NO_INSTANTS
  /** An ended task whose record is kept (keyed, or dead): until when. NEVER: not ended, or not kept. */
  expiresAt = NEVER
  /** The dot of the latest actor; those of earlier ones, of a record that outlived a boot, are in pastDots. */
  dotActor = -1
  dotN = 0
  pastDots: readonly Dot[] = NO_DOTS

  // Where this copy lies; not part of what is kept or replicated.

  /** Oldest journal segment with a change that the index does not have; 0: none (store/dirty-list). */
  segment = 0
  dirtyPrev: TaskRecord<R> | undefined = undefined
  dirtyNext: TaskRecord<R> | undefined = undefined
  /** The due instant under which the index has it (NEVER: without a due key); NaN: it is not in the index. */
  indexedDue = Number.NaN
  /** Handle in the timing wheel; -1: not armed (schedule/scheduler). */
  timer = -1
  /** Calls that are at work on it: it stays in memory. */
  pins = 0
  /** Ended, or gone from the store: who still holds it lets go. */
  gone = false
  /** A follow-up that waits in the range of its run until the range of its id has it: nobody starts it here. */
  outbox = false

  constructor(id: string, range: number, life: number, firstLife: boolean, definition: Definition) {
    this.id = id
    this.range = range
    this.life = life
    this.firstLife = firstLife
    this.definition = definition
    this.next = definition.at
  }

  findRun(instant: number): R | undefined {
    for (const run of this.runs) if (run.instant === instant) return run
    return undefined
  }

  addRun(run: R): void {
    const { runs } = this
    let at = runs.length
    while (at > 0 && (runs[at - 1] as R).instant > run.instant) at--
    if (at === runs.length) runs.push(run)
    else runs.splice(at, 0, run)
  }

  get version(): Version {
    return { rev: this.rev, hlc: this.hlc, actor: this.actor }
  }

  /** Greater than every version of the definition that was seen. */
  get nextRev(): number {
    return Math.max(this.rev, this.cancelVersion?.rev ?? 0) + 1
  }

  /** Begins a new version of the definition. The runs that are there are of the one before; `lastAt` is left to say. */
  replace(definition: Definition, next: number, hlc: number, actor: number): void {
    // As who gets this change will have it: of a first version that was replaced the name is not kept.
    const before = this.rev === 1 ? SOME_FIRST : this.version
    for (const run of this.runs) run.version ??= before
    this.rev = this.nextRev
    this.hlc = hlc
    this.actor = actor
    this.definition = definition
    if (this.closed > NOT_YET) this.#closedOfOther(before, this.closed)
    this.next = next
    this.fired = 0
    this.closed = NOT_YET
  }

  #closedOfOther(version: Version, closed: number): void {
    const known = this.closedBefore.find(each => isSame(each.version, version))
    if (known !== undefined && known.closed >= closed) return
    this.closedBefore = [...this.closedBefore.filter(each => each !== known), { version, closed }]
  }

  setPaused(paused: boolean, hlc: number, actor: number): void {
    this.paused = paused
    this.pausedVersion = { rev: (this.pausedVersion?.rev ?? 0) + 1, hlc, actor }
  }

  cancel(hlc: number, actor: number): void {
    this.cancelVersion = { rev: this.nextRev, hlc, actor }
    this.cancelled = true
  }

  get hasOpenRun(): boolean {
    for (const run of this.runs) if (this.isOpen(run)) return true
    return false
  }

  /**
   * Somebody asked for a run (by hand, or a failed one again) that has not ended. Whoever ended the task had not heard of it:
   * the task ends after it.
   */
  get hasAskedRun(): boolean {
    for (const run of this.runs) if ((run.manual || run.drive > 0) && this.isOpen(run)) return true
    return false
  }

  isOpen(run: Run): boolean {
    return !isRunEnd(run.state) && !this.isClosed(run)
  }

  /** True if `closed` of its version lies at or above it. One that was driven again since, or by hand, is beyond that. */
  isClosed(run: Run): boolean {
    const { version } = run
    if (run.manual || run.drive > 0) return false
    if (version === undefined) return this.timesVersion === undefined && run.instant <= this.closed
    for (const { version: each, closed } of this.closedBefore) {
      if (isSame(each, version)) return run.instant <= closed
    }
    return false
  }

  /** actor -> n of the last change included. */
  get dots(): readonly Dot[] {
    return this.dotActor < 0 ? this.pastDots : [...this.pastDots, { actor: this.dotActor, n: this.dotN }]
  }

  set dots(dots: readonly Dot[]) {
    const last = dots.at(-1)
    this.pastDots = last === undefined ? NO_DOTS : dots.slice(0, -1)
    this.dotActor = last?.actor ?? -1
    this.dotN = last?.n ?? 0
  }

  /** True if this record includes the change n of the actor. */
  includes(actor: number, n: number): boolean {
    if (actor === this.dotActor) return this.dotN >= n
    for (const dot of this.pastDots) if (dot.actor === actor) return dot.n >= n
    return false
  }

  include(actor: number, n: number): void {
    if (actor === this.dotActor) {
      if (n > this.dotN) this.dotN = n
      return
    }
    if (this.includes(actor, n)) return
    if (this.dotActor >= 0) {
      const past = { actor: this.dotActor, n: this.dotN }
      this.pastDots = [...this.pastDots.filter(dot => dot.actor !== actor), past]
    }
    this.dotActor = actor
    this.dotN = n
  }

  /** Raises `closed` over all that has ended, and drops the ended runs that nobody asks for any more. */
  close(): void {
    this.raiseClosed()
    this.prune()
  }

  /** Raises `closed` over all that has ended, as far as is known here. */
  raiseClosed(): void {
    let open = NEVER
    for (const run of this.runs) {
      if (!run.manual && run.instant < open && this.isOpen(run)) open = run.instant
    }
    const closed = open === NEVER ? this.lastAt : Math.min(this.lastAt, open - 1)
    if (closed > this.closed) this.closed = closed
  }

  /**
   * Drops what has ended: runs at or below `closed`, and those by hand. Only for who knows that nobody else writes of
   * them: with others a late word could open such a run again.
   */
  prune(): void {
    const ended = this.runs.filter(run => !this.isOpen(run))
    this.closedBefore = NONE_CLOSED
    if (ended.length === 0) return
    // The last run of a task that has ended says how it ended, and until when it is kept.
    const last = ended.length === this.runs.length && this.nextAt === NEVER ? this.runs.at(-1) : undefined
    const stays = (run: R): boolean => run === last || (!run.manual && run.instant > this.closed)
    // One that only a former version had closed would be open again: that is forgotten now.
    this.runs = this.runs.filter(run => !ended.includes(run) || (stays(run) && !this.isOpen(run)))
  }

  /** True if prune() would drop something. */
  get isPrunable(): boolean {
    if (this.closedBefore.length > 0) return true
    if (this.runs.length === 0) return false
    const last = this.nextAt === NEVER && !this.hasOpenRun ? this.runs.at(-1) : undefined
    for (const run of this.runs) if (run !== last && this.#mayGo(run)) return true
    return false
  }

  #mayGo(run: R): boolean {
    return !this.isOpen(run) && (run.manual || run.instant <= this.closed)
  }

  /** Of more ended scheduled runs at or below `closed` than `max` the oldest go, though somebody may yet speak of them. */
  pruneOldest(max: number): void {
    if (this.runs.length <= max) return
    let over = -max
    for (const run of this.runs) if (!run.manual && this.#mayGo(run)) over++
    if (over > 0) this.runs = this.runs.filter(run => run.manual || !this.#mayGo(run) || over-- <= 0)
  }

  /** The next scheduled instant, or NEVER. */
  get nextAt(): number {
    return this.next > this.lastAt ? this.next : NEVER
  }

  /** The earliest instant at which this record wants attention. */
  get dueAt(): number {
    let due = Math.min(this.paused ? NEVER : this.nextAt, this.expiresAt)
    for (const run of this.runs) {
      if (!this.isOpen(run)) continue
      const at = run.state === 'retrying' ? run.retryAt : run.instant
      if (at < due) due = at
    }
    return due
  }
}

function isSame(a: Version, b: Version): boolean {
  return a.rev === b.rev && a.hlc === b.hlc && a.actor === b.actor
}

export interface Closed {
  readonly version: Version
  /** Every scheduled occurrence of this version up to this instant has ended. */
  readonly closed: number
}

export interface Dot {
  readonly actor: number
  readonly n: number
}

// Most records have none of these: they share the empty ones.
const NO_DOTS: readonly Dot[] = Object.freeze([])
export const NONE_CLOSED: readonly Closed[] = Object.freeze([])
const NO_INSTANTS: number[] = []
