/**
 * The side of a simulated user that runs handlers: what it was sent and has not started, what runs, and how each ends,
 * as the task's conduct has it. It checks that the engine keeps to the windows that were announced.
 */

import type { ByteWriter } from '../src/lib/bytes.ts'
import type { Random } from '../src/ports/random.ts'
import { runIdOf } from '../src/task/ids.ts'
import { DEFAULT_POLICY } from '../src/task/policy.ts'
import { MESSAGE } from '../src/wire/frame.ts'
import { ABORT_REASONS, type OutcomeKind, type RunMessage, writeOutcome } from '../src/wire/work.ts'
import type { Attempt, Op, Spec, Story } from './history.ts'
import type { SimulatedProcess } from './process.ts'
import type { Trace } from './trace.ts'

/** What a worker tells, and what it goes by. */
export interface WorkerHistory {
  /** From here on handlers do not fail. */
  readonly healedAt: number
  /** The life of the engine at hand. */
  readonly boot: { readonly number: number } | undefined
  story(id: string): Story
  count(what: string): void
  fault(text: string): void
}

export interface WorkerPorts {
  /** That of its machine. */
  readonly clock: { now(): number; monotonic(): number }
  readonly random: Random
  readonly history: WorkerHistory
  readonly trace: Trace
}

export interface WorkerOptions {
  readonly number: number
  readonly handlers: ReadonlyArray<{
    readonly name: string
    readonly window: number
    readonly concurrency: number
  }>
  readonly window: number
}

/** The client whose handlers these are. */
export interface WorkerHost {
  /** What goes to the engine, once `stir` was called. */
  readonly out: ByteWriter
  /** The process at hand: each life of a client has its own. */
  process(): SimulatedProcess
  stir(): void
  /** The definition of a task that a completed run makes, under the client's next number. */
  /** The one of that index which the run asks for. */
  followUp(id: string, spec: Spec, runId: string, index: number): Uint8Array
}

interface Started {
  readonly run: RunMessage
  readonly attempt: Attempt
  finish: (() => void) | undefined
}

export class SimulatedWorker {
  readonly #clock: WorkerPorts['clock']
  readonly #random: Random
  readonly #history: WorkerHistory
  readonly #trace: Trace
  readonly #options: WorkerOptions
  readonly #host: WorkerHost
  readonly #queued: RunMessage[] = []
  readonly #running = new Map<number, Started>()

  constructor(ports: WorkerPorts, options: WorkerOptions, host: WorkerHost) {
    this.#clock = ports.clock
    this.#random = ports.random
    this.#history = ports.history
    this.#trace = ports.trace
    this.#options = options
    this.#host = host
  }

  /** Attempts that were sent and have not been answered. */
  get size(): number {
    return this.#running.size + this.#queued.length
  }

  /** Its process is gone, and the handlers with it. */
  die(): void {
    for (const { attempt } of this.#running.values()) {
      if (attempt.end === undefined) this.#end(attempt, 'killed')
    }
    this.#running.clear()
  }

  /** Handlers that run go on, but nobody hears of their end; their handles mean nothing to the next engine. */
  disconnected(): void {
    this.#queued.length = 0
    const orphans = [...this.#running.values()]
    this.#running.clear()
    for (const started of orphans) {
      started.attempt.abortedAt ??= this.#clock.monotonic()
      started.attempt.abortReason ??= 'disconnected'
      started.finish?.()
    }
  }

  /** A run came in. */
  run(message: RunMessage): void {
    const run = copied(message)
    const name = this.#options.handlers[run.handler]?.name
    if (name === undefined)
      return this.#history.fault(`a run of handler ${run.handler}, which was not announced`)
    if (this.#queued.some(each => each.handle === run.handle) || this.#running.has(run.handle)) {
      return this.#history.fault(`handle ${run.handle} was sent twice`)
    }
    this.#queued.push(run)
    const unanswered = this.#queued.length + this.#running.size
    if (unanswered > this.#options.window) {
      this.#history.fault(
        `client ${this.#options.number} has ${unanswered} attempts, its window is ${this.#options.window}`,
      )
    }
    const { window } = this.#options.handlers[run.handler] as { window: number }
    const ofHandler =
      this.#queued.filter(each => each.handler === run.handler).length + this.#runningOf(run.handler)
    if (ofHandler > window) this.#history.fault(`${ofHandler} attempts of ${name}, its window is ${window}`)
    this.#startQueued()
  }

  #runningOf(handler: number): number {
    let count = 0
    for (const { run } of this.#running.values()) if (run.handler === handler) count++
    return count
  }

  #startQueued(): void {
    for (let i = 0; i < this.#queued.length; ) {
      const run = this.#queued[i] as RunMessage
      const { concurrency } = this.#options.handlers[run.handler] as { concurrency: number }
      if (this.#runningOf(run.handler) >= concurrency) {
        i++
        continue
      }
      this.#queued.splice(i, 1)
      this.#start(run)
    }
  }

  #start(run: RunMessage): void {
    const { name } = this.#options.handlers[run.handler] as { name: string }
    const story = this.#history.story(run.taskId)
    const runId = runIdOf(run.taskId, run.life, run.firstLife, run.scheduledAt)
    const payload = Buffer.from(run.source.subarray(run.payloadStart, run.payloadEnd)).toString()
    const { version, fault, spec } = this.#recognize(story, payload, name)
    const attempt: Attempt = {
      story,
      runId,
      life: run.life,
      firstLife: run.firstLife,
      instant: run.scheduledAt,
      attempt: run.attempt,
      fence: run.fence,
      client: this.#options.number,
      boot: this.#history.boot?.number ?? 0,
      receivedAt: this.#clock.monotonic(),
      startedAt: this.#clock.monotonic(),
      startedWall: this.#clock.now(),
      version,
      payloadFault: fault,
      endedAt: undefined,
      endedWall: undefined,
      end: undefined,
      result: undefined,
      abortedAt: undefined,
      abortReason: undefined,
    }
    story.attempts.push(attempt)
    this.#history.count('attempts')
    this.#trace.note(
      `start ${runId} attempt ${run.attempt} handle ${run.handle} on client ${this.#options.number}`,
    )
    const started: Started = { run, attempt, finish: undefined }
    this.#running.set(run.handle, started)
    if (run.wantsStarted) {
      this.#host.out.u8(MESSAGE.started)
      this.#host.out.varuint(run.handle)
      this.#host.out.f64(this.#clock.now())
      this.#host.stir()
    }
    this.#perform(started, spec)
  }

  /** Which request made this payload, and whether it is what was sent. */
  #recognize(
    story: Story,
    payload: string,
    name: string,
  ): { version: Op | undefined; fault: string | undefined; spec: Spec | undefined } {
    const { parent } = story
    if (parent !== undefined) {
      const fault = (parent.spec.payload ?? '') === payload ? undefined : `payload ${payload.slice(0, 200)}`
      return { version: undefined, fault, spec: parent.spec }
    }
    const specs = story.ops.filter(op => op.spec !== undefined)
    const version = specs.findLast(op => (op.spec?.payload ?? '') === payload && op.spec?.name === name)
    if (version !== undefined) return { version, fault: undefined, spec: version.spec }
    return {
      version: undefined,
      fault: `handler ${name} saw payload ${payload.slice(0, 200)}`,
      spec: undefined,
    }
  }

  /** The handler itself. */
  #perform(started: Started, spec: Spec | undefined): void {
    const { attempt } = started
    const conduct = spec?.conduct ?? CALM
    const healed = this.#history.healedAt <= this.#clock.monotonic()
    const ordinal = attempt.story.attempts.filter(each => each.runId === attempt.runId).length
    const dice = this.#random.float()
    const hangs = !healed && dice < conduct.hangShare && spec !== undefined && spec.policy.timeoutMs > 0
    const fails = !healed && (ordinal <= conduct.failFirst || this.#random.float() < conduct.failShare)
    const fatal = fails && this.#random.float() < conduct.fatalShare
    const [min, max] = conduct.durationMs
    const duration = min + (max - min) * this.#random.float()
    const kind: OutcomeKind = fatal ? 'fatal' : fails ? 'failed' : 'completed'
    // An aborted handler may give up, finish all the same, or not listen at all.
    const manner = this.#random.float()
    const timer = hangs
      ? undefined
      : this.#host.process().clock.setTimer(duration, () => this.#finish(started, kind, spec))
    started.finish = () => {
      if (hangs || manner < 0.6) {
        timer?.cancel()
        this.#host.process().clock.setTimer(1 + manner * 5, () => this.#finish(started, 'failed', spec))
      }
      started.finish = undefined
    }
  }

  #finish(started: Started, kind: OutcomeKind, spec: Spec | undefined): void {
    const { run, attempt } = started
    if (this.#running.get(run.handle) !== started) return this.#end(attempt, 'orphaned')
    this.#running.delete(run.handle)
    this.#end(attempt, kind === 'unstarted' || kind === 'lost' ? 'failed' : kind)
    const now = this.#clock.now()
    const body =
      kind === 'completed'
        ? JSON.stringify({
            of: attempt.runId,
            attempt: attempt.attempt,
            by: attempt.client,
            café: '✓'.repeat(run.attempt % 7),
          })
        : JSON.stringify({ name: 'Error', message: `attempt ${attempt.attempt} failed as it was told to` })
    if (kind === 'completed') attempt.result = body
    const followUps = kind === 'completed' ? this.#followUps(attempt, spec) : []
    this.#host.out.u8(MESSAGE.outcomes)
    this.#host.out.varuint(1)
    writeOutcome(this.#host.out, run.handle, kind, attempt.startedWall, now, body, followUps)
    this.#host.stir()
    this.#startQueued()
  }

  #end(attempt: Attempt, end: NonNullable<Attempt['end']>): void {
    if (attempt.end !== undefined) return
    attempt.end = end
    attempt.endedAt = this.#clock.monotonic()
    attempt.endedWall = this.#clock.now()
    this.#history.count(end)
    this.#trace.note(`end ${attempt.runId} attempt ${attempt.attempt}: ${end}`)
  }

  #followUps(attempt: Attempt, spec: Spec | undefined): Uint8Array[] {
    const definitions: Uint8Array[] = []
    for (let k = 0; spec !== undefined && k < spec.conduct.followUps; k++) {
      const id = `${attempt.runId}/${k}`
      const story = this.#history.story(id)
      const at = attempt.startedWall + 50 * k
      const child: Spec = story.parent?.spec ?? {
        name: 'quick',
        schedule: { kind: 'at', at },
        policy: DEFAULT_POLICY,
        payload: JSON.stringify({ task: id, followUp: k }),
        conduct: CALM,
        keyTtlMs: 0,
        ifAbsent: true,
        minted: false,
        madeAtWall: attempt.startedWall,
      }
      story.parent ??= { runId: attempt.runId, spec: child, attempts: [] }
      story.parent.attempts.push(attempt)
      definitions.push(this.#host.followUp(id, child, attempt.runId, k))
    }
    return definitions
  }

  /** The engine wants an attempt to end, for the reason of this number. */
  abort(handle: number, reason: number): void {
    const at = this.#queued.findIndex(run => run.handle === handle)
    if (at >= 0) {
      this.#queued.splice(at, 1)
      this.#history.count('aborted before its start')
      this.#host.out.u8(MESSAGE.outcomes)
      this.#host.out.varuint(1)
      writeOutcome(this.#host.out, handle, 'unstarted', 0, 0, undefined, [])
      this.#host.stir()
      return
    }
    const started = this.#running.get(handle)
    if (started === undefined) return
    started.attempt.abortedAt = this.#clock.monotonic()
    started.attempt.abortReason = ABORT_REASONS[reason]
    this.#trace.note(
      `abort ${started.attempt.runId} attempt ${started.attempt.attempt}: ${ABORT_REASONS[reason]}`,
    )
    started.finish?.()
  }
}

const CALM = {
  durationMs: [1, 10],
  failShare: 0,
  failFirst: 0,
  hangShare: 0,
  fatalShare: 0,
  followUps: 0,
} as const

/** The payload is a view into a frame. */
function copied(run: RunMessage): RunMessage {
  const source = run.source.slice(run.payloadStart, run.payloadEnd)
  return { ...run, source, payloadStart: 0, payloadEnd: source.length }
}
