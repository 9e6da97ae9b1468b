/** A journal as a disk has it: what is synced survives a crash, of the rest a part that chance chooses. */

import type { RangeState } from '../../src/replication/host.ts'
import type { Agenda } from './agenda.ts'

export type Entry =
  | {
      readonly kind: 'change'
      readonly range: number
      readonly actor: number
      readonly n: number
      readonly bytes: Uint8Array
    }
  | { readonly kind: 'record'; readonly range: number; readonly bytes: Uint8Array }
  | { readonly kind: 'extras'; readonly range: number; readonly bytes: Uint8Array }
  | { readonly kind: 'drop'; readonly range: number; readonly id: string; readonly life: number }
  | { readonly kind: 'state'; readonly range: number; readonly state: RangeState }
  | { readonly kind: 'delete-state'; readonly range: number }
  | { readonly kind: 'delete-records'; readonly range: number }

export class Disk {
  store: string
  boot = 0
  readonly entries: Entry[]
  synced = 0

  constructor(store: string, entries: Entry[] = []) {
    this.store = store
    this.entries = entries
    this.synced = entries.length
  }

  /** A crash: keeps `extra` of what was not synced, in order. */
  cut(extra: number): void {
    this.entries.length = Math.min(this.entries.length, this.synced + extra)
    this.synced = this.entries.length
  }

  image(): Entry[] {
    return this.entries.slice(0, this.synced)
  }
}

/** Group commit over a disk, for one process. */
export class Commits {
  readonly #disk: Disk
  readonly #agenda: Agenda
  readonly #syncMs: () => number
  #waiting: Array<() => void> = []
  #isBusy = false
  #isOver = false

  constructor(disk: Disk, agenda: Agenda, syncMs: () => number) {
    this.#disk = disk
    this.#agenda = agenda
    this.#syncMs = syncMs
  }

  afterSync(done: () => void): void {
    this.#waiting.push(done)
    this.#start()
  }

  #start(): void {
    if (this.#isBusy || this.#waiting.length === 0) return
    this.#isBusy = true
    const upTo = this.#disk.entries.length
    const callbacks = this.#waiting
    this.#waiting = []
    this.#agenda.after(this.#syncMs(), () => {
      if (this.#isOver) return
      this.#disk.synced = Math.max(this.#disk.synced, upTo)
      this.#isBusy = false
      for (const done of callbacks) done()
      this.#start()
    })
  }

  stop(): void {
    this.#isOver = true
  }
}

/** The states of the ranges that a journal comes to. */
export function statesOf(entries: readonly Entry[]): Map<number, RangeState> {
  const states = new Map<number, RangeState>()
  for (const entry of entries) {
    const { range } = entry
    if (entry.kind === 'state') states.set(range, entry.state)
    else if (entry.kind === 'delete-state') states.delete(range)
    else if (entry.kind === 'change') {
      const state = states.get(range)
      if (state === undefined) continue
      const { context } = state
      if (context.of(entry.actor) < entry.n)
        states.set(range, { ...state, context: context.advance(entry.actor, entry.n) })
    } else if (entry.kind === 'drop') {
      const state = states.get(range)
      if (state !== undefined) states.set(range, { ...state, context: state.context.withLife(entry.life) })
    }
  }
  return states
}
