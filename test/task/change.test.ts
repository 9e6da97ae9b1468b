import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ByteReader, ByteWriter, CorruptBytes } from '../../src/lib/bytes.ts'
import {
  type Change,
  readChange,
  readRuns,
  writeCreated,
  writeEnded,
  writeUpdate,
} from '../../src/task/change.ts'
import { NEVER, NOT_YET, Run, type TaskRecord } from '../../src/task/record.ts'
import {
  badBytes,
  decodesOrIsCorrupt,
  definitionBytes,
  definitionInput,
  definitionOf,
  EVERY_SECOND,
  instant,
  name,
  recordOf,
  run,
  runOf,
  runs,
} from '../support/tasks.ts'

function written(write: (out: ByteWriter) => void): Uint8Array<ArrayBuffer> {
  const out = new ByteWriter()
  write(out)
  return out.take()
}

function read(bytes: Uint8Array): Change {
  const reader = new ByteReader(bytes)
  const change = readChange(reader)
  expect(reader.remaining).toBe(0)
  return change
}

const edge = fc.oneof(instant, fc.constantFrom(NEVER, NOT_YET))
const request = fc.record({
  caller: fc.uint8Array({ minLength: 8, maxLength: 8 }).map(bytes => Buffer.from(bytes).toString('hex')),
  n: fc.maxSafeNat(),
  answer: fc.string({ maxLength: 100 }),
})
const update = fc.record(
  {
    register: fc.boolean(),
    times: fc.boolean(),
    runs: fc.array(run, { maxLength: 5 }),
    request,
    dropped: fc.boolean(),
  },
  { requiredKeys: [] },
)

/** Of no sense as a whole, but each field is a value that it may have. */
const record: fc.Arbitrary<TaskRecord> = fc
  .record({
    input: definitionInput,
    life: fc.maxSafeNat(),
    firstLife: fc.boolean(),
    rev: fc.integer({ min: 1, max: 2 ** 40 }),
    hlc: fc.double({ noNaN: true }),
    paused: fc.boolean(),
    cancelled: fc.boolean(),
    next: edge,
    fired: fc.nat(),
    lastAt: edge,
    closed: edge,
  })
  .map(({ input, life, firstLife, ...parts }) =>
    Object.assign(recordOf(definitionOf(input), life), parts, { firstLife }),
  )

const anyBytes = fc.oneof(
  record.map(each => written(out => writeCreated(out, each))),
  fc.tuple(record, update).map(([each, parts]) => written(out => writeUpdate(out, each, parts))),
)

describe('a change', () => {
  test('that creates says the whole register, and its definition with the bytes of its user', () => {
    fc.assert(
      fc.property(record, made => {
        const change = read(written(out => writeCreated(out, made)))
        const { rev, hlc, paused, cancelled, next, fired, lastAt, closed } = made
        const { source, start, end } = made.definition
        const got = change.definition
        expect(got?.source.subarray(got.start, got.end)).toEqual(source.subarray(start, end))
        expect(change).toMatchObject({
          id: made.id,
          life: made.life,
          firstLife: made.firstLife,
          register: { rev, hlc, paused, cancelled },
          runs: [],
          dropped: false,
        })
        // Of a one-shot that is new the definition says it all.
        const hasTimes = made.definition.recurring || rev > 1
        expect(change.times).toEqual(hasTimes ? { next, fired, lastAt, closed } : undefined)
      }),
      runs(300),
    )
  })

  test('that updates says of the record what it names, and nothing else', () => {
    fc.assert(
      fc.property(record, update, (changed, parts) => {
        const { rev, hlc, paused, cancelled, next, fired, lastAt, closed } = changed
        expect(read(written(out => writeUpdate(out, changed, parts)))).toEqual({
          id: changed.id,
          life: changed.life,
          firstLife: false,
          definition: undefined,
          register: parts.register === true ? { rev, hlc, paused, cancelled } : undefined,
          times: parts.times === true ? { next, fired, lastAt, closed } : undefined,
          runs: parts.runs ?? [],
          request: parts.request,
          dropped: parts.dropped === true,
        })
      }),
      runs(300),
    )
  })

  test('that ends a task at its first run has the bytes of an update', () => {
    fc.assert(
      fc.property(record, run, (ended, last) => {
        const long = written(out => writeUpdate(out, ended, { runs: [last], dropped: true }))
        expect(written(out => writeEnded(out, ended, last))).toEqual(long)
      }),
      runs(100),
    )
  })

  test('changes stand one after the other', () => {
    const out = new ByteWriter()
    const recurring = recordOf(definitionOf({ id: 'r', schedule: EVERY_SECOND }))
    writeCreated(out, recurring)
    writeUpdate(out, recurring, { times: true, runs: [runOf(2000, { state: 'running', attempt: 1 })] })
    writeEnded(out, recordOf(), runOf(2000, { state: 'completed', attempt: 1 }))
    const reader = new ByteReader(out.take())
    expect([readChange(reader).id, readChange(reader).runs[0]?.state, readChange(reader).dropped]).toEqual([
      'r',
      'running',
      true,
    ])
    expect(reader.remaining).toBe(0)
  })

  // The bytes lie on disks: another version must read them as they are.
  test('has these bytes', () => {
    const one = recordOf(definitionOf(), 1)
    const hex = (write: (out: ByteWriter) => void): string => Buffer.from(written(write)).toString('hex')
    const definition = Buffer.from(definitionBytes({ ...NOTHING_SPECIAL }, 7)).toString('hex')
    expect(hex(out => writeCreated(out, one))).toBe(
      `01${'000000000000f03f'}01${'01'}${'0000000000000000'}00${'28'}${definition}`,
    )
    const ended = runOf(2, {
      state: 'completed',
      attempt: 1,
      startedAt: 1,
      endedAt: 2,
      body: Uint8Array.of(0x37),
    })
    expect(hex(out => writeEnded(out, one, ended))).toBe(
      `28${'047461736b'}${'000000000000f03f'}01${'03'}${'0000000000000040'}0100${'000000000000f03f'}${'0000000000000040'}0137`,
    )
    one.paused = true
    expect(hex(out => writeUpdate(out, one, { register: true, request: REQUEST }))).toBe(
      `12${'047461736b'}${'000000000000f03f'}01${'0000000000000000'}01${'00ff00ff00ff00ff'}05${'026869'}`,
    )
  })
})

describe('readChange', () => {
  test.each([
    ['flags that nobody sets', 64],
    ['flags of a later version', 255],
  ])('%s are corrupt', (_, flags) => {
    const bytes = written(out => writeUpdate(out, recordOf(), {}))
    bytes[0] = flags
    expect(() => read(bytes)).toThrow(/unknown flags/)
  })

  test.each([
    ['a state that is none', (bytes: Uint8Array) => bytes.set([9], 15), /unknown state/],
    ['a manual state that is none', (bytes: Uint8Array) => bytes.set([128 + 9], 15), /unknown state/],
    ['an instant that is not finite', (bytes: Uint8Array) => bytes.set([0xf0, 0x7f], 22), /instant Infinity/],
  ])('a run with %s is corrupt', (_, spoil, why) => {
    const bytes = written(out => writeEnded(out, recordOf(), runOf(0, { state: 'failed' })))
    spoil(bytes)
    expect(() => read(bytes)).toThrow(CorruptBytes)
    expect(() => read(bytes)).toThrow(why)
  })

  test('times that are no numbers are corrupt, those without end are not', () => {
    for (const field of ['next', 'lastAt', 'closed'] as const) {
      const bytes = written(out =>
        writeUpdate(out, Object.assign(recordOf(), { [field]: Number.NaN }), { times: true }),
      )
      expect(() => read(bytes), field).toThrow(/not a number/)
    }
  })

  test('is corrupt wherever it is cut', () => {
    const recurring = recordOf(definitionOf({ schedule: EVERY_SECOND, payload: '[1,2]' }))
    const all = { register: true, times: true, runs: [runOf(1), runOf(2)], request: REQUEST, dropped: true }
    for (const bytes of [
      written(out => writeCreated(out, recurring)),
      written(out => writeUpdate(out, recurring, all)),
    ]) {
      for (let length = 0; length < bytes.length; length++) {
        expect(() => readChange(new ByteReader(bytes.subarray(0, length))), String(length)).toThrow(
          CorruptBytes,
        )
      }
    }
  })

  test('a number of runs that lies costs neither memory nor time', () => {
    let made = 0
    const make = (at: number, manual: boolean): Run => {
      made++
      return new Run(at, manual)
    }
    for (const count of [1_000_000, 1_000_001, 2 ** 50]) {
      const bytes = written(out => {
        out.varuint(count)
        out.bytes(new Uint8Array(100))
      })
      expect(() => readRuns(new ByteReader(bytes), make)).toThrow(CorruptBytes)
    }
    expect(made).toBeLessThan(10)
  })

  test('any bytes at all give a change or CorruptBytes', () => {
    let decoded = 0
    fc.assert(
      fc.property(badBytes(anyBytes), bytes => {
        const change = decodesOrIsCorrupt(() => readChange(new ByteReader(bytes)))
        if (change === undefined) return
        decoded++
        expect(change.runs.length).toBeLessThanOrEqual(bytes.length)
        expect(change.definition === undefined || change.register !== undefined).toBe(true)
      }),
      runs(4000),
    )
    expect(decoded).toBeGreaterThan(100)
  })

  test('ids keep to ASCII on their way', () => {
    fc.assert(
      fc.property(name(255), id => {
        expect(read(written(out => writeUpdate(out, recordOf(definitionOf({ id })), {}))).id).toBe(id)
      }),
      runs(100),
    )
  })
})

const REQUEST = { caller: '00ff00ff00ff00ff', n: 5, answer: 'hi' }
const NOTHING_SPECIAL = {
  id: 'task',
  minted: false,
  ifAbsent: false,
  keyTtlMs: 0,
  name: 'handler',
  madeAt: 1000,
  schedule: { kind: 'at', at: 2000 },
  policyText: '',
  payload: undefined,
} as const
