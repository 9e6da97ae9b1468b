/**
 * RunLog: which handlers were entered where, and how they ended; and whether virtual time has to stand still for one.
 *
 * A handler is the user's code, and may wait for real things: a file, a server of the test. Until it settles it holds
 * virtual time, unless it waits for something of the mesh. So that a run does not depend on which of several handlers the
 * machine is done with first, they are reported in the order in which they were entered.
 */

import { AsyncLocalStorage } from 'node:async_hooks'
import type { Run } from '../src/api/run.ts'
import type { Handler } from '../src/api/types.ts'
import type { RunFilter, TestRun } from './types.ts'

type Entry = { -readonly [Key in keyof TestRun]: TestRun[Key] }

interface Invocation {
  readonly entry: Entry
  /** What it awaits of the mesh. */
  waiting: number
  /** Given once it has settled: tells the worker. */
  report: (() => void) | undefined
}

export class RunLog {
  readonly #now: () => number
  readonly #entries: Entry[] = []
  /** Not reported yet, in the order of entry. */
  readonly #open = new Set<Invocation>()
  readonly #current = new AsyncLocalStorage<Invocation>()

  constructor(now: () => number) {
    this.#now = now
  }

  /** The handler of a node, as its worker gets it. */
  recorded(node: number, handler: Handler): Handler {
    return run => this.#enter(node, run, handler)
  }

  /** A handler that works in real time; virtual time stands still for it. */
  get holder(): TestRun | undefined {
    for (const { report, waiting, entry } of this.#open)
      if (report === undefined && waiting === 0) return entry
    return undefined
  }

  /** Handlers have settled, and nobody has been told. */
  get isReady(): boolean {
    for (const { report } of this.#open) if (report !== undefined) return true
    return false
  }

  /** Tells the workers of all that have settled, in the order of entry: called when no handler holds virtual time. */
  report(): void {
    for (const invocation of this.#open) {
      if (invocation.report === undefined) continue
      this.#open.delete(invocation)
      invocation.report()
    }
  }

  /** Handlers are under way: their timeouts run. */
  get isRunning(): boolean {
    return this.#open.size > 0
  }

  /** Asked from within a handler. */
  get isInside(): boolean {
    return this.#current.getStore() !== undefined
  }

  /** What is begun in there belongs to no handler, whoever asks. */
  outside<T>(act: () => T): T {
    return this.#current.exit(act)
  }

  /** If a handler asks, it waits for the mesh until the promise settles. */
  waits<T>(promise: Promise<T>): Promise<T> {
    const invocation = this.#current.getStore()
    if (invocation === undefined) return promise
    invocation.waiting++
    return promise.finally(() => invocation.waiting--)
  }

  /** Nobody waits for a handler any more. */
  letGo(): void {
    this.#open.clear()
  }

  /** The node's process is gone, and with it whatever ran there. */
  lost(node: number): void {
    for (const invocation of this.#open) {
      if (invocation.entry.node !== node) continue
      this.#open.delete(invocation)
      this.#end(invocation.entry, 'lost')
    }
  }

  ran(filter: RunFilter): TestRun[] {
    const { handler, task, node, outcome } = filter
    return this.#entries
      .filter(
        entry =>
          (handler === undefined || entry.handler === handler) &&
          (task === undefined || entry.task === task) &&
          (node === undefined || entry.node === node) &&
          (outcome === undefined || entry.outcome === outcome),
      )
      .map(entry => ({ ...entry }))
  }

  #enter(node: number, run: Run, handler: Handler): unknown {
    const at = this.#now()
    const { taskId: task, name, attempt, payload, scheduledAt, idempotencyKey: id } = run
    const entry: Entry = {
      task,
      handler: name,
      node,
      id,
      attempt,
      payload,
      scheduledAt,
      at,
      lateMs: at - scheduledAt,
      outcome: 'running',
      endedAt: null,
    }
    this.#entries.push(entry)
    run.signal.addEventListener('abort', () => this.#end(entry, 'aborted', run.signal.reason), { once: true })
    const invocation: Invocation = { entry, waiting: 0, report: undefined }
    let result: unknown
    try {
      result = this.#current.run(invocation, () => handler(run))
    } catch (error) {
      this.#end(entry, 'failed', error)
      throw error
    }
    if (!isThenable(result)) {
      this.#end(entry, 'completed', result)
      return result
    }
    this.#open.add(invocation)
    return new Promise((resolve, reject) => {
      const settle = (report: () => void): void => {
        // Of a node that crashed meanwhile nobody is told.
        if (this.#open.has(invocation)) invocation.report = report
      }
      Promise.resolve(result).then(
        value =>
          settle(() => {
            this.#end(entry, 'completed', value)
            resolve(value)
          }),
        (error: unknown) =>
          settle(() => {
            this.#end(entry, 'failed', error)
            reject(error)
          }),
      )
    })
  }

  #end(entry: Entry, outcome: 'completed' | 'failed' | 'aborted' | 'lost', value?: unknown): void {
    if (entry.outcome !== 'running') return
    entry.outcome = outcome
    entry.endedAt = this.#now()
    if (outcome === 'completed' && value !== undefined) entry.result = value
    if (outcome === 'failed' || outcome === 'aborted') entry.error = value
  }
}

function isThenable(value: unknown): boolean {
  return (
    ((typeof value === 'object' && value !== null) || typeof value === 'function') &&
    typeof (value as { then?: unknown }).then === 'function'
  )
}
