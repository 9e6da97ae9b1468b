/**
 * The workers of a dispatcher, near and far, and whose turn it is. Near ones are this engine's own; a far one is another
 * engine, that has what it gets run by its own. Who is near comes first: a far worker is asked only where no near one
 * has room.
 */

import type { DueRun } from './due-run.ts'
import type { Credit, WorkerConnection } from './worker-connection.ts'

/** A handler at near workers. */
export interface NearLoad {
  /** How much they take of it together. */
  window: number
  /** How much of that they have. */
  used: number
}

export class Workers<R extends DueRun> {
  readonly #inFlightBytesMax: number
  readonly #near: Array<WorkerConnection<R>> = []
  readonly #far: Array<WorkerConnection<R>> = []
  /** In each of these lists, whose turn it is. */
  #nextNear = 0
  #nextFar = 0

  constructor(inFlightBytesMax: number) {
    this.#inFlightBytesMax = inFlightBytesMax
  }

  *[Symbol.iterator](): IterableIterator<WorkerConnection<R>> {
    yield* this.#near
    yield* this.#far
  }

  add(worker: WorkerConnection<R>): void {
    this.#listOf(worker).push(worker)
  }

  remove(worker: WorkerConnection<R>): void {
    const list = this.#listOf(worker)
    list.splice(list.indexOf(worker), 1)
  }

  /** Who has the attempt of this handle. */
  holderOf(handle: number): WorkerConnection<R> | undefined {
    const holds = ({ attempts }: WorkerConnection<R>): boolean => attempts.has(handle)
    return this.#near.find(holds) ?? this.#far.find(holds)
  }

  /** True if somebody runs this handler. */
  run(name: string): boolean {
    return this.runNear(name) || this.#far.some(worker => worker.runs(name))
  }

  runNear(name: string): boolean {
    return this.#near.some(worker => worker.runs(name))
  }

  /** Of a near worker that takes a run of this handler; they take turns. */
  nearCredit(name: string): Credit<R> | undefined {
    const at = this.#taker(this.#near, this.#nextNear, name)
    if (at === undefined) return undefined
    this.#nextNear = at + 1
    return this.#near[at]?.credits.get(name)
  }

  /** The same of a far one. */
  farCredit(name: string): Credit<R> | undefined {
    const at = this.#taker(this.#far, this.#nextFar, name)
    if (at === undefined) return undefined
    this.#nextFar = at + 1
    return this.#far[at]?.credits.get(name)
  }

  /** How many more attempts they take, all handlers together. */
  get room(): number {
    return roomOf(this.#near) + roomOf(this.#far)
  }

  get nearRoom(): number {
    return roomOf(this.#near)
  }

  /** Handlers that somebody runs, in the order of their names. */
  handlerNames(): string[] {
    const names = new Set<string>()
    for (const worker of this)
      for (const name of worker.credits.keys()) if (worker.runs(name)) names.add(name)
    return [...names].sort()
  }

  /** The handlers that near workers run. */
  nearLoads(): Map<string, NearLoad> {
    const loads = new Map<string, NearLoad>()
    for (const worker of this.#near) {
      for (const [name, credit] of worker.credits) {
        if (!worker.runs(name)) continue
        const load = loads.get(name) ?? { window: 0, used: 0 }
        load.window += credit.window
        // Who has more than its window, as it lowered that, leaves the others theirs.
        load.used += Math.min(credit.used, credit.window)
        loads.set(name, load)
      }
    }
    return loads
  }

  #listOf({ isFar }: WorkerConnection<R>): Array<WorkerConnection<R>> {
    return isFar ? this.#far : this.#near
  }

  /** The place of the first worker, from that of whose turn it is, that takes a run of this handler. */
  #taker(workers: ReadonlyArray<WorkerConnection<R>>, turn: number, name: string): number | undefined {
    let at = turn
    for (let left = workers.length; left > 0; left--, at++) {
      if (at >= workers.length) at = 0
      const worker = workers[at] as WorkerConnection<R>
      const credit = worker.credits.get(name)
      if (credit === undefined || credit.used >= credit.window || worker.room <= 0) continue
      if (worker.inFlightBytes < this.#inFlightBytesMax) return at
    }
    return undefined
  }
}

function roomOf(workers: ReadonlyArray<WorkerConnection<DueRun>>): number {
  let room = 0
  for (const worker of workers) room += Math.max(0, worker.room)
  return room
}
