/**
 * Changes: the only way a record changes, and what the journal holds. A change is a partial record: a definition with
 * its version, a new value of another register (pause, cancel), the times, some runs, the end of it all. In whatever
 * order they come (of one actor: in that of their dots), the same changes give the same record (task/merge).
 *
 * Layout: u8 flags, then by flag
 *   DEFINITION: f64 life, u8 first, varuint rev, f64 hlc, lenBytes definition     (the id is inside)
 *   else:       ascii id, f64 life
 *   VERSION:    varuint rev, f64 hlc, with FOREIGN 8 bytes start id of who wrote it; else it is of this change's actor
 *   REGISTER:   u8 what (0 resumed, 1 paused, 2 cancelled), varuint rev, f64 hlc    (the actor is this change's)
 *   TIMES:      f64 next, varuint fired, f64 lastAt, f64 closed
 *   RUNS:       varuint count, runs
 *   REQUEST:    8 bytes caller, varuint n, utf8 answer         (requestId of a call other than schedule)
 *   DROPPED:    the task has ended, and its record goes
 * Times, runs and DROPPED are of one version of the definition: of the one that comes with them, else of VERSION, else
 * of the first of the life. That one is left out, since most tasks have no other; it is the first one of this change's
 * actor, or, where the library minted the id, the only one there can be.
 *
 * A run: u8 state and bits, f64 instant, varuint attempt, varuint fence, f64 startedAt, f64 endedAt or retryAt,
 * lenBytes body, [DRIVEN: varuint drive, varuint attempts before it], [RETURNED: varuint], [EARLIER: varuint rev,
 * f64 hlc, 8 bytes start id: it is of another version than the rest; or a 0, of some first one].
 *
 * FOLLOW_UPS is reserved for the mesh, where follow-ups may belong to another range; on one node they are changes
 * of their own in the same blob, hence atomic with the completion.
 */

import { invariant } from '../invariant.ts'
import { type ByteReader, type ByteWriter, CorruptBytes, hexOf } from '../lib/bytes.ts'
import { CALLER_BYTES, DEFINITION_BYTES_MAX, Definition, definitionIdOf } from './definition.ts'
import { Run, type TaskRecord } from './record.ts'
import { isRunEnd, RUN_STATES, type RunState } from './task.ts'
import { type ActorCodec, readHlc, readVersion, type Version, WRITER, writeVersion } from './version.ts'

const DEFINITION = 1
const REGISTER = 2
const TIMES = 4
const RUNS = 8
const REQUEST = 16
const DROPPED = 32
const VERSION = 64
const FOREIGN = 128

const REGISTERS = ['resumed', 'paused', 'cancelled'] as const
type Register = (typeof REGISTERS)[number]

const STATE = 15
const DRIVEN = 16
const RETURNED = 32
const EARLIER = 64
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
  readonly register?: 'paused' | 'cancelled'
  readonly times?: boolean
  readonly runs?: readonly R[]
  readonly request?: RequestMark | undefined
  readonly dropped?: boolean
}

/** Who writes, and how it names others. */
export interface ChangeWriter {
  readonly actor: number
  readonly actors: ActorCodec
}

/** The change that creates or replaces: the definition in the bytes of its user, with its version. */
export function writeCreated(out: ByteWriter, record: TaskRecord): void {
  const times = record.definition.recurring || record.rev > 1
  out.u8(times ? DEFINITION | TIMES : DEFINITION)
  out.f64(record.life)
  out.u8(record.firstLife ? 1 : 0)
  out.varuint(record.rev)
  out.f64(record.hlc)
  const { source, start, end } = record.definition
  out.varuint(end - start)
  out.slice(source, start, end)
  if (times) writeTimes(out, record)
}

/** A change of the record as it is now: of its parts those that `update` names. */
export function writeUpdate<R extends Run>(
  out: ByteWriter,
  record: TaskRecord<R>,
  update: Update<R>,
  writer: ChangeWriter,
): void {
  const { runs, request, register } = update
  const isVersioned = update.times === true || runs !== undefined || update.dropped === true
  out.u8(
    (isVersioned ? versionFlags(record, writer) : 0) |
      (register === undefined ? 0 : REGISTER) |
      (update.times === true ? TIMES : 0) |
      (runs === undefined ? 0 : RUNS) |
      (request === undefined ? 0 : REQUEST) |
      (update.dropped === true ? DROPPED : 0),
  )
  out.ascii(record.id)
  out.f64(record.life)
  if (isVersioned) writeItsVersion(out, record, writer)
  if (register !== undefined) writeRegister(out, record, register)
  if (update.times === true) writeTimes(out, record)
  if (runs !== undefined) {
    out.varuint(runs.length)
    for (const run of runs) writeRunState(out, run, writer.actors)
  }
  if (request !== undefined) {
    for (let i = 0; i < CALLER_BYTES * 2; i += 2) out.u8(Number.parseInt(request.caller.slice(i, i + 2), 16))
    out.varuint(request.n)
    out.utf8(request.answer)
  }
}

/** The end of a one-shot at its first run, which is the commonest change of all: same bytes as writeUpdate. */
export function writeEnded(out: ByteWriter, record: TaskRecord, run: Run, writer: ChangeWriter): void {
  out.u8(RUNS | DROPPED | versionFlags(record, writer))
  out.ascii(record.id)
  out.f64(record.life)
  writeItsVersion(out, record, writer)
  out.varuint(1)
  writeRunState(out, run, writer.actors)
}

/** A first version needs no name where it can be no other. */
function versionFlags(record: TaskRecord, writer: ChangeWriter): number {
  const isOwn = record.actor === writer.actor
  if (record.rev === 1 && (isOwn || record.definition.minted)) return 0
  return isOwn ? VERSION : VERSION | FOREIGN
}

function writeItsVersion(out: ByteWriter, record: TaskRecord, writer: ChangeWriter): void {
  invariant(record.timesVersion === undefined, 'nobody acts on a task whose definition has yet to come')
  const flags = versionFlags(record, writer)
  if (flags === 0) return
  out.varuint(record.rev)
  out.f64(record.hlc)
  if ((flags & FOREIGN) !== 0) writer.actors.write(out, record.actor)
}

function writeRegister(out: ByteWriter, record: TaskRecord, register: 'paused' | 'cancelled'): void {
  const version = register === 'paused' ? record.pausedVersion : record.cancelVersion
  invariant(version !== undefined, 'what is written was set before')
  const what: Register = register === 'paused' && !record.paused ? 'resumed' : register
  out.u8(REGISTERS.indexOf(what))
  out.varuint(version.rev)
  out.f64(version.hlc)
}

/** A change as it was read. The actor WRITER is the one whose change it is. */
export interface Change {
  readonly id: string
  readonly life: number
  readonly firstLife: boolean
  readonly definition: Definition | undefined
  /** Of the definition, or of the times, the runs and the end; undefined: the first of the life. */
  readonly version: Version | undefined
  readonly register: { readonly what: Register; readonly rev: number; readonly hlc: number } | undefined
  readonly times: Times | undefined
  /** Their version is undefined where it is the change's. */
  readonly runs: readonly Run[]
  readonly request: RequestMark | undefined
  readonly dropped: boolean
}

export interface Times {
  readonly next: number
  readonly fired: number
  readonly lastAt: number
  readonly closed: number
}

/** Reads the change that the reader's bytes are; throws CorruptBytes. */
export function readChange(reader: ByteReader, actors: ActorCodec): Change {
  const flags = reader.u8()
  let definition: Definition | undefined
  let version: Version | undefined
  let id: string
  let life: number
  let firstLife = false
  if ((flags & DEFINITION) !== 0) {
    if ((flags & (VERSION | FOREIGN)) !== 0) throw new CorruptBytes('a definition with two versions')
    life = reader.f64()
    firstLife = reader.u8() === 1
    version = { rev: reader.varuint(), hlc: readHlc(reader), actor: WRITER }
    definition = readDefinition(reader, reader.varuint())
    id = definition.id
  } else {
    id = reader.ascii()
    life = reader.f64()
  }
  if ((flags & VERSION) !== 0) {
    const rev = reader.varuint()
    const hlc = readHlc(reader)
    version = { rev, hlc, actor: (flags & FOREIGN) === 0 ? WRITER : actors.read(reader) }
  } else if ((flags & FOREIGN) !== 0) throw new CorruptBytes(`unknown flags ${flags} of a change`)
  const register = (flags & REGISTER) === 0 ? undefined : readRegister(reader)
  const times = (flags & TIMES) === 0 ? undefined : readTimes(reader)
  const runs: Run[] =
    (flags & RUNS) === 0 ? [] : readRuns(reader, (instant, manual) => new Run(instant, manual), actors)
  let request: RequestMark | undefined
  if ((flags & REQUEST) !== 0) {
    const caller = hexOf(reader.bytes(CALLER_BYTES))
    request = { caller, n: reader.varuint(), answer: reader.utf8(ANSWER_BYTES_MAX) }
  }
  if (reader.remaining > 0) throw new CorruptBytes(`${reader.remaining} bytes follow a change`)
  const dropped = (flags & DROPPED) !== 0
  return { id, life, firstLife, definition, version, register, times, runs, request, dropped }
}

/** True if there is a definition in these bytes of a change. */
export function definesTask(bytes: Uint8Array): boolean {
  return ((bytes[0] ?? 0) & DEFINITION) !== 0
}

/** The id that a change is about; throws CorruptBytes. */
export function changeIdOf(reader: ByteReader): string {
  if ((reader.u8() & DEFINITION) === 0) return reader.ascii()
  reader.f64()
  reader.u8()
  reader.varuint()
  reader.f64()
  reader.varuint()
  return definitionIdOf(reader)
}

/** A definition of that many bytes. */
export function readDefinition(reader: ByteReader, length: number): Definition {
  if (length > DEFINITION_BYTES_MAX || length > reader.remaining)
    throw new CorruptBytes(`definition of ${length} bytes`)
  return new Definition(reader, reader.position + length)
}

function readRegister(reader: ByteReader): NonNullable<Change['register']> {
  const code = reader.u8()
  const what = REGISTERS[code]
  if (what === undefined) throw new CorruptBytes(`unknown register ${code}`)
  return { what, rev: reader.varuint(), hlc: readHlc(reader) }
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

/** Without `actors` its version is left out. */
export function writeRunState(out: ByteWriter, run: Run, actors?: ActorCodec): void {
  const version = actors === undefined ? undefined : run.version
  out.u8(
    RUN_STATES.indexOf(run.state) |
      (run.manual ? MANUAL : 0) |
      (run.drive > 0 ? DRIVEN : 0) |
      (run.returned > 0 ? RETURNED : 0) |
      (version === undefined ? 0 : EARLIER),
  )
  out.f64(run.instant)
  out.varuint(run.attempt)
  out.varuint(run.fence)
  out.f64(run.startedAt)
  out.f64(run.state === 'retrying' ? run.retryAt : run.endedAt)
  out.lenBytes(run.body)
  if (run.drive > 0) {
    out.varuint(run.drive)
    out.varuint(run.drivenFrom)
  }
  if (run.returned > 0) out.varuint(run.returned)
  if (version !== undefined) writeVersion(out, version, actors as ActorCodec)
}

type MakeRun<R extends Run> = (instant: number, manual: boolean) => R

function readRunState<R extends Run>(
  reader: ByteReader,
  make: MakeRun<R>,
  actors: ActorCodec | undefined,
): R {
  const bits = reader.u8()
  const state: RunState | undefined = RUN_STATES[bits & STATE]
  if (state === undefined) throw new CorruptBytes(`unknown state ${bits & STATE} of a run`)
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
  if ((bits & DRIVEN) !== 0) {
    run.drive = reader.varuint()
    run.drivenFrom = reader.varuint()
  }
  if ((bits & RETURNED) !== 0) run.returned = reader.varuint()
  if ((bits & EARLIER) !== 0) {
    if (actors === undefined) throw new CorruptBytes('a version where there is none')
    run.version = readVersion(reader, actors)
  }
  return run
}

/** `actors`: of the versions that they were written with. `after` reads what follows each run. */
export function readRuns<R extends Run>(
  reader: ByteReader,
  make: MakeRun<R>,
  actors?: ActorCodec,
  after?: (run: R) => void,
): R[] {
  const count = reader.varuint()
  if (count > RUNS_MAX) throw new CorruptBytes(`${count} runs`)
  const runs: R[] = []
  for (let i = 0; i < count; i++) {
    const run = readRunState(reader, make, actors)
    after?.(run)
    runs.push(run)
  }
  return runs
}
