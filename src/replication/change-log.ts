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

/** So many changes may be parts of larger frames that came: these are held whole for them. */
const VIEWS_MAX = 64

export class ChangeLog {
  readonly #options: ChangeLogOptions
  #entries: LogEntry[] = []
  #bytes = 0

  constructor(options: ChangeLogOptions) {
    this.#options = options
  }

  get length(): number {
    return this.#entries.length
  }

  push(entry: LogEntry): void {
    // Mostly all have them at once; with a store of the list away they would hold frames with others' changes for it.
    const isPart = entry.bytes.byteLength < entry.bytes.buffer.byteLength
    this.#entries.push(
      isPart && this.#entries.length >= VIEWS_MAX ? { ...entry, bytes: entry.bytes.slice() } : entry,
    )
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
    const entries: LogEntry[] = []
    let bytes = 0
    const seen = new Set<number>()
    for (const entry of this.#entries) {
      const from = wanted.get(entry.actor)
      if (from === undefined || entry.n < from) continue
      if (!seen.has(entry.actor)) {
        if (entry.n !== from) return undefined
        seen.add(entry.actor)
      }
      if (bytes < bytesMax) entries.push(entry)
      bytes += entry.bytes.length
    }
    return seen.size < wanted.size ? undefined : entries
  }

  #drop(count: number): void {
    for (let i = 0; i < count; i++) this.#bytes -= (this.#entries[i] as LogEntry).bytes.length
    this.#entries = this.#entries.slice(count)
  }
}
