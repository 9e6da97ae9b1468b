/**
 * SimulatedStore: the Store port on a SimulatedDisk, which outlives the store as a disk outlives a process. Time
 * is the virtual clock's and chance the seed's, so that a run replays.
 *
 * The disk shows every write as soon as it has happened, and keeps what would undo the unsynced ones. A power cut
 * undoes a random number of them, newest first. Writes that were still under way may or may not have happened,
 * synced ones too. After a crash the old store is dead: what was called on it never resolves.
 *
 * It is never kinder than LevelDB: a batch that met a full disk may show up after all once the store was reopened.
 */

import { fromLatin1, toLatin1 } from '../src/adapters/memory-store.ts'
import { CarillonError, type ErrorCode } from '../src/errors.ts'
import { invariant } from '../src/invariant.ts'
import { OrderedMap, type OrderedMapSnapshot } from '../src/lib/ordered-map.ts'
import type { Clock } from '../src/ports/clock.ts'
import type { Random } from '../src/ports/random.ts'
import type { CursorOptions, KeyRange, Store, StoreCursor, StoreOp } from '../src/ports/store.ts'

export interface SimulatedDiskOptions {
  /** How long a call takes, in milliseconds. Default: {@link diskLatency}. */
  readonly latencyMs?: (call: 'open' | 'read' | 'write' | 'sync', bytes: number, random: Random) => number
  /** What `space` reports; both may be set later. Default: Infinity. */
  readonly freeBytes?: number
  readonly totalBytes?: number
}

export interface CrashOptions {
  /** False: only the process died (kill -9), and what it wrote is still in the page cache. Default: true. */
  readonly powerCut?: boolean
  /**
   * The last put of the newest unsynced write that survived is cut short or garbled. LevelDB's own checksums
   * promise that this does not happen: it is for the checksums of the layers above. A function says which keys may
   * be torn. Default: false.
   */
  readonly tear?: boolean | ((key: Uint8Array) => boolean)
}

/** An SSD: reads some 20 us, writes 50 us, syncs 0.2 to 1 ms and now and then 20 ms, 500 MB/s. */
export function diskLatency(call: 'open' | 'read' | 'write' | 'sync', bytes: number, random: Random): number {
  const transferMs = bytes / 500_000
  const float = random.float()
  if (call === 'open') return 5 + 20 * float
  if (call === 'read') return transferMs + 0.01 + 0.03 * float
  if (call === 'write') return transferMs + 0.02 + 0.06 * float
  return transferMs + (float < 0.005 ? 5 + 3000 * float : 0.2 + 0.8 * float)
}

/** What it takes to take a write back: the keys in the order they were changed, with the values before. */
type Undo = Array<[key: string, before: Uint8Array | undefined]>

interface Pending {
  readonly sync: boolean
  readonly bytes: number
  /** The atomic parts; asked for only when the write happens. */
  readonly parts: () => Array<readonly StoreOp[]>
  readonly resolve: () => void
  readonly reject: (error: CarillonError) => void
}

export class SimulatedDisk {
  readonly clock: Clock
  readonly random: Random
  readonly latencyMs: (call: 'open' | 'read' | 'write' | 'sync', bytes: number) => number
  freeBytes: number
  totalBytes: number
  /** Writes and synced writes that succeeded. */
  writeCount = 0
  syncCount = 0
  readonly #map = new OrderedMap<Uint8Array>()
  /** Oldest first. */
  #unsynced: Undo[] = []
  #holder: SimulatedStore | undefined
  #full = false
  #failNextSync = false
  /** The batch that met a full disk. */
  #doubtful: Array<readonly StoreOp[]> = []

  constructor(ports: { readonly clock: Clock; readonly random: Random }, options: SimulatedDiskOptions = {}) {
    this.clock = ports.clock
    this.random = ports.random
    const latencyMs = options.latencyMs ?? diskLatency
    this.latencyMs = (call, bytes) => latencyMs(call, bytes, this.random)
    this.freeBytes = options.freeBytes ?? Infinity
    this.totalBytes = options.totalBytes ?? Infinity
  }

  /** How many unsynced atomic writes a power cut could take back now. */
  get unsyncedCount(): number {
    return this.#unsynced.length
  }

  get isFull(): boolean {
    return this.#full
  }

  /** From now on there is no space (`true`), or there is again. */
  full(full: boolean): void {
    this.#full = full
  }

  /** The next synced write fails with `STORE_FAILED`; whether it happened is a coin. */
  failNextSync(fails = true): void {
    this.#failNextSync = fails
  }

  /** Flips one random bit of the value under the key, without a sound. False: there is no such bit. */
  flipBit(key: Uint8Array): boolean {
    const value = this.#map.get(toLatin1(key))
    if (value === undefined || value.length === 0) return false
    const flipped = Uint8Array.from(value)
    const bit = this.#below(value.length * 8)
    flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7))
    this.#map.set(toLatin1(key), flipped)
    return true
  }

  /** The process that has the disk dies. The next store may open it at once. */
  crash(options: CrashOptions = {}): void {
    const underWay = this.#holder?.die() ?? []
    this.#holder = undefined
    // A part of them, in order, got as far as the page cache.
    const parts = underWay.flatMap(pending => pending.parts())
    for (const part of parts.slice(0, this.#below(parts.length + 1))) this.#apply(part)
    const powerCut = options.powerCut ?? true
    if (powerCut) {
      const survivors = this.#below(this.#unsynced.length + 1)
      // The batch that met a full disk came after all of these.
      if (survivors < this.#unsynced.length) this.#doubtful = []
      while (this.#unsynced.length > survivors) this.#undoNewest()
    }
    if (options.tear !== undefined && options.tear !== false) this.#tear(options.tear)
    if (powerCut) this.#unsynced = []
  }

  /** For the store. */
  attach(store: SimulatedStore): void {
    if (this.#holder !== undefined) {
      throw new CarillonError('STORE_LOCKED', 'another store has this simulated disk')
    }
    this.#holder = store
  }

  detach(store: SimulatedStore): void {
    if (this.#holder === store) this.#holder = undefined
  }

  /** Carries a write out, or says why it failed. */
  carryOut(parts: Array<readonly StoreOp[]>, sync: boolean): CarillonError | undefined {
    if (this.#full) {
      this.#doubtful = parts.map(part => part.map(copied))
      return failed('STORE_FULL', 'no space left on the simulated disk')
    }
    if (sync && this.#failNextSync) {
      this.#failNextSync = false
      if (this.random.float() < 0.5) for (const part of parts) this.#apply(part)
      return failed('STORE_FAILED', 'the simulated disk failed to sync')
    }
    for (const part of parts) this.#apply(part)
    this.writeCount++
    if (sync) {
      this.syncCount++
      this.#unsynced = []
    }
    return undefined
  }

  /** What a reopen finds: the batch that met the full disk, or not. */
  recover(): void {
    if (this.random.float() < 0.5) for (const part of this.#doubtful) this.#apply(part)
    this.#doubtful = []
  }

  read(key: Uint8Array): Uint8Array | undefined {
    const value = this.#map.get(toLatin1(key))
    return value && Uint8Array.from(value)
  }

  snapshot(): OrderedMapSnapshot<Uint8Array> {
    return this.#map.snapshot()
  }

  #apply(ops: readonly StoreOp[]): void {
    const undo: Undo = ops.map(op => {
      const key = toLatin1(op.key)
      return [key, op.type === 'put' ? this.#map.set(key, Uint8Array.from(op.value)) : this.#map.delete(key)]
    })
    this.#unsynced.push(undo)
  }

  #undoNewest(): void {
    for (const [key, before] of this.#unsynced.pop()?.reverse() ?? []) {
      if (before === undefined) this.#map.delete(key)
      else this.#map.set(key, before)
    }
  }

  #tear(which: true | ((key: Uint8Array) => boolean)): void {
    const keys = this.#unsynced.at(-1)?.map(([key]) => key) ?? []
    const key = keys.findLast(key => this.#map.get(key) !== undefined)
    if (key === undefined || (which !== true && !which(fromLatin1(key)))) return
    const value = this.#map.get(key) as Uint8Array
    const cut = this.#below(value.length)
    const torn = this.random.float() < 0.5 ? value.slice(0, cut) : Uint8Array.from(value)
    if (torn.length === value.length) torn.set(this.random.bytes(value.length - cut), cut)
    this.#map.set(key, torn)
  }

  #below(bound: number): number {
    return Math.floor(this.random.float() * bound)
  }
}

export class SimulatedStore implements Store {
  readonly durable = true
  readonly #disk: SimulatedDisk
  #state: 'closed' | 'open' | 'dead' = 'closed'
  #queue: Pending[] = []
  #failure: CarillonError | undefined
  #idle: Array<() => void> = []
  /** Of the cursors that are open. */
  readonly #snapshots = new Set<OrderedMapSnapshot<Uint8Array>>()

  constructor(disk: SimulatedDisk) {
    this.#disk = disk
  }

  async open(): Promise<void> {
    if (this.#state === 'dead') return never()
    invariant(this.#state === 'closed', 'a simulated store is opened once')
    this.#disk.attach(this)
    await this.#after('open', 0)
    if (this.#disk.isFull) {
      this.#disk.detach(this)
      throw failed('STORE_FULL', 'no space left on the simulated disk')
    }
    this.#disk.recover()
    this.#state = 'open'
  }

  write(ops: readonly StoreOp[], options: { readonly sync: boolean }): Promise<void> {
    const bytes = ops.reduce((sum, op) => sum + op.key.length + (op.type === 'put' ? op.value.length : 0), 0)
    return this.#enqueue(options.sync, bytes, () => [ops])
  }

  clear(range: KeyRange): Promise<void> {
    // Not atomic: each key is a part of its own.
    return this.#enqueue(false, 0, () => {
      const snapshot = this.#disk.snapshot()
      const entries = snapshot.ascending(toLatin1(range.gte), toLatin1(range.lt), Infinity)
      snapshot.close()
      return entries.map(([key]) => [{ type: 'del', key: fromLatin1(key) }])
    })
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    this.#assertUsable()
    await this.#after('read', 0)
    return this.#disk.read(key)
  }

  async getMany(keys: readonly Uint8Array[]): Promise<Array<Uint8Array | undefined>> {
    this.#assertUsable()
    await this.#after('read', 0)
    return keys.map(key => this.#disk.read(key))
  }

  cursor(options: CursorOptions): StoreCursor {
    this.#assertUsable()
    const { reverse = false, values = true } = options
    let gte = toLatin1(options.gte)
    let lt = toLatin1(options.lt)
    const snapshot = this.#disk.snapshot()
    if (this.#state === 'dead') snapshot.close()
    else this.#snapshots.add(snapshot)
    return {
      next: async max => {
        if (this.#state === 'dead') return never()
        if (!this.#snapshots.has(snapshot)) throw failed('CLOSED', 'the cursor is closed')
        const entries = reverse ? snapshot.descending(gte, lt, max) : snapshot.ascending(gte, lt, max)
        const last = entries.at(-1)?.[0]
        if (last !== undefined && reverse) lt = last
        else if (last !== undefined) gte = `${last}\0`
        const bytes = entries.reduce((sum, [key, value]) => sum + key.length + value.length, 0)
        await this.#after('read', bytes)
        return entries.map(([key, value]) => [
          fromLatin1(key),
          values ? Uint8Array.from(value) : new Uint8Array(0),
        ])
      },
      close: async () => {
        this.#snapshots.delete(snapshot)
        snapshot.close()
      },
    }
  }

  async reopen(): Promise<void> {
    if (this.#state === 'dead') return never()
    this.#assertUsable()
    if (this.#failure !== undefined && this.#failure.code !== 'STORE_FULL') throw this.#failure
    await this.#untilIdle()
    await this.#after('open', 0)
    if (this.#disk.isFull) throw failed('STORE_FULL', 'still no space left on the simulated disk')
    this.#closeSnapshots()
    this.#disk.recover()
    this.#failure = undefined
  }

  async space(): Promise<{ freeBytes: number; totalBytes: number }> {
    this.#assertUsable()
    await this.#after('read', 0)
    const { isFull, freeBytes, totalBytes } = this.#disk
    return { freeBytes: isFull ? 0 : freeBytes, totalBytes }
  }

  async close(): Promise<void> {
    if (this.#state === 'dead') return never()
    if (this.#state === 'open') this.#state = 'closed'
    this.#closeSnapshots()
    await this.#untilIdle()
    this.#disk.detach(this)
  }

  /** For the disk: the process is gone. Returns what was under way. */
  die(): Pending[] {
    this.#state = 'dead'
    const underWay = this.#failure === undefined ? this.#queue : []
    this.#queue = []
    this.#idle = []
    this.#closeSnapshots()
    return underWay
  }

  #closeSnapshots(): void {
    for (const snapshot of this.#snapshots) snapshot.close()
    this.#snapshots.clear()
  }

  #assertUsable(): void {
    if (this.#state === 'closed') throw new CarillonError('CLOSED', 'the simulated store is not open')
  }

  #enqueue(sync: boolean, bytes: number, parts: () => Array<readonly StoreOp[]>): Promise<void> {
    if (this.#state === 'dead') return never()
    return new Promise((resolve, reject) => {
      this.#assertUsable()
      if (this.#failure !== undefined) throw this.#failure
      this.#queue.push({ sync, bytes, parts, resolve, reject })
      if (this.#queue.length === 1) this.#startNext()
    })
  }

  /** One write is under way at a time: the head of the queue. */
  #startNext(): void {
    const head = this.#queue[0]
    if (head === undefined) {
      for (const resolve of this.#idle.splice(0)) resolve()
      return
    }
    this.#disk.clock.setTimer(this.#disk.latencyMs(head.sync ? 'sync' : 'write', head.bytes), () => {
      if (this.#state === 'dead') return
      this.#queue.shift()
      this.#failure ??= this.#disk.carryOut(head.parts(), head.sync)
      if (this.#failure === undefined) head.resolve()
      else head.reject(this.#failure)
      this.#startNext()
    })
  }

  #untilIdle(): Promise<void> {
    if (this.#queue.length === 0) return Promise.resolve()
    return new Promise(resolve => this.#idle.push(resolve))
  }

  /** Resolves when the call's time is over; never, if the process died before. */
  #after(call: 'open' | 'read', bytes: number): Promise<void> {
    if (this.#state === 'dead') return never()
    return new Promise(resolve => {
      this.#disk.clock.setTimer(this.#disk.latencyMs(call, bytes), () => {
        if (this.#state !== 'dead') resolve()
      })
    })
  }
}

/** The caller may reuse its buffers once it has been told that the write failed. */
function copied(op: StoreOp): StoreOp {
  const key = Uint8Array.from(op.key)
  return op.type === 'put' ? { type: 'put', key, value: Uint8Array.from(op.value) } : { type: 'del', key }
}

function never(): Promise<never> {
  return new Promise(() => {})
}

function failed(code: ErrorCode, message: string): CarillonError {
  return new CarillonError(code, message)
}
