/**
 * The engine: the rooms put together over ports. It decides nothing about tasks; it gives each room its parts, ends
 * every turn (commit, hand out, send), takes work in only while there is space, and stops in an orderly way, on request
 * or because something failed. The same engine runs in its own thread, and N times in the simulator.
 *
 * A turn is what one event does: a frame, a timer, a finished write. At its end what it produced goes out together:
 * one commit, one frame per client. That batching is most of the speed.
 */

import { DEFAULT_OPTIONS, type EngineOptions } from './config.ts'
import type { EnginePorts } from './engine-ports.ts'
import { CarillonError, isCarillonError } from './errors.ts'
import { GuardedClock } from './guarded-clock.ts'
import { Mesh } from './mesh/mesh.ts'
import type { WorkerChannel } from './ports/worker-channel.ts'
import { Scheduler } from './schedule/scheduler.ts'
import { type Started, TaskStore } from './store/task-store.ts'
import type { StatusView } from './task/views.ts'
import type { EngineEvent } from './wire/calls.ts'
import { wireError } from './wire/frame.ts'
import { Audience } from './work/audience.ts'
import { Calls } from './work/calls.ts'
import { Creation } from './work/creation.ts'
import { Dispatcher } from './work/dispatcher.ts'
import { Duty } from './work/duty.ts'
import { FrontDesk } from './work/front-desk.ts'
import { Guests } from './work/guests.ts'
import { Lifecycle } from './work/lifecycle.ts'
import { LiveRun } from './work/live-run.ts'
import { Alone, type Ownership } from './work/ownership.ts'
import { Residency } from './work/residency.ts'
import { type AnyRun, RunHost } from './work/run-host.ts'
import { Session, type SessionOptions } from './work/session.ts'
import { SpaceWatch } from './work/space.ts'
import { TaskOrder } from './work/task-order.ts'

/** How long a node that stops waits for others to take over, ms. */
const HAND_OVER_MS = 3000
/** So long the others have to confirm what was written here, before it goes, ms. */
const KEEP_MS = 5000

export interface AttachOptions extends SessionOptions {
  /** At the other end is the engine of another node. */
  readonly engine?: boolean | undefined
}

export class Engine {
  readonly options: EngineOptions
  /** Resolves after stop(); rejects if the engine dies. Never unhandled. */
  readonly stopped: Promise<void>
  readonly #ports: EnginePorts
  readonly #clock: GuardedClock
  readonly #store: TaskStore<LiveRun>
  readonly #scheduler: Scheduler<LiveRun>
  readonly #residency: Residency
  readonly #duty: Duty
  readonly #alone: Ownership
  #mesh: Mesh | undefined
  readonly #dispatcher: Dispatcher<AnyRun>
  readonly #runs: RunHost
  /** Runs of other engines' tasks, and the links that they come over. */
  readonly guests: Guests
  readonly #lifecycle: Lifecycle
  readonly #creation: Creation
  readonly #calls: Calls
  readonly #desk: FrontDesk
  readonly #audience = new Audience()
  #resolve!: () => void
  #reject!: (error: CarillonError) => void
  #state: 'new' | 'running' | 'closing' | 'stopped' = 'new'
  #stopping: Promise<void> | undefined
  #turning = false
  #turnAt = 0
  #hlc = 0
  #startedAt = 0
  readonly #space: SpaceWatch
  #housekeepingAt = 0

  constructor(ports: EnginePorts, options: Partial<EngineOptions> = {}) {
    this.options = { ...DEFAULT_OPTIONS, ...options }
    this.#ports = ports
    const clock = new GuardedClock(
      ports.clock,
      error => this.failed(error),
      () => this.stir(),
    )
    this.#clock = clock
    this.stopped = new Promise<void>((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.stopped.catch(() => undefined)
    const { options: all } = this
    const storeOptions = { ...all.store, replicated: ports.network !== undefined }
    this.#store = new TaskStore<LiveRun>({ store: ports.store, clock, random: ports.random }, storeOptions, {
      makeRun: (record, instant, manual) => new LiveRun(record, instant, manual),
      holds: record => this.#residency.holds(record),
      evicted: record => this.#residency.evicted(record),
      evictedDead: taskId => this.#evictDead(taskId),
      rangeStates: () => this.#mesh?.tasks.states() ?? [],
      dropped: (range, life) => this.#mesh?.tasks.dropped(range, life),
      full: full => this.#space.writesWait(full),
      failed: error => this.failed(error),
      stir: () => this.stir(),
    })
    this.#space = new SpaceWatch(
      all,
      () => this.#store.space(),
      event => this.#audience.emit(event),
    )
    this.#scheduler = new Scheduler<LiveRun>({ clock }, all.scheduler, {
      due: (record, at) => {
        this.#turnAt = at
        this.#lifecycle.settle(record)
      },
      slept: now => this.#slept(now),
      clockJumped: byMs => this.#audience.emit({ type: 'clock-jump', byMs }),
    })
    const now = (): number => this.#now()
    this.#residency = new Residency(
      {
        horizon: all.horizon,
        backlogMax: all.backlogMax,
        queueMax: all.dispatcher.queueMax,
        overdueMs: all.mesh.tasks.replication.overdueMs,
      },
      {
        store: this.#store,
        clock,
        scheduler: this.#scheduler,
        dispatcher: () => this.#dispatcher,
        lifecycle: () => this.#lifecycle,
        acts: range => this.#ownership.acts(range),
        stir: () => this.stir(),
        failed: error => this.failed(error),
      },
    )
    this.#alone = new Alone(callback => this.#store.afterSync(callback))
    const ownership = (): Ownership => this.#ownership
    const rearm = this.#residency.rearm.bind(this.#residency)
    this.#lifecycle = new Lifecycle(all.lifecycle, {
      store: this.#store,
      clock,
      random: ports.random,
      now,
      rearm,
      defer: record => this.#residency.defer(record),
      emit: event => this.#audience.emit(event),
      wantsRunEvents: () => this.#audience.wantsRunEvents,
      ended: (record, run) => this.#calls.ended(record, run),
      log: (run, json) => this.#calls.log(run, json),
      followUp: (definition, range) => this.#creation.followUp(definition, range),
      handOn: (record, followUps) => ownership().handOn(record, followUps),
      followUpRefusal: definitions => this.#creation.followUpRefusal(definitions),
      acts: range => this.#ownership.acts(range),
      passedBy: record => this.#duty.passedBy(record),
      isElsewhere: run => this.#duty.isElsewhere(run),
    })
    this.guests = new Guests(all.guests, {
      clock,
      dispatcher: () => this.#dispatcher,
      worker: () => `${this.#store.identity.meta.store}/${this.#store.identity.meta.boot}`,
      stir: () => this.stir(),
    })
    this.#runs = new RunHost(this.#lifecycle, this.guests)
    this.#dispatcher = new Dispatcher<AnyRun>({ clock }, all.dispatcher, this.#runs)
    this.#lifecycle.dispatcher = this.#dispatcher
    const order = new TaskOrder()
    this.#creation = new Creation({
      store: this.#store,
      lifecycle: this.#lifecycle,
      order,
      hlc: () => this.#nextHlc(),
      now,
      refusal: () => this.#refusal(),
      ownership,
    })
    this.#duty = new Duty({
      store: this.#store,
      lifecycle: this.#lifecycle,
      dispatcher: this.#dispatcher,
      running: () => this.#dispatcher.runningRuns().filter(run => !run.isGuest),
      residency: this.#residency,
      ownership,
      now,
      endedElsewhere: (record, run) => this.#calls.endedElsewhere(record, run),
      forgotten: (record, run) => this.#calls.forgotten(record, run),
      stir: () => this.stir(),
    })
    this.#calls = new Calls(all.calls, {
      store: this.#store,
      lifecycle: this.#lifecycle,
      order,
      now,
      hlc: () => this.#nextHlc(),
      refusal: () => this.#refusal(),
      rearm,
      status: () => this.#status(),
      wallNow: () => this.#clock.now(),
      addresses: () => this.#mesh?.addresses() ?? [],
      token: ttlMs => this.#ports.makeToken?.(ttlMs),
      mesh: () => this.#mesh,
      close: graceMs => this.#close(graceMs),
      ownership,
      emit: event => this.#audience.emit(event),
      wantsRunEvents: () => this.#audience.wantsRunEvents,
      stir: () => this.stir(),
    })
    this.#desk = new FrontDesk({
      store: this.#store,
      creation: this.#creation,
      calls: this.#calls,
      audience: this.#audience,
      ownership,
      forwarding: () => this.#mesh?.routing,
      stir: () => this.stir(),
      failed: error => this.failed(error),
    })
  }

  /** Replays the store, and begins to fire. */
  async start(): Promise<void> {
    const from = this.#clock.monotonic()
    this.#startedAt = this.#clock.now()
    const started = await this.#store.start()
    this.#residency.prepare(this.#store.identity.meta.ranges)
    // Before anything is journaled: peers compare how far the journal was when this boot began.
    await this.#join(started)
    this.#state = 'running'
    for (const taskId of started.evictedDead) this.#evictDead(taskId)
    await this.#space.look()
    await this.#residency.start()
    const startMs = this.#clock.monotonic() - from
    this.#audience.emit({
      type: 'started',
      replayed: started.replayedChanges,
      startMs,
      durable: this.#ports.store.durable,
    })
    this.stir()
  }

  /** Undefined: the node is alone, or has not started. */
  get mesh(): Mesh | undefined {
    return this.#mesh
  }

  /**
   * When the first task in memory is due, epoch ms of this engine's clock; Infinity if none is. What lies beyond the horizon
   * is not in it.
   */
  get nextDueAt(): number {
    return this.#scheduler.nextDueAt
  }

  get #ownership(): Ownership {
    return this.#mesh?.tasks ?? this.#alone
  }

  /**
   * Takes a client on: calls, and runs of the handlers that it announces. Another engine gets the runs for which no near one
   * has room, and what it asks is answered here.
   */
  attach(channel: WorkerChannel, { engine, ...options }: AttachOptions = {}): void {
    const connection = this.#dispatcher.attach({ far: engine })
    const session = new Session(channel, connection, this.#desk, { direct: engine, ...options })
    this.#audience.add(session)
    session.start()
  }

  /** Takes no more work, lets running attempts end for `graceMs`, aborts the rest, syncs, and closes. Safe to call twice. */
  stop(graceMs: number): Promise<void> {
    this.#stopping ??= this.#stop(graceMs)
    return this.#stopping
  }

  /** Something that its clients may want to know. */
  tell(event: EngineEvent): void {
    this.#audience.emit(event)
    this.stir()
  }

  /** Has the turn ended, once, after the event at hand. */
  stir(): void {
    if (this.#turning || this.#state === 'stopped') return
    this.#turning = true
    queueMicrotask(() => this.#endTurn())
  }

  /** Something that must not happen, or a disk that failed: the engine ends. The process lives on. */
  failed(error: unknown): void {
    if (this.#state === 'stopped') return
    this.#state = 'stopped'
    const why = error instanceof Error ? error.message : String(error)
    const code = isCarillonError(error) ? error.code : 'ENGINE_STOPPED'
    const known = isCarillonError(error) ? error : new CarillonError(code, why, { cause: error })
    this.#audience.close({ type: 'stopped', error: wireError(known) })
    this.#quit()
    this.#mesh?.stop().catch(() => undefined)
    this.#ports.store.close().catch(() => undefined)
    this.#reject(known)
  }

  // --- turns

  /** The same instant for all of a turn: to read the clock costs more than most of what is done with it. */
  #now(): number {
    if (this.#turnAt === 0) {
      this.#turnAt = this.#scheduler.wall.now()
      this.stir()
    }
    return this.#turnAt
  }

  #endTurn(): void {
    this.#turning = false
    this.#turnAt = 0
    if (this.#state === 'stopped') return
    const from = this.#clock.monotonic()
    try {
      this.#store.flush()
      this.#desk.tellHeldBack()
      this.#duty.takeUp()
      this.#residency.takeBacklog()
      this.guests.settle()
      this.#dispatcher.flush()
      this.guests.flush()
      this.#mesh?.routing.flush()
      this.#audience.flush()
      this.#mesh?.tasks.flush()
      this.#store.flush()
    } catch (error) {
      this.failed(error)
    }
    this.#scheduler.worked(from)
  }

  #slept(now: number): void {
    this.#residency.takeBacklog()
    this.#residency.advance(now)
    if (now - this.#housekeepingAt >= this.options.housekeepingMs || now < this.#housekeepingAt) {
      this.#housekeepingAt = now
      this.#store.history.sweep(now)
      this.#store.journal.closeIdle()
      this.#space.look().catch((error: unknown) => this.failed(error))
    }
  }

  #evictDead(taskId: string): void {
    this.#store
      .load([taskId])
      .then(([record]) => {
        if (record !== undefined) this.#lifecycle.dropDead(record)
        this.stir()
      })
      .catch((error: unknown) => this.failed(error))
  }

  // --- the mesh

  async #join(started: Started): Promise<void> {
    const { random, network, observer } = this.#ports
    if (network === undefined) return
    this.#mesh = new Mesh({ clock: this.#clock, random, network, observer }, this.options.mesh, {
      store: this.#store,
      duty: this.#duty,
      creation: this.#creation,
      desk: this.#desk,
      calls: this.#calls,
      guests: this.guests,
      started,
      durable: this.#ports.store.durable,
      attach: (_node, kind, channel) => this.attach(channel, { far: true, engine: kind === 'node' }),
      pause: () => this.#pause(),
      running: () => this.#dispatcher.counts().running,
      emit: event => this.#audience.emit(event),
      stir: () => this.stir(),
      failed: error => this.failed(error),
    })
    await this.#mesh.start()
  }

  // --- state

  #nextHlc(): number {
    this.#hlc = Math.max(this.#hlc + 1, this.#clock.now() * 1000)
    return this.#hlc
  }

  #refusal(): CarillonError | undefined {
    if (this.#state !== 'running')
      return new CarillonError('CLOSED', 'the node is closing: it takes no more work')
    return this.#space.refusal
  }

  #status(): StatusView {
    const { meta } = this.#store.identity
    const { queued, running, withoutWorker } = this.#dispatcher.counts()
    const { lateness } = this.#lifecycle
    return {
      store: meta.store,
      boot: meta.boot,
      startedAt: this.#startedAt,
      now: this.#clock.now(),
      durable: this.#ports.store.durable,
      durability: this.options.store.journal.durability,
      takesWork: this.#refusal() === undefined,
      tasks: {
        inMemory: this.#store.size,
        armed: this.#scheduler.armed,
        dead: this.#store.history.deadCount,
      },
      runs: { queued: queued + this.#residency.waiting, running },
      counters: { ...this.#lifecycle.counters, commits: this.#store.journal.commits },
      latenessMs: { p50: lateness.percentile(50), p99: lateness.percentile(99), max: lateness.max },
      wakeUps: this.#scheduler.wakeUps,
      handlers: this.#dispatcher.handlerNames(),
      withoutWorker,
      journalBytes: this.#store.journal.bytes,
      freeBytes: this.#space.freeBytes,
      mesh: this.#mesh?.status() ?? null,
    }
  }

  // --- the end

  async #stop(graceMs: number): Promise<void> {
    if (this.#state === 'stopped' || this.#state === 'new') return
    await this.#beforeClose(graceMs)
    this.#audience.close({ type: 'stopped', error: null })
    this.#store.stopWaiting()
    await this.#mesh?.stop()
    await this.#residency.stop()
    await this.#store.stop()
    this.#state = 'stopped'
    this.#quit()
    this.#resolve()
  }

  /** A client asked for the end: it is answered before the channel closes. */
  async #close(graceMs: number): Promise<void> {
    await this.#beforeClose(graceMs)
    this.#clock.defer(() => void this.stop(graceMs))
  }

  /** Everything that has to be on the disk is, when this resolves. */
  async #beforeClose(graceMs: number): Promise<void> {
    if (this.#state !== 'running') return
    this.#state = 'closing'
    this.#pause()
    // The others go on at once. What runs here ends here all the same.
    await this.#mesh?.tasks.handOver(HAND_OVER_MS)
    this.#scheduler.stop()
    const until = this.#clock.monotonic() + graceMs
    while (this.#dispatcher.counts().running > 0 && this.#clock.monotonic() < until)
      await this.#sleep(Math.min(20, graceMs))
    for (const run of [...this.#dispatcher.runningRuns()]) {
      this.#dispatcher.abort(run, 'closing')
      this.#runs.lost(run)
    }
    this.stir()
    await this.#sleep(0)
    if (this.#store.isFull) return
    await this.#store.journal.drain()
    // An end that is here only would be run again by whoever acts.
    await this.#mesh?.tasks.keep(KEEP_MS)
  }

  /** Nothing is started from here on; what runs goes on. */
  #pause(): void {
    this.#dispatcher.pause()
    this.guests.close()
  }

  #sleep(ms: number): Promise<void> {
    return new Promise<void>(resolve => this.#clock.setTimer(ms, resolve))
  }

  #quit(): void {
    this.#clock.stop()
    this.#scheduler.stop()
    this.#lifecycle.stop()
    this.#dispatcher.stop()
    this.guests.stop()
  }
}
