/**
 * Ended runs that are kept for a while, so that `result()` and `runs()` can answer after a task has gone.
 *
 * One-shots: the newest of each handler, by count and age, in a ring; completed and dead ones have a ring each, since
 * a busy handler's successes must not push its failures out. Recurring tasks: the newest few of each task; which
 * these are is in the task's record. What is young lies in memory (the journal has it too) and goes to the index with
 * the next spill, under r/ and e/; then only the key stays in memory.
 */

import { Deque } from '../lib/bounded-queue.ts'
import { ByteReader, type ByteWriter, CorruptBytes } from '../lib/bytes.ts'
import { crc32 } from '../lib/crc32.ts'
import type { StoreOp } from '../ports/store.ts'
import { readRuns, writeRunState } from '../task/change.ts'
import { Run, type TaskRecord } from '../task/record.ts'
import { endedKey } from './keys.ts'

export interface HistoryOptions {
  /** Ended one-shots that are kept, per handler. */
  readonly completedMax: number
  readonly completedMs: number
  /** Runs that failed for good, per handler. A dead task's record goes when its entry goes. */
  readonly deadMax: number
  readonly deadMs: number
  /** Ended runs kept of each recurring task. */
  readonly perTaskMax: number
}

/** An ended run, apart from its task. */
export interface EndedRun {
  readonly taskId: string
  readonly name: string
  readonly range: number
  readonly life: number
  readonly firstLife: boolean
  readonly recurring: boolean
  readonly run: Run
}

/** An ended one-shot in its ring. What it is of stays in memory; the run itself only until the index has it. */
class Entry {
  readonly taskId: string
  readonly name: string
  readonly range: number
  readonly life: number
  readonly firstLife: boolean
  readonly instant: number
  readonly endedAt: number
  readonly dead: boolean
  /** Undefined once the index has it. */
  run: Run | undefined
  /** The index has it, or a batch that writes it is under way. */
  isInIndex: boolean
  gone = false

  constructor(ended: EndedRun, kept: Run | undefined) {
    this.taskId = ended.taskId
    this.name = ended.name
    this.range = ended.range
    this.life = ended.life
    this.firstLife = ended.firstLife
    this.instant = ended.run.instant
    this.endedAt = ended.run.endedAt
    this.dead = ended.run.state === 'failed' || ended.run.state === 'unknown'
    this.run = kept
    this.isInIndex = kept === undefined
  }
}

function endedRunOf(record: TaskRecord, run: Run, recurring: boolean): EndedRun {
  const { id, range, life, firstLife, definition } = record
  return { taskId: id, name: definition.name, range, life, firstLife, recurring, run }
}

function endedOf(entry: Entry): EndedRun {
  const { taskId, name, range, life, firstLife, run } = entry
  return { taskId, name, range, life, firstLife, recurring: false, run: run as Run }
}

interface Ring {
  readonly name: string
  readonly dead: boolean
  entries: Deque<Entry>
  /** How many of them are gone, and do not count. */
  gone: number
}

const FORMAT = 1

export class History {
  readonly #options: HistoryOptions
  readonly #rings = new Map<string, Ring>()
  readonly #deadRings = new Map<string, Ring>()
  /** Latest entry of each one-shot. */
  readonly #byTask = new Map<string, Entry>()
  #unstored: Entry[] = []
  /** Recurring: what the next spill writes, by task. */
  #young = new Map<string, EndedRun[]>()
  #deletes: Uint8Array[] = []
  readonly #evictedDead: (taskId: string) => void

  /** `evictedDead`: a dead task is kept no longer, by count or age. */
  constructor(options: HistoryOptions, evictedDead: (taskId: string) => void) {
    this.#options = options
    this.#evictedDead = evictedDead
  }

  /** Keeps the ended run of a record; `last` if its task has ended with it. */
  add(record: TaskRecord, run: Run, last: boolean): void {
    if (record.definition.recurring && !last) this.addKept(record, run)
    else this.#addOneShot(endedRunOf(record, run, false))
  }

  /** Keeps an ended run of a task that goes on; it may have been kept before. */
  addKept(record: TaskRecord, run: Run): void {
    this.#addRecurring(record, endedRunOf(record, run, true))
  }

  /** The kept run of a one-shot, or of a recurring task while it is young; 'stored' if the index has it. */
  find(taskId: string): EndedRun | { readonly stored: Uint8Array; readonly life: number } | undefined {
    const entry = this.#byTask.get(taskId)
    if (entry === undefined) return undefined
    if (entry.run !== undefined) return endedOf(entry)
    return { stored: endedKey(false, entry.range, entry.taskId, entry.instant), life: entry.life }
  }

  /** Runs of a recurring task that the index does not have yet, oldest first. */
  youngOf(taskId: string): readonly EndedRun[] {
    return this.#young.get(taskId) ?? []
  }

  /** A dead task is driven again, or a new life began: its kept run goes. */
  remove(taskId: string): void {
    const entry = this.#byTask.get(taskId)
    if (entry === undefined) return
    entry.gone = true
    this.#forget(entry)
    const ring = this.#ringOf(entry.name, entry.dead)
    ring.gone++
    if (ring.gone > GONE_MAX && ring.gone > ring.entries.length / 2) dropGone(ring)
  }

  /** Task ids of the dead, oldest first. */
  *dead(): Generator<string> {
    for (const ring of this.#deadRings.values()) {
      for (const entry of ring.entries) if (!entry.gone) yield entry.taskId
    }
  }

  get deadCount(): number {
    let count = 0
    for (const _ of this.dead()) count++
    return count
  }

  /** Drops what is too old. */
  sweep(now: number): void {
    for (const ring of [...this.#rings.values(), ...this.#deadRings.values()]) {
      const before = now - (ring.dead ? this.#options.deadMs : this.#options.completedMs)
      for (;;) {
        const entry = ring.entries.peek()
        if (entry === undefined || (!entry.gone && entry.endedAt >= before)) break
        this.#evict(ring)
      }
    }
  }

  /** What the next synced batch of a spill has to write; afterwards call stored(). */
  takeOps(out: ByteWriter): { ops: StoreOp[]; stored: () => void } {
    const ops: StoreOp[] = this.#deletes.map(key => ({ type: 'del', key }))
    this.#deletes = []
    const entries = this.#unstored.filter(entry => !entry.gone && entry.run !== undefined)
    this.#unstored = []
    for (const entry of entries) {
      ops.push(putOf(out, endedOf(entry)))
      entry.isInIndex = true
    }
    const young = this.#young
    for (const list of young.values()) for (const ended of list) ops.push(putOf(out, ended))
    const stored = (): void => {
      for (const entry of entries) entry.run = undefined
      for (const [taskId, list] of young) {
        const now = this.#young.get(taskId)
        if (now === undefined) continue
        const rest = now.filter(ended => !list.includes(ended))
        if (rest.length === 0) this.#young.delete(taskId)
        else this.#young.set(taskId, rest)
      }
    }
    // Lists may be added to while the batch is written.
    this.#young = new Map([...young].map(([taskId, list]) => [taskId, [...list]]))
    return { ops, stored }
  }

  /** At the start: an entry that the index has. They come in no order of time. */
  adopt(entries: ReadonlyArray<{ key: Uint8Array; ended: EndedRun }>): void {
    const sorted = [...entries].sort((a, b) => a.ended.run.endedAt - b.ended.run.endedAt)
    for (const { ended } of sorted) this.#push(ended, undefined)
  }

  #addOneShot(ended: EndedRun): void {
    const entry = this.#push(ended, ended.run)
    this.#unstored.push(entry)
    // A busy handler's ring turns over many times between two spills.
    if (this.#unstored.length > 4 * (this.#options.completedMax + 1000)) {
      this.#unstored = this.#unstored.filter(each => !each.gone)
    }
  }

  #push(ended: EndedRun, kept: Run | undefined): Entry {
    if (this.#byTask.has(ended.taskId)) this.remove(ended.taskId)
    const entry = new Entry(ended, kept)
    const { dead } = entry
    const ring = this.#ringOf(ended.name, dead)
    ring.entries.push(entry)
    this.#byTask.set(ended.taskId, entry)
    while (ring.entries.length - ring.gone > (dead ? this.#options.deadMax : this.#options.completedMax))
      this.#evict(ring)
    return entry
  }

  #ringOf(name: string, dead: boolean): Ring {
    const rings = dead ? this.#deadRings : this.#rings
    let ring = rings.get(name)
    if (ring === undefined) {
      ring = { name, dead, entries: new Deque<Entry>(), gone: 0 }
      rings.set(name, ring)
    }
    return ring
  }

  #evict(ring: Ring): void {
    const entry = ring.entries.shift()
    if (entry === undefined) return
    if (entry.gone) {
      ring.gone--
      return
    }
    entry.gone = true
    this.#forget(entry)
    if (entry.dead) this.#evictedDead(entry.taskId)
  }

  #forget(entry: Entry): void {
    if (this.#byTask.get(entry.taskId) === entry) this.#byTask.delete(entry.taskId)
    if (entry.isInIndex) this.#deletes.push(endedKey(false, entry.range, entry.taskId, entry.instant))
    entry.run = undefined
  }

  #addRecurring(record: TaskRecord, ended: EndedRun): void {
    if (record.kept.length === 0) record.kept = []
    const { kept } = record
    const again = kept.indexOf(ended.run.instant)
    if (again >= 0) kept.splice(again, 1)
    kept.push(ended.run.instant)
    let young = this.#young.get(record.id)
    if (young === undefined) {
      young = []
      this.#young.set(record.id, young)
    }
    const same = young.findIndex(each => each.run.instant === ended.run.instant)
    if (same >= 0) young.splice(same, 1)
    young.push(ended)
    while (kept.length > this.#options.perTaskMax) {
      const instant = kept.shift() as number
      const at = young.findIndex(each => each.run.instant === instant)
      if (at >= 0) young.splice(at, 1)
      // Also of a young one: a batch that writes it may be under way.
      this.#deletes.push(endedKey(true, record.range, record.id, instant))
    }
  }

  /** All of a range is gone, also from the index, which is emptied by who calls. */
  removeRange(range: number): void {
    for (const entry of [...this.#byTask.values()]) {
      if (entry.range !== range) continue
      entry.isInIndex = false
      this.remove(entry.taskId)
    }
    for (const [taskId, list] of this.#young) if (list[0]?.range === range) this.#young.delete(taskId)
  }

  /** A recurring task is gone: its kept runs go too. */
  removeRecurring(record: TaskRecord): void {
    this.#young.delete(record.id)
    for (const instant of record.kept) this.#deletes.push(endedKey(true, record.range, record.id, instant))
  }
}

/** Below this many it is not worth it to look for those that are gone. */
const GONE_MAX = 16

function dropGone(ring: Ring): void {
  const entries = new Deque<Entry>()
  for (const entry of ring.entries) if (!entry.gone) entries.push(entry)
  ring.entries = entries
  ring.gone = 0
}

function putOf(out: ByteWriter, ended: EndedRun): StoreOp {
  const key = endedKey(ended.recurring, ended.range, ended.taskId, ended.run.instant)
  return { type: 'put', key, value: encodeEnded(out, ended) }
}

export function encodeEnded(out: ByteWriter, ended: EndedRun): Uint8Array {
  out.reset()
  out.u8(FORMAT)
  out.u32le(0)
  out.ascii(ended.taskId)
  out.ascii(ended.name)
  out.f64(ended.life)
  out.u8((ended.firstLife ? 1 : 0) | (ended.recurring ? 2 : 0))
  out.varuint(1)
  writeRunState(out, ended.run)
  out.patchU32(1, crc32(out.view().subarray(5)))
  return out.take()
}

/** Throws CorruptBytes. */
export function decodeEnded(bytes: Uint8Array, range: number): EndedRun {
  const reader = new ByteReader(bytes)
  const format = reader.u8()
  if (format !== FORMAT) throw new CorruptBytes(`ended run format ${format}, known is ${FORMAT}`)
  const sum = reader.u32le()
  if (sum !== crc32(bytes.subarray(5))) throw new CorruptBytes('the ended run does not match its checksum')
  const taskId = reader.ascii()
  const name = reader.ascii()
  const life = reader.f64()
  const flags = reader.u8()
  const [run] = readRuns(reader, (instant, manual) => new Run(instant, manual))
  if (run === undefined) throw new CorruptBytes('an ended run without its run')
  return { taskId, name, range, life, firstLife: (flags & 1) !== 0, recurring: (flags & 2) !== 0, run }
}
