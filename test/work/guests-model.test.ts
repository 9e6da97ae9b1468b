/**
 * Runs that go to another engine against a ledger: whatever happens in whatever order to workers, to runs and to the link,
 * every run ends once, the helper answers each once while the link stands, and all credit comes back.
 */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { OUTCOMES, type OutcomeKind } from '../../src/wire/work.ts'
import { guestWindow } from '../../src/work/guest-windows.ts'
import { GuestsWorld } from './guests-world.ts'
import { type FakeWorker, TestRun } from './test-bed.ts'

const NAMES = ['a', 'b'] as const

class Ledger {
  readonly world: GuestsWorld
  readonly open = new Set<TestRun>()
  /** Runs of the helper's own tasks. */
  readonly others: TestRun[] = []
  /** Another engine that the helper could hand runs to. */
  readonly third: FakeWorker
  /** What each worker has announced, in its order. */
  readonly said = new Map<FakeWorker, Record<string, number | 'gone'>>()
  count = 0

  constructor(queueMax: number) {
    const end = (run: TestRun) => {
      expect(run.place).toBe('idle')
      expect(this.open.delete(run), `${run.id} ends once`).toBe(true)
    }
    this.world = new GuestsWorld(
      { guestWindowMax: 6 },
      {
        outcome: (run, { kind }) => {
          expect(kind).not.toBe('lost')
          end(run)
        },
        timedOut: end,
        lost: end,
        claim: (_, done) => done(true),
      },
      { queueMax },
    )
    this.third = this.world.helperWorker({ a: 50, b: 50 }, 100, true)
  }

  check(): void {
    const { owner, helper, helperWorkers } = this.world
    for (const bed of [owner, helper]) {
      const { queued, running } = bed.dispatcher.counts()
      expect(queued).toBeGreaterThanOrEqual(0)
      expect(running).toBe(bed.dispatcher.runningRuns().length)
    }
    for (const { id } of this.third.held.values()) expect(id, 'no run is handed on').toMatch(/^other/)
    for (const worker of helperWorkers) {
      for (const [name, { used }] of worker.connection.credits) {
        const held = [...worker.held.values()].filter(each => each.name === name).length
        expect(used, `credit for ${name}`).toBeGreaterThanOrEqual(held)
      }
    }
    for (const { used, window, isGone } of this.world.connection?.credits.values() ?? []) {
      expect(used).toBeGreaterThanOrEqual(0)
      expect(window).toBeLessThanOrEqual(6)
      if (isGone) expect(window).toBe(0)
    }
  }
}

type Step = (ledger: Ledger) => void
const pick = <T>(items: readonly T[], at: number): T | undefined => items[at % items.length]

const offers = fc
  .record({
    name: fc.constantFrom(...NAMES),
    isOther: fc.constantFrom(true, false, false, false),
    priority: fc.constantFrom(0, 0, 3),
    strict: fc.boolean(),
    timeoutMs: fc.constantFrom(0, 0, 30),
    count: fc.integer({ min: 1, max: 6 }),
  })
  .map(
    ({ name, isOther, count, ...options }): Step =>
      ledger => {
        const { owner, helper } = ledger.world
        for (let i = 0; i < count; i++) {
          const id = `${isOther ? 'other' : 'run'}${++ledger.count}`
          if (isOther) {
            const run = new TestRun(id, name, { priority: options.priority })
            ledger.others.push(run)
            helper.dispatcher.offer(run)
          } else {
            const run = new TestRun(id, name, options)
            ledger.open.add(run)
            owner.dispatcher.offer(run)
          }
        }
      },
  )

/** A worker comes, at either engine, or says hello again; a handler may be gone then. */
const hellos = fc
  .record({
    at: fc.nat(),
    isHelper: fc.constantFrom(true, true, true, false),
    window: fc.nat(8),
    a: fc.nat(5),
    b: fc.option(fc.nat(5), { nil: undefined }),
    gone: fc.constantFrom(undefined, undefined, 'a', 'b'),
  })
  .map(
    ({ at, isHelper, window, a, b, gone }): Step =>
      ({ world, said, third }) => {
        const workers = (isHelper ? world.helperWorkers : world.ownerWorkers).filter(each => each !== third)
        const windows = { a, ...(b === undefined ? {} : { b }) }
        if (workers.length < (isHelper ? 3 : 1) && at % 2 === 0) {
          const worker = isHelper ? world.helperWorker(windows, window) : world.ownerWorker(windows, window)
          said.set(worker, windows)
          return
        }
        const worker = pick(workers, at)
        if (worker === undefined) return
        const next = { ...said.get(worker), ...windows, ...(gone === undefined ? {} : { [gone]: 'gone' }) }
        said.set(worker, next as Record<string, number | 'gone'>)
        worker.hello(next as Record<string, number | 'gone'>, window)
      },
  )

const closes = fc.tuple(fc.nat(), fc.boolean()).map(
  ([at, isHelper]): Step =>
    ({ world, third }) => {
      const workers = isHelper ? world.helperWorkers : world.ownerWorkers
      const worker = pick(workers, at)
      if (worker === undefined || worker === third) return
      workers.splice(workers.indexOf(worker), 1)
      worker.close()
    },
)

const holder = (ledger: Ledger, at: number, which: number): [FakeWorker, number] | undefined => {
  const { ownerWorkers, helperWorkers } = ledger.world
  const worker = pick(
    [...ownerWorkers, ...helperWorkers].filter(({ held }) => held.size > 0),
    at,
  )
  const handle = worker === undefined ? undefined : pick([...worker.held.keys()], which)
  return worker === undefined || handle === undefined ? undefined : [worker, handle]
}

const ends = fc
  .tuple(
    fc.nat(),
    fc.nat(),
    fc.constantFrom<OutcomeKind>('completed', 'failed', 'fatal', 'unstarted', 'lost'),
  )
  .map(
    ([at, which, kind]): Step =>
      ledger => {
        const found = holder(ledger, at, which)
        found?.[0].outcome(found[1], kind)
      },
  )

const says = fc.tuple(fc.nat(), fc.nat(), fc.boolean()).map(
  ([at, which, isStart]): Step =>
    ledger => {
      const found = holder(ledger, at, which)
      if (found === undefined) return
      if (isStart) found[0].started(found[1])
      else found[0].line(6, found[1], '1')
    },
)

/** The owner's host takes a run back, wherever it is. */
const takesBack = fc.nat().map(
  (at): Step =>
    ({ open, world }) => {
      const run = pick([...open], at)
      if (run === undefined) return
      open.delete(run)
      if (run.place === 'sent') world.owner.dispatcher.abort(run, 'cancelled')
      else expect(world.owner.dispatcher.withdraw(run)).toBe(true)
    },
)

const steps = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: offers },
    { weight: 4, arbitrary: hellos },
    { weight: 1, arbitrary: closes },
    { weight: 8, arbitrary: ends },
    { weight: 2, arbitrary: says },
    { weight: 3, arbitrary: takesBack },
    { weight: 5, arbitrary: fc.constant<Step>(({ world }) => world.ownerTurn()) },
    { weight: 5, arbitrary: fc.constant<Step>(({ world }) => world.helperTurn()) },
    // Handed out, and not yet on its way to the worker.
    { weight: 4, arbitrary: fc.constant<Step>(({ world }) => world.helper.dispatcher.flush()) },
    { weight: 5, arbitrary: fc.constant<Step>(({ world }) => void world.deliverToHelper()) },
    { weight: 5, arbitrary: fc.constant<Step>(({ world }) => void world.deliverToOwner()) },
    { weight: 6, arbitrary: fc.constant<Step>(({ world }) => world.settle()) },
    {
      weight: 2,
      arbitrary: fc.constantFrom(1, 20, 60).map(
        (ms): Step =>
          ({ world }) =>
            world.advance(ms),
      ),
    },
    {
      weight: 1,
      arbitrary: fc.boolean().map(
        (now): Step =>
          ({ world }) =>
            world.cut(now),
      ),
    },
    { weight: 2, arbitrary: fc.constant<Step>(({ world }) => world.open()) },
  ),
  { maxLength: 150, size: 'max' },
)

test('every run ends once, is answered once, and all credit comes back', () => {
  const answered = new Map<OutcomeKind, number>()
  fc.assert(
    fc.property(steps, fc.constantFrom(6, 100_000), fc.boolean(), (steps, queueMax, isClosing) => {
      const ledger = new Ledger(queueMax)
      const { world } = ledger
      world.open()
      for (const step of steps) {
        step(ledger)
        ledger.check()
      }
      if (isClosing) {
        world.guests.close()
        world.ownerWorker({ a: 100, b: 100 })
      }
      drain(ledger)
      for (const [kind, count] of world.answered) answered.set(kind, (answered.get(kind) ?? 0) + count)
    }),
    { numRuns: 400 },
  )
  for (const kind of OUTCOMES) expect(answered.get(kind), `answers: ${kind}`).toBeGreaterThan(50)
})

/** With a worker that takes all, everything that is open ends, and nothing is held by anybody. */
function drain(ledger: Ledger): void {
  const { world, open, others } = ledger
  const { owner, helper, ownerWorkers, helperWorkers, guests } = world
  world.open()
  world.helperWorker({ a: 100, b: 100 })
  for (let round = 0; open.size > 0 || others.some(({ place }) => place !== 'idle'); round++) {
    expect(round, 'all comes to an end').toBeLessThan(300)
    world.advance(50)
    for (const worker of [...ownerWorkers, ...helperWorkers]) worker.answer()
    world.settle()
    ledger.check()
  }
  // What was taken back while it was on its way comes to rest as well.
  for (let i = 0; i < 3; i++) {
    world.advance(50)
    for (const worker of [...ownerWorkers, ...helperWorkers]) worker.answer()
    world.settle()
  }
  expect(world.unanswered.size).toBe(0)
  checkWindows(world)
  const connections = [world.connection!, ...[...ownerWorkers, ...helperWorkers].map(each => each.connection)]
  for (const connection of connections) {
    expect(connection.attempts.size).toBe(0)
    expect(connection.inFlightBytes).toBe(0)
    expect(connection.strayCount, 'nothing was said twice').toBe(0)
    for (const { used } of connection.credits.values()) expect(used).toBe(0)
  }
  for (const bed of [owner, helper]) {
    expect(bed.dispatcher.counts()).toEqual({ queued: 0, running: 0, withoutWorker: [] })
  }
  guests.stop()
  world.owner.clock.advance(1000)
  expect([owner.clock.pending, helper.clock.pending]).toEqual([0, 0])
}

/** What was announced last is what a look now would say. */
function checkWindows({ helper, connection, windows }: GuestsWorld): void {
  for (const [name, { window, used }] of helper.dispatcher.nearLoads()) {
    const held = connection?.credits.get(name)?.used ?? 0
    const load = { window, used, waiting: helper.dispatcher.waiting(name), held }
    const announced = windows[name]
    // Who closes takes nothing.
    if (announced !== 0)
      expect(announced).toBe(guestWindow({ ...load, queueRoom: helper.dispatcher.roomFor(name) }, 6))
  }
}

test('an engine whose windows stay as they are wakes up for nothing', () => {
  const world = new GuestsWorld()
  const worker = world.helperWorker({ a: 10 })
  world.open()
  world.settle()
  world.advance(1000)
  expect(world.windows).toEqual({ a: 10 })
  for (let turn = 0; turn < 10; turn++) {
    world.helperTurn()
    expect(world.helper.clock.pending, 'no timer is set').toBe(0)
    world.helper.clock.advance(7)
  }
  world.helper.offer(4, 'a')
  world.settle()
  expect(world.windows, 'what has changed is said').toEqual({ a: 6 })
  worker.answer()
  world.settle()
  world.advance(50)
  expect(world.windows).toEqual({ a: 10 })
})
