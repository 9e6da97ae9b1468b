/**
 * What the rooms of work ask of the mesh: may this node act for a range, and when does a change count. A node that is
 * alone acts for everything, and what is synced counts.
 */

import type { CarillonError } from '../errors.ts'
import type { Dot } from '../replication/context.ts'
import type { AfterSync } from '../store/journal.ts'
import type { LiveRecord } from './live-run.ts'

/** What a call has written, or found written, range by range: it is answered once all of that has its copies. */
export type Written = ReadonlyMap<number, readonly Dot[]>

export const NOTHING_WRITTEN: Written = new Map()

/** How many stores have it, if it counts. */
export type Counted = (error: CarillonError | undefined, copies: number) => void

export interface Ownership {
  /** True if there are others: what is below is asked of all ranges only then. */
  readonly isShared: boolean
  /** Runs of the range may be started here (A5). */
  acts(range: number): boolean
  /** Why tasks of the range can't be changed here, if so. */
  refusal(range: number): CarillonError | undefined
  /** The least life of an id of the range that is made now. */
  lifeMin(range: number): number
  /** An attempt that this actor began may still run, at another node. */
  mayRunElsewhere(range: number, actor: number): boolean

  /** What is written from here on, by the same call, is gathered. Nothing else may be written until `written()`. */
  gather(): void
  /** A call needs this as well: it was written before. */
  needs(range: number, dots: readonly Dot[]): void
  written(): Written
  /** The latest change of the record, which was written just now. */
  justWritten(record: LiveRecord): Written
  /** Calls back once all of it counts; with NOT_DURABLE if that takes too long. */
  acknowledge(written: Written, counted: Counted): void
  /** Follow-ups that wait in the range of a run go where they belong, once the latest change of its record counts. */
  handOn(record: LiveRecord, followUps: readonly LiveRecord[]): void
  /** Calls back with true once every store that keeps or kept these ranges has it; with false after a while. */
  confirm(written: Written, done: (firm: boolean, copies: number) => void): void
}

/** A node without others. */
export class Alone implements Ownership {
  readonly isShared = false
  readonly #afterSync: (callback: AfterSync) => void

  constructor(afterSync: (callback: AfterSync) => void) {
    this.#afterSync = afterSync
  }

  acts(): boolean {
    return true
  }

  refusal(): undefined {
    return undefined
  }

  lifeMin(): number {
    return Number.NEGATIVE_INFINITY
  }

  mayRunElsewhere(): boolean {
    return false
  }

  gather(): void {}

  needs(): void {}

  written(): Written {
    return NOTHING_WRITTEN
  }

  justWritten(): Written {
    return NOTHING_WRITTEN
  }

  acknowledge(_: Written, counted: Counted): void {
    this.#afterSync(error => counted(error, 1))
  }

  handOn(): void {}

  confirm(_: Written, done: (firm: boolean, copies: number) => void): void {
    done(true, 1)
  }
}
