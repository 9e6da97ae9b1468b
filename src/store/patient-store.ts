/**
 * A store that waits a full disk out. A batch that meets STORE_FULL is not lost and not skipped: the store is opened
 * again, every retryMs, until there is space, and then takes the same batch. All who write share one such wait, and
 * who was reading when the store was closed for it reads again. Every other error goes to the caller, and is never
 * retried: after a failed fsync nobody knows what the disk holds.
 */

import { CarillonError, isCarillonError } from '../errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { CursorOptions, KeyRange, Store, StoreCursor, StoreOp } from '../ports/store.ts'

/** The calls of a Store that others than the task store make. */
export type SharedStore = Pick<Store, 'getMany' | 'cursor' | 'write'>

export class PatientStore {
  readonly store: Store
  /** The same, in the form of the port. */
  readonly shared: SharedStore = {
    getMany: keys => this.getMany(keys),
    cursor: options => this.cursor(options),
    write: (ops, { sync }) => this.write(ops, sync),
  }
  readonly #clock: Clock
  readonly #retryMs: number
  readonly #full: (full: boolean) => void
  #recovery: Promise<void> | undefined
  /** How often it was opened again. */
  #recoveries = 0
  #stopped = false

  constructor(store: Store, clock: Clock, retryMs: number, full: (full: boolean) => void) {
    this.store = store
    this.#clock = clock
    this.#retryMs = retryMs
    this.#full = full
  }

  get isFull(): boolean {
    return this.#recovery !== undefined
  }

  write(ops: readonly StoreOp[], sync: boolean): Promise<void> {
    return this.#patiently(() => this.store.write(ops, { sync }))
  }

  clear(range: KeyRange): Promise<void> {
    return this.#patiently(() => this.store.clear(range))
  }

  getMany(keys: readonly Uint8Array[]): Promise<Array<Uint8Array | undefined>> {
    return this.#rereading(() => this.store.getMany(keys))
  }

  /** In ascending order. If the store is opened again meanwhile, it goes on with a newer snapshot. */
  cursor(options: CursorOptions): StoreCursor {
    let inner = this.store.cursor(options)
    let recoveries = this.#recoveries
    let { gte } = options
    return {
      next: max =>
        this.#rereading(async () => {
          if (recoveries !== this.#recoveries) {
            inner = this.store.cursor({ ...options, gte })
            recoveries = this.#recoveries
          }
          const entries = await inner.next(max)
          const last = entries.at(-1)
          if (last !== undefined) gte = Uint8Array.of(...last[0], 0)
          return entries
        }),
      close: () => inner.close(),
    }
  }

  async #rereading<T>(read: () => Promise<T>): Promise<T> {
    for (;;) {
      const recoveries = this.#recoveries
      try {
        return await read()
      } catch (error) {
        if (!isCarillonError(error, 'CLOSED') || this.#stopped) throw error
        if (this.#recovery !== undefined) await this.#recovery
        else if (recoveries === this.#recoveries) throw error
      }
    }
  }

  async #patiently(carryOut: () => Promise<void>): Promise<void> {
    for (;;) {
      if (this.#recovery !== undefined) await this.#recovery
      try {
        return await carryOut()
      } catch (error) {
        if (!isCarillonError(error, 'STORE_FULL')) throw error
        this.#recovery ??= this.#recover()
      }
    }
  }

  /** No more waiting: who waits for space is told so at the next try. */
  stop(): void {
    this.#stopped = true
  }

  async #recover(): Promise<void> {
    this.#full(true)
    try {
      for (;;) {
        await new Promise<void>(resolve => this.#clock.setTimer(this.#retryMs, resolve))
        if (this.#stopped)
          throw new CarillonError(
            'STORE_FULL',
            'stopped while the disk was full: what was not acknowledged is lost',
          )
        try {
          await this.store.reopen()
          return
        } catch (error) {
          if (!isCarillonError(error, 'STORE_FULL')) throw error
        }
      }
    } finally {
      this.#recoveries++
      this.#recovery = undefined
      this.#full(false)
    }
  }
}
