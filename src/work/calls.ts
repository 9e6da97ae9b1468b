/**
 * The calls of clients: commands on tasks, questions, and waiting for ends. A command is answered once the journal has
 * it; a repeated one gets the first one's answer.
 */

import { CarillonError } from '../errors.ts'
import type { TaskStore } from '../store/task-store.ts'
import type { RequestMark } from '../task/change.ts'
import { parseRunId } from '../task/ids.ts'
import type { StatusView } from '../task/views.ts'
import {
  type CallAnswers,
  type CallRequest,
  type EngineEvent,
  rangesFrom,
  type TasksRequest,
} from '../wire/calls.ts'
import type { MeshCalls } from '../wire/mesh-calls.ts'
import { type Command, carryOut, idOf } from './commands.ts'
import type { Lifecycle } from './lifecycle.ts'
import { type LiveRecord, LiveRun } from './live-run.ts'
import { LogBook } from './log-book.ts'
import type { Ownership, Written } from './ownership.ts'
import { notFound, Queries } from './queries.ts'
import { NO_ROUND, type Round } from './rounds.ts'
import type { TaskOrder } from './task-order.ts'
import { runView } from './views.ts'
import { Waiters } from './waiters.ts'

/** Who makes a call, and is told its answer: a session, or who sends calls of sessions on. */
export interface Asker {
  answer(call: number, answer: object): void
  refuse(call: number, error: unknown): void
}

export interface CallsOptions {
  /** Tasks whose log lines are kept, and lines of each. In memory only. */
  readonly logTasksMax: number
  readonly logLinesMax: number
  /** Most calls that wait for a result. */
  readonly waitersMax: number
}

export interface CallsParts {
  readonly store: TaskStore<LiveRun>
  readonly lifecycle: Lifecycle
  readonly order: TaskOrder
  /** Epoch ms with a fraction. */
  readonly now: () => number
  readonly hlc: () => number
  /** As it is at this moment, not when the turn began. */
  readonly wallNow: () => number
  /** Why no new work is taken now, if so. */
  readonly refusal: () => CarillonError | undefined
  readonly rearm: (record: LiveRecord) => void
  readonly status: () => StatusView
  /** Where live members of the mesh can be dialled. */
  readonly addresses: () => readonly string[]
  /** Undefined: the node has no network. */
  readonly token: (ttlMs: number | undefined) => string | undefined
  /** Undefined: the node is alone. */
  readonly mesh: () => MeshCalls | undefined
  readonly close: (graceMs: number) => Promise<void>
  readonly ownership: () => Ownership
  readonly emit: (event: EngineEvent) => void
  readonly wantsRunEvents: () => boolean
  readonly stir: () => void
}

export class Calls {
  readonly #parts: CallsParts
  readonly #queries: Queries
  readonly #waiters: Waiters
  readonly #logs: LogBook

  constructor(options: CallsOptions, parts: CallsParts) {
    this.#parts = parts
    this.#queries = new Queries(parts.store)
    this.#waiters = new Waiters(options.waitersMax)
    this.#logs = new LogBook(options.logTasksMax, options.logLinesMax)
  }

  /** Answers the call, now or later; what it throws is the caller's error. */
  async answer(asker: Asker, call: number, request: CallRequest, round: Round): Promise<void> {
    switch (request.method) {
      case 'cancel':
      case 'pause':
      case 'resume':
      case 'trigger':
      case 'retry':
        return this.#parts.order.change([{ id: idOf(request.id) }], () =>
          this.#command(asker, call, request, round),
        )
      case 'result':
        return this.#result(asker, call, request.id, true, round)
      case 'end':
        return this.#result(asker, call, request.id, false, round)
      case 'forget':
        this.#waiters.remove(asker, request.call)
        return asker.answer(call, {})
      case 'task':
        return this.#ask(asker, call, request.id, round, () => this.#queries.task(request.id))
      case 'tasks':
        return asker.answer(call, await this.tasks(request))
      case 'runs':
        return this.#ask(asker, call, request.id, round, () => this.#queries.runs(request.id, request.limit))
      case 'logs':
        return this.#ask(asker, call, request.id, round, async () => ({
          logs: this.#logs.of(idOf(request.id), parseRunId(request.id) && request.id),
        }))
      case 'status':
        return asker.answer(call, { status: this.#parts.status() })
      case 'clock':
        return asker.answer(call, { now: this.#parts.wallNow() })
      case 'peers':
        return asker.answer(call, { addresses: this.#parts.addresses() })
      case 'token':
        return asker.answer(call, { token: this.#token(request.ttlMs) })
      case 'forget-stores':
      case 'drain':
      case 'ring':
        return asker.answer(call, await this.#mesh().answer(request))
      case 'close':
        await this.#parts.close(request.graceMs)
        return asker.answer(call, {})
      default:
        throw new CarillonError('INVALID', `unknown method "${(request as { method: string }).method}"`, {
          field: 'method',
        })
    }
  }

  /** A page of the tasks that are here. */
  tasks({ filter, after, limit, ranges }: TasksRequest): Promise<CallAnswers['tasks']> {
    if (ranges === undefined) return this.#queries.tasks(filter, after, limit)
    const acts = (range: number): boolean => this.#parts.ownership().refusal(range) === undefined
    return this.#queries.tasksOf(rangesFrom(ranges), acts, filter, after, limit)
  }

  /** This node no longer acts for these ranges: who waits for an end there has to ask elsewhere. */
  ceased(isCeased: (range: number) => boolean): void {
    if (this.#waiters.size === 0) return
    const { store, ownership } = this.#parts
    const rangeOf = (key: string): number => store.rangeOf(idOf(key))
    for (const { key, waiters } of this.#waiters.takeAll(key => isCeased(rangeOf(key)))) {
      const error = ownership().refusal(rangeOf(key)) ?? gone(key)
      for (const { owner, call } of waiters) (owner as Asker).refuse(call, error)
    }
  }

  /** Who does not act for a task does not know how it stands with it. */
  async #ask(
    asker: Asker,
    call: number,
    id: string,
    round: Round,
    answer: () => Promise<object>,
  ): Promise<void> {
    this.#check(id, round)
    const answered = await this.#parts.order.after([{ id: idOf(id) }], answer)
    this.#check(id, round)
    asker.answer(call, answered)
  }

  #check(id: string, round: Round): void {
    const { store, ownership } = this.#parts
    if (!ownership().isShared) return
    const range = store.rangeOf(idOf(id))
    const refusal = round.question(range, ownership().refusal(range))
    if (refusal !== undefined) throw refusal
  }

  #token(ttlMs: number | undefined): string {
    const token = this.#parts.token(ttlMs)
    if (token !== undefined) return token
    throw new CarillonError('CONFLICT', 'this node is alone, so nobody can join it: start it with `listen`')
  }

  #mesh(): MeshCalls {
    const mesh = this.#parts.mesh()
    if (mesh === undefined)
      throw new CarillonError('CONFLICT', 'this node is alone: it was started without `listen`')
    return mesh
  }

  /** The client is gone: nobody waits any more. */
  forget(asker: Asker): void {
    this.#waiters.remove(asker)
  }

  /** A run has ended: those who wait for it are told once that is synced. */
  ended(record: LiveRecord, run: LiveRun): void {
    const wantsEvents = this.#parts.wantsRunEvents()
    if (!wantsEvents && this.#waiters.size === 0) return
    const runId = this.#parts.lifecycle.runId(run)
    const waiters = [...this.#waiters.take(runId), ...this.#waiters.take(record.id)]
    if (!wantsEvents && waiters.length === 0) return
    const view = runView(record, run, runId)
    const ownership = this.#parts.ownership()
    ownership.acknowledge(ownership.justWritten(record), error => {
      // A disk that failed ends the engine, which tells everybody. Else who asks again learns what became of it.
      if (error?.code === 'STORE_FAILED') return
      if (error !== undefined) {
        for (const { owner, call } of waiters) (owner as Asker).refuse(call, error)
        return
      }
      for (const { owner, call } of waiters) (owner as Asker).answer(call, { run: view })
      if (wantsEvents) this.#parts.emit({ type: 'run', run: view })
    })
  }

  /** A run has ended at another node, and its end has come here. */
  endedElsewhere(record: LiveRecord, run: LiveRun): void {
    if (this.#waiters.size === 0) return
    const runId = this.#parts.lifecycle.runId(run)
    const waiters = [...this.#waiters.take(runId), ...this.#waiters.take(record.id)]
    if (waiters.length === 0) return
    const view = runView(record, run, runId)
    this.#parts.store.afterSync(error => {
      for (const { owner, call } of waiters) {
        if (error === undefined) (owner as Asker).answer(call, { run: view })
        else if (error.code !== 'STORE_FAILED') (owner as Asker).refuse(call, error)
      }
    })
  }

  /** A run has ended at another node, and nobody says how: who waits for it is told what is known, or waits on. */
  forgotten(record: LiveRecord, run: LiveRun): void {
    if (this.#waiters.size === 0) return
    for (const id of [this.#parts.lifecycle.runId(run), record.id]) {
      for (const { owner, call } of this.#waiters.take(id)) {
        const asker = owner as Asker
        this.#result(asker, call, id, true, NO_ROUND).catch((error: unknown) => asker.refuse(call, error))
      }
    }
  }

  /** What a handler logged: JSON of { at, line }. */
  log(run: LiveRun, json: string): void {
    const { at, line } = JSON.parse(json) as { at: number; line: string }
    this.#logs.add(run.record.id, { run: this.#parts.lifecycle.runId(run), at, line })
  }

  /** At once, where nothing has to be read for it. */
  #command(
    asker: Asker,
    call: number,
    request: CallRequest & { method: Command },
    round: Round,
  ): void | Promise<void> {
    const peeked = request.method === 'retry' ? undefined : this.#parts.store.peek(idOf(request.id))
    const record = peeked === 'absent' ? undefined : peeked
    if (peeked !== undefined) this.#carryOut(asker, call, request, round, record)
    else return this.#loaded(request).then(loaded => this.#carryOut(asker, call, request, round, loaded))
  }

  /** What the command is about, in memory. */
  async #loaded({ method, id }: CallRequest & { method: Command }): Promise<LiveRecord | undefined> {
    const record = await this.#load(idOf(id))
    if (method !== 'retry' || record === undefined) return record
    const { store, ownership } = this.#parts
    return ownership().refusal(store.rangeOf(record.id)) === undefined ? this.#revived(record, id) : record
  }

  #carryOut(
    asker: Asker,
    call: number,
    request: CallRequest & { method: Command },
    round: Round,
    record: LiveRecord | undefined,
  ): void {
    const { store, lifecycle, now, hlc, rearm } = this.#parts
    const { requests } = store
    const { caller, n, method, id } = request
    const taskId = idOf(id)
    const ownership = this.#parts.ownership()
    const range = store.rangeOf(taskId)
    const elsewhere = round.change(range, ownership.refusal(range))
    if (elsewhere !== undefined) throw elsewhere
    const isFirm = method === 'cancel' || method === 'pause'
    const known = requests.find(caller, n, request.madeAt, this.#parts.now())
    ownership.gather()
    if (known?.answer !== undefined) {
      if (known.dot !== undefined) ownership.needs(known.dot.range, [known.dot])
      return this.#answerCounted(asker, call, JSON.parse(known.answer) as object, ownership.written(), isFirm)
    }
    const refusal = isFirm ? undefined : this.#parts.refusal()
    if (refusal !== undefined) throw refusal
    if (record === undefined && method === 'cancel' && store.lastLifeOf(taskId) === undefined)
      throw notFound(id)
    const answer = carryOut({ lifecycle, now, hlc, rearm, store, request: { caller, n } }, method, id, record)
    this.#remember(record, { caller, n, answer: JSON.stringify(answer) }, request.madeAt)
    if (record !== undefined) ownership.needs(range, record.dots)
    this.#answerCounted(asker, call, answer, ownership.written(), isFirm)
  }

  /**
   * What changed something has its request in the journal. In a mesh the rest has to be there as well: a resume of what was
   * not paused, repeated at another node after a pause, would undo it.
   */
  #remember(record: LiveRecord | undefined, request: RequestMark, madeAt: number): void {
    const { store, ownership, now } = this.#parts
    const { caller, n, answer } = request
    if (!ownership().isShared || record === undefined || record.gone)
      return store.requests.add(caller, n, n, now(), answer)
    if (store.requests.find(caller, n, madeAt, now()) === undefined) store.updated(record, { request })
  }

  /** Answers once what was written counts; what stops a task also tells whether nobody can start it any more. */
  #answerCounted(asker: Asker, call: number, answer: object, written: Written, isFirm: boolean): void {
    const ownership = this.#parts.ownership()
    ownership.acknowledge(written, (error, copies) => {
      if (error !== undefined) asker.refuse(call, error)
      else if (!isFirm) asker.answer(call, { ...answer, copies })
      else {
        ownership.confirm(written, (firm, confirmed) =>
          asker.answer(call, { ...answer, firm, copies: Math.max(copies, confirmed) }),
        )
      }
    })
    this.#parts.stir()
  }

  async #load(taskId: string): Promise<LiveRecord | undefined> {
    const peeked = this.#parts.store.peek(taskId)
    if (peeked !== undefined) return peeked === 'absent' ? undefined : peeked
    return (await this.#parts.store.load([taskId]))[0]
  }

  /** The record, with the run that is to be driven again; it stays in memory while that is read. */
  async #revived(record: LiveRecord, id: string): Promise<LiveRecord | undefined> {
    record.pins++
    try {
      await this.#revive(record, id)
      return await this.#load(record.id)
    } finally {
      record.pins--
    }
  }

  /** A failed run of a recurring task may have left the record: it comes back to be driven again. */
  async #revive(record: LiveRecord, id: string): Promise<void> {
    const instant = parseRunId(id)?.instant
    const kept = await this.#parts.store.endedRuns(record.id, record, Number.POSITIVE_INFINITY)
    const failed = kept.find(({ run }) =>
      instant === undefined ? run.state === 'failed' : run.instant === instant,
    )
    if (failed === undefined || record.gone || record.findRun(failed.run.instant) !== undefined) return
    if (instant === undefined && record.runs.some(run => run.state === 'failed')) return
    const { run } = failed
    const revived = new LiveRun(record, run.instant, run.manual)
    revived.state = run.state
    revived.attempt = run.attempt
    revived.drive = run.drive
    revived.drivenFrom = run.drivenFrom
    revived.returned = run.returned
    revived.fence = run.fence
    record.addRun(revived)
  }

  async #result(asker: Asker, call: number, id: string, wait: boolean, round: Round): Promise<void> {
    this.#check(id, round)
    // Before it is looked for: it may end while it is, and whoever asked may give up.
    if (wait) this.#waiters.add(id, { owner: asker, call })
    try {
      const run = await this.#parts.order.after([{ id: idOf(id) }], () => this.#queries.result(id))
      this.#check(id, round)
      if (!wait && run === undefined) asker.answer(call, { run: null })
      else if (run !== undefined && (!wait || this.#waiters.remove(asker, call)))
        this.#answerSynced(asker, call, { run })
    } catch (error) {
      if (!wait || this.#waiters.remove(asker, call)) throw error
    }
  }

  #answerSynced(asker: Asker, call: number, answer: object): void {
    this.#parts.store.afterSync(error => {
      if (error === undefined) asker.answer(call, answer)
      else asker.refuse(call, error)
    })
    this.#parts.stir()
  }
}

function gone(key: string): CarillonError {
  return new CarillonError('NOT_OWNER', `another node acts for "${key}" since just now: ask again`)
}
