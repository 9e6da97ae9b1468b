/** What the dispatcher needs of a run, and what it tells about it. */

import type { ByteWriter } from '../lib/bytes.ts'
import type { OutcomeMessage } from '../wire/work.ts'

/**
 * A run that is due. Its owner keeps what else it needs on it. The dispatcher reads what describes it when it is
 * offered or handed out, and not again: a task may be replaced while a run of it is under way.
 */
export interface DueRun {
  /** Its handler. */
  readonly name: string
  /** Higher first. */
  readonly priority: number
  readonly attempt: number
  /** Its claim is synced before the start. */
  readonly strict: boolean
  /** From the start of the handler, ms; 0: none. */
  readonly timeoutMs: number
  readonly payloadBytes: number
  /** It came from another engine: only near workers get it, so that no run is handed on twice. */
  readonly isGuest: boolean
  /** Where it is. Only the dispatcher sets it. */
  place: 'idle' | 'queued' | 'claiming' | 'sent'
  /** Names this offer of it, and the attempt that comes of it; 0 while idle. Only the dispatcher sets it. */
  handle: number
  /** Where it waits while queued. Only the dispatcher sets it. */
  queue: Line | undefined
}

/** Where runs wait (run-queue.ts). */
export interface Line {
  readonly name: string
  readonly waiting: number
  readonly told: boolean
  withdraw(run: DueRun): void
}

export interface DispatcherHost<R extends DueRun> {
  /** The run goes to a worker now: counts the attempt. Called right before write(). */
  starting(run: R): void
  /**
   * Strict runs: writes the claim, and calls back once, when it is synced (or with false: not to be started, and the
   * dispatcher lets go of it). A claim that could not be used, as the worker was gone by then, waits for another worker.
   */
  claim(run: R, done: (go: boolean) => void): void
  /** Appends the run's message (wire/work). */
  write(run: R, out: ByteWriter, handle: number, handler: number): void
  /** The handler was entered. */
  started(run: R, at: number): void
  /**
   * The attempt ended, as its worker says. Not called for attempts that are over already. `unstarted` also if its
   * worker went away before the attempt was sent.
   */
  outcome(run: R, outcome: OutcomeMessage): void
  /** The handler did not end in time; its worker was told to abort. */
  timedOut(run: R): void
  /** The worker went away, or says that whoever had the attempt there did. */
  lost(run: R): void
  /** Names the run for lateEnd(). */
  label(run: R): string
  /**
   * An attempt that was over already is no longer with its worker: how it ended after all, or undefined if its worker
   * went away. `label` and `attempt` are what they were when it was over; the run may have been offered again since.
   */
  lateEnd(run: R, label: string, attempt: number, outcome: OutcomeMessage | undefined): void
  progress(run: R, json: string): void
  log(run: R, json: string): void
  /** Runs wait, and nobody announced their handler; once a spell. 0: somebody has, since. */
  noWorker(name: string, waiting: number): void
}
