/**
 * A task store in small for tests of the horizon: records, a due index with snapshots, spills and loads that take a
 * while, a queue with limited room. The horizon in it is the real one.
 */

import { expect } from 'vitest'
import { VirtualClock } from '../../sim/virtual-clock.ts'
import { compareBytes } from '../../src/lib/keys.ts'
import type { StoreCursor } from '../../src/ports/store.ts'
import { Horizon, type HorizonStore } from '../../src/schedule/horizon.ts'
import { dueFrom, dueIdOf, dueKey } from '../../src/store/keys.ts'
import { type Run, TaskRecord } from '../../src/task/record.ts'
import { definitionOf } from '../support/tasks.ts'

export const AHEAD_MS = 100
export const RANGES = 2

interface Held {
  readonly record: TaskRecord
  inMemory: boolean
  /** Its latest state is not in the index. */
  dirty: boolean
  fired: boolean
  /** Due, and without room: it may leave. */
  leaving: boolean
  passedOver: boolean
}

export class World implements HorizonStore<Run> {
  readonly clock = new VirtualClock({ wallMs: 0 })
  readonly held = new Map<string, Held>()
  readonly horizon: Horizon<Run>
  /** Key as hex -> key; a hint that may be stale. */
  #index = new Map<string, Uint8Array>()
  #spill: Promise<void> | undefined
  #delays: readonly number[]
  #drawn = 0
  running: Promise<void> | undefined
  room: number
  error: unknown

  constructor(loadedMax: number, pageMax: number, room: number, delays: readonly number[]) {
    this.room = room
    this.#delays = delays
    this.horizon = new Horizon<Run>(
      { store: this, clock: this.clock },
      { aheadMs: AHEAD_MS, loadedMax, pageMax },
      {
        loaded: record => this.#settle(this.#of(record)),
        wantsBack: () => this.room > 0,
        readAgain: () => () => undefined,
      },
    )
    this.horizon.start(RANGES)
  }

  // --- what the horizon asks for

  get size(): number {
    return [...this.held.values()].filter(each => each.inMemory).length
  }

  async spillsIdle(): Promise<void> {
    while (this.#spill !== undefined) await this.#spill
  }

  dueCursor(range: number, from: Uint8Array, ltDue: number): StoreCursor {
    const lt = dueFrom(range, ltDue)
    const keys = [...this.#index.values()]
      .filter(key => compareBytes(key, from) >= 0 && compareBytes(key, lt) < 0)
      .sort(compareBytes)
    return {
      next: async max => {
        await this.#delay()
        return keys.splice(0, max).map(key => [key, new Uint8Array(0)])
      },
      close: () => this.#delay(),
    }
  }

  async loadDue(keys: readonly Uint8Array[]): Promise<Array<{ record: TaskRecord | undefined }>> {
    await this.#delay()
    return keys.map(key => {
      const each = this.held.get(dueIdOf(key)) as Held
      if (each.fired) return { record: undefined }
      each.inMemory = true
      return { record: each.record }
    })
  }

  release(record: TaskRecord): void {
    const each = this.#of(record)
    if (!each.inMemory || each.dirty || each.fired) return
    const { range, indexedDue, id } = record
    if (!each.leaving && this.horizon.covers(range, indexedDue, id)) return
    each.inMemory = false
    if (!each.leaving) return
    each.leaving = false
    each.passedOver = true
    this.horizon.passedOver(range, indexedDue, id)
  }

  // --- what happens

  /** A new task, or another instant of one that waits. */
  set(id: string, range: number, due: number): void {
    const at = this.clock.now() + due
    const known = this.held.get(id)
    if (known === undefined) {
      const record = new TaskRecord<Run>(
        id,
        range,
        1,
        true,
        definitionOf({ id, schedule: { kind: 'at', at } }),
      )
      const fresh = { record, inMemory: true, dirty: true, fired: false, leaving: false, passedOver: false }
      this.held.set(id, fresh)
      return this.#settle(fresh)
    }
    if (known.fired) return
    Object.assign(known, { inMemory: true, dirty: true, leaving: false, passedOver: false })
    known.record.next = at
    this.#settle(known)
  }

  /** The index gets what is dirty, a while later; then who is not held leaves memory. */
  spill(): void {
    if (this.#spill !== undefined) return
    const chunk = [...this.held.values()].filter(each => each.dirty && !each.fired)
    // What is written is the record as of now; who changes meanwhile is dirty again.
    const states = chunk.map(({ record }) => ({ before: record.indexedDue, due: record.dueAt }))
    for (const each of chunk) {
      each.dirty = false
      each.record.indexedDue = each.record.dueAt
    }
    const writing = new Set(chunk)
    this.#writing = writing
    this.#spill = this.#delay().then(() => {
      chunk.forEach(({ record: { range, id } }, i) => {
        const { before, due } = states[i] as { before: number; due: number }
        if (!Number.isNaN(before)) this.#index.delete(hex(dueKey(range, before, id)))
        const key = dueKey(range, due, id)
        this.#index.set(hex(key), key)
      })
      this.#writing = new Set()
      this.#spill = undefined
      for (const { record } of chunk) this.release(record)
    })
  }

  #writing = new Set<Held>()

  /** A wake-up: what is due fires as far as there is room, and the horizon moves. */
  wake(): void {
    for (const each of this.held.values()) if (each.inMemory) this.#settle(each)
    for (const each of this.held.values())
      if (each.leaving && !this.#writing.has(each)) this.release(each.record)
    const begun = this.horizon.advance(this.clock.now())
    if (begun === undefined) return
    this.running = begun.then(
      () => {
        this.running = undefined
      },
      (error: unknown) => {
        this.error = error
      },
    )
  }

  #settle(each: Held): void {
    if (each.fired || each.record.dueAt > this.clock.now()) return
    if (this.room <= 0) {
      each.leaving = true
      return
    }
    this.room--
    Object.assign(each, { fired: true, inMemory: false, dirty: false, leaving: false, passedOver: false })
    this.#index.delete(hex(dueKey(each.record.range, each.record.indexedDue || 0, each.record.id)))
  }

  /** What must hold whenever no cursor is open. */
  check(): void {
    expect(this.error).toBeUndefined()
    if (this.running !== undefined) return
    for (const { record, inMemory, fired, passedOver } of this.held.values()) {
      if (inMemory || fired || passedOver) continue
      const { range, indexedDue, id } = record
      expect(this.horizon.covers(range, indexedDue, id), `${id}, due at ${indexedDue}, is nowhere`).toBe(
        false,
      )
    }
  }

  /** With room and time enough, all have fired. */
  async drain(): Promise<void> {
    const left = (): string[] => [...this.held].filter(([, each]) => !each.fired).map(([id]) => id)
    for (let i = 0; i < 200 && left().length > 0; i++) {
      this.room = 1000
      this.spill()
      this.wake()
      await this.clock.advanceBy(20)
      this.check()
    }
    expect(left()).toEqual([])
  }

  #delay(): Promise<void> {
    const ms = this.#delays[this.#drawn++ % this.#delays.length] as number
    return new Promise(resolve => this.clock.setTimer(ms, resolve))
  }

  #of(record: TaskRecord): Held {
    return this.held.get(record.id) as Held
  }
}

const hex = (key: Uint8Array): string => Buffer.from(key).toString('hex')
