/**
 * The life of a run: due, queued, started, ended, tried again. Every rule of overlap, misfire, retry and of what is
 * written when stands here; the scheduler keeps time, the dispatcher hands out, the store writes.
 *
 * What is journaled, and when (at-least-once):
 * - an occurrence that opens: not at all. Until something is written, the record's `next` is still that instant, and
 *   after a crash it fires again.
 * - the start of an attempt: lazily, a few ms later, if it still runs then. Most have ended by then, with one write
 *   for all. It is written so that a handler that kills its process runs out of attempts.
 * - an end: at once, and answered only once synced.
 * Strict tasks: the claim is synced before the start (at most once: a claim without an end is `unknown` after a
 * crash; exactly once: it is claimed anew, under a greater fence and the same key).
 */

import { invariant } from '../invariant.ts'
import type { ByteWriter } from '../lib/bytes.ts'
import { Histogram } from '../lib/histogram.ts'
import type { RequestMark } from '../task/change.ts'
import { runIdOf } from '../task/ids.ts'
import { NEVER, NO_BYTES } from '../task/record.ts'
import { retryDelayMs } from '../task/retry.ts'
import { checkMove, isRunEnd, type RunEnd, type RunState } from '../task/task.ts'
import { type WireError, wireError } from '../wire/frame.ts'
import { type AbortReason, errorText, type OutcomeMessage, writeRun } from '../wire/work.ts'
import type { Desk } from './dispatcher.ts'
import type { DispatcherHost } from './due-run.ts'
import { LazyStarts } from './lazy-starts.ts'
import type { Counters, LifecycleOptions, LifecycleParts } from './lifecycle-parts.ts'
import { cancelledLike, type LiveRecord, LiveRun } from './live-run.ts'
import { Occurrences } from './occurrences.ts'
import { runView } from './views.ts'

export class Lifecycle implements DispatcherHost<LiveRun> {
  readonly #options: LifecycleOptions
  readonly #parts: LifecycleParts
  dispatcher!: Desk<LiveRun>
  readonly counters: Counters = { created: 0, completed: 0, failed: 0, retried: 0, missed: 0 }
  readonly lateness = new Histogram()
  readonly #starts: LazyStarts
  readonly occurrences: Occurrences

  constructor(options: LifecycleOptions, parts: LifecycleParts) {
    this.#options = options
    this.#parts = parts
    this.#starts = new LazyStarts(options, parts.clock, runs => {
      this.writeRunning(runs)
      parts.store.flush()
    })
    this.occurrences = new Occurrences(options.openRunsMax, {
      now: parts.now,
      missed: (record, count, from, to) => this.#missed(record, count, from, to),
      passed: record => parts.store.updated(record, { times: true }),
      end: (run, state, at) => this.#end(run, state, at, NO_BYTES),
      cancelRun: (run, reason) => this.cancelRun(run, reason),
    })
  }

  stop(): void {
    this.#starts.stop()
  }

  // --- the record is due

  /** A record has come into memory from an earlier boot: what was running then is over, what was due is queued. */
  adopt(record: LiveRecord): void {
    if (record.outbox) return
    if (!this.#parts.acts(record.range)) {
      // It comes to mind when that is over, whoever acts for it then.
      if (this.#isOver(record) && record.expiresAt === NEVER) record.expiresAt = this.#expiryOf(record)
      return this.#parts.rearm(record)
    }
    for (const run of [...record.runs]) {
      if (record.gone) return
      if (run.place !== 'idle' || run.state !== 'running' || !record.isOpen(run)) continue
      if (!this.#parts.isElsewhere(run))
        this.attemptLost(run, 'the node stopped while this attempt was running')
    }
    this.settle(record)
  }

  /** Brings a record to where it belongs now: fires what is due, queues, and arms it for the next instant. */
  settle(record: LiveRecord): void {
    const now = this.#parts.now()
    // What waits for another range to have it is nothing to start here.
    if (record.gone || record.outbox) return
    if (!this.#parts.acts(record.range)) return this.#parts.passedBy(record)
    if (this.#isOver(record)) {
      if (record.expiresAt === NEVER) record.expiresAt = this.#expiryOf(record)
      if (record.expiresAt <= now || record.expiresAt === NEVER) return this.#drop(record)
    } else if (this.dispatcher.roomFor(record.definition.name) <= 0 && record.dueAt <= now) {
      return this.#parts.defer(record)
    } else {
      if (!record.paused && record.nextAt <= now) {
        this.occurrences.reached(record, now)
        if (this.#isOver(record)) return this.settle(record)
      }
      if (record.gone) return
      for (const run of record.runs) {
        if (run.place !== 'idle' || !record.isOpen(run)) continue
        if (run.state === 'retrying' && run.retryAt <= now) {
          this.#move(run, 'queued')
          this.#offer(run)
        } else if (run.state === 'queued') this.#offer(run)
      }
    }
    this.#parts.rearm(record)
  }

  #missed(record: LiveRecord, count: number, from: number, to: number): void {
    this.counters.missed += count
    this.#parts.emit({ type: 'missed', task: record.id, count, from, to })
    this.#parts.store.closed(record)
    if (!this.#isOver(record)) return this.#parts.store.updated(record, { times: true })
    // The last instant is kept as a run: without one nothing would tell the id's next life from this one.
    const last = new LiveRun(record, to, false)
    record.addRun(last)
    this.#move(last, 'missed')
    last.endedAt = this.#parts.now()
    this.#over(record, last)
  }

  #offer(run: LiveRun): void {
    const { record } = run
    if (!this.#parts.acts(record.range)) return
    if (record.definition.policy.overlap === 'queue-one') {
      if (record.runs.some(other => other !== run && other.place !== 'idle')) return
    }
    this.dispatcher.offer(run)
  }

  // --- what the dispatcher tells

  starting(run: LiveRun): void {
    if (run.strict) return
    invariant(
      this.#parts.acts(run.record.range),
      'nobody starts a run of a range for which another acts (A5)',
    )
    invariant(run.record.isOpen(run), 'what has ended is not started again (A6)')
    this.#move(run, 'running')
    run.attempt++
    run.startedAt = this.#parts.now()
    this.#starts.add(run)
  }

  claim(run: LiveRun, done: (go: boolean) => void): void {
    const { store, now } = this.#parts
    const { record } = run
    this.#move(run, 'running')
    run.attempt++
    run.startedAt = now()
    run.fence = store.journal.nextN(record.range)
    run.journaledAttempts = run.attempt
    store.updated(record, { times: true, runs: [run] })
    store.journal.syncNext()
    store.afterSync(error => {
      const go = error === undefined && run.state === 'running'
      done(go)
      if (!go && run.state === 'running') this.#unclaim(run)
    })
  }

  /** The claim may or may not be on the disk, and nothing was started. */
  #unclaim(run: LiveRun): void {
    this.#move(run, 'queued')
    this.settle(run.record)
  }

  write(run: LiveRun, out: ByteWriter, handle: number, handler: number): void {
    const { record } = run
    const { definition } = record
    writeRun(
      out,
      {
        handle,
        handler,
        taskId: record.id,
        life: record.life,
        firstLife: record.firstLife,
        scheduledAt: run.instant,
        attempt: run.attempt,
        wantsStarted: definition.policy.timeoutMs > 0,
        fence: run.strict ? this.#fenceOf(run) : undefined,
        priority: run.priority,
      },
      definition.source,
      definition.payloadStart,
      definition.end,
    )
  }

  /** (epoch, seq) as text that sorts as it grows; on one node the boot stands for the epoch. */
  #fenceOf(run: LiveRun): string {
    const { boot } = this.#parts.store.identity.meta
    return `${String(boot).padStart(10, '0')}-${String(run.fence).padStart(16, '0')}`
  }

  started(run: LiveRun, at: number): void {
    run.startedAt = at
  }

  outcome(run: LiveRun, outcome: OutcomeMessage): void {
    if (outcome.kind === 'unstarted') return this.#unstarted(run)
    run.startedAt = outcome.startedAt
    if (!run.strict) this.#starts.ended(run)
    if (run.attempt === 1 && !run.manual) this.lateness.record(Math.max(0, outcome.startedAt - run.instant))
    const body = outcome.body.length === 0 ? NO_BYTES : outcome.body.slice()
    const { followUps, kind, endedAt } = outcome
    const refusal = followUps.length === 0 ? undefined : this.#parts.followUpRefusal(followUps)
    if (refusal !== undefined) this.#failed(run, endedAt, Buffer.from(errorText(wireError(refusal))), true)
    else if (kind === 'completed') {
      const { record } = run
      const made = followUps.map(definition => this.#parts.followUp(definition, record.range))
      this.#end(run, 'completed', endedAt, body)
      const waiting = made.filter(each => each !== undefined)
      if (waiting.length > 0) this.#parts.handOn(record, waiting)
    } else this.#failed(run, endedAt, body, kind === 'fatal')
  }

  /** The worker gave it back untouched. A strict run is claimed anew, with a newer fence, before it starts. */
  #unstarted(run: LiveRun): void {
    run.attempt--
    this.#move(run, 'queued')
    // What is journaled says that it runs: after the next start it would count as lost, though nobody entered it.
    if (run.journaledAttempts > run.attempt) {
      run.journaledAttempts = run.attempt
      run.returned++
      this.#parts.store.updated(run.record, { times: true, runs: [run] })
    }
    this.settle(run.record)
  }

  timedOut(run: LiveRun): void {
    const { timeoutMs } = run
    const error: WireError = {
      name: 'TimeoutError',
      message: `the handler did not end within ${timeoutMs} ms`,
      code: 'TIMEOUT',
    }
    this.#failed(run, this.#parts.now(), Buffer.from(JSON.stringify(error)), false)
  }

  lost(run: LiveRun): void {
    this.attemptLost(run, 'the worker went away while this attempt was running')
    if (!run.record.gone) this.settle(run.record)
  }

  label(run: LiveRun): string {
    return this.runId(run)
  }

  lateEnd(_: LiveRun, label: string, attempt: number, outcome: OutcomeMessage | undefined): void {
    if (outcome === undefined || outcome.kind === 'unstarted' || outcome.kind === 'lost') return
    const ended = outcome.kind === 'completed' ? 'completed' : 'failed'
    this.#parts.emit({ type: 'late-end', run: label, attempt, ended })
  }

  progress(run: LiveRun, json: string): void {
    run.progress = json
  }

  log(run: LiveRun, json: string): void {
    this.#parts.log(run, json)
  }

  noWorker(name: string, waiting: number): void {
    this.#parts.emit({ type: 'no-worker', name, waiting })
  }

  runId(run: LiveRun): string {
    const { record } = run
    return runIdOf(record.id, record.life, record.firstLife, run.instant)
  }

  /** Ends a run that has not ended, wherever it is. */
  cancelRun(run: LiveRun, reason: 'cancelled' | 'overlap' | 'replaced', request?: RequestMark): void {
    this.takeBack(run, reason)
    this.#end(run, 'cancelled', this.#parts.now(), NO_BYTES, request)
  }

  /** A failed run is to be tried again, with a fresh budget of attempts. */
  redrive(run: LiveRun): void {
    this.#move(run, 'queued')
    run.drive++
    run.drivenFrom = run.attempt
    run.endedAt = 0
    run.record.expiresAt = NEVER
    this.#parts.store.history.remove(run.record.id)
  }

  /** Ends the task, which was cancelled, with all its runs; nothing of it starts any more. */
  cancelTask(record: LiveRecord, request: RequestMark): void {
    const now = this.#parts.now()
    const open = record.runs.filter(run => !isRunEnd(run.state))
    if (open.length === 0 && !this.#isOver(record)) {
      const run = new LiveRun(record, Number.isFinite(record.nextAt) ? record.nextAt : Math.floor(now), false)
      record.addRun(run)
      open.push(run)
    }
    record.next = NEVER
    const runs: LiveRun[] = []
    for (const run of open) {
      this.takeBack(run, 'cancelled')
      this.#finish(run, 'cancelled', now, NO_BYTES)
      runs.push(run)
    }
    this.#parts.store.history.remove(record.id)
    // Of a dead task that is cancelled something is kept too: it tells the id's next life from this one.
    if (runs.length === 0) runs.push(cancelledLike(record, now))
    // Journaled first: who waits for an end is told when that is synced.
    this.#parts.store.ended(record, undefined, { register: 'cancelled', runs, request })
    for (const run of runs) this.#keep(run, true)
    this.#parts.rearm(record)
  }

  /** The dispatcher lets go of it, and so does its worker. */
  takeBack(run: LiveRun, reason: AbortReason): void {
    if (run.place === 'sent') this.dispatcher.abort(run, reason)
    else if (run.place !== 'idle') this.dispatcher.withdraw(run)
  }

  #failed(run: LiveRun, at: number, body: Uint8Array, fatal: boolean): void {
    const { retry, guarantee } = run.record.definition.policy
    // Attempts are counted on when a dead run is driven again: each drive has `max` of them.
    const more = !fatal && guarantee !== 'at-most-once' && run.driveAttempts < retry.max
    if (!more) return this.#end(run, 'failed', at, body)
    this.#move(run, 'retrying')
    const random = (): number => this.#parts.random.float()
    run.retryAt = this.#parts.now() + retryDelayMs(retry, run.driveAttempts - 1, random)
    run.body = body
    run.journaledAttempts = run.attempt
    this.counters.retried++
    this.#parts.store.updated(run.record, { times: true, runs: [run] })
    if (this.#parts.wantsRunEvents()) {
      this.#parts.emit({ type: 'retry', run: runView(run.record, run, this.runId(run)), nextAt: run.retryAt })
    }
    this.#parts.rearm(run.record)
    if (run.retryAt <= this.#parts.now()) this.settle(run.record)
  }

  /** Nobody knows how the attempt ended. */
  attemptLost(run: LiveRun, why: string): void {
    const { guarantee, retry } = run.record.definition.policy
    const error: WireError = { name: 'AttemptLost', message: why, code: 'ATTEMPT_LOST' }
    const body = Buffer.from(errorText(error))
    if (guarantee === 'at-most-once') return this.#end(run, 'unknown', this.#parts.now(), body)
    if (run.driveAttempts >= retry.max && guarantee === 'at-least-once' && retry.max > 1) {
      return this.#end(run, 'failed', this.#parts.now(), body)
    }
    run.body = body
    this.#move(run, 'queued')
    // Who acts for it starts it again, and has to know.
    if (!this.#parts.acts(run.record.range))
      this.#parts.store.updated(run.record, { times: true, runs: [run] })
  }

  #end(run: LiveRun, state: RunEnd, at: number, body: Uint8Array, request?: RequestMark): void {
    const { record } = run
    const { store } = this.#parts
    this.#finish(run, state, at, body)
    const recurrence = record.definition.recurring ? this.occurrences.recurrence(record) : undefined
    if (recurrence !== undefined && !run.manual && record.next <= record.lastAt && !record.cancelled) {
      record.next = recurrence.next(Math.max(record.lastAt, Math.floor(at))) ?? NEVER
    }
    if (this.#isOver(record)) return this.#over(record, run, request)
    store.updated(record, { times: true, runs: [run], request })
    this.#keep(run, false)
    store.closed(record)
    if (!record.gone) this.#parts.rearm(record)
    const held =
      record.definition.policy.overlap === 'queue-one'
        ? record.runs.find(each => each.state === 'queued' && each.place === 'idle')
        : undefined
    if (held !== undefined) this.#offer(held)
  }

  /** No run is open, and none will follow: the record goes, or is kept for a while. */
  #over(record: LiveRecord, run: LiveRun, request?: RequestMark): void {
    const { store } = this.#parts
    record.expiresAt = this.#expiryOf(record)
    if (record.expiresAt === NEVER) {
      store.ended(record, run, request && { request })
      this.#keep(run, true)
      this.#parts.rearm(record)
      return
    }
    store.updated(record, { times: true, runs: [run], request })
    this.#keep(run, true)
    store.closed(record)
    this.#parts.rearm(record)
  }

  #drop(record: LiveRecord): void {
    this.#parts.store.history.remove(record.id)
    this.#parts.store.ended(record, undefined, {})
    this.#parts.rearm(record)
  }

  /** A dead task is kept no longer: its list is full. Where others act for it, they say so. */
  dropDead(record: LiveRecord): void {
    if (!record.gone && this.#parts.acts(record.range) && this.#isOver(record)) this.#drop(record)
  }

  #finish(run: LiveRun, state: RunEnd, at: number, body: Uint8Array): void {
    this.#move(run, state)
    run.endedAt = at
    run.body = body
    if (state === 'completed') this.counters.completed++
    else if (state === 'failed' || state === 'unknown') this.counters.failed++
    else if (state === 'missed') this.counters.missed++
  }

  #keep(run: LiveRun, last: boolean): void {
    const { record } = run
    this.#parts.store.history.add(record, run, last)
    this.#parts.ended(record, run)
  }

  #isOver(record: LiveRecord): boolean {
    return record.nextAt === NEVER && !record.hasOpenRun && !(record.paused && record.next !== NEVER)
  }

  /** A record that another has taken the place of. */
  letGo(record: LiveRecord): void {
    this.#parts.rearm(record)
  }

  /** Until when the record of an ended task is kept: a keyed one refuses its key, a dead one can be driven again. */
  #expiryOf(record: LiveRecord): number {
    const last = record.runs.at(-1)
    if (last === undefined) return NEVER
    if (last.state === 'failed' || last.state === 'unknown') return last.endedAt + this.#options.deadMs
    return record.definition.keyTtlMs > 0 ? last.endedAt + record.definition.keyTtlMs : NEVER
  }

  #move(run: LiveRun, to: RunState): void {
    checkMove(run.state, to)
    run.state = to
  }

  /** Journals of attempts that run that they do, if that has not been done. */
  writeRunning(started: readonly LiveRun[]): void {
    for (const run of started) {
      if (run.state !== 'running' || run.journaledAttempts === run.attempt || run.record.gone) continue
      run.journaledAttempts = run.attempt
      this.#parts.store.updated(run.record, { times: true, runs: [run] })
    }
  }
}
