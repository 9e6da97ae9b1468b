/**
 * Who is told what becomes of a run: of this engine's own the lifecycle, of guests the links that they came over. Neither
 * knows of the other.
 */

import type { ByteWriter } from '../lib/bytes.ts'
import type { OutcomeMessage } from '../wire/work.ts'
import type { DispatcherHost } from './due-run.ts'
import type { GuestRun } from './guest-run.ts'
import type { LiveRun } from './live-run.ts'

/** Own runs and guests: `isGuest` tells which. */
export type AnyRun = LiveRun | GuestRun

export class RunHost implements DispatcherHost<AnyRun> {
  readonly #own: DispatcherHost<LiveRun>
  readonly #guests: Omit<DispatcherHost<GuestRun>, 'noWorker'>

  constructor(own: DispatcherHost<LiveRun>, guests: Omit<DispatcherHost<GuestRun>, 'noWorker'>) {
    this.#own = own
    this.#guests = guests
  }

  starting(run: AnyRun): void {
    if (run.isGuest) this.#guests.starting(run)
    else this.#own.starting(run)
  }

  claim(run: AnyRun, done: (go: boolean) => void): void {
    if (run.isGuest) this.#guests.claim(run, done)
    else this.#own.claim(run, done)
  }

  write(run: AnyRun, out: ByteWriter, handle: number, handler: number): void {
    if (run.isGuest) this.#guests.write(run, out, handle, handler)
    else this.#own.write(run, out, handle, handler)
  }

  started(run: AnyRun, at: number): void {
    if (run.isGuest) this.#guests.started(run, at)
    else this.#own.started(run, at)
  }

  outcome(run: AnyRun, outcome: OutcomeMessage): void {
    if (run.isGuest) this.#guests.outcome(run, outcome)
    else this.#own.outcome(run, outcome)
  }

  timedOut(run: AnyRun): void {
    if (run.isGuest) this.#guests.timedOut(run)
    else this.#own.timedOut(run)
  }

  lost(run: AnyRun): void {
    if (run.isGuest) this.#guests.lost(run)
    else this.#own.lost(run)
  }

  label(run: AnyRun): string {
    return run.isGuest ? this.#guests.label(run) : this.#own.label(run)
  }

  lateEnd(run: AnyRun, label: string, attempt: number, outcome: OutcomeMessage | undefined): void {
    if (run.isGuest) this.#guests.lateEnd(run, label, attempt, outcome)
    else this.#own.lateEnd(run, label, attempt, outcome)
  }

  progress(run: AnyRun, json: string): void {
    if (run.isGuest) this.#guests.progress(run, json)
    else this.#own.progress(run, json)
  }

  log(run: AnyRun, json: string): void {
    if (run.isGuest) this.#guests.log(run, json)
    else this.#own.log(run, json)
  }

  /** Guests don't wait where nobody runs their handler, so these are own ones. */
  noWorker(name: string, waiting: number): void {
    this.#own.noWorker(name, waiting)
  }
}
