/**
 * A task store on a simulated disk, life after life, and by hand: its user opens runs, ends them, ends turns and
 * crashes it. Segments are tiny, so that a few dozen changes go all the way to the index.
 */

import { type CrashOptions, SimulatedDisk, SimulatedStore } from '../../sim/simulated-store.ts'
import { VirtualClock } from '../../sim/virtual-clock.ts'
import { type CarillonError, isCarillonError } from '../../src/errors.ts'
import { ByteReader, ByteWriter } from '../../src/lib/bytes.ts'
import { SeededRandom } from '../../src/lib/seeded-random.ts'
import type { Store, StoreOp } from '../../src/ports/store.ts'
import type { Dot } from '../../src/replication/context.ts'
import { allOf } from '../../src/store/keys.ts'
import { RangeStates } from '../../src/store/range-states.ts'
import {
  type ChangeSink,
  type Started,
  TaskStore,
  type TaskStoreOptions,
} from '../../src/store/task-store.ts'
import { Definition } from '../../src/task/definition.ts'
import { Run, type TaskRecord } from '../../src/task/record.ts'

export const CALLER = '0102030405060708'

export const OPTIONS: TaskStoreOptions = {
  ranges: 2,
  journal: {
    durability: 'sync',
    intervalMs: 50,
    segmentBytesMax: 1 << 20,
    segmentChangesMax: 5,
    fullPatienceMs: 5000,
    idleMs: 5000,
    idleChangesMin: 1,
    restMs: 0,
  },
  history: { completedMax: 1000, completedMs: 1e9, deadMax: 1000, deadMs: 1e9, perTaskMax: 3 },
  requestWindowMs: 1e9,
  fullRetryMs: 1000,
  segmentsWaitingMax: 2,
  repair: false,
  replicated: false,
  endedKeepMs: 86_400_000,
  endedBytesMax: 64 * 1024 * 1024,
}

export interface DefinitionOptions {
  readonly at?: number
  readonly n?: number
  readonly madeAt?: number
  readonly recurring?: boolean
  readonly payload?: string
  readonly name?: string
}

export function definition(id: string, options: DefinitionOptions = {}): Definition {
  const { at = 2e12, n = 0, madeAt = 1000, recurring = false, payload = '{"a":1}', name = 'mail' } = options
  const out = new ByteWriter()
  // Written by hand, as the other side of the channel does it: format, flags, madeAt, caller, n, id, name.
  out.u8(1)
  out.u8((recurring ? 2 : 0) | 32)
  out.f64(madeAt)
  out.bytes(Buffer.from(CALLER, 'hex'))
  out.varuint(n)
  out.ascii(id)
  out.ascii(name)
  if (recurring)
    out.utf8(JSON.stringify({ kind: 'every', everyMs: 1000, from: 'phase', anchor: 0, madeFor: n }))
  else out.f64(at)
  out.rawUtf8(payload)
  const bytes = out.take()
  return new Definition(new ByteReader(bytes), bytes.length)
}

/** The process died while somebody waited for it. */
export class Crashed extends Error {}

/** Sees every call that changes the disk, before it is made; what it returns is called instead. */
export type WriteHook = (call: 'write' | 'clear', sync: boolean, ops: readonly StoreOp[]) => void

export class StoreBed {
  readonly clock = new VirtualClock()
  readonly disk: SimulatedDisk
  readonly options: TaskStoreOptions
  readonly random: SeededRandom
  store!: SimulatedStore
  tasks!: TaskStore<Run>
  started!: Started
  /** Told by the store of this life. */
  failures: CarillonError[] = []
  fullness: boolean[] = []
  evicted: string[] = []
  evictedDead: string[] = []
  holds: (record: TaskRecord) => boolean = () => false
  onWrite: WriteHook = () => undefined
  /** Of a mesh: what replication would have of the ranges. */
  states = new RangeStates()
  /** Of a mesh: called with each change of this store's own. */
  wrote: (...change: [...Parameters<ChangeSink['wrote']>, dot: Dot]) => void = () => undefined
  #life = 0
  #alive = false

  constructor(options: Partial<TaskStoreOptions> = {}, seed: number | string = 1) {
    this.options = { ...OPTIONS, ...options }
    this.random = new SeededRandom(seed)
    this.disk = new SimulatedDisk({ clock: this.clock, random: this.random.fork('disk') })
  }

  /** A new process on the disk. */
  async open(options: Partial<TaskStoreOptions> = {}): Promise<Started> {
    const life = ++this.#life
    this.#alive = true
    const { clock, disk } = this
    this.failures = []
    this.fullness = []
    this.evicted = []
    this.evictedDead = []
    this.store = new SimulatedStore(disk)
    const store = watched(this.store, (...call) => {
      if (life === this.#life) this.onWrite(...call)
    })
    const random = this.random.fork(`life ${life}`)
    const tasks = new TaskStore<Run>(
      { store, clock, random },
      { ...this.options, ...options },
      {
        makeRun: (_, instant, manual) => new Run(instant, manual),
        holds: record => this.holds(record),
        evicted: record => void this.evicted.push(record.id),
        evictedDead: id => void this.evictedDead.push(id),
        full: full => void (life === this.#life && this.fullness.push(full)),
        failed: error => void (life === this.#life && this.failures.push(error)),
        stir: () =>
          queueMicrotask(() => {
            if (life === this.#life && this.failures.length === 0) tasks.flush()
          }),
        rangeStates: () => this.states.all,
        dropped: (range, life) => this.states.dropped(range, life),
      },
    )
    this.tasks = tasks
    await this.run(this.store.open())
    this.started = await this.run(tasks.start())
    this.evictedDead.push(...this.started.evictedDead)
    if ((options.replicated ?? this.options.replicated) === true) this.#attach(tasks)
    return this.started
  }

  /** What replication does, in small: it counts the changes of each range under the first actor. */
  #attach(tasks: TaskStore<Run>): void {
    this.states = new RangeStates(this.started.states)
    const actors = new Map<number, number>()
    const next = (range: number): { actor: number; n: number } => {
      let actor = actors.get(range)
      if (actor === undefined) {
        actor = tasks.mintActor(range)
        actors.set(range, actor)
      }
      return { actor, n: (this.states.all.get(range)?.context.of(actor) ?? 0) + 1 }
    }
    this.freshActor = range => void actors.delete(range)
    tasks.sink = {
      next,
      wrote: (range, bytes, dots) => {
        const { actor, n } = next(range)
        this.states.change(range, actor, n)
        this.wrote(range, bytes, dots, { actor, n })
      },
    }
  }

  /** Of a mesh: the range is written under another actor from here on. */
  freshActor: (range: number) => void = () => undefined

  /** False from a crash on, until it is opened again. */
  get isAlive(): boolean {
    return this.#alive
  }

  /** The process dies; nothing of it is heard again. */
  crash(options: CrashOptions = {}): void {
    this.#life++
    this.#alive = false
    this.disk.crash(options)
  }

  async close(): Promise<void> {
    await this.run(this.tasks.stop())
    this.#life++
    this.#alive = false
  }

  /** Turns the clock until the promise is settled; a minute is more than anything here may take. */
  async run<T>(promise: Promise<T>): Promise<T> {
    let settled = false
    const settle = (): void => {
      settled = true
    }
    promise.then(settle, settle)
    if (!this.#alive) throw new Crashed()
    const life = this.#life
    const over = (): boolean => settled || life !== this.#life
    if (!(await this.clock.runUntil(over, 60_000))) throw new Error('it hangs: nothing settled in a minute')
    if (life !== this.#life) throw new Crashed()
    return promise
  }

  /** Ends the turn, and waits until everything is synced, and all that can be spilled is. */
  async settle(): Promise<void> {
    const life = this.#life
    this.tasks.flush()
    await this.drain()
    await this.clock.advanceBy(200)
    if (life !== this.#life) throw new Crashed()
  }

  /** Waits until everything is synced, for space on the disk too. */
  async drain(): Promise<void> {
    for (;;) {
      try {
        return await this.run(this.tasks.journal.drain())
      } catch (error) {
        if (!isCarillonError(error, 'STORE_FULL')) throw error
      }
    }
  }

  /** The values on the disk under a letter, by key. */
  async dump(letter: Parameters<typeof allOf>[0]): Promise<Array<[Uint8Array, Uint8Array]>> {
    const snapshot = this.disk.snapshot()
    const { gte, lt } = allOf(letter)
    const text = (key: Uint8Array): string => Buffer.from(key).toString('latin1')
    const entries = snapshot.ascending(text(gte), text(lt), Number.POSITIVE_INFINITY)
    snapshot.close()
    return entries.map(([key, value]) => [Buffer.from(key, 'latin1'), value])
  }

  /** Overwrites a value of the disk while no process has it. */
  async overwrite(key: Uint8Array, value: Uint8Array | undefined): Promise<void> {
    this.#alive = true
    const store = new SimulatedStore(this.disk)
    await this.run(store.open())
    const op: StoreOp = value === undefined ? { type: 'del', key } : { type: 'put', key, value }
    await this.run(store.write([op], { sync: true }))
    await this.run(store.close())
    this.#alive = false
  }
}

function watched(store: Store, hook: WriteHook): Store {
  return {
    durable: store.durable,
    open: () => store.open(),
    write: (ops, options) => {
      hook('write', options.sync, ops)
      return store.write(ops, options)
    },
    get: key => store.get(key),
    getMany: keys => store.getMany(keys),
    cursor: options => store.cursor(options),
    clear: range => {
      hook('clear', false, [])
      return store.clear(range)
    },
    reopen: () => store.reopen(),
    space: () => store.space(),
    close: () => store.close(),
  }
}
