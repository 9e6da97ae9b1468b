/**
 * The dispatcher: hands due runs to workers that announced their handler, as far as these have credit, and follows
 * each attempt to its end. It knows nothing of tasks: what an outcome means is its host's.
 *
 * A run is in one place at a time (DueRun.place), and every run that was offered ends in exactly one call of its host:
 * outcome, timedOut or lost, or its claim is refused; or it is taken back (withdraw, abort). Fair between handlers:
 * they take turns, so that a busy one does not starve the others of a worker's window. Workers take turns as well, but
 * far ones, which are other engines, only get what no near one has room for; guests, which came from another engine,
 * they never get.
 *
 * A timeout runs from the start of the handler. An attempt that waits in its worker, as the handler's thread is busy,
 * has not started, and has no timeout.
 */

import { invariant } from '../invariant.ts'
import { Deque } from '../lib/bounded-queue.ts'
import type { Clock, Timer } from '../ports/clock.ts'
import { TimingWheel } from '../schedule/timing-wheel.ts'
import { type AbortReason, bareOutcome, type OutcomeMessage } from '../wire/work.ts'
import type { DispatcherHost, DueRun } from './due-run.ts'
import { RunQueue } from './run-queue.ts'
import { type Attempt, type ConnectionHost, type Credit, WorkerConnection } from './worker-connection.ts'
import { type NearLoad, Workers } from './workers.ts'

export interface DispatcherOptions {
  /** Most runs that wait; who offers asks for room first. More: more memory, fewer reads of the index. */
  readonly queueMax: number
  /** Payload bytes that one worker holds; it may be exceeded by one payload. */
  readonly inFlightBytesMax: number
}

/** What those who own runs ask of a dispatcher that also has other runs. */
export type Desk<R extends DueRun> = Pick<Dispatcher<R>, 'roomFor' | 'offer' | 'withdraw' | 'abort'>

/** Most runs of one handler that are handed out before the next handler's turn. */
const TURN_MAX = 64

export class Dispatcher<R extends DueRun> implements ConnectionHost<R> {
  readonly #clock: Clock
  readonly #options: DispatcherOptions
  readonly runs: DispatcherHost<R>
  /** By handler: those where runs wait, and those that a worker announced and that have been used. */
  readonly #queues = new Map<string, RunQueue<R>>()
  /** Queues that have something, in the order of their turns; without those that nobody announced. */
  readonly #turns = new Deque<RunQueue<R>>()
  readonly #workers: Workers<R>
  #nearVersion = 0
  #loadVersion = 0
  #queuedCount = 0
  #claimingCount = 0
  #sentCount = 0
  /** Queued runs whose claim is synced: their worker went away before they were sent. */
  readonly #claimed = new Set<R>()
  #nextHandle = 1
  #paused = false
  #stopped = false
  readonly #deadlines: TimingWheel<Attempt<R>>
  #timer: Timer | undefined
  /** When the timer fires, on the monotonic clock. */
  #timerAt = Number.POSITIVE_INFINITY

  constructor(ports: { clock: Clock }, options: DispatcherOptions, host: DispatcherHost<R>) {
    this.#clock = ports.clock
    this.#options = options
    this.runs = host
    this.#workers = new Workers<R>(options.inFlightBytesMax)
    this.#deadlines = new TimingWheel(ports.clock.monotonic(), { capacity: 64 })
  }

  /** A new worker; it gets runs after its hello. */
  attach({ far = false }: { readonly far?: boolean | undefined } = {}): WorkerConnection<R> {
    const connection = new WorkerConnection<R>(this, far)
    this.#workers.add(connection)
    return connection
  }

  /**
   * How many more runs of a handler may be offered: as many may wait as there is room left for the others. So one whose
   * worker is away takes half of the queue at most, two take a third each, and the rest goes on.
   */
  roomFor(name: string): number {
    const free = this.#options.queueMax - this.#queuedCount
    return Math.max(0, free - this.waiting(name))
  }

  /** Queues a run; it goes out with the next flush() for which there is credit. */
  offer(run: R): void {
    invariant(run.place === 'idle', 'a run is offered once at a time')
    run.handle = this.#nextHandle++
    const queue = this.#enqueue(run)
    queue.push(run)
  }

  /** Takes a run back that was not sent; false if it is not waiting here. */
  withdraw(run: R): boolean {
    if (run.place !== 'queued' && run.place !== 'claiming') return false
    const { queue } = run
    // What a claim had reserved comes back when it is answered.
    this.#letGo(run)
    if (queue === undefined) return true
    this.#queuedCount--
    this.#loadVersion++
    this.#claimed.delete(run)
    queue.withdraw(run)
    if (queue.waiting === 0 && queue.told) this.#queues.delete(queue.name)
    return true
  }

  /**
   * The attempt of a sent run is over; its worker is told, and what it answers later is a late end. False: its worker had
   * not got it yet, and never does.
   */
  abort(run: R, reason: AbortReason): boolean {
    invariant(run.place === 'sent', 'only a sent run is aborted')
    const holder = this.#workers.holderOf(run.handle)
    const attempt = holder?.attempts.get(run.handle)
    invariant(holder !== undefined && attempt !== undefined, 'a sent run is with a worker')
    const isWithWorker = holder.abort(attempt, this.runs.label(run), reason)
    this.#over(attempt)
    return isWithWorker
  }

  /** Hands out what can be handed out; called at the end of every turn. */
  flush(): void {
    if (this.#paused || this.#turns.length === 0) return
    const turn = this.#turnLength()
    // It ends when all that are left have had a turn in a row without effect.
    for (let idle = 0; idle < this.#turns.length; ) {
      const queue = this.#turns.shift() as RunQueue<R>
      const count = this.#handOut(queue, turn)
      if (count > 0) idle = 0
      if (queue.waiting > 0 && (count > 0 || this.#isAnnounced(queue.name))) {
        this.#turns.push(queue)
        if (count === 0) idle++
      } else this.#leaveTurns(queue)
    }
  }

  /** Hands out no more; what was sent, or is being claimed, goes on. */
  pause(): void {
    this.#paused = true
  }

  stop(): void {
    this.#paused = true
    this.#stopped = true
    this.#timer?.cancel()
    this.#timer = undefined
  }

  counts(): { queued: number; running: number; withoutWorker: Array<{ name: string; waiting: number }> } {
    const withoutWorker = [...this.#queues.values()]
      .filter(queue => queue.waiting > 0 && !this.#isAnnounced(queue.name))
      .map(({ name, waiting }) => ({ name, waiting }))
    return { queued: this.#queuedCount, running: this.#sentCount + this.#claimingCount, withoutWorker }
  }

  /** Handlers that somebody runs, near or far, in the order of their names. */
  handlerNames(): string[] {
    return this.#workers.handlerNames()
  }

  /** Runs that are with a worker. */
  runningRuns(): R[] {
    const runs: R[] = []
    for (const { attempts } of this.#workers) {
      for (const { run, over } of attempts.values()) if (over === undefined) runs.push(run)
    }
    return runs
  }

  /** Grows when a near worker says hello or leaves: the handlers of nearLoads() may be others. */
  get nearVersion(): number {
    return this.#nearVersion
  }

  /** Grows whenever workers have more or less, or something more or less waits: only then can windows be others. */
  get loadVersion(): number {
    return this.#loadVersion
  }

  /** How many more attempts near workers take, all handlers together. */
  get nearRoom(): number {
    return this.#workers.nearRoom
  }

  nearLoads(): ReadonlyMap<string, NearLoad> {
    return this.#workers.nearLoads()
  }

  runsNear(name: string): boolean {
    return this.#workers.runNear(name)
  }

  /** Runs of a handler that wait for a worker. */
  waiting(name: string): number {
    return this.#queues.get(name)?.waiting ?? 0
  }

  // --- ConnectionHost

  loaded(): void {
    this.#loadVersion++
  }

  announced(connection: WorkerConnection<R>): void {
    if (!connection.isFar) this.#nearVersion++
    for (const name of connection.credits.keys()) {
      const queue = this.#queues.get(name)
      if (queue === undefined) continue
      if (!connection.runs(name)) this.#announcedNoMore(queue)
      else if (queue.told) {
        queue.told = false
        this.#joinTurns(queue)
        this.runs.noWorker(name, 0)
      }
    }
  }

  started(attempt: Attempt<R>, at: number): void {
    this.runs.started(attempt.run, at)
    if (attempt.timeoutMs <= 0) return
    const due = this.#clock.monotonic() + attempt.timeoutMs
    attempt.deadline = this.#deadlines.add(due, attempt)
    if (due < this.#timerAt) this.#setTimer(due)
  }

  ended(attempt: Attempt<R>, outcome: OutcomeMessage): void {
    const { run, over } = attempt
    if (over !== undefined) return this.runs.lateEnd(run, over, attempt.number, outcome)
    this.#over(attempt)
    if (outcome.kind === 'lost') this.runs.lost(run)
    else this.runs.outcome(run, outcome)
  }

  closed(connection: WorkerConnection<R>): void {
    // What the host does about one attempt may end another (abort), so the worker stays known until all are over.
    for (const attempt of connection.attempts.values()) {
      if (attempt.over !== undefined) {
        this.runs.lateEnd(attempt.run, attempt.over, attempt.number, undefined)
        continue
      }
      attempt.over = ''
      if (attempt.isSent) {
        this.#over(attempt)
        this.runs.lost(attempt.run)
      } else this.#unsent(attempt)
    }
    if (!connection.isFar) this.#nearVersion++
    this.#workers.remove(connection)
    for (const name of connection.credits.keys()) {
      const queue = this.#queues.get(name)
      if (queue !== undefined) this.#announcedNoMore(queue)
    }
  }

  // --- queues

  #enqueue(run: R): RunQueue<R> {
    let queue = this.#queues.get(run.name)
    if (queue === undefined) {
      queue = new RunQueue<R>(run.name)
      this.#queues.set(run.name, queue)
    }
    run.place = 'queued'
    run.queue = queue
    this.#queuedCount++
    this.#loadVersion++
    if (!queue.told) this.#joinTurns(queue)
    return queue
  }

  /** A run whose claim was not used goes first again, and needs no other. */
  #putBack(run: R): void {
    this.#claimed.add(run)
    this.#enqueue(run).unshift(run)
  }

  #letGo(run: R): void {
    run.place = 'idle'
    run.handle = 0
    run.queue = undefined
  }

  #joinTurns(queue: RunQueue<R>): void {
    if (queue.inTurns) return
    queue.inTurns = true
    this.#turns.push(queue)
  }

  /** One worker fewer runs its handler. What is in turns finds out when its turn comes. */
  #announcedNoMore(queue: RunQueue<R>): void {
    if (!queue.inTurns && !queue.told) this.#leaveTurns(queue)
  }

  /** The queue is empty, or nobody announced its handler. */
  #leaveTurns(queue: RunQueue<R>): void {
    queue.inTurns = false
    if (this.#isAnnounced(queue.name)) return
    if (queue.waiting === 0) {
      this.#queues.delete(queue.name)
      return
    }
    queue.told = true
    this.runs.noWorker(queue.name, queue.waiting)
  }

  #isAnnounced(name: string): boolean {
    return this.#workers.run(name)
  }

  // --- handing out

  /** How many runs of a handler go out in one turn: where room is short, each handler gets its part of it. */
  #turnLength(): number {
    return Math.min(TURN_MAX, Math.max(1, Math.floor(this.#workers.room / this.#turns.length)))
  }

  /** At most a turn's worth; returns how many. */
  #handOut(queue: RunQueue<R>, turn: number): number {
    for (let count = 0; count < turn; count++) {
      if (queue.waiting === 0) return count
      const near = this.#workers.nearCredit(queue.name)
      if (near !== undefined) {
        this.#send(near, queue.shift() as R)
        continue
      }
      const far = queue.ownWaiting > 0 ? this.#workers.farCredit(queue.name) : undefined
      if (far === undefined) return count
      this.#send(far, queue.shiftOwn() as R)
    }
    return turn
  }

  #send(credit: Credit<R>, run: R): void {
    const { payloadBytes } = run
    this.#queuedCount--
    run.queue = undefined
    credit.worker.reserve(credit, payloadBytes)
    if (!run.strict || this.#claimed.delete(run)) this.#start(credit, run, payloadBytes)
    else this.#claim(credit, run, payloadBytes)
  }

  #claim(credit: Credit<R>, run: R, payloadBytes: number): void {
    const { handle } = run
    const { worker } = credit
    let isAnswered = false
    run.place = 'claiming'
    this.#claimingCount++
    this.runs.claim(run, go => {
      invariant(!isAnswered, 'a claim is answered once')
      isAnswered = true
      this.#claimingCount--
      // Meanwhile the run may have been taken back, and even offered again; and the worker may have gone.
      const isWanted = run.handle === handle
      if (isWanted && go && worker.isOpen) return this.#start(credit, run, payloadBytes)
      worker.unreserve(credit, payloadBytes)
      if (!isWanted) return
      if (go) this.#putBack(run)
      else this.#letGo(run)
    })
  }

  #start(credit: Credit<R>, run: R, payloadBytes: number): void {
    run.place = 'sent'
    this.#sentCount++
    this.runs.starting(run)
    credit.worker.start(run, credit, payloadBytes)
  }

  // --- ends

  #over(attempt: Attempt<R>): void {
    this.#sentCount--
    if (attempt.deadline !== 0) this.#deadlines.cancel(attempt.deadline)
    this.#letGo(attempt.run)
  }

  /** Its worker went away and never got it. */
  #unsent(attempt: Attempt<R>): void {
    const { run, handle } = attempt
    if (run.strict) {
      this.#sentCount--
      this.#putBack(run)
      return
    }
    this.#over(attempt)
    this.runs.outcome(run, bareOutcome(handle, 'unstarted'))
  }

  // --- timeouts

  #setTimer(at: number): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#timerAt = at
    if (this.#stopped || at === Number.POSITIVE_INFINITY) return
    this.#timer = this.#clock.setTimer(at - this.#clock.monotonic(), () => this.#expire())
  }

  #expire(): void {
    const due: Array<Attempt<R>> = []
    this.#deadlines.advance(this.#clock.monotonic(), due, Number.POSITIVE_INFINITY)
    for (const attempt of due) {
      // What the host did about one of them may have ended another.
      if (attempt.over !== undefined) continue
      const { run } = attempt
      this.abort(run, 'timeout')
      this.runs.timedOut(run)
    }
    this.#setTimer(this.#deadlines.nextDue())
  }
}
