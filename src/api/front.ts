/** What a node and a client have in common in the user's hands: every call, over the link to their thread. */

import type { Worker as Thread } from 'node:worker_threads'
import { CarillonError } from '../errors.ts'
import type { Scheduled } from '../http/schema.ts'
import { ByteWriter } from '../lib/bytes.ts'
import type { Random } from '../ports/random.ts'
import type { WorkerChannel } from '../ports/worker-channel.ts'
import { type DefinitionInput, writeDefinition } from '../task/definition.ts'
import { parseDuration } from '../task/duration.ts'
import { callerOf, followUpId } from '../task/follow-up.ts'
import type { CommandOptions, TaskOptions } from '../task/options.ts'
import { PROFILE_TEXTS, PROFILES, type Profile } from '../task/profile.ts'
import { type OccurrenceSpec, occurrences } from '../task/recurrence.ts'
import { checkFilterShape, invalid } from '../task/schema.ts'
import { checkId, checkName, defineTask, type TaskDefaults } from '../task/validate.ts'
import type { DrainView, RingView, RunView, StatusView, TaskView } from '../task/views.ts'
import type { CallAnswers, EngineEvent, TaskFilter } from '../wire/calls.ts'
import type { ForgottenStore } from '../wire/mesh-calls.ts'
import { Caller, type ScheduleAnswer } from './caller.ts'
import { Link } from './link.ts'
import { Listeners } from './listeners.ts'
import { handlerError } from './rebuilt-error.ts'
import type { HandlerRun } from './run.ts'
import type {
  CallOptions,
  Client,
  Handler,
  Handlers,
  NodeEvents,
  Task,
  TasksFilter,
  TokenOptions,
} from './types.ts'
import { type AnyHandler, Worker, type WorkerClock } from './worker.ts'

export interface FrontParts {
  readonly channel: WorkerChannel
  readonly random: Random
  readonly clock: WorkerClock
  readonly thread: Thread
  /** Rejects when the thread has ended. */
  readonly died: Promise<never>
}

export interface FrontOptions {
  readonly worker: string
  readonly profile: Profile
  readonly concurrency: number
  readonly handlers: Handlers
}

const WINDOW = 4000
const OUTSTANDING_MAX = 200_000
const PAGE = 500
const GRACE_MS = 10_000
const GRACE_MS_MAX = 86_400_000
const TOKEN_TTL_MS_MAX = 7 * 86_400_000

/** What a front is called, and what it tells: a name that is none would never be called, and nobody would know why. */
export interface FrontKind {
  readonly what: 'node' | 'client'
  readonly events: Readonly<Partial<Record<keyof NodeEvents, true>>>
}

export class Front implements Omit<Client, 'schedule' | 'on' | 'off'> {
  readonly closed: Promise<void>
  readonly #link: Link
  readonly #caller: Caller
  readonly #worker: Worker
  protected readonly listeners = new Listeners()
  readonly #defaults: TaskDefaults
  readonly #thread: Thread
  readonly #kind: FrontKind
  #closing: Promise<void> | undefined
  #settle!: { resolve: () => void; reject: (error: CarillonError) => void }

  constructor(parts: FrontParts, options: FrontOptions, kind: FrontKind) {
    const { clock } = parts
    this.#kind = kind
    const now = (): number => clock.now()
    this.#thread = parts.thread
    this.closed = new Promise<void>((resolve, reject) => {
      this.#settle = { resolve, reject }
    })
    this.closed.catch(() => undefined)
    this.#link = new Link(parts.channel)
    this.#caller = new Caller(
      { link: this.#link, random: parts.random, now },
      { outstandingMax: OUTSTANDING_MAX },
      event => this.#onEvent(event),
    )
    const { worker, concurrency } = options
    this.#worker = new Worker(
      { link: this.#link, clock },
      { worker, window: WINDOW, concurrency },
      (run, task, index) => this.#followUp(run, task, index),
    )
    this.#defaults = {
      policy: PROFILES[options.profile],
      policyText: PROFILE_TEXTS[options.profile],
      mintId: () => this.#caller.mintId(),
      now,
    }
    this.#link.start(this.#caller, this.#worker)
    for (const [name, handler] of Object.entries(options.handlers))
      this.#worker.add(name, handler as AnyHandler, undefined)
    parts.died.catch((error: CarillonError) => this.#died(error))
  }

  schedule(
    tasks: TaskOptions | CommandOptions | readonly (TaskOptions | CommandOptions)[],
    options: CallOptions = {},
  ): Promise<unknown> {
    try {
      if (Array.isArray(tasks)) return this.#scheduleAll(tasks as readonly TaskOptions[], options)
      return this.#scheduleOne(tasks as TaskOptions, options)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  handle(name: string, handler: Handler, options: { readonly concurrency?: number | undefined } = {}): void {
    checkName(name, 'name')
    if (typeof handler !== 'function') throw invalid('handler', handler, 'a function')
    const { concurrency } = options
    if (
      concurrency !== undefined &&
      !(Number.isSafeInteger(concurrency) && concurrency >= 1 && concurrency <= 100_000)
    ) {
      throw invalid('concurrency', concurrency, 'a whole number from 1 to 100000')
    }
    this.#worker.add(name, handler as unknown as AnyHandler, concurrency)
  }

  /** Schedules many, and tells of each what became of it. Rejects with INVALID, and then none was sent. */
  async scheduleEach(
    list: readonly TaskOptions[],
    { signal }: CallOptions = {},
  ): Promise<ReadonlyArray<Scheduled | CarillonError>> {
    const at = (i: number): string => (list.length === 1 ? '' : `[${i}]`)
    const inputs = list.map((options, i) => defineTask(options, this.#defaults, at(i)))
    const { answers, copies } = await this.#caller.schedule(inputs, signal)
    return inputs.map(({ id, name }, i) => {
      const answer = answers?.[i] ?? 'created'
      return answer instanceof CarillonError ? answer : { id, name, status: answer, copies }
    })
  }

  /** One page of the tasks that fit. */
  async page(
    filter: TaskFilter,
    { after, limit }: { readonly after: string | undefined; readonly limit: number },
    { signal }: CallOptions = {},
  ): Promise<CallAnswers['tasks']> {
    checkFilterShape(filter)
    return this.#caller.call<'tasks'>({ method: 'tasks', filter, after, limit }, signal)
  }

  /** The end of a task, of the next run of a recurring one, or of a run; null if it has none yet and nobody waits. */
  async end(id: string, { wait, signal }: CallOptions & { readonly wait: boolean }): Promise<RunView | null> {
    const checked = checkId(id)
    const answer = wait
      ? await this.#caller.call<'result'>({ method: 'result', id: checked }, signal)
      : await this.#caller.call<'end'>({ method: 'end', id: checked }, signal)
    return answer.run
  }

  async task(id: string, { signal }: CallOptions = {}): Promise<TaskView | null> {
    return (await this.#caller.call<'task'>({ method: 'task', id: checkId(id) }, signal)).task
  }

  async *tasks(filter: TasksFilter = {}): AsyncGenerator<TaskView> {
    const { signal, ...rest } = filter
    let after: string | undefined
    do {
      const page: CallAnswers['tasks'] = await this.page(rest, { after, limit: PAGE }, { signal })
      yield* page.tasks
      after = page.after ?? undefined
    } while (after !== undefined)
  }

  async runs(
    id: string,
    { signal, limit = 100 }: CallOptions & { readonly limit?: number | undefined } = {},
  ): Promise<readonly RunView[]> {
    if (!Number.isSafeInteger(limit) || limit < 1 || limit > 1000)
      throw invalid('limit', limit, 'a whole number from 1 to 1000')
    return (await this.#caller.call<'runs'>({ method: 'runs', id: checkId(id), limit }, signal)).runs
  }

  async logs(id: string, { signal }: CallOptions = {}): Promise<CallAnswers['logs']['logs']> {
    return (await this.#caller.call<'logs'>({ method: 'logs', id: checkId(id) }, signal)).logs
  }

  async cancel(id: string, { signal }: CallOptions = {}): Promise<boolean> {
    return (await this.#caller.change('cancel', checkId(id), signal)).cancelled
  }

  async pause(id: string, { signal }: CallOptions = {}): Promise<void> {
    await this.#caller.change('pause', checkId(id), signal)
  }

  async resume(id: string, { signal }: CallOptions = {}): Promise<boolean> {
    return (await this.#caller.change('resume', checkId(id), signal)).resumed
  }

  async trigger(id: string, { signal }: CallOptions = {}): Promise<string> {
    return (await this.#caller.change('trigger', checkId(id), signal)).run
  }

  async retry(id: string, { signal }: CallOptions = {}): Promise<string> {
    return (await this.#caller.change('retry', checkId(id), signal)).run
  }

  preview(schedule: OccurrenceSpec, count = 5): readonly number[] {
    return occurrences(schedule, { from: this.#defaults.now(), count })
  }

  async status({ signal }: CallOptions = {}): Promise<StatusView> {
    return (await this.#caller.call<'status'>({ method: 'status' }, signal)).status
  }

  async token({ ttl, signal }: TokenOptions = {}): Promise<string> {
    const ttlMs = ttl === undefined ? undefined : parseDuration(ttl, 'ttl')
    if (ttlMs !== undefined && ttlMs > TOKEN_TTL_MS_MAX) throw invalid('ttl', ttl, 'a duration up to 7 days')
    return (await this.#caller.call<'token'>({ method: 'token', ttlMs }, signal)).token
  }

  async forget(nodeOrStore: string, { signal }: CallOptions = {}): Promise<readonly ForgottenStore[]> {
    const who = checkId(nodeOrStore)
    return (await this.#caller.call<'forget-stores'>({ method: 'forget-stores', who }, signal)).forgotten
  }

  async drain({ signal }: CallOptions = {}): Promise<DrainView> {
    return (await this.#caller.call<'drain'>({ method: 'drain' }, signal)).drain
  }

  async ring(id?: string, { signal }: CallOptions = {}): Promise<RingView> {
    const checked = id === undefined ? undefined : checkId(id)
    return (await this.#caller.call<'ring'>({ method: 'ring', id: checked }, signal)).ring
  }

  on<Type extends keyof NodeEvents>(type: Type, listener: NodeEvents[Type]): this {
    const { events } = this.#kind
    if (!Object.hasOwn(events, type)) throw invalid('type', type, `one of ${Object.keys(events).join(', ')}`)
    if (typeof listener !== 'function') throw invalid('listener', listener, 'a function')
    this.listeners.add(type, listener)
    this.#worker.announce(this.listeners.wantRuns)
    return this
  }

  off<Type extends keyof NodeEvents>(type: Type, listener: NodeEvents[Type]): this {
    this.listeners.remove(type, listener)
    this.#worker.announce(this.listeners.wantRuns)
    return this
  }

  close({ graceMs = GRACE_MS }: { readonly graceMs?: number | undefined } = {}): Promise<void> {
    if (!(graceMs >= 0 && graceMs <= GRACE_MS_MAX)) {
      return Promise.reject(invalid('graceMs', graceMs, `milliseconds from 0 to ${GRACE_MS_MAX}`))
    }
    this.#closing ??= this.#close(graceMs)
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** What has to close with it, and before it. */
  protected closeRest(): Promise<void> {
    return Promise.resolve()
  }

  async #close(graceMs: number): Promise<void> {
    await this.closeRest()
    const ended = new Promise<void>(resolve => this.#thread.once('exit', () => resolve()))
    // What waits here must not count as under way: an at-most-once run that was not started is not lost.
    this.#worker.drain()
    try {
      await this.#caller.call<'close'>({ method: 'close', graceMs })
    } catch (error) {
      if (!(error instanceof CarillonError) || error.code !== 'ENGINE_STOPPED') throw error
    }
    this.#caller.stop(new CarillonError('CLOSED', `the ${this.#kind.what} was closed`))
    if (this.#thread.threadId !== -1) await ended
    this.#link.close()
    this.#settle.resolve()
  }

  #died(error: CarillonError): void {
    if (this.#closing !== undefined) return
    this.#caller.stop(error)
    this.#link.close()
    this.#settle.reject(error)
    void this.closeRest()
  }

  #onEvent(event: EngineEvent): void {
    if (event.type === 'stopped' && event.error !== null && this.#closing === undefined) {
      this.#settle.reject(new CarillonError('ENGINE_STOPPED', `the engine stopped: ${event.error.message}`))
      void this.closeRest()
    }
    this.listeners.emit(event)
    if (event.type === 'drained' && this.#kind.what === 'node')
      this.close({ graceMs: 0 }).catch(() => undefined)
  }

  async #scheduleOne(options: TaskOptions, { signal }: CallOptions): Promise<Task> {
    const input = defineTask(options, this.#defaults)
    const { answers, copies } = await this.#caller.schedule([input], signal)
    return this.#taskOf(input, answers?.[0], copies)
  }

  async #scheduleAll(list: readonly TaskOptions[], { signal }: CallOptions): Promise<Task[]> {
    const inputs = list.map((options, i) => defineTask(options, this.#defaults, `[${i}]`))
    if (inputs.length === 0) return []
    const { answers, copies } = await this.#caller.schedule(inputs, signal)
    const refused = answers?.find(answer => answer instanceof CarillonError)
    if (refused !== undefined) throw Object.assign(refused, { results: answers })
    return inputs.map((input, i) => this.#taskOf(input, answers?.[i], copies))
  }

  #taskOf(input: DefinitionInput, answer: ScheduleAnswer | undefined, copies: number): Task {
    if (answer instanceof CarillonError) throw answer
    return new ScheduledTask(input, answer ?? 'created', copies, this.#caller)
  }

  #followUp(run: HandlerRun, task: TaskOptions, index: number): { id: string; bytes: Uint8Array } {
    const { id: given, key } = task ?? {}
    if (given !== undefined || key !== undefined) {
      const field = given !== undefined ? 'id' : 'key'
      throw invalid(
        field,
        given ?? key,
        `no ${field}: a follow-up's id comes from its run; use ${this.#kind.what}.schedule() to choose one`,
      )
    }
    const input = defineTask(task, this.#defaults)
    const id = followUpId(run.idempotencyKey, index)
    const out = new ByteWriter(512)
    writeDefinition(
      out,
      { ...input, id, minted: false, ifAbsent: true },
      callerOf(run.idempotencyKey),
      index + 1,
    )
    return { id, bytes: out.take() }
  }
}

class ScheduledTask implements Task {
  readonly id: string
  readonly name: string
  readonly status: Task['status']
  readonly copies: number
  readonly #caller: Caller

  constructor({ id, name }: DefinitionInput, status: Task['status'], copies: number, caller: Caller) {
    this.id = id
    this.name = name
    this.status = status
    this.copies = copies
    this.#caller = caller
  }

  async result({ signal }: CallOptions = {}): Promise<unknown> {
    const { run } = await this.#caller.call<'result'>({ method: 'result', id: this.id }, signal)
    if (run.state === 'completed') return run.result
    throw endError(run)
  }
}

const END_CODES = {
  failed: 'RUN_FAILED',
  cancelled: 'RUN_CANCELLED',
  missed: 'RUN_MISSED',
  skipped: 'RUN_MISSED',
  unknown: 'RUN_LOST',
} as const

function endError(run: RunView): CarillonError {
  const code = END_CODES[run.state as keyof typeof END_CODES] ?? 'NO_RESULT'
  const cause = run.error === undefined ? undefined : handlerError(run.error)
  const why = cause === undefined ? '' : `: ${cause.message}`
  return new CarillonError(
    code,
    `run ${run.id} of "${run.name}" is ${run.state} after ${run.attempt} ${run.attempt === 1 ? 'attempt' : 'attempts'}${why}`,
    { cause },
  )
}
