/**
 * Duty: what changes for the records of a range when this node begins to act for it, or ceases to, and when a change of
 * another node comes in. Alone, a node acts for everything, and none of this happens.
 *
 * - It begins: every record in memory is adopted as after a start. An attempt that somebody else began, and who may still
 *   be at it, is watched until its end comes or its node has gone.
 * - It ceases: what waits to be handed out is taken back, and what is not in the journal yet is written, so that who acts
 *   next knows what was begun. What runs goes on, and its end is written by whoever it is (PROTOCOLS B3, B4).
 * - A change comes in: attempts of what has ended elsewhere are aborted; the rest is settled as always.
 */

import type { Applied, TaskStore } from '../store/task-store.ts'
import type { Desk } from './dispatcher.ts'
import type { Lifecycle } from './lifecycle.ts'
import type { LiveRecord, LiveRun } from './live-run.ts'
import type { Ownership } from './ownership.ts'
import { type Residency, startOf } from './residency.ts'

export interface DutyParts {
  readonly store: TaskStore<LiveRun>
  readonly lifecycle: Lifecycle
  readonly dispatcher: Desk<LiveRun>
  /** Runs of this node's tasks that are with a worker. */
  readonly running: () => LiveRun[]
  readonly residency: Residency
  readonly ownership: () => Ownership
  /** Epoch ms with a fraction. */
  readonly now: () => number
  /** A run has ended at another node: who waits for it here is told. */
  readonly endedElsewhere: (record: LiveRecord, run: LiveRun) => void
  /** The same, and its end is no longer kept where this was heard from. */
  readonly forgotten: (record: LiveRecord, run: LiveRun) => void
  readonly stir: () => void
}

export class Duty {
  readonly #parts: DutyParts
  /** Ranges whose records are to be adopted at the end of the turn. */
  readonly #begun = new Set<number>()
  /** Records that others have changed in this turn; true: runs of it have ended. */
  #changed = new Map<LiveRecord, boolean>()
  /** Attempts of others that may still run. */
  readonly #elsewhere = new Set<LiveRun>()
  /** By range: a record that should have been started, by whom this node holds for the owner. */
  readonly #overdue = new Map<number, LiveRecord>()

  constructor(parts: DutyParts) {
    this.#parts = parts
  }

  /** Attempts of others that are watched. */
  get watched(): number {
    return this.#elsewhere.size
  }

  /** This node acts for the range from now on. */
  begin(range: number): void {
    this.#overdue.delete(range)
    this.#begun.add(range)
    this.#parts.stir()
  }

  /** It acts no longer. Called while it still may write. */
  cease(range: number): void {
    const { store, lifecycle, dispatcher } = this.#parts
    this.#begun.delete(range)
    for (const record of [...store.rangeRecords(range)]) {
      if (record.outbox) continue
      const opened: LiveRun[] = []
      const running: LiveRun[] = []
      for (const run of record.runs) {
        if (run.place === 'sent') running.push(run)
        else if (run.place !== 'idle') dispatcher.withdraw(run)
        // Also one whose attempt was lost here: the journal says that it runs.
        const isSaid = run.n > 0 && run.attempt === 0
        if (!isSaid && run.place === 'idle' && run.state === 'queued' && record.isOpen(run)) opened.push(run)
      }
      lifecycle.writeRunning(running)
      // Its instant was reached here, and nobody else knows.
      if (opened.length > 0) store.updated(record, { times: true, runs: opened })
    }
  }

  /** It acts no longer, and what it had armed is watched for others. */
  ceased(range: number): void {
    for (const record of [...this.#parts.store.rangeRecords(range)]) this.#parts.residency.rearm(record)
    this.#parts.stir()
  }

  /** The end of a turn: takes up what this node has begun to act for, and what others have changed. */
  takeUp(): void {
    if (this.#begun.size === 0 && this.#changed.size === 0) return
    const { store, lifecycle } = this.#parts
    const changed = this.#changed
    this.#changed = new Map()
    for (const [record, hasEnds] of changed) this.#settle(record, hasEnds)
    const ranges = [...this.#begun]
    this.#begun.clear()
    for (const range of ranges) for (const record of [...store.rangeRecords(range)]) lifecycle.adopt(record)
  }

  #settle(record: LiveRecord, hasEnds: boolean): void {
    const { store, lifecycle, residency, ownership } = this.#parts
    if (record.gone) return residency.rearm(record)
    // It may have been reached here as well, which only the memory of this node knows as long as nothing was written of it.
    if (hasEnds && ownership().acts(record.range)) store.updated(record, { times: true })
    lifecycle.adopt(record)
  }

  /** A change of another node, or a record that was copied, has been applied. */
  applied({ record, before, ended, forgotten }: Applied<LiveRun>): void {
    const { endedElsewhere } = this.#parts
    if (before !== undefined && before !== record) this.letGo(before)
    if (record === undefined) return
    for (const run of record.runs) {
      if (run.place === 'idle') continue
      if (record.gone || !record.isOpen(run))
        this.#takeBack(run, run.state === 'cancelled' ? 'cancelled' : 'elsewhere')
      else if (run.place === 'queued' && run.state !== 'queued') this.#takeBack(run, 'elsewhere')
      else if (run.place === 'sent' && run.state !== 'running') {
        // Another began an attempt of it as well, and has said how far that came: the one here runs all the same. What will
        // be said of it is the later word, and costs no attempt.
        run.state = 'running'
        run.returned++
      }
    }
    for (const run of forgotten) this.#forget(record, run)
    for (const run of ended) endedElsewhere(record, run)
    // What follows is written after the change that it follows from: at the end of the turn.
    this.#changed.set(record, ended.length > 0 || this.#changed.get(record) === true)
    this.#parts.stir()
  }

  /** The run is no longer in its record: nothing is to be written of it. */
  #forget(record: LiveRecord, run: LiveRun): void {
    this.#takeBack(run, 'elsewhere')
    run.state = 'unknown'
    this.#parts.forgotten(record, run)
  }

  /** The record was dropped: all others have its end. */
  letGo(record: LiveRecord): void {
    for (const run of record.runs) this.#takeBack(run, 'elsewhere')
    this.#parts.residency.rearm(record)
  }

  #takeBack(run: LiveRun, reason: 'cancelled' | 'replaced' | 'elsewhere'): void {
    this.#parts.lifecycle.takeBack(run, reason)
  }

  /** True if somebody else began the attempt and may still be at it; it is watched from now on. */
  isElsewhere(run: LiveRun): boolean {
    const mayRun = this.#parts.ownership().mayRunElsewhere(run.record.range, run.actor)
    if (mayRun) this.#elsewhere.add(run)
    return mayRun
  }

  /** Starts again what was begun by those who have gone. */
  watch(): void {
    const { store, lifecycle, ownership } = this.#parts
    for (const run of [...this.#elsewhere]) {
      const { record, place, state, actor } = run
      // One that left memory meanwhile is another object when it comes again.
      const isHere = store.recordIn(record.range, record.id) === record && !record.gone
      const isOver = !isHere || place !== 'idle' || state !== 'running' || !record.isOpen(run)
      if (!isOver && ownership().mayRunElsewhere(record.range, actor)) continue
      this.#elsewhere.delete(run)
      if (isOver || !ownership().acts(record.range)) continue
      lifecycle.attemptLost(run, 'the node at which this attempt was running went away')
      lifecycle.settle(record)
    }
  }

  /** Something of the record was to be started, and another acts for it. */
  passedBy(record: LiveRecord): void {
    const { residency, now } = this.#parts
    if (startOf(record) > now()) return residency.rearm(record)
    this.#overdue.set(record.range, record)
    residency.lookAgain(record)
  }

  /** A task that should have been started so long ago, as far as is known here. */
  overdue(range: number, beforeMs: number): string | undefined {
    const record = this.#overdue.get(range)
    if (record === undefined) return undefined
    if (!record.gone && startOf(record) <= this.#parts.now() - beforeMs) return record.id
    this.#overdue.delete(range)
    return undefined
  }

  /** Something of the range runs here. */
  isBusy(range: number): boolean {
    return this.#parts.running().some(({ record }) => record.range === range)
  }
}
