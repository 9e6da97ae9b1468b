/**
 * The wire protocol as a simulated user speaks it: what one sends, as bytes that can be sent again unchanged, and what
 * comes back, taken apart. Written apart from the library, which would never send the same request twice of its own
 * accord.
 */

import { ByteReader, ByteWriter } from '../src/lib/bytes.ts'
import { writeDefinition } from '../src/task/definition.ts'
import { DEFAULT_POLICY, type Policy } from '../src/task/policy.ts'
import type { CallRequest, EngineEvent } from '../src/wire/calls.ts'
import { MESSAGE, SAME_ERROR, SCHEDULE_STATUS, type WireError } from '../src/wire/frame.ts'
import { type Hello, type RunMessage, readRun } from '../src/wire/work.ts'
import type { Spec } from './history.ts'

/** A call that failed for good, as the engine put it. */
export class CallFailed extends Error {
  readonly code: string

  constructor(error: WireError) {
    super(`${error.code ?? error.name}: ${error.message}`)
    this.code = error.code ?? error.name
  }
}

/** A definition as bytes; `callerBytes` and `n` are its requestId. */
export function definitionBytes(id: string, spec: Spec, callerBytes: Uint8Array, n: number): Uint8Array {
  const out = new ByteWriter(256)
  const { minted, ifAbsent, keyTtlMs, name, madeAtWall: madeAt, schedule, payload } = spec
  const policyText = policyTextOf(spec.policy)
  writeDefinition(
    out,
    { id, minted, ifAbsent, keyTtlMs, name, madeAt, schedule, policyText, payload },
    callerBytes,
    n,
  )
  return out.take()
}

export function scheduleBytes(definitions: readonly Uint8Array[], call: number, mark: number): Uint8Array {
  const out = new ByteWriter(512)
  out.u8(MESSAGE.schedule)
  out.varuint(call)
  out.varuint(mark)
  out.varuint(definitions.length)
  for (const definition of definitions) {
    out.u32le(definition.length)
    out.bytes(definition)
  }
  return out.take()
}

export function callBytes(call: number, request: CallRequest): Uint8Array {
  const out = new ByteWriter(256)
  out.u8(MESSAGE.call)
  out.varuint(call)
  out.utf8(JSON.stringify(request))
  return out.take()
}

export function writeHello(out: ByteWriter, hello: Hello): void {
  out.u8(MESSAGE.hello)
  out.utf8(JSON.stringify(hello))
}

/** What differs from the default policy, as the library writes it. */
export function policyTextOf(policy: Policy): string {
  const defaults: Readonly<Record<string, unknown>> = { ...DEFAULT_POLICY }
  const parts: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(policy)) {
    if (JSON.stringify(value) !== JSON.stringify(defaults[key])) parts[key] = value
  }
  return Object.keys(parts).length === 0 ? '' : JSON.stringify(parts)
}

export interface FrameEvents {
  scheduled(call: number, results: ReadonlyArray<string | CallFailed>): void
  answered(call: number, answer: Record<string, unknown> | CallFailed): void
  run(message: RunMessage): void
  abort(handle: number, reason: number): void
  event(event: EngineEvent): void
  unknown(type: number): void
}

/** Takes a frame of an engine apart. */
export function readFrame(bytes: Uint8Array, events: FrameEvents): void {
  const reader = new ByteReader(bytes)
  while (reader.remaining > 0) {
    const type = reader.u8()
    if (type === MESSAGE.scheduled) events.scheduled(reader.varuint(), readResults(reader))
    else if (type === MESSAGE.answer) {
      const call = reader.varuint()
      const ok = reader.u8() === 1
      const answer = JSON.parse(reader.utf8(2 ** 26)) as Record<string, unknown>
      events.answered(call, ok ? answer : new CallFailed(answer as unknown as WireError))
    } else if (type === MESSAGE.runs) {
      const count = reader.varuint()
      for (let i = 0; i < count; i++) events.run(readRun(reader))
    } else if (type === MESSAGE.abort) events.abort(reader.varuint(), reader.u8())
    else if (type === MESSAGE.event) events.event(JSON.parse(reader.utf8(2 ** 24)) as EngineEvent)
    else return events.unknown(type)
  }
}

function readResults(reader: ByteReader): Array<string | CallFailed> {
  const count = reader.varuint()
  reader.varuint() // copies
  const special = reader.u8() === 1
  const results: Array<string | CallFailed> = []
  for (let i = 0; i < count; i++) {
    const code = special ? reader.u8() : 0
    const status = SCHEDULE_STATUS[code]
    if (status === 'error') results.push(new CallFailed(JSON.parse(reader.utf8(2 ** 24)) as WireError))
    else if (code === SAME_ERROR) results.push(results.findLast(each => each instanceof CallFailed) ?? '?')
    else results.push(status ?? '?')
  }
  return results
}
