/**
 * The horizon: only what is due soon is in memory, the rest lies in the due index and is read by a cursor that moves
 * ahead of time. Ten million tasks for next month cost no memory.
 *
 * Rule (PROTOCOLS, store order, and trace 22): per range there is a position; every index entry at or before it is
 * in memory, hence armed. To move it: (i) raise it in memory, so that what is spilled from now on below it stays in
 * memory; (ii) wait for the spill under way; (iii) open the cursor, which is a snapshot, and load what lies between.
 * A load that stops early, for want of room, lowers the position to the last entry it read.
 */

import { getF64 } from '../lib/keys.ts'
import type { Clock } from '../ports/clock.ts'
import { dueFrom, dueIdOf } from '../store/keys.ts'
import type { TaskStore } from '../store/task-store.ts'
import { NEVER, NOT_YET, type Run, type TaskRecord } from '../task/record.ts'

export interface HorizonOptions {
  /** How far ahead entries are held in memory, ms. More: more memory, fewer cursors. */
  readonly aheadMs: number
  /** Most records loaded from the index that are in memory at a time. */
  readonly loadedMax: number
  readonly pageMax: number
}

interface Position {
  due: number
  id: string
}

/** A due key up to its id. */
const DUE_AT = 3
const PAGES_A_TURN = 8

export class Horizon<R extends Run> {
  readonly #store: TaskStore<R>
  readonly #clock: Clock
  readonly #options: HorizonOptions
  /** Called for each record that was loaded, or found in memory. */
  readonly #loaded: (record: TaskRecord<R>) => void
  /** How many more records may be loaded. */
  readonly #room: () => number
  #positions: Position[] = []
  #running: Promise<void> | undefined
  #hungry = false
  #stopped = false
  /** The range that is being read, and where it was lowered to meanwhile. */
  #reading = -1
  #lowered: Position | undefined
  #nextRange = 0
  /** Everything due before this is in memory. */
  reachedTo = NOT_YET

  constructor(
    ports: { store: TaskStore<R>; clock: Clock },
    options: HorizonOptions,
    loaded: (record: TaskRecord<R>) => void,
    room: () => number,
  ) {
    this.#store = ports.store
    this.#clock = ports.clock
    this.#options = options
    this.#loaded = loaded
    this.#room = room
  }

  start(ranges: number): void {
    this.#positions = Array.from({ length: ranges }, () => ({ due: NOT_YET, id: '' }))
  }

  /** True if an index entry of this record would not be read any more: it has to stay in memory. */
  covers(range: number, due: number, id: string): boolean {
    if (due === NEVER) return false
    const position = this.#positions[range] as Position
    return due < position.due || (due === position.due && id <= position.id)
  }

  /** There was no room to queue this record: once it is spilled it may leave memory, and is read again later. */
  lower(range: number, due: number, id: string): void {
    this.#hungry = true
    if (!this.covers(range, due, id)) return
    const position = { due, id: id.slice(0, -1) }
    this.#positions[range] = position
    if (range === this.#reading) this.#lowered = lowest(this.#lowered, position)
  }

  /** Moves ahead if that is worth it; at most one such move is under way. */
  advance(now: number): void {
    if (this.#running !== undefined || this.#stopped) return
    const wanted = this.#hungry
      ? this.#room() > this.#options.loadedMax / 2
      : this.reachedTo < now + this.#options.aheadMs / 2
    if (!wanted) return
    this.#running = this.#move(now + this.#options.aheadMs).finally(() => {
      this.#running = undefined
    })
  }

  /** What goes wrong in a move (a broken record, a failed disk) reaches the caller here. */
  get running(): Promise<void> | undefined {
    return this.#running
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#running?.catch(() => undefined)
  }

  /** Every range up to `target`; a few pages each in turn, so that none waits for another's backlog. */
  async #move(target: number): Promise<void> {
    let behind = this.#positions.map((_, range) => range)
    // Where the last move ended for want of room, this one begins.
    behind = [...behind.slice(this.#nextRange), ...behind.slice(0, this.#nextRange)]
    while (behind.length > 0 && !this.#stopped) {
      const rest: number[] = []
      for (const range of behind) {
        if (this.#stopped) return
        if (this.#room() <= 0) {
          this.#hungry = true
          this.#nextRange = range
          return
        }
        if (!(await this.#read(range, target))) rest.push(range)
      }
      behind = rest
    }
    this.#hungry = false
    this.#nextRange = 0
    this.reachedTo = target
  }

  /** Reads a range up to the target; false if there is more than a few pages. */
  async #read(range: number, target: number): Promise<boolean> {
    const position = this.#positions[range] as Position
    if (position.due >= target) return true
    const from = keyAfter(range, position)
    this.#positions[range] = { due: target, id: '' }
    this.#reading = range
    this.#lowered = undefined
    await this.#store.spillsIdle()
    const cursor = this.#store.dueCursor(range, from, target)
    let last = position
    try {
      for (let page = 0; page < PAGES_A_TURN; page++) {
        const max = Math.min(this.#options.pageMax, Math.max(1, this.#room()))
        const entries = await cursor.next(max)
        for (const { record } of await this.#store.loadDue(entries.map(([key]) => key))) {
          if (record !== undefined) this.#loaded(record)
        }
        if (entries.length < max) {
          last = { due: target, id: '' }
          return true
        }
        const key = (entries.at(-1) as [Uint8Array, Uint8Array])[0]
        last = { due: getF64(key, DUE_AT), id: dueIdOf(key) }
        if (this.#room() <= 0) break
        await new Promise<void>(resolve => this.#clock.defer(resolve))
      }
      return false
    } finally {
      this.#positions[range] = lowest(this.#lowered, last)
      this.#reading = -1
      await cursor.close()
    }
  }
}

function lowest(a: Position | undefined, b: Position): Position {
  if (a === undefined) return b
  return a.due < b.due || (a.due === b.due && a.id < b.id) ? a : b
}

/** The first key after a position. */
function keyAfter(range: number, position: Position): Uint8Array {
  if (position.due === NOT_YET) return dueFrom(range)
  const from = dueFrom(range, position.due)
  const key = new Uint8Array(from.length + position.id.length + 1)
  key.set(from)
  for (let i = 0; i < position.id.length; i++) key[from.length + i] = position.id.charCodeAt(i)
  return position.id === '' ? from : key
}
