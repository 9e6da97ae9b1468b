/**
 * Driver: who lets virtual time pass, and how far.
 *
 * An idle engine has a timer every 250 ms, and a mesh of three some 150 events a second; three weeks of that would take
 * hours. So where nothing is going to happen, time is jumped: the wall clocks of all nodes go forward together, as on machines
 * that are put to sleep and woken, while monotonic clocks and timers stand still. The jump ends a moment before the next
 * task is due, or before the goal, so that the engines have read their clocks when it comes. Nothing is jumped while a
 * handler or a call is under way, or while the mesh is not at rest (a node is away, copies are made, something is written).
 */

import type { VirtualClock } from '../sim/virtual-clock.ts'
import { CarillonError } from '../src/errors.ts'
import { realNow, realSleep, realTimer, realTurn } from './real-time.ts'
import type { RunLog } from './run-log.ts'
import { AHEAD_MS, LOOK_MS, REST_MS, type SimulatedNode } from './simulated-node.ts'

export interface DriverOptions {
  /** Real ms that a handler may take. */
  readonly handlerMs: number
}

export interface DriverParts {
  readonly clock: VirtualClock
  readonly log: RunLog
  readonly nodes: readonly SimulatedNode[]
}

/** The clocks have been read this long before something is due. */
const LEAD_MS = LOOK_MS + 50
/** A shorter jump is not worth it. */
const JUMP_MS_MIN = 500
/** How often it is asked whether a mesh is at rest, ms. */
const ASK_MS = 200
/** A call that nobody answers is given up by the engine long before that. */
const CALL_MS_MAX = 120_000
/** Who waits so long in real time, while nothing moves, has forgotten to advance. */
const HINT_MS = 1000
/** Turns of the event loop to wait for a handler before it is waited for with a timer. */
const TURNS = 100

export class Driver {
  readonly #parts: DriverParts
  readonly #options: DriverOptions
  #stirredAt = 0
  /** When the mesh is next asked whether it is at rest. */
  #askAt = 0
  /** Calls that are under way. */
  #calls = 0
  /** Set while a goal is driven to; the drive in the background makes room. */
  #isAdvancing = false
  /** How often time was moved. */
  #moves = 0
  #background: Promise<void> | undefined
  #stale = false
  #failure: { readonly error: unknown } | undefined
  readonly #failed = Promise.withResolvers<never>()

  constructor(parts: DriverParts, options: DriverOptions) {
    this.#parts = parts
    this.#options = options
    this.#failed.promise.catch(() => undefined)
  }

  get #nowAt(): number {
    const { clock } = this.#parts
    return clock.monotonic() + clock.wallOffset
  }

  /** Something goes on: the mesh is not at rest. */
  stirred(): void {
    this.#stirredAt = this.#parts.clock.monotonic()
  }

  /** An engine died, though nobody crashed it: nothing can be believed any more. */
  fail(error: unknown): void {
    this.#failure ??= { error }
    this.#failed.reject(error)
  }

  /** A call of a node is under way. */
  async call<T>(promise: Promise<T>): Promise<T> {
    this.#calls++
    this.#drive()
    try {
      return await Promise.race([promise, this.#failed.promise])
    } finally {
      this.#calls--
      this.stirred()
    }
  }

  /** Somebody waits for an end, however far off it is: that doesn't make time pass. */
  async wait<T>(promise: Promise<T>, what: string): Promise<T> {
    this.#drive()
    const moved = this.#moves
    const forget = realTimer(HINT_MS, () => {
      if (this.#isAdvancing || this.#moves !== moved || this.#parts.log.isRunning) return
      process.emitWarning(
        `${what} waits for virtual time, which nobody moves: await mesh.advance(...) before, or mesh.until(task.result())`,
        { code: 'CARILLON_TESTING' },
      )
    })
    try {
      return await Promise.race([promise, this.#failed.promise])
    } finally {
      forget()
    }
  }

  /** Up to that instant, inclusive. */
  async advanceTo(at: number): Promise<void> {
    await this.#advancing(() => this.#run(at, () => false))
  }

  /** Until `isDone`; false if it is not by the instant. */
  until(isDone: () => boolean, at: number): Promise<boolean> {
    return this.#advancing(() => this.#run(at, isDone))
  }

  async #advancing<T>(act: () => Promise<T>): Promise<T> {
    if (this.#parts.log.isInside)
      throw new CarillonError('CONFLICT', 'a handler does not move time: await mesh.sleep() there')
    if (this.#isAdvancing)
      throw new CarillonError('CONFLICT', 'another advance or until is under way: await it before the next')
    this.#isAdvancing = true
    this.#moves++
    try {
      await this.#background
      return await act()
    } finally {
      this.#isAdvancing = false
      if (this.#calls > 0) this.#drive()
    }
  }

  /** Beside the test: carries out what was called, and what is due at this instant. */
  #drive(): void {
    this.#stale = true
    if (this.#isAdvancing || this.#background !== undefined) return
    this.#background = this.#parts.log
      .outside(() => this.#carryOut())
      .catch((error: unknown) => this.fail(error))
      .finally(() => {
        this.#background = undefined
        if (this.#stale && this.#failure === undefined) this.#drive()
      })
  }

  async #carryOut(): Promise<void> {
    while (this.#stale && !this.#isAdvancing) {
      this.#stale = false
      const isOver = (): boolean => this.#isAdvancing || this.#calls === 0
      if (!isOver()) await this.#run(this.#nowAt + CALL_MS_MAX, isOver)
      await this.#run(this.#nowAt, () => this.#isAdvancing)
    }
  }

  /** The one loop. True if `isDone` held. */
  async #run(at: number, isDone: () => boolean): Promise<boolean> {
    const { clock, log } = this.#parts
    for (;;) {
      let jumpMs = 0
      const isAtOnce = (): boolean => (clock.nextAt ?? Number.POSITIVE_INFINITY) <= clock.monotonic()
      const isHeld = (): boolean => log.isReady || log.holder !== undefined
      const met = await clock.runUntilAt(() => {
        jumpMs = 0
        if (this.#failure !== undefined || isDone()) return true
        // What is under way at this very instant comes first: a frame, an answer, a run that is handed out.
        if (isAtOnce()) return false
        if (isHeld()) return true
        jumpMs = this.#jumpMs(at)
        return jumpMs > 0
      }, at - clock.wallOffset)
      if (this.#failure !== undefined) throw this.#failure.error
      if (jumpMs > 0) clock.jump(jumpMs)
      else if (met && isDone()) return true
      else if (!isHeld()) return false
      await this.#untilFree()
      log.report()
    }
  }

  /** Waits in real time until no handler holds virtual time. */
  async #untilFree(): Promise<void> {
    const { log } = this.#parts
    const from = realNow()
    for (let turns = 0; log.holder !== undefined && this.#failure === undefined; turns++) {
      if (turns < TURNS) await realTurn()
      else await realSleep(1)
      const { holder } = log
      if (holder === undefined || realNow() - from < this.#options.handlerMs) continue
      const { handler, task, node } = holder
      throw new CarillonError(
        'STUCK',
        `the handler ${handler} (task ${task}, node ${node}) has not settled within ${this.#options.handlerMs} ms of real time, for which virtual time stands still: what is to take virtual time has to await mesh.sleep() or mesh.meanwhile(); for slow real work raise handlerMs`,
      )
    }
  }

  /** How far time may be jumped now; 0: not at all. */
  #jumpMs(at: number): number {
    const { clock, log, nodes } = this.#parts
    const now = clock.monotonic()
    if (this.#calls > 0 || log.isRunning || now < this.#askAt) return 0
    const isAlone = nodes.length === 1
    const quietMs = now - this.#stirredAt
    if (!isAlone && quietMs < REST_MS) return 0
    const due = nodes.reduce((first, node) => Math.min(first, node.nextDueAt), at)
    const jumpMs = Math.floor(Math.min(due - this.#nowAt - LEAD_MS, AHEAD_MS / 4))
    if (jumpMs < JUMP_MS_MIN) return 0
    if (isAlone || nodes.every(({ restMs }) => quietMs >= restMs)) return jumpMs
    this.#askAt = now + ASK_MS
    return 0
  }
}
