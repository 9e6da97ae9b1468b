/**
 * The dispatcher: hands due runs to workers that announced their handler, as far as these have credit, and follows
 * each attempt to its end. It knows nothing of tasks: what an outcome means is its host's.
 *
 * A run is in one place at a time (DueRun.place), and every run that was offered ends in exactly one call of its host:
 * outcome, timedOut or lost; or it is taken back (withdraw, abort). Fair between handlers: they take turns, so that a
 * busy one does not starve the others of a worker's window.
 */

import { invariant } from '../invariant.ts'
import type { Clock, Timer } from '../ports/clock.ts'
import { TimingWheel } from '../schedule/timing-wheel.ts'
import type { AbortReason, OutcomeMessage } from '../wire/work.ts'
import type { DispatcherHost, DueRun } from './due-run.ts'
import { RunQueue } from './run-queue.ts'
import { type Attempt, type ConnectionHost, type Credit, WorkerConnection } from './worker-connection.ts'

export interface DispatcherOptions {
  /** Most runs that wait; who offers asks for room first. More: more memory, fewer reads of the index. */
  readonly queueMax: number
  /** Payload bytes that one worker holds. */
  readonly inFlightBytesMax: number
}

/** Runs of one handler that are handed out before the next handler's turn. */
const TURN = 64

export class Dispatcher<R extends DueRun> implements ConnectionHost<R> {
  readonly #clock: Clock
  readonly #options: DispatcherOptions
  readonly runs: DispatcherHost<R>
  readonly #queues = new Map<string, RunQueue<R>>()
  /** Queues that have something, in the order of their turns. */
  #turns: RunQueue<R>[] = []
  readonly #workers: WorkerConnection<R>[] = []
  #nextWorker = 0
  /** Who holds an attempt that is not over. */
  readonly #holders = new Map<number, WorkerConnection<R>>()
  #queued = 0
  #claiming = 0
  #nextHandle = 1
  #paused = false
  readonly #deadlines: TimingWheel<{ readonly run: R; readonly handle: number }>
  /** Attempt -> its place among the deadlines. */
  readonly #deadlineOf = new Map<number, number>()
  #timer: Timer | undefined

  constructor(ports: { clock: Clock }, options: DispatcherOptions, host: DispatcherHost<R>) {
    this.#clock = ports.clock
    this.#options = options
    this.runs = host
    this.#deadlines = new TimingWheel(ports.clock.monotonic(), { capacity: 64 })
  }

  /** A new worker; it gets runs after its hello. */
  attach(): WorkerConnection<R> {
    const connection = new WorkerConnection<R>(this)
    this.#workers.push(connection)
    return connection
  }

  /** How many more runs may be offered. */
  get room(): number {
    return this.#options.queueMax - this.#queued
  }

  /** Queues a run; it goes out with the next flush() for which there is credit. */
  offer(run: R): void {
    invariant(run.place === 'idle', 'a run is offered once at a time')
    let queue = this.#queues.get(run.name)
    if (queue === undefined) {
      queue = new RunQueue<R>(run.name)
      this.#queues.set(run.name, queue)
    }
    if (queue.waiting === 0 && !this.#turns.includes(queue)) this.#turns.push(queue)
    run.place = 'queued'
    queue.push(run)
    this.#queued++
  }

  /** Takes a run back that was not sent; false if it is not waiting here. */
  withdraw(run: R): boolean {
    if (run.place === 'queued') {
      this.#queued--
      ;(this.#queues.get(run.name) as RunQueue<R>).waiting--
    } else if (run.place !== 'claiming') return false
    run.place = 'idle'
    return true
  }

  /** The attempt of a sent run is over; its worker is told, and what it answers later is a late end. */
  abort(run: R, reason: AbortReason): void {
    const worker = this.#holders.get(run.handle)
    invariant(run.place === 'sent' && worker !== undefined, 'only a sent run is aborted')
    worker.abort(run.handle, this.runs.label(run), reason)
    this.#over(run)
  }

  /** Hands out what can be handed out; called at the end of every turn. */
  flush(): void {
    if (this.#paused) return
    for (let idle = 0; this.#turns.length > 0 && idle < this.#turns.length; ) {
      const queue = this.#turns.shift() as RunQueue<R>
      const sent = queue.waiting === 0 ? 0 : this.#handOut(queue)
      if (queue.waiting === 0) continue
      this.#turns.push(queue)
      idle = sent === 0 ? idle + 1 : 0
    }
    for (const queue of this.#turns) this.#tellNoWorker(queue)
  }

  /** Hands out no more; what was sent goes on. */
  pause(): void {
    this.#paused = true
  }

  stop(): void {
    this.#paused = true
    this.#timer?.cancel()
  }

  counts(): { queued: number; running: number; withoutWorker: Array<{ name: string; waiting: number }> } {
    const withoutWorker = [...this.#queues.values()]
      .filter(queue => queue.waiting > 0 && !this.#isAnnounced(queue.name))
      .map(({ name, waiting }) => ({ name, waiting }))
    return { queued: this.#queued, running: this.#holders.size + this.#claiming, withoutWorker }
  }

  /** Runs that are with a worker. */
  runningRuns(): R[] {
    return [...this.#holders].map(([handle, worker]) => (worker.attempts.get(handle) as Attempt<R>).run)
  }

  // --- ConnectionHost

  announced(connection: WorkerConnection<R>): void {
    for (const queue of this.#queues.values()) {
      if (!queue.told || !connection.credits.has(queue.name)) continue
      queue.told = false
      this.runs.noWorker(queue.name, 0)
    }
  }

  started(run: R, handle: number, at: number): void {
    this.runs.started(run, at)
    if (run.timeoutMs <= 0) return
    this.#deadlineOf.set(handle, this.#deadlines.add(this.#clock.monotonic() + run.timeoutMs, { run, handle }))
    this.#armDeadline()
  }

  ended(attempt: Attempt<R>, outcome: OutcomeMessage): void {
    const { run, over } = attempt
    if (over !== undefined) {
      if (outcome.kind !== 'unstarted') this.runs.lateEnd(over, attempt.number, outcome.kind)
      return
    }
    this.#over(run)
    this.runs.outcome(run, outcome)
  }

  closed(connection: WorkerConnection<R>): void {
    const at = this.#workers.indexOf(connection)
    if (at >= 0) this.#workers.splice(at, 1)
    for (const { run, over } of connection.attempts.values()) {
      if (over !== undefined) continue
      this.#over(run)
      this.runs.lost(run)
    }
  }

  // --- handing out

  /** At most a turn's worth; returns how many. */
  #handOut(queue: RunQueue<R>): number {
    for (let sent = 0; sent < TURN; sent++) {
      const worker = this.#workerFor(queue.name)
      if (worker === undefined) return sent
      const run = queue.shift()
      if (run === undefined) return sent
      this.#queued--
      this.#send(worker, worker.credits.get(queue.name) as Credit, run)
    }
    return TURN
  }

  /** A worker with credit for this handler; they take turns. */
  #workerFor(name: string): WorkerConnection<R> | undefined {
    const count = this.#workers.length
    for (let i = 0; i < count; i++) {
      const at = (this.#nextWorker + i) % count
      const worker = this.#workers[at] as WorkerConnection<R>
      const credit = worker.credits.get(name)
      if (credit === undefined || credit.used >= credit.window || worker.room <= 0) continue
      if (worker.inFlightBytes >= this.#options.inFlightBytesMax) continue
      this.#nextWorker = (at + 1) % count
      return worker
    }
    return undefined
  }

  #send(worker: WorkerConnection<R>, credit: Credit, run: R): void {
    worker.reserve(credit)
    if (!run.strict) return this.#start(worker, credit, run)
    run.place = 'claiming'
    this.#claiming++
    this.runs.claim(run, go => {
      this.#claiming--
      // Meanwhile the run may have been taken back, and the worker may have gone.
      const wanted = run.place === 'claiming'
      if (wanted && go && this.#workers.includes(worker)) return this.#start(worker, credit, run)
      worker.unreserve(credit)
      if (!wanted) return
      run.place = 'idle'
      if (go) this.runs.lost(run)
    })
  }

  #start(worker: WorkerConnection<R>, credit: Credit, run: R): void {
    const handle = this.#nextHandle++
    run.place = 'sent'
    run.handle = handle
    this.#holders.set(handle, worker)
    this.runs.starting(run)
    worker.start(handle, run, credit)
  }

  #over(run: R): void {
    this.#holders.delete(run.handle)
    const deadline = this.#deadlineOf.size === 0 ? undefined : this.#deadlineOf.get(run.handle)
    if (deadline !== undefined) {
      this.#deadlines.cancel(deadline)
      this.#deadlineOf.delete(run.handle)
    }
    run.place = 'idle'
    run.handle = 0
  }

  #isAnnounced(name: string): boolean {
    return this.#workers.some(worker => worker.credits.has(name))
  }

  #tellNoWorker(queue: RunQueue<R>): void {
    if (queue.told || queue.waiting === 0 || this.#isAnnounced(queue.name)) return
    queue.told = true
    this.runs.noWorker(queue.name, queue.waiting)
  }

  // --- timeouts

  #armDeadline(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    const at = this.#deadlines.nextDue()
    if (!Number.isFinite(at)) return
    this.#timer = this.#clock.setTimer(Math.min(60_000, at - this.#clock.monotonic()), () => this.#expire())
  }

  #expire(): void {
    const due: Array<{ readonly run: R; readonly handle: number }> = []
    this.#deadlines.advance(this.#clock.monotonic(), due, Number.POSITIVE_INFINITY)
    for (const { run, handle } of due) {
      this.#deadlineOf.delete(handle)
      this.abort(run, 'timeout')
      this.runs.timedOut(run)
    }
    this.#armDeadline()
  }
}
