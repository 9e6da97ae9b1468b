/**
 * A task record as the index keeps it under t/: everything that the journal said of it, in one value. What has its
 * usual value is left out, since ten million waiting tasks are mostly usual.
 *
 * Layout: u8 format, u32 crc32 of what follows, u8 flags, f64 life, varuint rev, f64 hlc, varuint actor, dots
 * (varuint count, varuint actor, varuint n), [times], [runs], [kept instants], [expiry], and the definition up to the end.
 */

import { ByteReader, type ByteWriter, CorruptBytes } from '../lib/bytes.ts'
import { crc32 } from '../lib/crc32.ts'
import { readRuns, readTimes, writeRunState, writeTimes } from '../task/change.ts'
import { Definition } from '../task/definition.ts'
import { type Dot, NEVER, Run, TaskRecord } from '../task/record.ts'

const FORMAT = 1
const FIRST_LIFE = 1
const PAUSED = 2
const CANCELLED = 4
const TIMES = 8
const RUNS = 16
const KEPT = 32
const EXPIRES = 64

const DOTS_MAX = 100_000
const KEPT_MAX = 100_000

/** Writes to a writer that was reset; returns a copy that the caller owns. */
export function encodeSnapshot<R extends Run>(out: ByteWriter, record: TaskRecord<R>): Uint8Array {
  const times = record.definition.recurring || record.fired > 0 || record.next !== record.definition.at
  out.reset()
  out.u8(FORMAT)
  out.u32le(0)
  out.u8(
    (record.firstLife ? FIRST_LIFE : 0) |
      (record.paused ? PAUSED : 0) |
      (record.cancelled ? CANCELLED : 0) |
      (times ? TIMES : 0) |
      (record.runs.length > 0 ? RUNS : 0) |
      (record.kept.length > 0 ? KEPT : 0) |
      (record.expiresAt === NEVER ? 0 : EXPIRES),
  )
  out.f64(record.life)
  out.varuint(record.rev)
  out.f64(record.hlc)
  out.varuint(record.actor)
  const { dots } = record
  out.varuint(dots.length)
  for (const dot of dots) {
    out.varuint(dot.actor)
    out.varuint(dot.n)
  }
  if (times) writeTimes(out, record)
  if (record.runs.length > 0) {
    out.varuint(record.runs.length)
    for (const run of record.runs) writeRunState(out, run)
  }
  if (record.kept.length > 0) {
    out.varuint(record.kept.length)
    for (const instant of record.kept) out.f64(instant)
  }
  if (record.expiresAt !== NEVER) out.f64(record.expiresAt)
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
): TaskRecord<R> {
  const reader = new ByteReader(bytes)
  const format = reader.u8()
  if (format !== FORMAT) throw new CorruptBytes(`record format ${format}, known is ${FORMAT}`)
  const sum = reader.u32le()
  if (sum !== crc32(bytes.subarray(5))) throw new CorruptBytes('the record does not match its checksum')
  const flags = reader.u8()
  const life = reader.f64()
  const rev = reader.varuint()
  const hlc = reader.f64()
  const actor = reader.varuint()
  const dots = readDots(reader)
  const times = (flags & TIMES) === 0 ? undefined : readTimes(reader)
  // The runs belong to a record that is made from the definition, which comes last: they are read twice.
  const runsAt = reader.position
  if ((flags & RUNS) !== 0) readRuns(reader, (instant, manual) => new Run(instant, manual))
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
  record.kept = kept
  record.expiresAt = expiresAt
  if (times !== undefined) Object.assign(record, times)
  if ((flags & RUNS) !== 0) {
    reader.position = runsAt
    record.runs = readRuns(reader, (instant, manual) => makeRun(record, instant, manual))
  }
  return record
}

function readDots(reader: ByteReader): Dot[] {
  const count = reader.varuint()
  if (count > DOTS_MAX) throw new CorruptBytes(`${count} dots`)
  const dots: Dot[] = []
  for (let i = 0; i < count; i++) dots.push({ actor: reader.varuint(), n: reader.varuint() })
  return dots
}

function readKept(reader: ByteReader): number[] {
  const count = reader.varuint()
  if (count > KEPT_MAX) throw new CorruptBytes(`${count} kept runs`)
  const kept: number[] = []
  for (let i = 0; i < count; i++) kept.push(reader.f64())
  return kept
}
