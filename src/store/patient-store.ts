/**
 * Writes that wait a full disk out. A batch that meets STORE_FULL is not lost and not skipped: the store is opened
 * again, every retryMs, until there is space, and then takes the same batch. All who write share one such wait. Every
 * other error goes to the caller, and is never retried: after a failed fsync nobody knows what the disk holds.
 */

import { CarillonError, isCarillonError } from '../errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { KeyRange, Store, StoreOp } from '../ports/store.ts'

export class PatientStore {
  readonly store: Store
  readonly #clock: Clock
  readonly #retryMs: number
  readonly #full: (full: boolean) => void
  #recovery: Promise<void> | undefined
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

  /** Waiting writes reject with CLOSED at their next try. */
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
      this.#recovery = undefined
      this.#full(false)
    }
  }
}
