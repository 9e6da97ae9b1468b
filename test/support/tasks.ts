/**
 * Tasks for tests of what keeps and carries them: arbitrary definitions, their bytes, and bytes that somebody has
 * meddled with.
 */

import fc from 'fast-check'
import { expect } from 'vitest'
import { ByteReader, ByteWriter, CorruptBytes } from '../../src/lib/bytes.ts'
import { Definition, type DefinitionInput, writeDefinition } from '../../src/task/definition.ts'
import { Run, TaskRecord } from '../../src/task/record.ts'
import type { Schedule } from '../../src/task/schedule.ts'
import { RUN_STATES } from '../../src/task/task.ts'

/** The same values at every run of a property; to hunt, change the seed. */
export const runs = (numRuns: number): { numRuns: number; seed: number } => ({ numRuns, seed: 20_260 })

export const CALLER = Uint8Array.of(0, 1, 2, 3, 0xfc, 0xfd, 0xfe, 0xff)

/** Ids and names: letters, digits and `_ . : -`. */
export const name = (maxLength = 200): fc.Arbitrary<string> =>
  fc.string({
    unit: fc.constantFrom(...'abcXYZ019_.:-'),
    minLength: 1,
    maxLength,
  })

export const instant: fc.Arbitrary<number> = fc.oneof(
  fc.integer({ min: -8.64e15, max: 8.64e15 }),
  fc.integer({ min: 1.7e12, max: 2e12 }),
)

const schedule: fc.Arbitrary<Schedule> = fc.oneof(
  instant.map(at => ({ kind: 'at' as const, at })),
  fc
    .tuple(fc.integer({ min: 100, max: 1e10 }), instant)
    .map(([everyMs, anchor]) => ({ kind: 'every' as const, everyMs, from: 'phase' as const, anchor })),
  fc.constantFrom('* * * * *', '0 9 L * *', '*/7 0-5 1,15 jan mon').map(pattern => ({
    kind: 'cron' as const,
    pattern,
    tz: 'Europe/Berlin',
    dst: { gap: 'auto' as const, overlap: 'both' as const },
    max: 3,
  })),
)

const policyText = fc.oneof(
  fc.constant(''),
  fc
    .record({ priority: fc.integer({ min: -100, max: 100 }), tags: fc.array(fc.string(), { maxLength: 3 }) })
    .map(policy => JSON.stringify(policy)),
)

export const definitionInput: fc.Arbitrary<DefinitionInput> = fc.record({
  id: name(255),
  minted: fc.boolean(),
  ifAbsent: fc.boolean(),
  keyTtlMs: fc.oneof(fc.constant(0), fc.maxSafeNat()),
  name: name(),
  madeAt: fc.double({ noNaN: true }),
  schedule,
  policyText,
  payload: fc.option(
    fc.jsonValue().map(value => JSON.stringify(value)),
    { nil: undefined },
  ),
})

export function definitionBytes(input: DefinitionInput, n = 7): Uint8Array<ArrayBuffer> {
  const out = new ByteWriter()
  writeDefinition(out, input, CALLER, n)
  return out.take()
}

export function definitionOf(input: Partial<DefinitionInput> = {}, n = 7): Definition {
  const bytes = definitionBytes({ ...PLAIN, ...input }, n)
  return new Definition(new ByteReader(bytes), bytes.length)
}

/** A one-shot, and nothing else. */
export const PLAIN: DefinitionInput = {
  id: 'task',
  minted: false,
  ifAbsent: false,
  keyTtlMs: 0,
  name: 'handler',
  madeAt: 1000,
  schedule: { kind: 'at', at: 2000 },
  policyText: '',
  payload: undefined,
}

/** A recurring one: at 2000, 3000, 4000 ... */
export const EVERY_SECOND: Schedule = { kind: 'every', everyMs: 1000, from: 'phase', anchor: 0 }

export function recordOf(definition = definitionOf(), life = 1000): TaskRecord {
  const record = new TaskRecord(definition.id, 0, life, true, definition)
  if (definition.recurring) record.next = 2000
  return record
}

export function runOf(instant: number, parts: Partial<Run> = {}): Run {
  return Object.assign(new Run(instant, parts.manual ?? false), parts)
}

/** As the journal keeps it: the instant of the retry and that of the end share a place. */
export const run: fc.Arbitrary<Run> = fc
  .record({
    instant,
    manual: fc.boolean(),
    state: fc.constantFrom(...RUN_STATES),
    attempt: fc.nat(),
    drive: fc.nat(2),
    drivenFrom: fc.nat(),
    returned: fc.nat(2),
    fence: fc.maxSafeNat(),
    startedAt: fc.double({ noNaN: true }),
    at: fc.double({ noNaN: true }),
    body: fc.uint8Array({ maxLength: 100 }),
  })
  .map(({ at, ...parts }) => {
    const isOpen = parts.state === 'queued' || parts.state === 'running'
    return runOf(parts.instant, {
      ...parts,
      drivenFrom: parts.drive === 0 ? 0 : parts.drivenFrom,
      retryAt: parts.state === 'retrying' ? at : 0,
      endedAt: parts.state === 'retrying' || isOpen ? 0 : at,
    })
  })

/** What a bad disk or a peer makes of good bytes: cut, some changed, some put in or taken out. */
export function meddled(good: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  const edit = fc.record({
    kind: fc.constantFrom('cut', 'set', 'flip', 'insert', 'remove'),
    at: fc.nat(),
    value: fc.constantFrom(0, 1, 2, 4, 8, 16, 32, 64, 127, 128, 200, 254, 255),
  })
  return fc.tuple(good, fc.array(edit, { minLength: 1, maxLength: 4 })).map(([bytes, edits]) => {
    const list = [...bytes]
    for (const { kind, at, value } of edits) {
      const i = at % (list.length + 1)
      if (kind === 'cut') list.length = i
      else if (kind === 'insert') list.splice(i, 0, value)
      else if (kind === 'remove') list.splice(i, 1)
      else if (i < list.length) list[i] = kind === 'set' ? value : (list[i] as number) ^ value
    }
    return Uint8Array.from(list)
  })
}

/** Any bytes, and good ones that were meddled with. */
export const badBytes = (good: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> =>
  fc.oneof(
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }) },
    { weight: 3, arbitrary: meddled(good) },
  )

/** Decodes, or throws CorruptBytes and nothing else. */
export function decodesOrIsCorrupt<T>(decode: () => T): T | undefined {
  try {
    return decode()
  } catch (error) {
    expect(error).toBeInstanceOf(CorruptBytes)
    return undefined
  }
}
