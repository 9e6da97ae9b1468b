import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ByteReader, ByteWriter, CorruptBytes } from '../../src/lib/bytes.ts'
import {
  type Change,
  readChange,
  readRuns,
  type Update,
  writeCreated,
  writeEnded,
  writeUpdate,
} from '../../src/task/change.ts'
import { NEVER, NOT_YET, Run, type TaskRecord } from '../../src/task/record.ts'
import { Actors, SOME_FIRST } from '../../src/task/version.ts'
import {
  badBytes,
  decodesOrIsCorrupt,
  definitionBytes,
  definitionInput,
  definitionOf,
  EVERY_SECOND,
  instant,
  name,
  PLAIN,
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

const read = (bytes: Uint8Array): Change => readChange(new ByteReader(bytes), ACTORS)

const ACTORS = new Actors([0x10, 0x20, 0x30].map(first => Uint8Array.of(first, 1, 2, 3, 4, 5, 6, 7)))
const WRITER = { actor: 0, actors: ACTORS }
const update0 = (out: ByteWriter, record: TaskRecord, update: Update): void =>
  writeUpdate(out, record, update, WRITER)

const edge = fc.oneof(instant, fc.constantFrom(NEVER, NOT_YET))
const request = fc.record({
  caller: fc.uint8Array({ minLength: 8, maxLength: 8 }).map(bytes => Buffer.from(bytes).toString('hex')),
  n: fc.maxSafeNat(),
  answer: fc.string({ maxLength: 100 }),
})
const version = fc.record({
  rev: fc.integer({ min: 1, max: 2 ** 40 }),
  hlc: fc.double({ noNaN: true }),
  actor: fc.nat(2),
})
const versionedRun = fc
  .tuple(run, fc.oneof(version, fc.constantFrom(undefined, SOME_FIRST)))
  .map(([each, of]) => Object.assign(each, { version: of }))
const update: fc.Arbitrary<Update> = fc.record(
  {
    register: fc.constantFrom('paused', 'cancelled'),
    times: fc.boolean(),
    runs: fc.array(versionedRun, { maxLength: 5 }),
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
    version: fc.oneof(version, fc.constant({ rev: 1, hlc: 5, actor: 0 })),
    paused: fc.boolean(),
    // The actor of a register is the one that writes it.
    pausedVersion: version,
    cancelVersion: version,
    next: edge,
    fired: fc.nat(),
    lastAt: edge,
    closed: edge,
  })
  .map(({ input, life, firstLife, version: of, ...parts }) =>
    Object.assign(recordOf(definitionOf(input), life), of, parts, { firstLife }),
  )

const anyBytes = fc.oneof(
  record.map(each => written(out => writeCreated(out, each))),
  fc.tuple(record, update).map(([each, parts]) => written(out => update0(out, each, parts))),
)

describe('a change', () => {
  test('that creates says the whole register, and its definition with the bytes of its user', () => {
    fc.assert(
      fc.property(record, made => {
        const change = read(written(out => writeCreated(out, made)))
        const { rev, hlc, next, fired, lastAt, closed } = made
        const { source, start, end } = made.definition
        const got = change.definition
        expect(got?.source.subarray(got.start, got.end)).toEqual(source.subarray(start, end))
        expect(change).toMatchObject({
          id: made.id,
          life: made.life,
          firstLife: made.firstLife,
          version: { rev, hlc, actor: -1 },
          register: undefined,
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
        const { rev, hlc, actor, paused, pausedVersion, cancelVersion, next, fired, lastAt, closed } = changed
        const isAboutOne = parts.times === true || parts.runs !== undefined || parts.dropped === true
        const isFirst = rev === 1 && (actor === 0 || changed.definition.minted)
        const registers = {
          paused: { ...pausedVersion, what: paused ? 'paused' : 'resumed', actor: undefined },
          cancelled: { ...cancelVersion, what: 'cancelled', actor: undefined },
        }
        expect(read(written(out => update0(out, changed, parts)))).toEqual({
          id: changed.id,
          life: changed.life,
          firstLife: false,
          definition: undefined,
          version: isAboutOne && !isFirst ? { rev, hlc, actor: actor === 0 ? -1 : actor } : undefined,
          register: parts.register === undefined ? undefined : registers[parts.register],
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
      fc.property(record, versionedRun, (ended, last) => {
        const long = written(out => update0(out, ended, { runs: [last], dropped: true }))
        expect(written(out => writeEnded(out, ended, last, WRITER))).toEqual(long)
      }),
      runs(100),
    )
  })

  test('of a first version says nothing of it, if it is of its actor or can be no other', () => {
    const end = runOf(2000, { state: 'completed', attempt: 1 })
    const length = (parts: Partial<TaskRecord>, minted = false): number => {
      const ended = Object.assign(recordOf(definitionOf({ minted })), parts)
      return written(out => writeEnded(out, ended, end, WRITER)).length
    }
    const plain = length({})
    expect(length({ actor: 1 }, true)).toBe(plain)
    expect(length({ rev: 2 }) - plain).toBe(9)
    expect(length({ actor: 1 }) - plain).toBe(17)
    expect(length({ rev: 2, actor: 1 }, true) - plain).toBe(17)
  })

  // The bytes lie on disks: another version must read them as they are.
  test('has these bytes', () => {
    const one = recordOf(definitionOf(), 1)
    const hex = (write: (out: ByteWriter) => void): string => Buffer.from(written(write)).toString('hex')
    const definition = Buffer.from(definitionBytes({ ...PLAIN }, 7)).toString('hex')
    expect(hex(out => writeCreated(out, one))).toBe(
      `01${'000000000000f03f'}01${'01'}${'0000000000000000'}${'28'}${definition}`,
    )
    const ended = runOf(2, {
      state: 'completed',
      attempt: 1,
      startedAt: 1,
      endedAt: 2,
      body: Uint8Array.of(0x37),
    })
    expect(hex(out => writeEnded(out, one, ended, WRITER))).toBe(
      `28${'047461736b'}${'000000000000f03f'}01${'03'}${'0000000000000040'}0100${'000000000000f03f'}${'0000000000000040'}0137`,
    )
    one.setPaused(true, 1, 0)
    expect(hex(out => update0(out, one, { register: 'paused', request: REQUEST }))).toBe(
      `12${'047461736b'}${'000000000000f03f'}01${'01'}${'000000000000f03f'}${'00ff00ff00ff00ff'}05${'026869'}`,
    )
    Object.assign(one, { rev: 2, actor: 1 })
    const again = { drive: 1, drivenFrom: 5, returned: 2, version: { rev: 3, hlc: 1, actor: 2 } }
    const driven = runOf(2, { manual: true, attempt: 5, ...again })
    expect(hex(out => update0(out, one, { runs: [driven], dropped: true }))).toBe(
      [
        ...['e8', '047461736b', '000000000000f03f', '02', '0000000000000000', '2001020304050607', '01'],
        ...['f0', '0000000000000040', '05', '00', '0000000000000000', '0000000000000000', '00'],
        ...['01', '05', '02', '03', '000000000000f03f', '3001020304050607'],
      ].join(''),
    )
  })
})

describe('readChange', () => {
  test.each([
    ['the actor of no version', 128, /unknown flags/],
    ['a definition with another version', 255, /two versions/],
  ])('%s is corrupt', (_, flags, why) => {
    const bytes = written(out => update0(out, recordOf(), {}))
    bytes[0] = flags
    expect(() => read(bytes)).toThrow(why)
  })

  test('a register that is none is corrupt', () => {
    const record = recordOf()
    record.setPaused(true, 1, 0)
    const bytes = written(out => update0(out, record, { register: 'paused' }))
    bytes[14] = 3
    expect(() => read(bytes)).toThrow(/unknown register/)
  })

  test('an actor that nobody knows is corrupt', () => {
    const bytes = written(out => update0(out, Object.assign(recordOf(), { actor: 1 }), { times: true }))
    bytes[15 + 8] = 0x21
    expect(() => read(bytes)).toThrow(/unknown actor 21/)
  })

  test('what follows it is corrupt', () => {
    const bytes = written(out => {
      writeEnded(out, recordOf(), runOf(2000, { state: 'completed', attempt: 1 }), WRITER)
      out.u8(0)
    })
    expect(() => read(bytes)).toThrow(/1 bytes follow/)
  })

  test.each([
    ['a state that is none', (bytes: Uint8Array) => bytes.set([9], 15), /unknown state/],
    ['a manual state that is none', (bytes: Uint8Array) => bytes.set([128 + 9], 15), /unknown state/],
    ['an instant that is not finite', (bytes: Uint8Array) => bytes.set([0xf0, 0x7f], 22), /instant Infinity/],
  ])('a run with %s is corrupt', (_, spoil, why) => {
    const bytes = written(out => writeEnded(out, recordOf(), runOf(0, { state: 'failed' }), WRITER))
    spoil(bytes)
    expect(() => read(bytes)).toThrow(CorruptBytes)
    expect(() => read(bytes)).toThrow(why)
  })

  test('times that are no numbers are corrupt, those without end are not', () => {
    for (const field of ['next', 'lastAt', 'closed'] as const) {
      const bytes = written(out =>
        update0(out, Object.assign(recordOf(), { [field]: Number.NaN }), { times: true }),
      )
      expect(() => read(bytes), field).toThrow(/not a number/)
    }
  })

  test('is corrupt wherever it is cut', () => {
    const recurring = recordOf(definitionOf({ schedule: EVERY_SECOND, payload: '[1,2]' }))
    recurring.cancel(1, 0)
    const all: Update = {
      ...{ register: 'cancelled', times: true, request: REQUEST, dropped: true },
      runs: [runOf(1), runOf(2, { drive: 1, version: { rev: 1, hlc: 1, actor: 2 } })],
    }
    for (const bytes of [
      written(out => writeCreated(out, recurring)),
      written(out => update0(out, recurring, all)),
    ]) {
      for (let length = 0; length < bytes.length; length++) {
        expect(() => read(bytes.subarray(0, length)), String(length)).toThrow(CorruptBytes)
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
        const change = decodesOrIsCorrupt(() => read(bytes))
        if (change === undefined) return
        decoded++
        expect(change.runs.length).toBeLessThanOrEqual(bytes.length)
        expect(change.definition === undefined || change.version !== undefined).toBe(true)
      }),
      runs(4000),
    )
    expect(decoded).toBeGreaterThan(100)
  })

  test('ids keep to ASCII on their way', () => {
    fc.assert(
      fc.property(name(255), id => {
        expect(read(written(out => update0(out, recordOf(definitionOf({ id })), {}))).id).toBe(id)
      }),
      runs(100),
    )
  })
})

const REQUEST = { caller: '00ff00ff00ff00ff', n: 5, answer: 'hi' }
