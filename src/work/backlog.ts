/**
 * Due records for which the queue has no room, by handler: a bounded number waits here, in memory. What comes beyond
 * may leave memory as soon as the index has it, and is read again later (schedule/horizon): a handler whose worker is
 * away for a day costs disk, not memory, and nobody else's time.
 *
 * A handler may use as much of the bound as is still free (as in the dispatcher's queue), so that none can take it all.
 */

import type { LiveRecord } from './live-run.ts'

/** Who asks says how many runs of a handler there is room for; asked anew for each. */
export type RoomFor = (name: string) => number

export class Backlog {
  readonly #heldMax: number
  #heldCount = 0
  readonly #held = new Map<string, Set<LiveRecord>>()
  /** In memory only until the index has them. */
  readonly #leaving = new Map<string, Set<LiveRecord>>()
  #leavingCount = 0
  /** Handlers of which some records lie in the index, due and passed over. */
  #passedOver = new Set<string>()
  /** Those since the last time that all was read again. */
  #passedOverAnew = new Set<string>()

  /** `heldMax`: most records that wait in memory. */
  constructor(heldMax: number) {
    this.#heldMax = heldMax
  }

  /** Held in memory, and those that leave it. */
  get size(): number {
    return this.#heldCount + this.#leavingCount
  }

  add(record: LiveRecord): void {
    const { name } = record.definition
    const held = this.#held.get(name)
    if (held?.has(record) === true) return
    if ((held?.size ?? 0) < this.#heldMax - this.#heldCount) {
      this.#leavingCount -= removeFrom(this.#leaving, name, record)
      this.#heldCount += addTo(this.#held, name, record)
    } else this.#leavingCount += addTo(this.#leaving, name, record)
  }

  /** It waits no longer, or waits elsewhere. */
  remove(record: LiveRecord): void {
    if (this.size === 0) return
    const { name } = record.definition
    this.#heldCount -= removeFrom(this.#held, name, record)
    this.#leavingCount -= removeFrom(this.#leaving, name, record)
  }

  isLeaving(record: LiveRecord): boolean {
    return this.#leavingCount > 0 && this.#leaving.get(record.definition.name)?.has(record) === true
  }

  /** Takes out what there is room for now, of each handler in the order in which it came. */
  take(room: RoomFor, each: (record: LiveRecord) => void): void {
    for (const waiting of [this.#held, this.#leaving]) {
      for (const [name, records] of waiting) {
        for (const record of records) {
          if (room(name) <= 0) break
          this.remove(record)
          each(record)
        }
      }
    }
  }

  /** A record has left memory; true if it was leaving: it is passed over. */
  left(record: LiveRecord): boolean {
    const wasLeaving = this.isLeaving(record)
    if (wasLeaving) {
      this.#passedOver.add(record.definition.name)
      this.#passedOverAnew.add(record.definition.name)
    }
    this.remove(record)
    return wasLeaving
  }

  get hasPassedOver(): boolean {
    return this.#passedOver.size > 0
  }

  /** True if something that was passed over could be taken in again: nothing of its handler waits here any more. */
  wantsBack(room: RoomFor, least: number): boolean {
    for (const name of this.#passedOver) if (!this.#held.has(name) && room(name) >= least) return true
    return false
  }

  /** All that was passed over is about to be read again; the returned function is told whether it all was. */
  readAgain(): (whole: boolean) => void {
    const anew = new Set<string>()
    this.#passedOverAnew = anew
    return whole => {
      if (whole) this.#passedOver = anew
    }
  }
}

/** How many were added: 0 or 1. */
function addTo(sets: Map<string, Set<LiveRecord>>, name: string, record: LiveRecord): number {
  const set = sets.get(name)
  if (set === undefined) sets.set(name, new Set([record]))
  else if (set.has(record)) return 0
  else set.add(record)
  return 1
}

/** How many were removed: 0 or 1. */
function removeFrom(sets: Map<string, Set<LiveRecord>>, name: string, record: LiveRecord): number {
  const set = sets.get(name)
  if (set === undefined || !set.delete(record)) return 0
  if (set.size === 0) sets.delete(name)
  return 1
}
