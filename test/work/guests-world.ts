/**
 * Two dispatchers joined by a link: `owner` owns the runs, `helper` has workers and takes guests in. Frames are delivered
 * when the test says so, and looked into on their way: every run that comes over the link is answered at most once, and
 * what is said is said of runs that are there.
 */

import { expect } from 'vitest'
import { ByteReader, ByteWriter } from '../../src/lib/bytes.ts'
import { MESSAGE } from '../../src/wire/frame.ts'
import {
  type Hello,
  type OutcomeKind,
  type OutcomeMessage,
  readOutcome,
  readRun,
} from '../../src/wire/work.ts'
import type { DispatcherHost } from '../../src/work/due-run.ts'
import type { LinkWorker } from '../../src/work/guest-link.ts'
import { type GuestDesk, Guests, type GuestsOptions } from '../../src/work/guests.ts'
import type { LiveRun } from '../../src/work/live-run.ts'
import { RunHost } from '../../src/work/run-host.ts'
import type { WorkerConnection } from '../../src/work/worker-connection.ts'
import { type FakeWorker, TestBed, type TestRun } from './test-bed.ts'

export class GuestsWorld {
  readonly owner: TestBed
  readonly helper: TestBed
  readonly guests: Guests
  readonly link: LinkWorker
  /** The owner's side of the link, while it stands there. */
  connection: WorkerConnection<TestRun> | undefined
  /** The helper has not noticed yet that the link is lost. */
  isStale = false
  readonly toOwner: Uint8Array[] = []
  readonly toHelper: Uint8Array[] = []
  readonly ownerWorkers: FakeWorker[] = []
  readonly helperWorkers: FakeWorker[] = []
  /** Runs that reached the helper over the link as it is now, and are not answered. */
  readonly unanswered = new Set<number>()
  /** Of the link as it is now, what reached the owner. */
  readonly hellos: Hello[] = []
  readonly outcomes: OutcomeMessage[] = []
  /** How many of each kind have ever reached the owner. */
  readonly answered = new Map<OutcomeKind, number>()
  stirs = 0

  constructor(
    options: Partial<GuestsOptions> = {},
    ownerHost: Partial<DispatcherHost<TestRun>> = {},
    { queueMax = 100_000 }: { readonly queueMax?: number } = {},
  ) {
    this.owner = new TestBed({}, ownerHost)
    this.guests = new Guests(
      { guestWindowMax: 256, announceMs: 50, ...options },
      {
        clock: { monotonic: () => this.helper.clock.monotonic(), setTimer: (ms, f) => this.#timer(ms, f) },
        dispatcher: () => this.helper.dispatcher as unknown as GuestDesk,
        worker: () => 'helper',
        stir: () => void this.stirs++,
      },
    )
    // What a bed does with own runs stays as it is; guests go where they go in an engine.
    const own = new TestBed().dispatcher.runs as unknown as DispatcherHost<LiveRun>
    this.helper = new TestBed({ queueMax }, hostOf(new RunHost(own, this.guests)))
    this.link = this.guests.link('owner')
  }

  #timer(ms: number, callback: () => void): ReturnType<TestBed['clock']['setTimer']> {
    return this.helper.clock.setTimer(ms, () => {
      callback()
      this.helperTurn()
    })
  }

  /** The link is open at both ends. */
  open(): void {
    if (this.isStale) this.notice()
    if (this.connection !== undefined) return
    this.connection = this.owner.dispatcher.attach({ far: true })
    this.link.opened()
  }

  /** The link is lost, with all that is on its way. The helper notices now, or later. */
  cut(isNoticed = true): void {
    if (this.connection === undefined) return
    this.connection.closed()
    this.connection = undefined
    this.toOwner.length = 0
    this.toHelper.length = 0
    this.unanswered.clear()
    this.hellos.length = 0
    this.outcomes.length = 0
    this.isStale = true
    if (isNoticed) this.notice()
  }

  notice(): void {
    this.isStale = false
    this.link.closed()
  }

  ownerTurn(): void {
    this.owner.dispatcher.flush()
    for (const worker of this.ownerWorkers) worker.take()
    const out = new ByteWriter()
    this.connection?.takeOutgoing(out)
    if (out.position > 0) this.toHelper.push(out.take())
  }

  helperTurn(): void {
    this.guests.settle()
    this.helper.dispatcher.flush()
    this.guests.flush()
    for (const worker of this.helperWorkers) worker.take()
    const out = new ByteWriter()
    this.link.takeOutgoing(out)
    if (out.position > 0 && this.connection !== undefined) this.toOwner.push(out.take())
  }

  /** The next frame arrives; false if there is none. */
  deliverToOwner(): boolean {
    const frame = this.toOwner.shift()
    if (frame === undefined || this.connection === undefined) return false
    this.#lookAtAnswers(new ByteReader(frame))
    const reader = new ByteReader(frame)
    while (reader.remaining > 0) expect(this.connection.handleMessage(reader.u8(), reader)).toBe(true)
    return true
  }

  deliverToHelper(): boolean {
    const frame = this.toHelper.shift()
    if (frame === undefined) return false
    this.#lookAtRuns(new ByteReader(frame))
    const reader = new ByteReader(frame)
    while (reader.remaining > 0) expect(this.link.handleMessage(reader.u8(), reader)).toBe(true)
    return true
  }

  /** Turns and frames, until nothing happens any more at this instant. */
  settle(): void {
    for (let isQuiet = false; !isQuiet; ) {
      this.ownerTurn()
      this.helperTurn()
      isQuiet = true
      while (this.deliverToHelper() || this.deliverToOwner()) isQuiet = false
    }
  }

  /** Time passes at both. */
  advance(ms: number): void {
    this.owner.clock.advance(ms)
    this.helper.clock.advance(ms)
    this.settle()
  }

  ownerWorker(windows: Readonly<Record<string, number>>, window = 1000): FakeWorker {
    const worker = this.owner.worker(windows, window)
    this.ownerWorkers.push(worker)
    return worker
  }

  helperWorker(windows: Readonly<Record<string, number>>, window = 1000, far = false): FakeWorker {
    const worker = this.helper.worker(windows, window, far)
    this.helperWorkers.push(worker)
    return worker
  }

  /** The windows that the owner knows of now. */
  get windows(): Record<string, number | 'gone'> {
    const handlers = this.hellos.at(-1)?.handlers ?? []
    return Object.fromEntries(
      handlers.map(({ name, window, gone }) => [name, gone === true ? 'gone' : window]),
    )
  }

  #lookAtRuns(reader: ByteReader): void {
    while (reader.remaining > 0) {
      const type = reader.u8()
      if (type === MESSAGE.abort) {
        reader.varuint()
        reader.u8()
        continue
      }
      expect(type).toBe(MESSAGE.runs)
      for (let left = reader.varuint(); left > 0; left--) {
        const { handle } = readRun(reader)
        expect(this.unanswered.has(handle), 'sent once').toBe(false)
        this.unanswered.add(handle)
      }
    }
  }

  #lookAtAnswers(reader: ByteReader): void {
    while (reader.remaining > 0) {
      const type = reader.u8()
      if (type === MESSAGE.hello) this.hellos.push(JSON.parse(reader.utf8(1e6)) as Hello)
      else if (type === MESSAGE.outcomes) {
        for (let left = reader.varuint(); left > 0; left--) {
          const outcome = readOutcome(reader)
          this.outcomes.push(outcome)
          this.answered.set(outcome.kind, (this.answered.get(outcome.kind) ?? 0) + 1)
          expect(this.unanswered.delete(outcome.handle), 'answered once').toBe(true)
        }
      } else {
        expect(this.unanswered.has(reader.varuint()), 'said before the answer').toBe(true)
        if (type === MESSAGE.started) reader.f64()
        else reader.utf8(1e6)
      }
    }
  }
}

/** A host's methods as an object of its own. */
function hostOf(host: RunHost): DispatcherHost<TestRun> {
  const of = host as unknown as DispatcherHost<TestRun>
  return {
    starting: run => of.starting(run),
    claim: (run, done) => of.claim(run, done),
    write: (run, out, handle, handler) => of.write(run, out, handle, handler),
    started: (run, at) => of.started(run, at),
    outcome: (run, outcome) => of.outcome(run, outcome),
    timedOut: run => of.timedOut(run),
    lost: run => of.lost(run),
    label: run => of.label(run),
    lateEnd: (run, label, attempt, outcome) => of.lateEnd(run, label, attempt, outcome),
    progress: (run, json) => of.progress(run, json),
    log: (run, json) => of.log(run, json),
    noWorker: (name, waiting) => of.noWorker(name, waiting),
  }
}
