/**
 * Requests of a mesh, by requestId: each with the dot of the change that it made, since who repeats it is answered when
 * enough stores have confirmed that change (PROTOCOLS B6). They come from own changes, from those of others, from copied
 * records, and, of tasks that are gone, from the lists that go with copies.
 *
 * The rules of what is remembered and refused are those of a store that is alone (requests.ts), and what such a store
 * remembered before it joined a mesh is asked after its own. On the disk it is a value for each segment that was dropped,
 * which goes when the newest in it is older than the window.
 */

import { ByteReader, ByteWriter, CorruptBytes } from '../lib/bytes.ts'
import { openJson, sealJson } from '../lib/sealed.ts'
import type { StoreOp } from '../ports/store.ts'
import { readCount, readHex, writeHex } from '../replication/context-codec.ts'
import { EXTRAS_BYTES_MAX } from '../replication/message-codec.ts'
import { CALLER_BYTES } from '../task/definition.ts'
import { type Actors, START_ID_BYTES } from '../task/version.ts'
import { REQUESTS_KEY, requestsKey } from './keys.ts'
import {
  CALLER_WINDOWS,
  type KnownRequest,
  type RequestDot,
  RequestLog,
  type Requests,
  tooOld,
} from './requests.ts'

interface Entry {
  readonly caller: string
  readonly n: number
  readonly at: number
  answer: string | undefined
  dot: RequestDot | undefined
}

interface Caller {
  readonly name: string
  mark: number
  forgotten: number
  seenAt: number
  /** In the order in which they were learned. */
  readonly entries: Map<number, Entry>
}

/** An entry on the disk: n, at, answer, [range, actor, n]. */
type Stored = [n: number, at: number, answer: string | null, dot: [number, number, number] | null]
type StoredCaller = [name: string, mark: number, forgotten: number, seenAt: number, entries: Stored[]]

const ANSWER_BYTES_MAX = 4096
const EXTRAS_FORMAT = 2
/** Bytes of one entry of a copy beside its answer. */
const EXTRA_BYTES_MIN = CALLER_BYTES + START_ID_BYTES + 11
/** How far so many callers have been answered goes with a copy: those heard of last. */
const MARKS_MAX = 10_000
const MARK_BYTES_MIN = CALLER_BYTES + 1
const REQUESTS_BYTES_MAX = EXTRAS_BYTES_MAX - MARKS_MAX * (CALLER_BYTES + 10) - 2 * ANSWER_BYTES_MAX

export class MeshRequests implements Requests {
  readonly #windowMs: number
  readonly #callers = new Map<string, Caller>()
  /** Learned since the last value that was written. */
  #unstored: Entry[] = []
  #touched = new Set<Caller>()
  /** Values on the disk, oldest first. */
  #values: Array<{ readonly seq: number; readonly newestAt: number }> = []
  /** Of the time when the store was alone. */
  #alone: { readonly log: RequestLog; readonly until: number } | undefined
  #sweptAt = 0

  constructor(windowMs: number) {
    this.#windowMs = windowMs
  }

  raiseMark(caller: string, mark: number, now: number): void {
    const known = this.#caller(caller, now)
    if (mark <= known.mark) return
    known.mark = mark
    this.#touched.add(known)
    // Numbers come in order but for a few: what is passed over here goes by its age.
    for (const n of known.entries.keys()) {
      if (n >= mark) break
      known.entries.delete(n)
    }
  }

  find(caller: string, n: number, madeAt: number, now: number): KnownRequest | undefined {
    const known = this.#callers.get(caller)
    const entry = known?.entries.get(n) ?? this.#alone?.log.peek(caller, n)
    if (entry !== undefined) return entry
    const isForgotten = known !== undefined && (n < known.mark || n <= known.forgotten)
    if (isForgotten || madeAt < now - this.#windowMs) throw tooOld(caller, n, this.#windowMs)
    if (this.#alone !== undefined) this.#alone.log.find(caller, n, madeAt, now)
    return undefined
  }

  add(caller: string, from: number, to: number, now: number, answer?: string): void {
    for (let n = from; n <= to; n++) this.learn(caller, n, now, answer, undefined)
  }

  /** What is known of a request already stays: its first change is the one that counts. */
  learn(
    caller: string,
    n: number,
    at: number,
    answer: string | undefined,
    dot: RequestDot | undefined,
  ): void {
    const known = this.#caller(caller, at)
    const before = known.entries.get(n)
    if (before !== undefined && (before.answer !== undefined || answer === undefined)) {
      if (before.dot !== undefined || dot === undefined) return
    }
    if (before !== undefined) {
      before.answer ??= answer
      before.dot ??= dot
      this.#unstored.push(before)
    } else {
      const entry = { caller, n, at, answer, dot }
      known.entries.set(n, entry)
      this.#unstored.push(entry)
    }
    this.#touched.add(known)
  }

  sweep(now: number): void {
    if (now - this.#sweptAt < this.#windowMs / 4 && now >= this.#sweptAt) return
    this.#sweptAt = now
    const before = now - this.#windowMs
    for (const [name, caller] of this.#callers) {
      for (const [n, { at }] of caller.entries) {
        if (at >= before) break
        caller.entries.delete(n)
        if (n > caller.forgotten) caller.forgotten = n
      }
      if (caller.entries.size === 0 && caller.seenAt < now - CALLER_WINDOWS * this.#windowMs)
        this.#callers.delete(name)
    }
  }

  // --- the disk

  /** At the start, value by value; seq 0 is that of a store that was alone. Throws STORE_CORRUPT. */
  readValue(seq: number, bytes: Uint8Array, now: number): void {
    if (seq === 0) {
      const log = new RequestLog(this.#windowMs)
      log.decode(bytes)
      this.#alone = { log, until: now + this.#windowMs }
      return
    }
    const callers = openJson(bytes, "the store's list of requests", value => {
      if (!Array.isArray(value) || !value.every(isStoredCaller))
        throw new TypeError('it is no list of callers')
      return value
    })
    let newestAt = 0
    for (const [name, mark, forgotten, seenAt, entries] of callers) {
      const caller = this.#caller(name, seenAt)
      caller.mark = Math.max(caller.mark, mark)
      caller.forgotten = Math.max(caller.forgotten, forgotten)
      newestAt = Math.max(newestAt, seenAt)
      for (const [n, at, answer, dot] of entries) {
        newestAt = Math.max(newestAt, at)
        const [range, actor, dotN] = dot ?? NO_DOT
        const entry = { caller: name, n, at, answer: answer ?? undefined }
        caller.entries.set(n, { ...entry, dot: dot === null ? undefined : { range, actor, n: dotN } })
      }
    }
    this.#values.push({ seq, newestAt })
    // What was read is on the disk already.
    this.#unstored = []
    this.#touched.clear()
  }

  /** For the last batch of a segment that ends with this blob: what is new, and what nobody needs any more. */
  takeOps(seq: number, now: number): StoreOp[] {
    const ops: StoreOp[] = []
    const byCaller = new Map<Caller, Stored[]>([...this.#touched].map(caller => [caller, []]))
    for (const entry of this.#unstored) {
      const caller = this.#callers.get(entry.caller)
      if (caller?.entries.get(entry.n) !== entry) continue
      const { range, actor, n } = entry.dot ?? { range: 0, actor: 0, n: 0 }
      const dot: Stored[3] = entry.dot === undefined ? null : [range, actor, n]
      byCaller.get(caller)?.push([entry.n, entry.at, entry.answer ?? null, dot])
    }
    this.#unstored = []
    this.#touched.clear()
    if (byCaller.size > 0) {
      const stored = [...byCaller].map(
        ([{ name, mark, forgotten, seenAt }, entries]): StoredCaller => [
          name,
          mark,
          forgotten,
          seenAt,
          entries,
        ],
      )
      ops.push({ type: 'put', key: requestsKey(seq), value: sealJson(stored) })
      this.#values.push({ seq, newestAt: now })
    }
    // A caller is remembered longer than its requests: how far it was forgotten is in a newer value, if it was heard since.
    const before = now - CALLER_WINDOWS * this.#windowMs
    for (const { seq: old, newestAt } of this.#values)
      if (newestAt < before) ops.push({ type: 'del', key: requestsKey(old) })
    this.#values = this.#values.filter(({ newestAt }) => newestAt >= before)
    if (this.#alone !== undefined && this.#alone.until < now) {
      this.#alone = undefined
      ops.push({ type: 'del', key: REQUESTS_KEY })
    }
    return ops
  }

  // --- copies

  /** What a copy of a range has to bring: requests of its changes, the newest first if there are too many. */
  encodeExtras(range: number, actors: Actors): Uint8Array {
    const entries: Entry[] = []
    for (const caller of this.#callers.values())
      for (const entry of caller.entries.values()) if (entry.dot?.range === range) entries.push(entry)
    entries.sort((a, b) => b.at - a.at)
    const out = new ByteWriter()
    let count = 0
    for (const { caller, n, at, answer, dot } of entries) {
      if (dot === undefined || out.position > REQUESTS_BYTES_MAX) continue
      writeHex(out, caller, CALLER_BYTES)
      out.varuint(n)
      out.f64(at)
      actors.write(out, dot.actor)
      out.varuint(dot.n)
      out.u8(answer === undefined ? 0 : 1)
      if (answer !== undefined) out.utf8(answer)
      count++
    }
    const head = new ByteWriter()
    head.u8(EXTRAS_FORMAT)
    // What a caller has been answered is no longer remembered one by one: a late repetition is refused by its mark.
    const marked = [...this.#callers.values()].filter(({ mark }) => mark > 0)
    const marks = marked.sort((a, b) => b.seenAt - a.seenAt).slice(0, MARKS_MAX)
    head.varuint(marks.length)
    for (const { name, mark } of marks) {
      writeHex(head, name, CALLER_BYTES)
      head.varuint(mark)
    }
    head.varuint(count)
    head.bytes(out.view())
    return head.take()
  }

  #caller(name: string, now: number): Caller {
    let known = this.#callers.get(name)
    if (known === undefined) {
      known = { name, mark: 0, forgotten: -1, seenAt: now, entries: new Map() }
      this.#callers.set(name, known)
    }
    if (now > known.seenAt) known.seenAt = now
    return known
  }
}

const NO_DOT: [number, number, number] = [0, 0, 0]

function isStoredCaller(value: unknown): value is StoredCaller {
  if (!Array.isArray(value) || value.length !== 5) return false
  const [name, mark, forgotten, seenAt, entries] = value as unknown[]
  if (typeof name !== 'string' || !areNumbers([mark, forgotten, seenAt]) || !Array.isArray(entries))
    return false
  return entries.every((entry: unknown) => {
    if (!Array.isArray(entry) || entry.length !== 4) return false
    const [n, at, answer, dot] = entry as unknown[]
    if (!areNumbers([n, at]) || (answer !== null && typeof answer !== 'string')) return false
    return dot === null || (Array.isArray(dot) && dot.length === 3 && areNumbers(dot))
  })
}

function areNumbers(values: readonly unknown[]): boolean {
  return values.every(value => typeof value === 'number')
}

/** A request that came with a copy. */
export interface Extra {
  readonly caller: string
  readonly n: number
  readonly at: number
  readonly answer: string | undefined
  readonly dot: RequestDot
}

/** What a copy of a range brings of requests. */
export interface Extras {
  readonly requests: readonly Extra[]
  /** Of callers: below this each of their requests has been answered. */
  readonly marks: ReadonlyMap<string, number>
}

/** Throws CorruptBytes. */
export function decodeExtras(range: number, bytes: Uint8Array, actors: Actors): Extras {
  if (bytes.length > EXTRAS_BYTES_MAX) throw new CorruptBytes(`requests of ${bytes.length} bytes`)
  const reader = new ByteReader(bytes)
  const format = reader.u8()
  if (format !== EXTRAS_FORMAT)
    throw new CorruptBytes(`requests of format ${format}, known is ${EXTRAS_FORMAT}`)
  const marks = new Map<string, number>()
  for (let left = readCount(reader, EXTRAS_BYTES_MAX, MARK_BYTES_MIN); left > 0; left--)
    marks.set(readHex(reader, CALLER_BYTES), reader.varuint())
  const count = readCount(reader, EXTRAS_BYTES_MAX, EXTRA_BYTES_MIN)
  const requests: Extra[] = []
  for (let i = 0; i < count; i++) {
    const caller = readHex(reader, CALLER_BYTES)
    const n = reader.varuint()
    const at = reader.f64()
    if (!Number.isFinite(at)) throw new CorruptBytes('a request without its instant')
    const dot = { range, actor: actors.learning.read(reader), n: reader.varuint() }
    if (dot.n === 0) throw new CorruptBytes('a dot without a number')
    const hasAnswer = reader.u8()
    if (hasAnswer > 1) throw new CorruptBytes(`unknown flags ${hasAnswer}`)
    requests.push({ caller, n, at, dot, answer: hasAnswer === 0 ? undefined : reader.utf8(ANSWER_BYTES_MAX) })
  }
  if (reader.remaining > 0) throw new CorruptBytes(`${reader.remaining} bytes follow requests`)
  return { requests, marks }
}

/** What came with a copy is known from now on. */
export function learnExtras(requests: Requests, { requests: known, marks }: Extras, now: number): void {
  for (const { caller, n, at, answer, dot } of known)
    requests.learn(caller, n, Math.min(at, now), answer, dot)
  for (const [caller, mark] of marks) requests.raiseMark(caller, mark, now)
}
