/**
 * A task record as the index keeps it under t/: everything that the journal said of it, in one value. What has its
 * usual value is left out, since ten million waiting tasks are mostly usual. Actors are their numbers in this store.
 *
 * Layout: u8 format, u32 crc32 of what follows, varuint flags, f64 life, varuint rev, f64 hlc, varuint actor, dots
 * (varuint count, varuint actor, varuint n), [pause: version], [cancel: version], [times], [version of the times],
 * [closed of other versions: varuint count, version, f64], [runs, each followed by its dot: varuint n, and above 0
 * varuint actor], [kept instants], [expiry], and the definition up to the end.
 */

import { ByteReader, type ByteWriter, CorruptBytes } from '../lib/bytes.ts'
import { crc32 } from '../lib/crc32.ts'
import { readRuns, readTimes, writeRunState, writeTimes } from '../task/change.ts'
import { Definition } from '../task/definition.ts'
import { type Closed, type Dot, NEVER, NOT_YET, Run, TaskRecord } from '../task/record.ts'
import { type ActorCodec, BY_NUMBER, readVersion, writeVersion } from '../task/version.ts'

const FORMAT = 1
const FIRST_LIFE = 1
const PAUSED = 2
const CANCELLED = 4
const TIMES = 8
const RUNS = 16
const KEPT = 32
const EXPIRES = 64
const PAUSE = 128
const CANCEL = 256
const AHEAD = 512
const CLOSED = 1024
const ENDED = 2048
const FLAGS_END = 4096

const DOTS_MAX = 100_000
const KEPT_MAX = 100_000
const CLOSED_MAX = 100_000
const NONE_KEPT: readonly number[] = []

/**
 * Writes to a writer that was reset; returns a copy that the caller owns. `actors`: by their numbers for this store's
 * index, by their start ids for others, who get a copy: it is without what is each store's own.
 */
export function encodeSnapshot<R extends Run>(
  out: ByteWriter,
  record: TaskRecord<R>,
  actors: ActorCodec = BY_NUMBER,
  isCopy = false,
): Uint8Array {
  // What is kept of ended runs, and for how long, is each store's own.
  const kept = isCopy ? NONE_KEPT : record.kept
  const expiresAt = isCopy ? NEVER : record.expiresAt
  const times =
    record.definition.recurring ||
    record.fired > 0 ||
    record.next !== record.definition.at ||
    record.lastAt !== NOT_YET ||
    record.closed !== NOT_YET
  out.reset()
  out.u8(FORMAT)
  out.u32le(0)
  const { dots, pausedVersion, cancelVersion, timesVersion, closedBefore } = record
  out.varuint(
    (record.firstLife ? FIRST_LIFE : 0) |
      (record.paused ? PAUSED : 0) |
      (record.cancelled ? CANCELLED : 0) |
      (times ? TIMES : 0) |
      (record.runs.length > 0 ? RUNS : 0) |
      (kept.length > 0 ? KEPT : 0) |
      (expiresAt === NEVER ? 0 : EXPIRES) |
      (pausedVersion === undefined ? 0 : PAUSE) |
      (cancelVersion === undefined ? 0 : CANCEL) |
      (timesVersion === undefined ? 0 : AHEAD) |
      (closedBefore.length > 0 ? CLOSED : 0) |
      (record.ended ? ENDED : 0),
  )
  out.f64(record.life)
  out.varuint(record.rev)
  out.f64(record.hlc)
  actors.write(out, record.actor)
  out.varuint(dots.length)
  for (const dot of dots) {
    actors.write(out, dot.actor)
    out.varuint(dot.n)
  }
  if (pausedVersion !== undefined) writeVersion(out, pausedVersion, actors)
  if (cancelVersion !== undefined) writeVersion(out, cancelVersion, actors)
  if (times) writeTimes(out, record)
  if (timesVersion !== undefined) writeVersion(out, timesVersion, actors)
  if (closedBefore.length > 0) {
    out.varuint(closedBefore.length)
    for (const { version, closed } of closedBefore) {
      writeVersion(out, version, actors)
      out.f64(closed)
    }
  }
  if (record.runs.length > 0) {
    out.varuint(record.runs.length)
    for (const run of record.runs) {
      writeRunState(out, run, actors)
      out.varuint(run.n)
      if (run.n > 0) actors.write(out, run.actor)
    }
  }
  if (kept.length > 0) {
    out.varuint(kept.length)
    for (const instant of kept) out.f64(instant)
  }
  if (expiresAt !== NEVER) out.f64(expiresAt)
  const { source, start, end } = record.definition
  out.slice(source, start, end)
  out.patchU32(1, crc32(out.view().subarray(5)))
  return out.take()
}

/** Throws CorruptBytes on anything that encodeSnapshot did not write. */
export function decodeSnapshot<R extends Run>(
  bytes: Uint8Array,
  range: number,
  makeRun: (record: TaskRecord<R>, instant: number, manual: boolean) => R,
  actors: ActorCodec = BY_NUMBER,
): TaskRecord<R> {
  const reader = new ByteReader(bytes)
  const format = reader.u8()
  if (format !== FORMAT) throw new CorruptBytes(`record format ${format}, known is ${FORMAT}`)
  const sum = reader.u32le()
  if (sum !== crc32(bytes.subarray(5))) throw new CorruptBytes('the record does not match its checksum')
  const flags = reader.varuint()
  if (flags >= FLAGS_END) throw new CorruptBytes(`unknown flags ${flags} of a record`)
  const life = reader.f64()
  const rev = reader.varuint()
  const hlc = reader.f64()
  const actor = actors.read(reader)
  const dots = readDots(reader, actors)
  const pausedVersion = (flags & PAUSE) === 0 ? undefined : readVersion(reader, actors)
  const cancelVersion = (flags & CANCEL) === 0 ? undefined : readVersion(reader, actors)
  const times = (flags & TIMES) === 0 ? undefined : readTimes(reader)
  const timesVersion = (flags & AHEAD) === 0 ? undefined : readVersion(reader, actors)
  const closedBefore = (flags & CLOSED) === 0 ? undefined : readClosed(reader, actors)
  // The runs belong to a record that is made from the definition, which comes last: they are read twice.
  const runsAt = reader.position
  if ((flags & RUNS) !== 0)
    readRuns(
      reader,
      (instant, manual) => new Run(instant, manual),
      actors,
      run => readDot(reader, run, actors),
    )
  const kept = (flags & KEPT) === 0 ? [] : readKept(reader)
  const expiresAt = (flags & EXPIRES) === 0 ? NEVER : reader.f64()
  const definition = new Definition(reader, bytes.length)
  const record = new TaskRecord<R>(definition.id, range, life, (flags & FIRST_LIFE) !== 0, definition)
  record.rev = rev
  record.hlc = hlc
  record.actor = actor
  record.dots = dots
  record.paused = (flags & PAUSED) !== 0
  record.cancelled = (flags & CANCELLED) !== 0
  record.pausedVersion = pausedVersion
  record.cancelVersion = cancelVersion
  record.timesVersion = timesVersion
  if (closedBefore !== undefined) record.closedBefore = closedBefore
  record.ended = (flags & ENDED) !== 0
  record.kept = kept
  record.expiresAt = expiresAt
  if (times !== undefined) Object.assign(record, times)
  if ((flags & RUNS) !== 0) {
    reader.position = runsAt
    record.runs = readRuns(
      reader,
      (instant, manual) => makeRun(record, instant, manual),
      actors,
      run => readDot(reader, run, actors),
    )
  }
  return record
}

function readDots(reader: ByteReader, actors: ActorCodec): Dot[] {
  const count = reader.varuint()
  if (count > DOTS_MAX) throw new CorruptBytes(`${count} dots`)
  const dots: Dot[] = []
  for (let i = 0; i < count; i++) dots.push({ actor: actors.read(reader), n: reader.varuint() })
  return dots
}

function readDot(reader: ByteReader, run: Run, actors: ActorCodec): void {
  run.n = reader.varuint()
  if (run.n > 0) run.actor = actors.read(reader)
}

function readClosed(reader: ByteReader, actors: ActorCodec): Closed[] {
  const count = reader.varuint()
  if (count > CLOSED_MAX) throw new CorruptBytes(`${count} closed versions`)
  const list: Closed[] = []
  for (let i = 0; i < count; i++) {
    const version = readVersion(reader, actors)
    const closed = reader.f64()
    if (Number.isNaN(closed)) throw new CorruptBytes('an instant that is not a number')
    list.push({ version, closed })
  }
  return list
}

function readKept(reader: ByteReader): number[] {
  const count = reader.varuint()
  if (count > KEPT_MAX) throw new CorruptBytes(`${count} kept runs`)
  const kept: number[] = []
  for (let i = 0; i < count; i++) kept.push(reader.f64())
  return kept
}
