/**
 * One life of a simulated process: its clock and its disk as that process sees them. When the process dies none of
 * its timers fires and none of its promises settles any more; while it is stopped (SIGSTOP, a long garbage
 * collection, a virtual machine that is moved) everything that should reach it waits, in order; while its machine is
 * busy everything reaches it late, in order.
 */

import type { Clock, Timer } from '../src/ports/clock.ts'
import type { Random } from '../src/ports/random.ts'
import type { CursorOptions, KeyRange, Store, StoreCursor, StoreOp } from '../src/ports/store.ts'
import { KIND, type Trace } from './trace.ts'
import type { VirtualClock } from './virtual-clock.ts'

export class SimulatedProcess {
  readonly clock: ProcessClock
  readonly trace: Trace
  #dead = false
  #stopped = false
  #waiting: Array<() => void> = []
  readonly #virtual: VirtualClock
  /** How late everything comes. */
  #lagMs = 0
  /** Behind a lag: each instant that was waited for takes the first of these. */
  readonly #late: Array<() => void> = []
  #lateUntil = Number.NEGATIVE_INFINITY
  #mourners: Array<(powerCut: boolean) => void> = []
  /** Timers that were waiting when the process ended. */
  timersAtEnd = 0

  /** With `jitter`, its timers fire up to a millisecond early and two late, as Node's do. */
  constructor(clock: VirtualClock, trace: Trace, jitter?: Random) {
    this.trace = trace
    this.#virtual = clock
    this.clock = new ProcessClock(clock, this, jitter)
  }

  get isDead(): boolean {
    return this.#dead
  }

  get isStopped(): boolean {
    return this.#stopped
  }

  /** Nothing reaches the process any more. With `powerCut` its machine is gone too, and nobody speaks for it. */
  die(powerCut = false): void {
    if (this.#dead) return
    this.timersAtEnd = this.clock.pending
    this.#dead = true
    this.#waiting = []
    this.#late.length = 0
    this.clock.cancelAll()
    for (const mourner of this.#mourners.splice(0)) mourner(powerCut)
  }

  /** For the world around the process: called when it dies. */
  onDeath(mourner: (powerCut: boolean) => void): void {
    this.#mourners.push(mourner)
  }

  /** Holds back what should reach the process, or lets it go on. */
  stop(stopped: boolean): void {
    this.#stopped = stopped
    if (stopped) return
    const waiting = this.#waiting
    this.#waiting = []
    for (const callback of waiting) this.clock.defer(callback)
  }

  /**
   * Its machine is busy: from now on everything that should reach the process (frames, timers, ends of writes) comes so
   * much later, in order. 0: what is late still comes when it would have, and what is new behind it.
   */
  lag(ms: number): void {
    this.#lagMs = ms
  }

  /** An event for the process: now, later, or never. */
  deliver(callback: () => void): void {
    if (this.#dead) return
    if (this.#lagMs > 0 || this.#late.length > 0) this.#deliverLate(callback)
    else this.deliverNow(callback)
  }

  /** Of what the process asked itself to be called for in its next turn. */
  deliverNow(callback: () => void): void {
    if (this.#dead) return
    if (this.#stopped) this.#waiting.push(callback)
    else callback()
  }

  #deliverLate(callback: () => void): void {
    const now = this.#virtual.monotonic()
    this.#lateUntil = Math.max(this.#lateUntil, now + this.#lagMs)
    this.#late.push(callback)
    this.#virtual.setTimer(this.#lateUntil - now, () => {
      const first = this.#late.shift()
      if (first !== undefined) this.deliverNow(first)
    })
  }

  /** The promise of something outside as the process sees it. */
  seen<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      promise.then(
        value => this.deliver(() => resolve(value)),
        (error: unknown) => this.deliver(() => reject(error)),
      )
    })
  }
}

class ProcessClock implements Clock {
  readonly #clock: VirtualClock
  readonly #process: SimulatedProcess
  readonly #jitter: Random | undefined
  readonly #timers = new Set<Timer>()

  constructor(clock: VirtualClock, process: SimulatedProcess, jitter: Random | undefined) {
    this.#clock = clock
    this.#jitter = jitter
    this.#process = process
  }

  /** Timers that still wait: after an orderly stop there is none. */
  get pending(): number {
    return this.#timers.size
  }

  now(): number {
    return this.#clock.now()
  }

  monotonic(): number {
    return this.#clock.monotonic()
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    let isCancelled = false
    const jitter = this.#jitter === undefined || delayMs <= 0 ? 0 : this.#jitter.float() * 3 - 1
    const timer = this.#clock.setTimer(Math.max(0, delayMs + jitter), () => {
      this.#process.deliver(() => {
        if (isCancelled) return
        this.#timers.delete(timer)
        this.#process.trace.mark(KIND.timer, delayMs)
        callback()
      })
    })
    this.#timers.add(timer)
    return {
      cancel: () => {
        isCancelled = true
        timer.cancel()
        this.#timers.delete(timer)
      },
    }
  }

  defer(callback: () => void): void {
    this.#clock.defer(() => this.#process.deliverNow(callback))
  }

  cancelAll(): void {
    for (const timer of this.#timers) timer.cancel()
    this.#timers.clear()
  }
}

/** What a store of a process goes through: mutants and slow disks hook in here. */
export type StoreHook = (store: Store) => Store

/** The store as its process sees it; every call is in the trace. */
export class ProcessStore implements Store {
  readonly durable: boolean
  readonly #store: Store
  readonly #process: SimulatedProcess

  constructor(store: Store, process: SimulatedProcess) {
    this.#store = store
    this.#process = process
    this.durable = store.durable
  }

  open(): Promise<void> {
    return this.#process.seen(this.#store.open())
  }

  write(ops: readonly StoreOp[], options: { readonly sync: boolean }): Promise<void> {
    const { trace } = this.#process
    trace.mark(KIND.write, options.sync ? 1 : 0)
    for (const op of ops) {
      trace.markBytes(KIND.write, op.key)
      if (op.type === 'put') trace.markBytes(KIND.write, op.value)
    }
    return this.#process.seen(this.#store.write(ops, options))
  }

  get(key: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#process.seen(this.#store.get(key))
  }

  getMany(keys: readonly Uint8Array[]): Promise<Array<Uint8Array | undefined>> {
    this.#process.trace.mark(KIND.read, keys.length)
    return this.#process.seen(this.#store.getMany(keys))
  }

  cursor(options: CursorOptions): StoreCursor {
    const cursor = this.#store.cursor(options)
    return {
      next: max => this.#process.seen(cursor.next(max)),
      close: () => this.#process.seen(cursor.close()),
    }
  }

  clear(range: KeyRange): Promise<void> {
    this.#process.trace.mark(KIND.write, 2)
    return this.#process.seen(this.#store.clear(range))
  }

  reopen(): Promise<void> {
    return this.#process.seen(this.#store.reopen())
  }

  space(): Promise<{ freeBytes: number; totalBytes: number }> {
    return this.#process.seen(this.#store.space())
  }

  close(): Promise<void> {
    return this.#process.seen(this.#store.close())
  }
}
