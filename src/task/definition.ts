/**
 * A task's definition: what its user asked for, in the bytes that the user's library made once. The same bytes go
 * over the channel, into the journal, into the index and later to the replicas; nobody encodes them again, and a
 * repeated request is the same bytes.
 *
 * The payload is bytes to everyone but the handler's side. Schedule and policy are JSON texts, kept only where they
 * differ from the default, and parsed once per distinct text: a million tasks of one policy share one object.
 *
 * Layout (version 1): u8 format, u8 flags, f64 madeAt, 8 bytes caller, varuint n, ascii id, ascii name, then
 * f64 instant or utf8 schedule, [utf8 policy], [varuint key TTL in ms], and the payload up to the end.
 */

import { type ByteReader, type ByteWriter, CorruptBytes, hexOf } from '../lib/bytes.ts'
import { DEFAULT_POLICY, type Policy } from './policy.ts'
import type { Schedule } from './schedule.ts'

const FORMAT = 1

const MINTED = 1
const RECURRING = 2
const POLICY = 4
const KEYED = 8
const IF_ABSENT = 16
const PAYLOAD = 32

export const CALLER_BYTES = 8
/** Longest payload, as JSON in UTF-8. */
export const PAYLOAD_BYTES_MAX = 256 * 1024
/** Longest definition that is read: a payload and room for the rest. */
export const DEFINITION_BYTES_MAX = PAYLOAD_BYTES_MAX + 16 * 1024

export interface DefinitionInput {
  readonly id: string
  /** The library made the id: nobody else can have it, so no look-up is needed. */
  readonly minted: boolean
  /** Leave what exists alone instead of replacing it: a `key`, or a follow-up. */
  readonly ifAbsent: boolean
  /** Keyed tasks: how long after its end the id still refuses to be made again, ms; 0: not keyed. */
  readonly keyTtlMs: number
  readonly name: string
  /** Epoch ms at the caller. */
  readonly madeAt: number
  readonly schedule: Schedule
  /** JSON of what differs from DEFAULT_POLICY; '' where nothing does. */
  readonly policyText: string
  /** JSON as UTF-8, or undefined for none. */
  readonly payload: string | undefined
}

/** Appends a definition. `caller` and `n` are its requestId. */
export function writeDefinition(
  out: ByteWriter,
  input: DefinitionInput,
  caller: Uint8Array,
  n: number,
): void {
  const recurring = input.schedule.kind !== 'at'
  out.u8(FORMAT)
  out.u8(
    (input.minted ? MINTED : 0) |
      (recurring ? RECURRING : 0) |
      (input.policyText === '' ? 0 : POLICY) |
      (input.keyTtlMs > 0 ? KEYED : 0) |
      (input.ifAbsent ? IF_ABSENT : 0) |
      (input.payload === undefined ? 0 : PAYLOAD),
  )
  out.f64(input.madeAt)
  out.bytes(caller)
  out.varuint(n)
  out.ascii(input.id)
  out.ascii(input.name)
  if (input.schedule.kind === 'at') out.f64(input.schedule.at)
  else out.utf8(JSON.stringify(input.schedule))
  if (input.policyText !== '') out.utf8(input.policyText)
  if (input.keyTtlMs > 0) out.varuint(input.keyTtlMs)
  if (input.payload !== undefined) out.rawUtf8(input.payload)
}

/** Those that follow each other mostly have one handler: they share its name. */
let lastName = ''

/** A decoded definition. It points into `source`, which must not change; it copies nothing. */
export class Definition {
  readonly source: Uint8Array
  readonly start: number
  readonly end: number
  readonly flags: number
  readonly madeAt: number
  readonly requestNumber: number
  readonly id: string
  readonly name: string
  /** The instant of a one-shot; NaN for a recurring task. */
  readonly at: number
  readonly scheduleText: string
  readonly policy: Policy
  readonly keyTtlMs: number
  readonly payloadStart: number

  /** Reads the definition that ends at `end`; throws CorruptBytes on anything else. */
  constructor(reader: ByteReader, end: number) {
    this.source = reader.source
    this.start = reader.position
    this.end = end
    const format = reader.u8()
    if (format !== FORMAT) throw new CorruptBytes(`definition format ${format}, known is ${FORMAT}`)
    this.flags = reader.u8()
    this.madeAt = reader.f64()
    reader.skip(CALLER_BYTES)
    this.requestNumber = reader.varuint()
    this.id = reader.ascii()
    lastName = reader.asciiLike(lastName)
    this.name = lastName
    if ((this.flags & RECURRING) === 0) {
      this.at = reader.f64()
      this.scheduleText = ''
      if (!Number.isFinite(this.at)) throw new CorruptBytes(`instant ${this.at}`)
    } else {
      this.at = Number.NaN
      this.scheduleText = reader.utf8(TEXT_MAX)
    }
    this.policy = (this.flags & POLICY) === 0 ? DEFAULT_POLICY : policyOf(reader.utf8(TEXT_MAX))
    this.keyTtlMs = (this.flags & KEYED) === 0 ? 0 : reader.varuint()
    this.payloadStart = reader.position
    if (this.payloadStart > end) throw new CorruptBytes('definition longer than its frame')
    if ((this.flags & PAYLOAD) === 0 && this.payloadStart !== end)
      throw new CorruptBytes('payload without its flag')
    reader.position = end
  }

  get minted(): boolean {
    return (this.flags & MINTED) !== 0
  }

  get recurring(): boolean {
    return (this.flags & RECURRING) !== 0
  }

  get ifAbsent(): boolean {
    return (this.flags & IF_ABSENT) !== 0
  }

  get hasPayload(): boolean {
    return (this.flags & PAYLOAD) !== 0
  }

  get schedule(): Schedule {
    return this.recurring ? scheduleOf(this.scheduleText) : { kind: 'at', at: this.at }
  }

  /** The caller's half of the requestId, as text. */
  get caller(): string {
    return callerAt(this.source, this.start + 10)
  }

  /** The payload as it came, JSON in UTF-8; empty if there is none. A view, not a copy. */
  get payload(): Uint8Array {
    return this.source.subarray(this.payloadStart, this.end)
  }
}

/** The id alone of the definition that begins here; throws CorruptBytes. */
export function definitionIdOf(reader: ByteReader): string {
  reader.skip(1 + 1 + 8 + CALLER_BYTES)
  reader.varuint()
  return reader.ascii()
}

/** Longest schedule or policy text. */
const TEXT_MAX = 8 * 1024
const TEXTS_MAX = 4096

/** Those that follow each other are mostly of one caller. */
let lastCaller = { bytes: new Uint8Array(CALLER_BYTES), text: '0'.repeat(2 * CALLER_BYTES) }

function callerAt(source: Uint8Array, at: number): string {
  for (let i = 0; i < CALLER_BYTES; i++) {
    if (source[at + i] === lastCaller.bytes[i]) continue
    const bytes = source.slice(at, at + CALLER_BYTES)
    lastCaller = { bytes, text: hexOf(bytes) }
    break
  }
  return lastCaller.text
}

const policies = new Map<string, Policy>()
const schedules = new Map<string, Schedule>()

function policyOf(text: string): Policy {
  return interned(policies, text, () =>
    Object.freeze({ ...DEFAULT_POLICY, ...(parseObject(text) as Partial<Policy>) }),
  )
}

function scheduleOf(text: string): Schedule {
  return interned(schedules, text, () => Object.freeze(parseObject(text)) as Schedule)
}

function interned<T>(cache: Map<string, T>, text: string, make: () => T): T {
  const known = cache.get(text)
  if (known !== undefined) return known
  const made = make()
  if (cache.size >= TEXTS_MAX) cache.clear()
  cache.set(text, made)
  return made
}

function parseObject(text: string): object {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new CorruptBytes(`not JSON: ${text.slice(0, 80)}`, { cause })
  }
  if (typeof value !== 'object' || value === null)
    throw new CorruptBytes(`not an object: ${text.slice(0, 80)}`)
  return value
}
