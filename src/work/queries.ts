/** The calls that only look: tasks, runs, results, logs. What is not in memory is read from the index, and let go. */

import { CarillonError } from '../errors.ts'
import type { Place } from '../store/index-reader.ts'
import type { TaskStore } from '../store/task-store.ts'
import { parseRunId, runIdOf } from '../task/ids.ts'
import { isRunEnd } from '../task/task.ts'
import type { RunView, TaskView } from '../task/views.ts'
import { type CallAnswers, rangesText, type TaskFilter } from '../wire/calls.ts'
import type { LiveRecord, LiveRun } from './live-run.ts'
import { endedView, runView, taskView } from './views.ts'

const PAGE_MAX = 1000
const RUNS_MAX = 1000
/** Tasks that are read for one answer to another node: more takes longer than such a call is waited for. */
const LOOKED_MAX = 50_000
/** Of payloads and errors in one answer; with one task more, it is far below what a message may hold. */
const ANSWER_BYTES_MAX = 4 * 1024 * 1024
/** Dead tasks that are read at once. */
const DEAD_CHUNK = 100

export class Queries {
  readonly #store: TaskStore<LiveRun>

  constructor(store: TaskStore<LiveRun>) {
    this.#store = store
  }

  async task(id: string): Promise<CallAnswers['task']> {
    const record = await this.#load(id)
    const task = record === undefined ? null : taskView(record)
    if (record !== undefined) this.#store.release(record)
    return { task }
  }

  /** A page ends at `limit`, or where its answer has grown large: only `after` says whether it is the last. */
  async tasks(filter: TaskFilter, after: string | undefined, limit: number): Promise<CallAnswers['tasks']> {
    const max = Math.min(Math.max(1, limit), PAGE_MAX)
    const tasks: TaskView[] = []
    let bytes = 0
    let at = after === undefined ? undefined : placeOf(after)
    // The dead have a list of their own: nobody should read ten million records to find three.
    if (filter.state === 'dead') return this.#dead(filter, at, max)
    for (;;) {
      const { records, end } = await this.#store.page(at, PAGE_MAX)
      for (const record of records) {
        const task = taskView(record)
        if (!fits(task, filter)) continue
        tasks.push(task)
        bytes += bytesOf(record)
        if (tasks.length >= max || bytes >= ANSWER_BYTES_MAX) return { tasks, after: cursorOf(record) }
      }
      if (end === undefined) return { tasks, after: null }
      at = end
    }
  }

  /**
   * A page of the tasks of these ranges, as far as this node acts for them; it says for which of them that is. A range that is
   * lost while it is read is not told of. Where nothing fits a page ends early, so that who asks does not wait for ever.
   */
  async tasksOf(
    asked: ReadonlySet<number>,
    acts: (range: number) => boolean,
    filter: TaskFilter,
    after: string | undefined,
    limit: number,
  ): Promise<CallAnswers['tasks']> {
    const from = after === undefined ? undefined : placeOf(after)
    const told = new Set([...asked].filter(range => range >= (from?.range ?? 0) && acts(range)))
    const max = Math.min(Math.max(1, limit), PAGE_MAX)
    const dead = filter.state === 'dead' ? this.#deadByRange() : undefined
    const tasks: TaskView[] = []
    let bytes = 0
    let looked = 0
    for (const range of [...told].sort((a, b) => a - b)) {
      const here: TaskView[] = []
      let at: Place | undefined = from?.range === range ? from : undefined
      for (;;) {
        const { records, end } =
          dead === undefined
            ? await this.#store.page(at, PAGE_MAX, range)
            : await this.#deadPage(dead.get(range) ?? [], at)
        if (!acts(range)) break
        looked += records.length
        let stop: Place | undefined
        for (const record of records) {
          const task = taskView(record)
          if (!fits(task, filter)) continue
          here.push(task)
          bytes += bytesOf(record)
          if (tasks.length + here.length < max && bytes < ANSWER_BYTES_MAX) continue
          stop = { range, id: record.id }
          break
        }
        if (dead !== undefined) for (const record of records) this.#store.release(record)
        stop ??= looked >= LOOKED_MAX ? (end ?? { range, id: LAST_ID }) : undefined
        if (stop !== undefined) {
          tasks.push(...here)
          return { tasks, after: cursorOf(stop), ranges: rangesText([...told].filter(acts)) }
        }
        if (end === undefined) break
        at = end
      }
      if (acts(range)) tasks.push(...here)
      else told.delete(range)
    }
    // One that was lost and got again meanwhile may have missed what came between.
    return { tasks, after: null, ranges: rangesText(told) }
  }

  #deadByRange(): Map<number, string[]> {
    const byRange = new Map<number, string[]>()
    for (const id of new Set(this.#store.history.dead())) {
      const range = this.#store.rangeOf(id)
      const known = byRange.get(range)
      if (known === undefined) byRange.set(range, [id])
      else known.push(id)
    }
    for (const ids of byRange.values()) ids.sort()
    return byRange
  }

  async #deadPage(
    ids: readonly string[],
    after: Place | undefined,
  ): Promise<{ records: LiveRecord[]; end: Place | undefined }> {
    const rest = after === undefined ? ids : ids.filter(id => id > after.id)
    const page = rest.slice(0, DEAD_CHUNK)
    const records = (await this.#store.load(page)).filter(record => record !== undefined)
    const last = page.at(-1)
    const end =
      rest.length > page.length && last !== undefined
        ? { range: this.#store.rangeOf(last), id: last }
        : undefined
    return { records, end }
  }

  async runs(id: string, limit: number): Promise<CallAnswers['runs']> {
    const record = await this.#load(id)
    const max = Math.min(Math.max(1, limit), RUNS_MAX)
    const open = record === undefined ? [] : [...record.runs].filter(run => !isRunEnd(run.state)).reverse()
    const runs = open.map(run => this.#view(record as LiveRecord, run))
    const seen = new Set(runs.map(run => run.id))
    for (const ended of await this.#store.endedRuns(id, record, max)) {
      const view = endedView(ended)
      if (!seen.has(view.id)) runs.push(view)
    }
    if (runs.length === 0 && record === undefined) throw notFound(id)
    if (record !== undefined) this.#store.release(record)
    return { runs: runs.slice(0, max) }
  }

  /** The end of a task or run, if it has ended; undefined if it is still to come. Throws NOT_FOUND, NO_RESULT. */
  async result(id: string): Promise<RunView | undefined> {
    const named = parseRunId(id)
    const taskId = named?.taskId ?? id
    const record = await this.#load(taskId)
    if (named === undefined && record !== undefined) {
      if (record.nextAt !== Number.POSITIVE_INFINITY || record.hasOpenRun) return undefined
      const last = record.runs.at(-1)
      if (last !== undefined) return this.#view(record, last)
    }
    if (named !== undefined && record !== undefined) {
      const run = record.findRun(named.instant)
      if (run !== undefined) return isRunEnd(run.state) ? this.#view(record, run) : undefined
      if (record.nextAt <= named.instant) return undefined
    }
    const ended = await this.#store.endedRuns(taskId, record, RUNS_MAX)
    const found = named === undefined ? ended[0] : ended.find(each => each.run.instant === named.instant)
    if (found !== undefined) return endedView(found)
    if (record === undefined) throw notFound(id)
    throw new CarillonError('NO_RESULT', `the result of "${id}" is no longer kept`)
  }

  async #dead(
    filter: TaskFilter,
    after: { id: string } | undefined,
    limit: number,
  ): Promise<CallAnswers['tasks']> {
    const ids = [...new Set(this.#store.history.dead())]
      .filter(id => after === undefined || id > after.id)
      .sort()
    const tasks: TaskView[] = []
    let bytes = 0
    let last: LiveRecord | undefined
    for (let from = 0; from < ids.length; from += DEAD_CHUNK) {
      for (const record of await this.#store.load(ids.slice(from, from + DEAD_CHUNK))) {
        if (record === undefined) continue
        const task = taskView(record)
        const isFull = tasks.length >= limit || bytes >= ANSWER_BYTES_MAX
        if (!isFull && task.state === 'dead' && fits(task, filter)) {
          tasks.push(task)
          bytes += bytesOf(record)
          last = record
        }
        this.#store.release(record)
      }
      if (last !== undefined && (tasks.length >= limit || bytes >= ANSWER_BYTES_MAX))
        return { tasks, after: cursorOf(last) }
    }
    return { tasks, after: null }
  }

  async #load(id: string): Promise<LiveRecord | undefined> {
    const known = this.#store.peek(id)
    if (known === 'absent') return undefined
    return known ?? (await this.#store.load([id]))[0]
  }

  #view(record: LiveRecord, run: LiveRun): RunView {
    return runView(record, run, runIdOf(record.id, record.life, record.firstLife, run.instant))
  }
}

/** The cursor behind a task. */
export function cursorOf({ range, id }: Place): string {
  return `${range}/${id}`
}

/** Throws INVALID. */
export function placeOf(after: string): Place {
  const [, range, id] = /^(\d{1,5})\/(.{1,255})$/.exec(after) ?? []
  if (range === undefined || id === undefined) {
    throw new CarillonError(
      'INVALID',
      `after is "${after}": give back the cursor that the page before came with`,
      { field: 'after' },
    )
  }
  return { range: Number(range), id }
}

/** Behind every id of a range: none has such a letter. */
export const LAST_ID = '~~'

/** What a task adds to an answer, roughly. */
function bytesOf(record: LiveRecord): number {
  let bytes = record.definition.payload.length
  for (const run of record.runs) bytes += run.body.length + (run.progress?.length ?? 0)
  return bytes
}

export function notFound(id: string): CarillonError {
  return new CarillonError('NOT_FOUND', `no task "${id}": it never was, or it ended and is no longer kept`)
}

function fits(task: TaskView, filter: TaskFilter): boolean {
  if (filter.state !== undefined && task.state !== filter.state) return false
  if (filter.name !== undefined && task.name !== filter.name) return false
  return filter.tag === undefined || task.policy.tags.includes(filter.tag)
}
