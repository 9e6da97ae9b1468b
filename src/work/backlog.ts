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

type Waiting = Map<string, Set<LiveRecord>>

export class Backlog {
  readonly #heldMax: number
  readonly #held: Waiting = new Map()
  /** In memory only until the index has them. */
  readonly #leaving: Waiting = new Map()
  /** Where each record waits, and for which handler: a replaced task may have another by now. */
  readonly #places = new Map<LiveRecord, { readonly waiting: Waiting; readonly name: string }>()
  #heldCount = 0
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
    return this.#places.size
  }

  add(record: LiveRecord): void {
    const { name } = record.definition
    const place = this.#places.get(record)
    if (place?.waiting === this.#held && place.name === name) return
    this.remove(record)
    const free = this.#heldMax - this.#heldCount
    const waiting = (this.#held.get(name)?.size ?? 0) < free ? this.#held : this.#leaving
    if (waiting === this.#held) this.#heldCount++
    const records = waiting.get(name)
    if (records === undefined) waiting.set(name, new Set([record]))
    else records.add(record)
    this.#places.set(record, { waiting, name })
  }

  /** It waits no longer, or waits elsewhere. */
  remove(record: LiveRecord): void {
    const place = this.#places.get(record)
    if (place === undefined) return
    this.#places.delete(record)
    const { waiting, name } = place
    if (waiting === this.#held) this.#heldCount--
    const records = waiting.get(name)
    records?.delete(record)
    if (records?.size === 0) waiting.delete(name)
  }

  isLeaving(record: LiveRecord): boolean {
    return this.#places.get(record)?.waiting === this.#leaving
  }

  /** Takes out what there is room for now, of each handler in the order in which it came. */
  take(room: RoomFor, each: (record: LiveRecord) => void): void {
    for (const waiting of [this.#held, this.#leaving]) {
      for (const [name, records] of [...waiting]) {
        for (let left = records.size; left > 0 && room(name) > 0; left--) {
          const record = records.values().next().value as LiveRecord
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
