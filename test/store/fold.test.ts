/**
 * What the rooms do to a record and then journal gives, byte for byte, what another store gets by applying the journaled
 * change: random operations as src/work does them on one store, each change applied on a second one.
 */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { hasEnded } from '../../src/task/merge.ts'
import { NEVER, Run, TaskRecord } from '../../src/task/record.ts'
import { isRunEnd } from '../../src/task/task.ts'
import { save } from './mesh-states.ts'
import { CALLER, definition, StoreBed } from './test-bed.ts'

const ID = 'task'
const VERBS = [
  ...[
    'create',
    'create',
    'reach',
    'reach',
    'start',
    'start',
    'complete',
    'complete',
    'fail',
    'retry',
    'requeue',
  ],
  ...['pause', 'trigger', 'cancel', 'cancel run', 'redrive', 'drop', 'fresh actor', 'write started'],
] as const
type Verb = (typeof VERBS)[number]

/** A store that writes, and one that gets its changes. */
class Pair {
  readonly writer = new StoreBed({ ranges: 1, replicated: true }, 'writer')
  readonly other = new StoreBed({ ranges: 1, replicated: true }, 'other')
  changes = 0
  #instant = 1_000_000
  #requests = 0
  #hlc = 0
  /** Runs that were started and not written yet. */
  readonly started = new Set<Run>()

  async open(): Promise<void> {
    await this.writer.open()
    await this.other.open()
    save(this.writer, 0)
    save(this.other, 0)
    this.writer.wrote = (range, bytes, dots) => {
      this.changes++
      const { tasks } = this.writer
      const written = dots.find(({ actor }) => actor === tasks.actorOf(range))
      const actor = this.other.tasks.actors.learn(tasks.actors.startIdOf(written?.actor as number))
      expect(this.other.tasks.idOf(bytes)).toBe(ID)
      this.other.tasks.apply(range, actor, written?.n as number, bytes)
    }
  }

  get record(): TaskRecord | undefined {
    const record = this.writer.tasks.peek(ID)
    return record instanceof TaskRecord ? record : undefined
  }

  carryOut(verb: Verb, recurring: boolean, pick: number): void {
    const { tasks } = this.writer
    const { record } = this
    const now = ++this.#instant
    if (verb === 'fresh actor') return this.writer.freshActor(0)
    if (verb === 'create') return this.#create(record, recurring, now)
    if (record === undefined) return
    const open = record.runs.filter(run => record.isOpen(run))
    const run = open[pick % Math.max(1, open.length)]
    const request = { caller: CALLER, n: this.#requests++, answer: '{}' }
    if (verb === 'reach' && !record.paused && record.nextAt !== NEVER) {
      record.addRun(new Run(record.nextAt, false))
      record.fired++
      record.lastAt = record.nextAt
      record.next = record.definition.recurring ? record.next + 1000 : NEVER
    } else if (verb === 'start' && run?.state === 'queued') {
      Object.assign(run, { state: 'running', attempt: run.attempt + 1, startedAt: now })
      this.started.add(run)
    } else if (verb === 'write started') {
      for (const each of this.started)
        if (each.state === 'running' && record.runs.includes(each))
          tasks.updated(record, { times: true, runs: [each] })
      this.started.clear()
    } else if ((verb === 'complete' || verb === 'fail') && run?.state === 'running')
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
      record.setPaused(!record.paused, ++this.#hlc, tasks.actorOf(0))
      tasks.updated(record, { times: true, register: 'paused', request })
    } else if (verb === 'trigger' && open.length < 4) {
      const manual = new Run(now, true)
      record.addRun(manual)
      tasks.updated(record, { times: true, runs: [manual], request })
    } else if (verb === 'cancel') this.#cancel(record, now, request)
    else if (verb === 'redrive') {
      const failed = record.runs.findLast(each => each.state === 'failed')
      if (failed === undefined) return
      Object.assign(failed, {
        state: 'queued',
        drive: failed.drive + 1,
        drivenFrom: failed.attempt,
        endedAt: 0,
      })
      record.expiresAt = NEVER
      tasks.updated(record, { times: true, runs: [failed], request })
    } else if (verb === 'drop' && isOver(record)) tasks.ended(record, undefined, {})
  }

  #create(record: TaskRecord | undefined, recurring: boolean, now: number): void {
    const { tasks } = this.writer
    const made = definition(ID, { recurring, n: this.#requests++, madeAt: now, at: now + 500 })
    const first = recurring ? now + 1000 : made.at
    if (record !== undefined && !isOver(record)) {
      record.replace(made, first, ++this.#hlc, tasks.actorOf(0))
      while (record.findRun(record.next) !== undefined || record.next === record.lastAt) record.next++
      record.lastAt = Math.min(record.lastAt, record.next - 1)
      tasks.created(record)
      for (const run of [...record.runs]) {
        if (!isRunEnd(run.state) && run.state !== 'running') this.#end(record, run, 'cancelled', now)
      }
      return
    }
    const before = tasks.lastLifeOf(ID)
    const life = Math.max(now, (before ?? 0) + 1)
    const fresh = new TaskRecord<Run>(ID, 0, life, before === undefined, made)
    fresh.hlc = ++this.#hlc
    fresh.actor = tasks.actorOf(0)
    fresh.next = first
    tasks.created(fresh)
  }

  #end(record: TaskRecord, run: Run, state: 'completed' | 'failed' | 'cancelled', now: number): void {
    const { tasks } = this.writer
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

  #cancel(record: TaskRecord, now: number, request: { caller: string; n: number; answer: string }): void {
    const { tasks } = this.writer
    if (isOver(record) && !record.runs.some(run => run.state === 'failed')) return
    record.cancel(++this.#hlc, tasks.actorOf(0))
    const runs = record.runs.filter(run => !isRunEnd(run.state))
    if (runs.length === 0 && !isOver(record)) {
      const run = new Run(Number.isFinite(record.nextAt) ? record.nextAt : now, false)
      record.addRun(run)
      runs.push(run)
    }
    record.next = NEVER
    for (const run of runs) Object.assign(run, { state: 'cancelled', endedAt: now })
    if (runs.length === 0) {
      // As the lifecycle cancels a dead task: its last run, which the record has as failed.
      const last = record.runs.at(-1)
      const { instant = now, manual = false } = last ?? {}
      const { attempt, drive, drivenFrom, returned, version } = last ?? new Run(0, false)
      const like = new Run(instant, manual)
      runs.push(
        Object.assign(like, {
          state: 'cancelled',
          attempt,
          drive,
          drivenFrom,
          returned,
          version,
          endedAt: now,
        }),
      )
    }
    tasks.ended(record, undefined, { register: 'cancelled', runs, request })
  }

  /** Both as they are; of attempts that were started and not written the other knows nothing yet. */
  compare(): void {
    const [mine, others] = [this.writer, this.other].map(({ tasks }) => tasks.encodeRecord(0, ID))
    expect(mine === undefined).toBe(others === undefined)
    if (mine === undefined || others === undefined) return
    expect(shown(this.other, others)).toEqual(shown(this.writer, mine))
  }

  /** True if the record says something that no change has said. */
  get isAhead(): boolean {
    const { record } = this
    if (record === undefined) return false
    if (record.runs.some(run => run.n === 0)) return true
    return record.runs.some(run => this.started.has(run) && run.state === 'running')
  }
}

function isOver(record: TaskRecord): boolean {
  return record.nextAt === NEVER && !record.hasOpenRun && !(record.paused && record.next !== NEVER)
}

/** The canonical form, in parts that can be read, with names of actors. */
function shown(bed: StoreBed, bytes: Uint8Array): object {
  const { tasks } = bed
  const head = tasks.headOf(0, bytes)
  const kept = [...tasks.rangeRecords(0)].find(each => each.id === head.id) ?? endedOf(bed)
  const record = kept as TaskRecord
  const named = (version: { rev: number; hlc: number; actor: number } | undefined): unknown =>
    version && `${version.rev} ${version.hlc} ${version.actor < 0 ? '-' : tasks.actors.nameOf(version.actor)}`
  const { life, rev, hlc, paused, cancelled, next, fired, lastAt, closed, ended } = record
  return {
    ...{ life, rev, hlc, paused, cancelled, ended, fired, hasEnded: hasEnded(record) },
    times: [next, lastAt, closed].map(String),
    versions: [record.version, record.pausedVersion, record.cancelVersion, record.timesVersion].map(named),
    closedBefore: record.closedBefore.map(each => `${named(each.version)} ${each.closed}`).sort(),
    runs: record.runs.map(
      run =>
        `${run.instant} ${run.manual} ${run.state} ${run.attempt} ${run.drive} ${named(run.version)} ${run.n}`,
    ),
    canonical: tasks.canonical(record),
  }
}

function endedOf(bed: StoreBed): TaskRecord | undefined {
  return bed.tasks.endedIn(0).find(each => each.id === ID)
}

describe('a change that was journaled', () => {
  test('gives what its writer has, byte for byte, whatever was done', async () => {
    let compared = 0
    const seen = new Set<Verb>()
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.constantFrom(...VERBS), fc.boolean(), fc.nat(5)), {
          minLength: 10,
          maxLength: 60,
        }),
        async steps => {
          const pair = new Pair()
          await pair.open()
          for (const [verb, recurring, pick] of steps) {
            const before = pair.changes
            pair.carryOut(verb, recurring, pick)
            if (pair.changes === before || pair.isAhead) continue
            pair.compare()
            compared++
            seen.add(verb)
          }
        },
      ),
      { seed: 20_251_127, numRuns: 1000 },
    )
    expect(compared).toBeGreaterThan(3000)
    expect(seen.size).toBeGreaterThan(10)
  })
})
