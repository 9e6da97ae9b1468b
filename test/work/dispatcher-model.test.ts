/**
 * The dispatcher against a ledger: whatever happens in whatever order, every offer is in one place, ends once, and no
 * worker gets more than it asked for.
 */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { AbortReason, OutcomeKind } from '../../src/wire/work.ts'
import { type FakeWorker, TestBed, TestRun } from './test-bed.ts'

const NAMES = ['a', 'b', 'c'] as const
const WORKERS_MAX = 4

type Windows = Record<string, number>
interface Peer {
  readonly worker: FakeWorker
  window: number
  windows: Windows
}

interface Claim {
  readonly run: TestRun
  readonly offer: number
  readonly done: (go: boolean) => void
}

/** Does what fast-check says to the dispatcher, and keeps account of every run on its own. */
class Ledger {
  readonly bed: TestBed
  readonly runs: TestRun[] = []
  /** Runs that are with the dispatcher; each end, refusal or taking back takes one out. */
  readonly open = new Set<TestRun>()
  readonly peers: Peer[] = []
  /** Claims that are being written. */
  readonly claims: Claim[] = []
  /** How often a run was offered, and which of these offers its claim was synced for. */
  readonly offers = new Map<TestRun, number>()
  readonly claimed = new Map<TestRun, number>()
  /** What the host does with a run that ended: offers it again, with this chance out of 4. */
  again = 0
  #random = 1

  constructor(inFlightBytesMax: number) {
    const end = (run: TestRun) => {
      expect(run.place, 'a run that ends is idle').toBe('idle')
      this.close(run)
      if (this.chance(this.again)) this.offer(run)
    }
    this.bed = new TestBed(
      { inFlightBytesMax },
      {
        starting: run => {
          expect(this.open.has(run), 'only an open run is started').toBe(true)
          if (run.strict)
            expect(this.claimed.get(run), 'claimed before it is started').toBe(this.offers.get(run))
          run.attempt++
        },
        claim: (run, done) => {
          expect(this.claimed.get(run), 'claimed once an offer').not.toBe(this.offers.get(run))
          const offer = this.offers.get(run) as number
          if (this.chance(1)) {
            this.claimed.set(run, offer)
            done(true)
          } else this.claims.push({ run, offer, done })
        },
        outcome: end,
        timedOut: run => {
          end(run)
          this.abortAnother()
        },
        lost: run => {
          end(run)
          this.abortAnother()
        },
      },
    )
  }

  /** True `of4` times out of four, the same way at each replay. */
  chance(of4: number): boolean {
    this.#random = (this.#random * 48271) % 2147483647
    return this.#random % 4 < of4
  }

  close(run: TestRun): void {
    expect(this.open.delete(run), `${run.id} ends once`).toBe(true)
  }

  offer(run: TestRun): void {
    expect(this.open.has(run)).toBe(false)
    this.open.add(run)
    this.offers.set(run, (this.offers.get(run) ?? 0) + 1)
    this.bed.dispatcher.offer(run)
  }

  /** As an overlap policy does, in the middle of something else. */
  abortAnother(): void {
    const other = this.chance(1) ? [...this.open].find(({ place }) => place === 'sent') : undefined
    if (other !== undefined) this.abort(other, 'overlap')
  }

  abort(run: TestRun, reason: AbortReason): void {
    this.close(run)
    this.bed.dispatcher.abort(run, reason)
  }

  check(): void {
    const { dispatcher } = this.bed
    const places = { idle: 0, queued: 0, claiming: 0, sent: 0 }
    for (const run of this.runs) {
      places[run.place]++
      expect(run.place !== 'idle', `${run.id} is ${run.place}`).toBe(this.open.has(run))
    }
    const counts = dispatcher.counts()
    expect(counts.queued).toBe(places.queued)
    // Claims of runs that were taken back still count as running.
    expect(counts.running).toBe(places.sent + this.claims.length)
    expect(new Set(dispatcher.runningRuns())).toEqual(
      new Set(this.runs.filter(({ place }) => place === 'sent')),
    )
    for (const { worker, window, windows } of this.peers) {
      expect(worker.held.size, 'in flight, within what was ever asked for').toBeLessThanOrEqual(window)
      for (const name of NAMES) {
        const held = [...worker.held.values()].filter(each => each.name === name).length
        expect(held, `in flight of ${name}`).toBeLessThanOrEqual(windows[name] ?? 0)
      }
      expect(worker.connection.inFlightBytes).toBeGreaterThanOrEqual(0)
    }
  }
}

type Step = (ledger: Ledger) => void
const pick = <T>(items: readonly T[], at: number): T | undefined => items[at % items.length]

const offers = fc
  .record({
    name: fc.constantFrom(...NAMES),
    priority: fc.constantFrom(0, 0, 0, 1, -1),
    strict: fc.boolean(),
    timeoutMs: fc.constantFrom(0, 0, 20, 50),
    payloadBytes: fc.constantFrom(0, 10, 100),
    count: fc.integer({ min: 1, max: 8 }),
  })
  .map(
    ({ name, count, ...options }): Step =>
      ledger => {
        for (let i = 0; i < count; i++) {
          const run = new TestRun(`${name}${ledger.runs.length}`, name, options)
          ledger.runs.push(run)
          ledger.offer(run)
        }
      },
  )

const windows = fc.record({ a: fc.nat(6), b: fc.nat(6), c: fc.nat(6) }, { requiredKeys: ['a'] })
const hellos = fc.tuple(fc.nat(), fc.nat(10), windows).map(
  ([at, window, windows]): Step =>
    ledger => {
      if (ledger.peers.length < WORKERS_MAX && at % 3 === 0) {
        ledger.peers.push({ worker: ledger.bed.worker(windows, window), window, windows: { ...windows } })
        return
      }
      const peer = pick(ledger.peers, at)
      if (peer === undefined) return
      // A later hello keeps the order of the handlers, and names no fewer.
      const names = new Set([...Object.keys(peer.windows), ...Object.keys(windows)])
      const next: Windows = {}
      for (const name of names) next[name] = (windows as Windows)[name] ?? peer.windows[name] ?? 0
      peer.worker.hello(next, window)
      // What it holds was within an earlier window: only more than the largest is too much.
      peer.window = Math.max(peer.window, window)
      for (const name of names) peer.windows[name] = Math.max(peer.windows[name] ?? 0, next[name] ?? 0)
    },
)

const flush: Step = ledger => {
  ledger.bed.dispatcher.flush()
  for (const { worker } of ledger.peers) worker.take()
}
const handOut: Step = ledger => ledger.bed.dispatcher.flush()

const outcomes = fc
  .tuple(fc.nat(), fc.nat(), fc.constantFrom<OutcomeKind>('completed', 'failed', 'fatal', 'unstarted'))
  .map(
    ([at, which, kind]): Step =>
      ({ peers }) => {
        const worker = pick(peers, at)?.worker
        const handle = worker === undefined ? undefined : pick([...worker.held.keys()], which)
        if (handle !== undefined) worker?.outcome(handle, kind)
      },
  )
const starts = fc.tuple(fc.nat(), fc.nat()).map(
  ([at, which]): Step =>
    ({ peers }) => {
      const worker = pick(peers, at)?.worker
      const handle = worker === undefined ? undefined : pick([...worker.held.keys()], which)
      if (handle !== undefined) worker?.started(handle)
    },
)
/** A worker that says something of an attempt which is not its own, or no more. */
const strays = fc.tuple(fc.nat(), fc.nat(300)).map(
  ([at, handle]): Step =>
    ({ peers }) => {
      const worker = pick(peers, at)?.worker
      if (worker === undefined || worker.held.has(handle)) return
      worker.started(handle)
      worker.outcome(handle)
    },
)
const closes = fc.nat().map(
  (at): Step =>
    ledger => {
      const peer = pick(ledger.peers, at)
      if (peer === undefined) return
      ledger.peers.splice(ledger.peers.indexOf(peer), 1)
      peer.worker.close()
    },
)
const claims = fc.tuple(fc.nat(), fc.nat(3)).map(
  ([at, luck]): Step =>
    ledger => {
      const claim = pick(ledger.claims, at)
      if (claim === undefined) return
      ledger.claims.splice(ledger.claims.indexOf(claim), 1)
      const { run, offer, done } = claim
      const isCurrent = run.place === 'claiming' && ledger.offers.get(run) === offer
      if (isCurrent && luck > 0) ledger.claimed.set(run, offer)
      else if (isCurrent) ledger.close(run)
      done(luck > 0)
    },
)
const takesBack = fc.tuple(fc.nat(), fc.boolean()).map(
  ([at, again]): Step =>
    ledger => {
      const run = pick([...ledger.open], at)
      if (run === undefined) return
      if (run.place === 'sent') {
        expect(ledger.bed.dispatcher.withdraw(run)).toBe(false)
        ledger.abort(run, 'cancelled')
      } else {
        ledger.close(run)
        expect(ledger.bed.dispatcher.withdraw(run)).toBe(true)
      }
      // The task was replaced meanwhile: another handler, another payload.
      if (again) {
        run.name = pick(NAMES, at) as string
        run.payloadBytes = at % 200
        ledger.offer(run)
      }
    },
)
const waits = fc.constantFrom(1, 20, 60).map(
  (ms): Step =>
    ({ bed }) =>
      bed.clock.advance(ms),
)
const moods = fc.nat(3).map(
  (again): Step =>
    ledger => {
      ledger.again = again
    },
)

const steps = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: offers },
    { weight: 3, arbitrary: hellos },
    { weight: 6, arbitrary: fc.constant(flush) },
    { weight: 1, arbitrary: fc.constant(handOut) },
    { weight: 6, arbitrary: outcomes },
    { weight: 4, arbitrary: starts },
    { weight: 1, arbitrary: strays },
    { weight: 1, arbitrary: closes },
    { weight: 4, arbitrary: claims },
    { weight: 3, arbitrary: takesBack },
    { weight: 2, arbitrary: waits },
    { weight: 1, arbitrary: moods },
  ),
  { maxLength: 80 },
)

test('keeps every run in one place, ends it once, and holds to all credits', () => {
  fc.assert(
    fc.property(steps, fc.constantFrom(150, 1_000_000), (steps, inFlightBytesMax) => {
      const ledger = new Ledger(inFlightBytesMax)
      for (const step of steps) {
        step(ledger)
        ledger.check()
      }
      drain(ledger)
    }),
    { numRuns: 400 },
  )
})

/** With a worker that takes all, everything that is open ends, and all credit is back. */
function drain(ledger: Ledger): void {
  ledger.again = 0
  const { peers, bed } = ledger
  const windows = { a: 1000, b: 1000, c: 1000 }
  peers.push({ worker: bed.worker(windows, 1000), window: 1000, windows })
  for (let round = 0; ledger.open.size > 0 || ledger.claims.length > 0; round++) {
    expect(round, 'all comes to an end').toBeLessThan(1000)
    flush(ledger)
    for (const { run, offer, done } of ledger.claims.splice(0)) {
      if (run.place === 'claiming' && ledger.offers.get(run) === offer) ledger.claimed.set(run, offer)
      done(true)
    }
    for (const { worker } of peers) worker.answer()
    ledger.check()
  }
  flush(ledger)
  for (const { worker } of peers) {
    worker.answer()
    expect(worker.connection.inFlightBytes).toBe(0)
    expect(worker.connection.attempts.size).toBe(0)
    for (const { used } of worker.connection.credits.values()) expect(used).toBe(0)
  }
  expect(bed.dispatcher.counts()).toEqual({ queued: 0, running: 0, withoutWorker: [] })
  bed.clock.advance(1000)
  expect(bed.clock.pending).toBe(0)
}
