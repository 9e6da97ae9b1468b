/** What the rooms of src/work do to records of a task store, in small: for tests that have none of them. */

import { NEVER, Run, TaskRecord } from '../../src/task/record.ts'
import { isRunEnd } from '../../src/task/task.ts'
import { CALLER, definition, type StoreBed } from './test-bed.ts'

export const VERBS = [
  ...['create', 'create', 'reach', 'reach', 'start', 'start', 'complete', 'complete', 'fail', 'retry'],
  ...['requeue', 'pause', 'trigger', 'cancel', 'cancel run', 'redrive', 'drop', 'write started', 'finish'],
] as const
export type Verb = (typeof VERBS)[number]

export class Rooms {
  readonly #bed: StoreBed
  #instant: number
  #hlc = 0
  /** The next requestId. */
  requests: number
  /** Runs that were started and not written yet. */
  readonly #started = new Set<Run>()

  /** `seat`: of several that write, which one: their instants and requestIds differ. */
  constructor(bed: StoreBed, seat = 0) {
    this.#bed = bed
    this.#instant = 1_000_000 + seat
    this.requests = seat * 1_000_000
  }

  record(id: string): TaskRecord | undefined {
    const record = this.#bed.tasks.peek(id)
    return record instanceof TaskRecord ? record : undefined
  }

  /** True if the record says something that no change has said. */
  isAhead(id: string): boolean {
    const runs = this.record(id)?.runs ?? []
    return runs.some(run => run.n === 0 || (this.#started.has(run) && run.state === 'running'))
  }

  /** Writes what no change has said yet. */
  writeAll(id: string): void {
    const record = this.record(id)
    if (record === undefined || !this.isAhead(id)) return
    const runs = record.runs.filter(run => run.n === 0 || this.#started.has(run))
    this.#started.clear()
    this.#bed.tasks.updated(record, { times: true, runs })
  }

  /** After a crash nothing is under way. */
  restarted(): void {
    this.#started.clear()
  }

  /** `pick`: which of the open runs, where there are several. */
  carryOut(verb: Verb, id: string, recurring: boolean, pick: number): void {
    const { tasks } = this.#bed
    const record = this.record(id)
    this.#instant += 10
    const now = this.#instant
    if (verb === 'create') return this.#create(id, record, recurring, now)
    if (verb === 'finish') {
      for (const each of ['reach', 'start', 'complete'] as const) this.carryOut(each, id, recurring, 0)
      return
    }
    if (record === undefined) return
    const open = record.runs.filter(run => record.isOpen(run))
    const run = open[pick % Math.max(1, open.length)]
    const request = { caller: CALLER, n: this.requests, answer: '{}' }
    if (verb === 'reach' && !record.paused && record.nextAt !== NEVER) {
      record.addRun(new Run(record.nextAt, false))
      record.fired++
      record.lastAt = record.nextAt
      record.next = record.definition.recurring ? record.next + 1000 : NEVER
    } else if (verb === 'start' && run?.state === 'queued') {
      Object.assign(run, { state: 'running', attempt: run.attempt + 1, startedAt: now })
      this.#started.add(run)
    } else if (verb === 'write started') this.#writeStarted(record)
    else if ((verb === 'complete' || verb === 'fail') && run?.state === 'running')
      this.#end(record, run, verb === 'fail' ? 'failed' : 'completed', now)
    else if (verb === 'cancel run' && run !== undefined) this.#end(record, run, 'cancelled', now)
    else if (verb === 'retry' && run?.state === 'running') {
      Object.assign(run, { state: 'retrying', retryAt: now + 50, body: Buffer.from('"no"') })
      tasks.updated(record, { times: true, runs: [run] })
    } else if (verb === 'requeue' && (run?.state === 'retrying' || run?.state === 'running')) {
      if (run.state === 'running') {
        run.attempt--
        run.returned++
      }
      run.state = 'queued'
      tasks.updated(record, { times: true, runs: [run] })
    } else if (verb === 'pause') {
      this.requests++
      record.setPaused(!record.paused, ++this.#hlc, tasks.actorOf(record.range))
      tasks.updated(record, { times: true, register: 'paused', request })
    } else if (verb === 'trigger' && open.length < 4) {
      this.requests++
      const manual = new Run(now, true)
      record.addRun(manual)
      tasks.updated(record, { times: true, runs: [manual], request })
    } else if (verb === 'cancel') this.#cancel(record, now)
    else if (verb === 'redrive') this.#redrive(record)
    else if (verb === 'drop' && isOver(record)) tasks.ended(record, undefined, {})
  }

  /** A follow-up that waits in the range of its run; asked for again, it is acknowledged where it belongs. */
  followUp(range: number, id: string): void {
    const { tasks } = this.#bed
    const waiting = [...tasks.outboxOf(range)].find(each => each.id === id)
    if (waiting !== undefined) return tasks.ended(waiting, undefined, {})
    this.#instant += 10
    const made = definition(id, { n: this.requests++, madeAt: this.#instant, at: this.#instant })
    const record = new TaskRecord<Run>(id, range, this.#instant, true, made)
    record.hlc = ++this.#hlc
    record.actor = tasks.actorOf(range)
    tasks.created(record)
  }

  #create(id: string, record: TaskRecord | undefined, recurring: boolean, now: number): void {
    const { tasks } = this.#bed
    const range = tasks.rangeOf(id)
    const made = definition(id, { recurring, n: this.requests++, madeAt: now, at: now + 500 })
    const first = recurring ? now + 1000 : made.at
    if (record !== undefined && !isOver(record)) {
      record.replace(made, first, ++this.#hlc, tasks.actorOf(range))
      while (record.findRun(record.next) !== undefined || record.next === record.lastAt) record.next++
      record.lastAt = Math.min(record.lastAt, record.next - 1)
      tasks.created(record)
      for (const run of [...record.runs]) {
        if (!isRunEnd(run.state) && run.state !== 'running') this.#end(record, run, 'cancelled', now)
      }
      return
    }
    const before = tasks.lastLifeOf(id)
    const dropped = this.#bed.states.all.get(range)?.context.life ?? 0
    const life = Math.max(now, (before ?? 0) + 1, dropped + 1)
    const fresh = new TaskRecord<Run>(id, range, life, before === undefined, made)
    fresh.hlc = ++this.#hlc
    fresh.actor = tasks.actorOf(range)
    fresh.next = first
    tasks.created(fresh)
  }

  #writeStarted(record: TaskRecord): void {
    for (const run of record.runs) {
      if (run.state === 'running' && this.#started.delete(run))
        this.#bed.tasks.updated(record, { times: true, runs: [run] })
    }
  }

  #redrive(record: TaskRecord): void {
    const failed = record.runs.findLast(each => each.state === 'failed')
    if (failed === undefined) return
    const { drive, attempt: drivenFrom } = failed
    Object.assign(failed, { state: 'queued', drive: drive + 1, drivenFrom, endedAt: 0 })
    record.expiresAt = NEVER
    const request = { caller: CALLER, n: this.requests++, answer: '{}' }
    this.#bed.tasks.updated(record, { times: true, runs: [failed], request })
  }

  #end(record: TaskRecord, run: Run, state: 'completed' | 'failed' | 'cancelled', now: number): void {
    const { tasks } = this.#bed
    Object.assign(run, { state, endedAt: now, body: Buffer.from(`"${state}"`) })
    if (!isOver(record)) {
      tasks.updated(record, { times: true, runs: [run] })
      tasks.history.add(record, run, false)
      tasks.closed(record)
    } else if (state === 'failed') {
      record.expiresAt = now + 1e6
      tasks.updated(record, { times: true, runs: [run] })
      tasks.history.add(record, run, true)
      tasks.closed(record)
    } else {
      tasks.ended(record, run)
      tasks.history.add(record, run, true)
    }
  }

  #cancel(record: TaskRecord, now: number): void {
    const { tasks } = this.#bed
    if (isOver(record) && !record.runs.some(run => run.state === 'failed')) return
    record.cancel(++this.#hlc, tasks.actorOf(record.range))
    const runs = record.runs.filter(run => !isRunEnd(run.state))
    if (runs.length === 0 && !isOver(record)) {
      const run = new Run(Number.isFinite(record.nextAt) ? record.nextAt : now, false)
      record.addRun(run)
      runs.push(run)
    }
    record.next = NEVER
    for (const run of runs) Object.assign(run, { state: 'cancelled', endedAt: now })
    // As the lifecycle cancels a dead task: its last run, which the record has as failed.
    if (runs.length === 0) runs.push(cancelledLike(record, now))
    const request = { caller: CALLER, n: this.requests++, answer: '{}' }
    tasks.ended(record, undefined, { register: 'cancelled', runs, request })
  }
}

function cancelledLike(record: TaskRecord, now: number): Run {
  const last = record.runs.at(-1)
  const { instant = now, manual = false } = last ?? {}
  const { attempt, drive, drivenFrom, returned, version } = last ?? new Run(0, false)
  const rest = { attempt, drive, drivenFrom, returned, version }
  return Object.assign(new Run(instant, manual), { state: 'cancelled', ...rest, endedAt: now })
}

export function isOver(record: TaskRecord): boolean {
  return record.nextAt === NEVER && !record.hasOpenRun && !(record.paused && record.next !== NEVER)
}
