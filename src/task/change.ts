/**
 * Changes: the only way a record changes, and what the journal holds. A change is a partial record: a definition with
 * its version, or a new version of the register without one (pause, cancel), the times, some runs, the end of it all.
 * Applied in the order of their dots they give the record; each names its record whole (id and life), so that a
 * replica needs nothing else.
 *
 * Layout: u8 flags, then by flag
 *   DEFINITION: f64 life, u8 first, varuint rev, f64 hlc, u8 register, lenBytes definition     (the id is inside)
 *   else:       ascii id, f64 life
 *   REGISTER:   varuint rev, f64 hlc, u8 register (bit 0 paused, bit 1 cancelled)
 *   TIMES:      f64 next, varuint fired, f64 lastAt, f64 closed
 *   RUNS:       varuint count, runs
 *   REQUEST:    8 bytes caller, varuint n, utf8 answer         (requestId of a call other than schedule)
 *   DROPPED:    the task has ended, and its record goes
 * FOLLOW_UPS is reserved for the mesh, where follow-ups may belong to another range; on one node they are changes
 * of their own in the same blob, hence atomic with the completion.
 */

import { type ByteReader, type ByteWriter, CorruptBytes } from '../lib/bytes.ts'
import { CALLER_BYTES, DEFINITION_BYTES_MAX, Definition } from './definition.ts'
import { Run, type TaskRecord } from './record.ts'
import { isRunEnd, RUN_STATES, type RunState } from './task.ts'

const DEFINITION = 1
const REGISTER = 2
const TIMES = 4
const RUNS = 8
const REQUEST = 16
const DROPPED = 32

const PAUSED = 1
const CANCELLED = 2
const MANUAL = 128
const RUNS_MAX = 1_000_000
const BODY_BYTES_MAX = 512 * 1024
const ANSWER_BYTES_MAX = 4096

/** The requestId of a call, and what it was answered. */
export interface RequestMark {
  readonly caller: string
  readonly n: number
  readonly answer: string
}

/** What a change other than a creation or replacement says. */
export interface Update<R extends Run = Run> {
  readonly register?: boolean
  readonly times?: boolean
  readonly runs?: readonly R[]
  readonly request?: RequestMark | undefined
  readonly dropped?: boolean
}

/** The change that creates or replaces: the whole register, with the bytes of its user. */
export function writeCreated(out: ByteWriter, record: TaskRecord): void {
  const times = record.definition.recurring || record.rev > 1
  out.u8(times ? DEFINITION | TIMES : DEFINITION)
  out.f64(record.life)
  out.u8(record.firstLife ? 1 : 0)
  out.varuint(record.rev)
  out.f64(record.hlc)
  out.u8(registerOf(record))
  const { source, start, end } = record.definition
  out.varuint(end - start)
  out.slice(source, start, end)
  if (times) writeTimes(out, record)
}

/** A change of the record as it is now: of its parts those that `update` names. */
export function writeUpdate<R extends Run>(out: ByteWriter, record: TaskRecord<R>, update: Update<R>): void {
  const { runs, request } = update
  out.u8(
    (update.register === true ? REGISTER : 0) |
      (update.times === true ? TIMES : 0) |
      (runs === undefined ? 0 : RUNS) |
      (request === undefined ? 0 : REQUEST) |
      (update.dropped === true ? DROPPED : 0),
  )
  out.ascii(record.id)
  out.f64(record.life)
  if (update.register === true) {
    out.varuint(record.rev)
    out.f64(record.hlc)
    out.u8(registerOf(record))
  }
  if (update.times === true) writeTimes(out, record)
  if (runs !== undefined) {
    out.varuint(runs.length)
    for (const run of runs) writeRunState(out, run)
  }
  if (request !== undefined) {
    for (let i = 0; i < CALLER_BYTES * 2; i += 2) out.u8(Number.parseInt(request.caller.slice(i, i + 2), 16))
    out.varuint(request.n)
    out.utf8(request.answer)
  }
}

/** The end of a one-shot at its first run, which is the commonest change of all: same bytes as writeUpdate. */
export function writeEnded(out: ByteWriter, record: TaskRecord, run: Run): void {
  out.u8(RUNS | DROPPED)
  out.ascii(record.id)
  out.f64(record.life)
  out.varuint(1)
  writeRunState(out, run)
}

/** A change as it was read. */
export interface Change {
  readonly id: string
  readonly life: number
  readonly firstLife: boolean
  readonly definition: Definition | undefined
  readonly register:
    | { readonly rev: number; readonly hlc: number; readonly paused: boolean; readonly cancelled: boolean }
    | undefined
  readonly times: Times | undefined
  readonly runs: readonly Run[]
  readonly request: RequestMark | undefined
  readonly dropped: boolean
}

interface Times {
  readonly next: number
  readonly fired: number
  readonly lastAt: number
  readonly closed: number
}

/** Reads one change; throws CorruptBytes. */
export function readChange(reader: ByteReader): Change {
  const flags = reader.u8()
  if (flags >= DROPPED * 2) throw new CorruptBytes(`unknown flags ${flags} of a change`)
  let definition: Definition | undefined
  let register: Change['register']
  let id: string
  let life: number
  let firstLife = false
  if ((flags & DEFINITION) !== 0) {
    life = reader.f64()
    firstLife = reader.u8() === 1
    register = readRegister(reader)
    definition = readDefinition(reader, reader.varuint())
    id = definition.id
  } else {
    id = reader.ascii()
    life = reader.f64()
  }
  if ((flags & REGISTER) !== 0) register = readRegister(reader)
  const times = (flags & TIMES) === 0 ? undefined : readTimes(reader)
  const runs: Run[] =
    (flags & RUNS) === 0 ? [] : readRuns(reader, (instant, manual) => new Run(instant, manual))
  let request: RequestMark | undefined
  if ((flags & REQUEST) !== 0) {
    let caller = ''
    for (let i = 0; i < CALLER_BYTES; i++) caller += reader.u8().toString(16).padStart(2, '0')
    request = { caller, n: reader.varuint(), answer: reader.utf8(ANSWER_BYTES_MAX) }
  }
  return { id, life, firstLife, definition, register, times, runs, request, dropped: (flags & DROPPED) !== 0 }
}

/** A definition of that many bytes. */
export function readDefinition(reader: ByteReader, length: number): Definition {
  if (length > DEFINITION_BYTES_MAX || length > reader.remaining)
    throw new CorruptBytes(`definition of ${length} bytes`)
  return new Definition(reader, reader.position + length)
}

function readRegister(reader: ByteReader): NonNullable<Change['register']> {
  const rev = reader.varuint()
  const hlc = reader.f64()
  const bits = reader.u8()
  return { rev, hlc, paused: (bits & PAUSED) !== 0, cancelled: (bits & CANCELLED) !== 0 }
}

function registerOf(record: TaskRecord): number {
  return (record.paused ? PAUSED : 0) | (record.cancelled ? CANCELLED : 0)
}

export function writeTimes(out: ByteWriter, record: TaskRecord): void {
  out.f64(record.next)
  out.varuint(record.fired)
  out.f64(record.lastAt)
  out.f64(record.closed)
}

export function readTimes(reader: ByteReader): Times {
  const times = { next: reader.f64(), fired: reader.varuint(), lastAt: reader.f64(), closed: reader.f64() }
  if (Number.isNaN(times.next) || Number.isNaN(times.lastAt) || Number.isNaN(times.closed)) {
    throw new CorruptBytes('an instant that is not a number')
  }
  return times
}

export function writeRunState(out: ByteWriter, run: Run): void {
  out.u8(RUN_STATES.indexOf(run.state) | (run.manual ? MANUAL : 0))
  out.f64(run.instant)
  out.varuint(run.attempt)
  out.varuint(run.fence)
  out.f64(run.startedAt)
  out.f64(run.state === 'retrying' ? run.retryAt : run.endedAt)
  out.lenBytes(run.body)
}

function readRunState<R extends Run>(reader: ByteReader, make: (instant: number, manual: boolean) => R): R {
  const bits = reader.u8()
  const state: RunState | undefined = RUN_STATES[bits & ~MANUAL]
  if (state === undefined) throw new CorruptBytes(`unknown state ${bits} of a run`)
  const instant = reader.f64()
  if (!Number.isFinite(instant)) throw new CorruptBytes(`instant ${instant}`)
  const run = make(instant, (bits & MANUAL) !== 0)
  run.state = state
  run.attempt = reader.varuint()
  run.fence = reader.varuint()
  run.startedAt = reader.f64()
  const at = reader.f64()
  if (state === 'retrying') run.retryAt = at
  else if (isRunEnd(state)) run.endedAt = at
  run.body = reader.lenBytes(BODY_BYTES_MAX)
  return run
}

export function readRuns<R extends Run>(
  reader: ByteReader,
  make: (instant: number, manual: boolean) => R,
): R[] {
  const count = reader.varuint()
  if (count > RUNS_MAX) throw new CorruptBytes(`${count} runs`)
  const runs: R[] = []
  for (let i = 0; i < count; i++) runs.push(readRunState(reader, make))
  return runs
}
