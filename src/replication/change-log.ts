/**
 * What is still held of a range's changes for sending them again, in the order in which they were applied here. It is a
 * cache: what it no longer holds is copied as records (copy.ts). It is bounded, and trimmed once all of the list has
 * confirmed; after a start it is empty.
 *
 * Each change goes with what its writer had applied of others since its change before (`after`). A receiver applies it
 * only when it has that as well: a log is gapless, but the logs of two actors say nothing of each other, and the end of a
 * task that comes before its creation would be lost. As this order is one of causes, sending in it is never refused.
 */

import type { Context, Dot } from './context.ts'

export interface LogEntry extends Dot {
  /** What the writer had applied of others since its own n - 1. */
  readonly after: readonly Dot[]
  readonly bytes: Uint8Array
}

export interface ChangeLogOptions {
  /** Changes of one range that are kept for sending again. More: fewer copies after a short absence, more memory. */
  readonly changesMax: number
  readonly bytesMax: number
}

/** Changes that are parts of larger frames hold these whole; most go within this time, ms, and what stays is copied out. */
const VIEWS_MS = 2000

export class ChangeLog {
  readonly #options: ChangeLogOptions
  #entries: LogEntry[] = []
  #bytes = 0
  /** When it was looked for parts of frames, how many changes there were then, and how many of these hold none. */
  #lookedAt = Number.NEGATIVE_INFINITY
  #looked = 0
  #own = 0

  constructor(options: ChangeLogOptions) {
    this.#options = options
  }

  get length(): number {
    return this.#entries.length
  }

  push(entry: LogEntry): void {
    this.#entries.push(entry)
    this.#bytes += entry.bytes.length
    const { changesMax, bytesMax } = this.#options
    let over = 0
    // In steps: to move the rest down for each change would cost as many moves as there are changes.
    if (this.#entries.length > changesMax * 1.25 || this.#bytes > bytesMax * 1.25) {
      let bytes = this.#bytes
      while (this.#entries.length - over > changesMax || bytes > bytesMax) {
        bytes -= (this.#entries[over] as LogEntry).bytes.length
        over++
      }
      this.#drop(over)
    }
  }

  /** Now and then: changes that stay, as a store of the list is away, hold no frames with others' changes for it. */
  tick(now: number): void {
    if (now - this.#lookedAt < VIEWS_MS) return
    this.#lookedAt = now
    for (; this.#own < this.#looked; this.#own++) {
      const entry = this.#entries[this.#own] as LogEntry
      const { bytes } = entry
      if (bytes.byteLength < bytes.buffer.byteLength)
        this.#entries[this.#own] = { ...entry, bytes: bytes.slice() }
    }
    this.#looked = this.#entries.length
  }

  /** Lets go of what all have. */
  trim(confirmed: Context): void {
    let covered = 0
    while (covered < this.#entries.length) {
      const { actor, n } = this.#entries[covered] as LogEntry
      if (confirmed.cleanOf(actor) < n) break
      covered++
    }
    if (covered > 0) this.#drop(covered)
  }

  clear(): void {
    this.#drop(this.#entries.length)
  }

  /**
   * What a peer lacks to have all that `applied` covers, up to so many bytes; undefined if not all of it is held any more.
   */
  lacking(applied: Context, has: Context, bytesMax: number): LogEntry[] | undefined {
    const wanted = new Map<number, number>()
    for (const [i, actor] of applied.actors.entries()) {
      const from = has.of(actor)
      if (from < (applied.ns[i] as number)) wanted.set(actor, from + 1)
    }
    for (const { actor, n } of has.holes) if (applied.covers(actor, n)) return undefined
    // Mostly it lacks the last few of many.
    let at = this.#entries.length
    for (let left = wanted.size; left > 0; ) {
      const entry = this.#entries[--at]
      if (entry === undefined) return undefined
      if (wanted.get(entry.actor) === entry.n) left--
    }
    const entries: LogEntry[] = []
    for (let bytes = 0; at < this.#entries.length && bytes < bytesMax; at++) {
      const entry = this.#entries[at] as LogEntry
      const from = wanted.get(entry.actor)
      if (from === undefined || entry.n < from) continue
      entries.push(entry)
      bytes += entry.bytes.length
    }
    return entries
  }

  #drop(count: number): void {
    for (let i = 0; i < count; i++) this.#bytes -= (this.#entries[i] as LogEntry).bytes.length
    this.#entries = this.#entries.slice(count)
    this.#looked = Math.max(0, this.#looked - count)
    this.#own = Math.max(0, this.#own - count)
  }
}
