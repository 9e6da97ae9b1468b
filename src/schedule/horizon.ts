/**
 * The horizon: only what is due soon is in memory, the rest lies in the due index and is read by a cursor that moves
 * ahead of time. Ten million tasks for next month cost no memory.
 *
 * Rule (PROTOCOLS, store order, and trace 22): per range there is a position; every index entry at or before it is
 * in memory, or was passed over. To move it: (i) raise it in memory, so that what is spilled from now on below it stays
 * in memory; (ii) wait for the spill under way; (iii) open the cursor, which is a snapshot, and load what lies between.
 * A load that stops early, for want of room, lowers the position to the last entry it read.
 *
 * Passed over is what was due and found no room in the queue, when it left memory. The range's mark lies at or before
 * the first such entry; when there is room, what lies between the mark and the position is read again.
 */

import { getF64 } from '../lib/keys.ts'
import type { Clock } from '../ports/clock.ts'
import type { StoreCursor } from '../ports/store.ts'
import { dueFrom, dueIdOf } from '../store/keys.ts'
import { NEVER, NOT_YET, type Run, type TaskRecord } from '../task/record.ts'

export interface HorizonOptions {
  /** How far ahead entries are held in memory, ms. More: more memory, fewer cursors. */
  readonly aheadMs: number
  /** Most records in memory, whatever for, up to which more are loaded. More: more memory. */
  readonly loadedMax: number
  readonly pageMax: number
}

/** What the horizon asks of the task store. */
export interface HorizonStore<R extends Run> {
  readonly size: number
  spillsIdle(): Promise<void>
  dueCursor(range: number, from: Uint8Array, ltDue: number): StoreCursor
  loadDue(keys: readonly Uint8Array[]): Promise<ReadonlyArray<{ readonly record: TaskRecord<R> | undefined }>>
  /** Lets a record go that nobody holds. */
  release(record: TaskRecord<R>): void
}

export interface HorizonHost<R extends Run> {
  /** A record was loaded, or found in memory. */
  loaded(record: TaskRecord<R>): void
  /** True if the queue has room for something that was passed over. */
  wantsBack(): boolean
  /** All that was passed over is about to be read again; the returned function is called with true if it was. */
  readAgain(): (whole: boolean) => void
}

interface Position {
  due: number
  id: string
}

/** A due key up to its id. */
const DUE_AT = 3
const PAGES_A_TURN = 8
/** A move that stopped for want of room goes on when this share of loadedMax is free. */
const ROOM_SHARE = 1 / 8

export class Horizon<R extends Run> {
  readonly #store: HorizonStore<R>
  readonly #clock: Clock
  readonly #options: HorizonOptions
  readonly #host: HorizonHost<R>
  #positions: Position[] = []
  /** By range. */
  readonly #marks = new Map<number, Position>()
  #running: Promise<void> | undefined
  #hungry = false
  #stopped = false
  #nextRange = 0
  /** Everything due before this is in memory, or was passed over. */
  reachedTo = NOT_YET

  constructor(
    ports: { store: HorizonStore<R>; clock: Clock },
    options: HorizonOptions,
    host: HorizonHost<R>,
  ) {
    this.#store = ports.store
    this.#clock = ports.clock
    this.#options = options
    this.#host = host
  }

  start(ranges: number): void {
    this.#positions = Array.from({ length: ranges }, () => ({ due: NOT_YET, id: '' }))
  }

  /** True if an index entry of this record would not be read any more: it has to stay in memory. */
  covers(range: number, due: number, id: string): boolean {
    if (due === NEVER) return false
    return !isBefore(this.#positions[range] as Position, { due, id })
  }

  /** A due record for which there was no room has left memory: it is read again when there is some. */
  passedOver(range: number, due: number, id: string): void {
    // The mark is a position: what follows it is read.
    this.#mark(range, { due, id: id.slice(0, -1) })
  }

  /**
   * Moves ahead, or reads again, if that is worth it; at most one of them is under way. Returns what it began: what
   * goes wrong there (a broken record, a failed disk) is for the caller.
   */
  advance(now: number): Promise<void> | undefined {
    if (this.#running !== undefined || this.#stopped) return undefined
    const { aheadMs, loadedMax } = this.#options
    let work: Promise<void> | undefined
    if (this.#hungry ? this.#room > loadedMax * ROOM_SHARE : this.reachedTo < now + aheadMs / 2)
      work = this.#move(now + aheadMs)
    else if (this.#marks.size > 0 && this.#room > 0 && this.#host.wantsBack()) work = this.#readAgain()
    this.#running = work?.finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#running?.catch(() => undefined)
  }

  get #room(): number {
    return this.#options.loadedMax - this.#store.size
  }

  #mark(range: number, position: Position): void {
    const mark = this.#marks.get(range)
    if (mark === undefined || isBefore(position, mark)) this.#marks.set(range, position)
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
        if (this.#room <= 0) {
          this.#hungry = true
          this.#nextRange = range
          return
        }
        if (!(await this.#advanceRange(range, target))) rest.push(range)
      }
      behind = rest
    }
    this.#hungry = false
    this.#nextRange = 0
    this.reachedTo = target
  }

  /** Reads a range up to the target; false if there is more than a few pages. */
  async #advanceRange(range: number, target: number): Promise<boolean> {
    const from = this.#positions[range] as Position
    if (from.due >= target) return true
    this.#positions[range] = { due: target, id: '' }
    let reached = from
    try {
      reached = await this.#read(range, from, target, PAGES_A_TURN, () => this.#room > 0)
    } finally {
      this.#positions[range] = reached
    }
    return reached.due >= target
  }

  /** What was passed over, range by range, as long as there is room for some of it. */
  async #readAgain(): Promise<void> {
    const done = this.#host.readAgain()
    let whole = false
    const goesOn = (): boolean => !this.#stopped && this.#room > 0 && this.#host.wantsBack()
    try {
      for (const range of [...this.#marks.keys()]) {
        if (!goesOn()) return
        // It may have been lowered since, while other ranges were read.
        const mark = this.#marks.get(range) as Position
        const target = endOf(this.#positions[range] as Position)
        // What is passed over meanwhile sets the mark anew.
        this.#marks.delete(range)
        let reached = mark
        try {
          reached = await this.#read(range, mark, target, Number.POSITIVE_INFINITY, goesOn)
        } finally {
          if (reached.due < target) this.#mark(range, reached)
        }
        if (reached.due < target) return
      }
      whole = true
    } finally {
      done(whole)
    }
  }

  /** Loads what lies after `from` and before `target`, while `goesOn`; returns how far it came. */
  async #read(
    range: number,
    from: Position,
    target: number,
    pages: number,
    goesOn: () => boolean,
  ): Promise<Position> {
    await this.#store.spillsIdle()
    const cursor = this.#store.dueCursor(range, keyAfter(range, from), target)
    let reached = from
    try {
      for (let page = 0; page < pages; page++) {
        const max = Math.min(this.#options.pageMax, Math.max(1, this.#room))
        const entries = await cursor.next(max)
        for (const { record } of await this.#store.loadDue(entries.map(([key]) => key))) {
          if (record === undefined) continue
          this.#host.loaded(record)
          this.#store.release(record)
        }
        if (entries.length < max) return { due: target, id: '' }
        const key = (entries.at(-1) as [Uint8Array, Uint8Array])[0]
        reached = { due: getF64(key, DUE_AT), id: dueIdOf(key) }
        if (!goesOn()) break
        await new Promise<void>(resolve => this.#clock.defer(resolve))
      }
      return reached
    } finally {
      await cursor.close()
    }
  }
}

/** An instant that all up to the position lie before. Of its own instant more may: they are read, and let go. */
function endOf({ due, id }: Position): number {
  return id === '' ? due : due + Math.max(Math.abs(due) * Number.EPSILON, Number.MIN_VALUE)
}

function isBefore(a: Position, b: Position): boolean {
  return a.due < b.due || (a.due === b.due && a.id < b.id)
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
