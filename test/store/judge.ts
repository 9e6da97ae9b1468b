/**
 * The judge of a task store: a list of what was done, in order. The journal is one order of changes, so after any
 * crash the store must be exactly what some first part of that list makes: no shorter than what was acknowledged, and
 * nothing in between left out. Requests and ended runs go with the changes that carried them.
 */

import { expect } from 'vitest'
import type { EndedRun } from '../../src/store/history.ts'
import { dueIdOf, taskIdOf } from '../../src/store/keys.ts'
import { NEVER, NOT_YET, Run, TaskRecord } from '../../src/task/record.ts'
import { isRunEnd } from '../../src/task/task.ts'
import { CALLER, type DefinitionOptions, definition, type StoreBed } from './test-bed.ts'

/** All that can be asked of an id, as text. */
type State = string

interface Done {
  readonly id: string
  /** Undefined: nothing is known of the id. */
  readonly state: State
  readonly request: { readonly n: number; readonly madeAt: number } | undefined
}

export class Judge {
  readonly #bed: StoreBed
  readonly ids: readonly string[]
  #done: Done[] = []
  /** How many of them were acknowledged. */
  acked = 0
  #ended = new Map<string, string[]>()
  #requests = 0
  /** Counts what came to pass, so that a test can tell that it tested something. */
  readonly counts = { cut: 0, lost: 0, spilled: 0, restarts: 0, ended: 0 }

  constructor(bed: StoreBed, ids: readonly string[]) {
    this.#bed = bed
    this.ids = ids
  }

  get doneCount(): number {
    return this.#done.length
  }

  // --- what an engine does with a store, in small

  /** Creates the id, or replaces its definition. */
  create(id: string, known: TaskRecord | undefined, options: DefinitionOptions = {}): void {
    const { tasks, clock } = this.#bed
    const n = this.#requests++
    const madeAt = clock.now()
    const made = definition(id, { ...options, n, madeAt, at: options.at ?? madeAt + 1000 + n })
    const first = made.recurring ? madeAt + 1000 : made.at
    if (known !== undefined && !isOver(known)) {
      known.replace(made, first, n + 1, tasks.identity.actor.index)
      known.lastAt = NOT_YET
      while (known.findRun(known.next) !== undefined) known.next++
      tasks.created(known)
    } else {
      const before = tasks.lastLifeOf(id)
      const life = Math.max(madeAt, (before ?? 0) + 1)
      known = new TaskRecord<Run>(id, tasks.rangeOf(id), life, before === undefined, made)
      known.hlc = n + 1
      known.actor = tasks.identity.actor.index
      known.next = first
      if (before !== undefined) tasks.history.remove(id)
      if (before !== undefined) this.#ended.delete(id)
      tasks.created(known)
    }
    tasks.requests.add(CALLER, n, n, madeAt)
    this.#note(id, known, { n, madeAt })
  }

  /** The next occurrence is reached, and an attempt of it starts. */
  begin(record: TaskRecord): void {
    const { nextAt, definition } = record
    if (nextAt === NEVER || record.runs.length > 3) return
    const run = new Run(nextAt, false)
    run.state = 'running'
    run.attempt = 1
    run.startedAt = this.#bed.clock.now()
    record.runs.push(run)
    record.fired++
    record.lastAt = nextAt
    record.next = definition.recurring ? nextAt + 1000 : NEVER
    this.#bed.tasks.updated(record, { times: true, runs: [run] })
    record.close()
    this.#note(record.id, record)
  }

  /** An open run ends, or is to be tried again. */
  outcome(record: TaskRecord, state: 'completed' | 'failed' | 'retrying'): void {
    const { tasks, clock } = this.#bed
    const run = record.runs.find(each => !isRunEnd(each.state))
    if (run === undefined) return
    run.state = state
    run.body = Buffer.from(`"${state} ${tasks.journal.nextN(record.range)}"`)
    if (state === 'retrying') run.retryAt = clock.now() + 5000
    else run.endedAt = clock.now()
    if (state === 'retrying' || !isOver(record)) {
      tasks.updated(record, { times: true, runs: [run] })
      if (state !== 'retrying') this.#keep(record, run, false)
      record.close()
      return this.#note(record.id, record)
    }
    if (state === 'failed') {
      // A dead task stays, until its time is over.
      record.expiresAt = run.endedAt + 1e9
      tasks.updated(record, { times: true, runs: [run] })
      this.#keep(record, run, true)
      record.close()
      return this.#note(record.id, record)
    }
    tasks.ended(record, run)
    this.#keep(record, run, true)
    this.#note(record.id, undefined)
  }

  pause(record: TaskRecord): void {
    const { clock, tasks } = this.#bed
    record.setPaused(!record.paused, clock.now(), tasks.identity.actor.index)
    tasks.updated(record, { times: true, register: 'paused' })
    this.#note(record.id, record)
  }

  cancel(record: TaskRecord): void {
    const { tasks, clock } = this.#bed
    const open = record.runs.filter(each => !isRunEnd(each.state))
    if (open.length === 0 && record.nextAt === NEVER) return
    if (open.length === 0) open.push(new Run(record.nextAt, false))
    record.cancel(clock.now(), tasks.identity.actor.index)
    for (const run of open) Object.assign(run, { state: 'cancelled', endedAt: clock.now() })
    tasks.history.remove(record.id)
    this.#ended.delete(record.id)
    for (const run of open) this.#keep(record, run, true)
    tasks.ended(record, undefined, { register: 'cancelled', runs: open })
    this.#note(record.id, undefined)
  }

  /** Of what was done so far all is acknowledged once this is. */
  acknowledge(): void {
    const count = this.#done.length
    const done = this.#done
    this.#bed.tasks.afterSync(error => {
      if (error === undefined && this.#done === done && count > this.acked) this.acked = count
    })
  }

  // --- the verdict

  /** Compares everything that can be asked of the store with what it must be. */
  async check(): Promise<void> {
    await this.#judge(this.#done.length)
  }

  async #judge(atLeast: number): Promise<void> {
    const { tasks } = this.#bed
    const actual = new Map<string, State>()
    const records = await this.#bed.run(tasks.load(this.ids))
    for (const [i, id] of this.ids.entries()) {
      const ended = await this.#bed.run(tasks.endedRuns(id, records[i], 100))
      actual.set(id, stateOf(records[i], ended.map(shownEnded).sort()))
    }
    const listed = (await this.#bed.run(tasks.page(undefined, 1000))).records.map(record => record.id)
    expect(listed.sort()).toEqual(this.ids.filter((_, i) => records[i] !== undefined).sort())
    const requests = this.#done.map(({ request }) =>
      request === undefined
        ? undefined
        : tasks.requests.find(CALLER, request.n, request.madeAt, this.#bed.clock.now()) !== undefined,
    )
    this.#compare(actual, requests, atLeast)
    await this.#checkDue()
    for (const record of records) if (record !== undefined) tasks.release(record)
  }

  /** After a restart: the store is what some first part of the list makes; from now on that is the whole list. */
  async restarted(): Promise<void> {
    this.counts.restarts++
    this.counts.cut += this.#bed.started.cut.length
    await this.#judge(this.acked)
    this.acked = this.#done.length
  }

  #compare(
    actual: ReadonlyMap<string, State>,
    requests: ReadonlyArray<boolean | undefined>,
    atLeast: number,
  ): void {
    // Each change shows (if only as a dot), so no two lengths make the same.
    let length = atLeast
    while (length < this.#done.length && !equal(this.#expectedOf(length), actual)) length++
    if (!equal(this.#expectedOf(length), actual)) {
      expect(Object.fromEntries(actual), 'no first part of what was done').toEqual(
        Object.fromEntries(this.#expectedOf(atLeast)),
      )
    }
    const known = requests.map((is, at) => is === undefined || is === at < length)
    expect(known, `requests of the first ${length} changes, no others, are known`).not.toContain(false)
    this.counts.lost += this.#done.length - length
    if (length === this.#done.length) return
    this.#done = this.#done.slice(0, length)
    this.#ended = new Map()
    for (const [id, state] of actual) this.#ended.set(id, (JSON.parse(state) as { ended: string[] }).ended)
  }

  #expectedOf(count: number): Map<string, State> {
    const expected = new Map(this.ids.map(id => [id, NOTHING]))
    for (const { id, state } of this.#done.slice(0, count)) expected.set(id, state)
    return expected
  }

  /** What is not in memory is found by its due key: a missing one would be a task that never fires. */
  async #checkDue(): Promise<void> {
    const { tasks } = this.#bed
    const due = new Set((await this.#bed.dump('d')).map(([key]) => dueIdOf(key)))
    const inMemory = new Set([...tasks.records()].filter(record => record.segment > 0).map(({ id }) => id))
    for (const record of await this.#bed.run(tasks.load(this.ids))) {
      if (record === undefined || record.dueAt === NEVER || inMemory.has(record.id)) continue
      this.counts.spilled++
      expect(due, `a due key of ${record.id}`).toContain(record.id)
    }
    for (const [key] of await this.#bed.dump('t')) expect(this.ids).toContain(taskIdOf(key))
  }

  #keep(record: TaskRecord, run: Run, last: boolean): void {
    this.#bed.tasks.history.add(record, run, last)
    this.counts.ended++
    let kept = this.#ended.get(record.id) ?? []
    if (!record.definition.recurring || last) kept = kept.filter(text => text.startsWith('recurring'))
    kept = [...kept, shownRun(run, record.life, record.definition.recurring && !last)]
    const recurring = kept.filter(text => text.startsWith('recurring'))
    while (recurring.length > this.#bed.options.history.perTaskMax) {
      const oldest = recurring.shift()
      kept = kept.filter(text => text !== oldest)
    }
    this.#ended.set(record.id, kept)
  }

  #note(id: string, record: TaskRecord | undefined, request?: Done['request']): void {
    // The end of a recurring task takes its kept runs along.
    let ended = this.#ended.get(id) ?? []
    if (record === undefined) ended = ended.filter(text => !text.startsWith('recurring'))
    this.#ended.set(id, ended)
    this.#done.push({ id, state: stateOf(record, [...ended].sort()), request })
  }
}

function stateOf(record: TaskRecord | undefined, ended: string[]): State {
  return JSON.stringify({ record: record === undefined ? null : shown(record), ended })
}

const NOTHING = stateOf(undefined, [])

/** What is kept of a record, but for where it lies. `expiresAt` is the lifecycle's to say, after a start too. */
export function shown(record: TaskRecord): object {
  const { id, range, life, firstLife, rev, hlc, actor, paused, pausedVersion, cancelled, cancelVersion } =
    record
  const { next, fired, lastAt, closed } = record
  const text = Buffer.from(
    record.definition.source.subarray(record.definition.start, record.definition.end),
  ).toString('latin1')
  return {
    ...{ id, range, life, firstLife, rev, hlc, actor, paused, pausedVersion, cancelled, cancelVersion },
    ...{ fired, text },
    instants: [next, lastAt, closed].map(String),
    runs: record.runs.map(run => shownRun(run, life, false)),
    kept: record.kept,
    dots: record.dots,
  }
}

function shownRun(run: Run, life: number, recurring: boolean): string {
  const { instant, manual, state, attempt, retryAt, startedAt, endedAt, fence, body } = run
  const { drive, drivenFrom, returned } = run
  const rest = { life, instant, manual, state, attempt, retryAt: state === 'retrying' ? retryAt : 0 }
  const more = { startedAt, endedAt, fence, drive, drivenFrom, returned, body: Buffer.from(body).toString() }
  return `${recurring ? 'recurring' : 'one-shot'} ${JSON.stringify({ ...rest, ...more })}`
}

function shownEnded({ run, life, recurring }: EndedRun): string {
  return shownRun(run, life, recurring)
}

export function isOver(record: TaskRecord): boolean {
  return record.nextAt === NEVER && !record.hasOpenRun
}

function equal(a: ReadonlyMap<string, State>, b: ReadonlyMap<string, State>): boolean {
  for (const [id, state] of a) if (b.get(id) !== state) return false
  return true
}
