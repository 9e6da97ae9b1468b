import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ByteReader, ByteWriter, CorruptBytes } from '../../src/lib/bytes.ts'
import { PAYLOAD_BYTES_MAX } from '../../src/task/definition.ts'
import {
  ERROR_BYTES_MAX,
  errorText,
  FOLLOW_UPS_MAX,
  OUTCOMES,
  RESULT_BYTES_MAX,
  readOutcome,
  readRun,
  writeOutcome,
  writeRun,
} from '../../src/wire/work.ts'
import { badBytes, decodesOrIsCorrupt, name, runs } from '../support/tasks.ts'

function written(write: (out: ByteWriter) => void): Uint8Array<ArrayBuffer> {
  const out = new ByteWriter()
  write(out)
  return out.take()
}

const double = fc.double({ noNaN: true })

const run = fc.record({
  handle: fc.maxSafeNat(),
  handler: fc.nat(),
  taskId: name(255),
  life: double,
  firstLife: fc.boolean(),
  scheduledAt: double,
  attempt: fc.nat(),
  wantsStarted: fc.boolean(),
  fence: fc.option(name(50), { nil: undefined }),
  priority: fc.integer({ min: -128, max: 127 }),
})
const payload = fc.uint8Array({ maxLength: 100 })

const outcome = fc.record({
  handle: fc.maxSafeNat(),
  kind: fc.constantFrom(...OUTCOMES),
  startedAt: double,
  endedAt: double,
  body: fc.option(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 100 }), { nil: undefined }),
  followUps: fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 4 }),
})
type Outcome = typeof outcome extends fc.Arbitrary<infer T> ? T : never

function writeWhole(out: ByteWriter, { handle, kind, startedAt, endedAt, body, followUps }: Outcome): void {
  writeOutcome(out, handle, kind, startedAt, endedAt, body, followUps)
}

describe('a run', () => {
  test('arrives as it was sent, with its payload in place, also one of many', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(run, payload, fc.nat(5)), { maxLength: 5 }), list => {
        const bytes = written(out => {
          for (const [each, text, margin] of list) {
            // The payload lies somewhere in the bytes of a definition.
            const source = Uint8Array.from([...new Uint8Array(margin).fill(9), ...text, 9])
            writeRun(out, each, source, margin, margin + text.length)
          }
        })
        const reader = new ByteReader(bytes)
        for (const [each, text] of list) {
          const { source, payloadStart, payloadEnd, ...header } = readRun(reader)
          expect(header).toEqual(each)
          expect(source).toBe(bytes)
          expect(source.subarray(payloadStart, payloadEnd)).toEqual(text)
        }
        expect(reader.remaining).toBe(0)
      }),
      runs(300),
    )
  })

  const plain = {
    handle: 1,
    handler: 0,
    taskId: 't',
    life: 1,
    firstLife: true,
    scheduledAt: 2,
    attempt: 1,
    wantsStarted: false,
    fence: undefined,
    priority: 0,
  }

  test('may have the longest payload, and none longer', () => {
    const longest = new Uint8Array(PAYLOAD_BYTES_MAX + 1)
    const fits = written(out => writeRun(out, plain, longest, 0, PAYLOAD_BYTES_MAX))
    const { payloadStart, payloadEnd } = readRun(new ByteReader(fits))
    expect(payloadEnd - payloadStart).toBe(PAYLOAD_BYTES_MAX)
    const long = written(out => writeRun(out, plain, longest, 0, PAYLOAD_BYTES_MAX + 1))
    expect(() => readRun(new ByteReader(long))).toThrow(/at most/)
  })

  test('is corrupt wherever it is cut', () => {
    const bytes = written(out =>
      writeRun(out, { ...plain, fence: '1-2', priority: 5 }, Uint8Array.of(1, 2, 3), 0, 3),
    )
    for (let length = 0; length < bytes.length; length++) {
      expect(() => readRun(new ByteReader(bytes.subarray(0, length))), String(length)).toThrow(CorruptBytes)
    }
  })

  test('any bytes at all give one or CorruptBytes', () => {
    const good = fc
      .tuple(run, payload)
      .map(([each, text]) => written(out => writeRun(out, each, text, 0, text.length)))
    let decoded = 0
    fc.assert(
      fc.property(badBytes(good), bytes => {
        const got = decodesOrIsCorrupt(() => readRun(new ByteReader(bytes)))
        if (got === undefined) return
        decoded++
        expect(got.payloadEnd).toBeLessThanOrEqual(bytes.length)
        expect(got.payloadStart).toBeLessThanOrEqual(got.payloadEnd)
      }),
      runs(3000),
    )
    expect(decoded).toBeGreaterThan(100)
  })
})

describe('an outcome', () => {
  test('arrives as it was sent, also one of many', () => {
    fc.assert(
      fc.property(fc.array(outcome, { maxLength: 5 }), list => {
        const reader = new ByteReader(written(out => list.forEach(each => void writeWhole(out, each))))
        for (const each of list) {
          const { body, ...rest } = readOutcome(reader)
          const { body: sent, ...expected } = each
          expect(rest).toEqual(expected)
          expect(Buffer.from(body).toString()).toBe(sent ?? '')
        }
        expect(reader.remaining).toBe(0)
      }),
      runs(300),
    )
  })

  test.each([
    ['of an unknown kind', (out: ByteWriter) => out.u8(OUTCOMES.length), /unknown kind/],
    [
      'with a result that is too long',
      (out: ByteWriter) => {
        for (const byte of [0, ...new Uint8Array(16)]) out.u8(byte)
        out.varuint(RESULT_BYTES_MAX + 1)
        out.bytes(new Uint8Array(RESULT_BYTES_MAX + 1))
      },
      /at most 262144/,
    ],
    [
      'with too many follow-ups',
      (out: ByteWriter) => {
        for (const byte of [0, ...new Uint8Array(16), 0]) out.u8(byte)
        out.varuint(FOLLOW_UPS_MAX + 1)
      },
      /at most 1000/,
    ],
    [
      'with more follow-ups than there are',
      (out: ByteWriter) => {
        for (const byte of [0, ...new Uint8Array(16), 0]) out.u8(byte)
        out.varuint(FOLLOW_UPS_MAX)
      },
      /wanted/,
    ],
  ])('%s is corrupt', (_, write, why) => {
    const bytes = written(out => {
      out.varuint(1)
      write(out)
    })
    expect(() => readOutcome(new ByteReader(bytes))).toThrow(CorruptBytes)
    expect(() => readOutcome(new ByteReader(bytes))).toThrow(why)
  })

  test('is corrupt wherever it is cut', () => {
    const bytes = written(out => writeOutcome(out, 300, 'completed', 1, 2, '"é"', [Uint8Array.of(1, 2)]))
    for (let length = 0; length < bytes.length; length++) {
      expect(() => readOutcome(new ByteReader(bytes.subarray(0, length))), String(length)).toThrow(
        CorruptBytes,
      )
    }
  })

  test('any bytes at all give one or CorruptBytes', () => {
    let decoded = 0
    fc.assert(
      fc.property(badBytes(outcome.map(each => written(out => writeWhole(out, each)))), bytes => {
        const got = decodesOrIsCorrupt(() => readOutcome(new ByteReader(bytes)))
        if (got === undefined) return
        decoded++
        expect(OUTCOMES).toContain(got.kind)
        const size = got.followUps.reduce((sum, each) => sum + each.length, got.body.length)
        expect(size).toBeLessThanOrEqual(bytes.length)
      }),
      runs(3000),
    )
    expect(decoded).toBeGreaterThan(100)
  })
})

describe('errorText', () => {
  test('leaves an error as it is while it is short', () => {
    const error = { name: 'E', message: 'no', code: 'X', stack: 'at a\nat b', field: undefined }
    expect(JSON.parse(errorText(error))).toEqual({ name: 'E', message: 'no', code: 'X', stack: 'at a\nat b' })
  })

  test('cuts a long one to the size in which it is kept, whatever it is made of', () => {
    const text = fc.oneof(
      fc
        .constantFrom('x', 'é', '\n', '"', '\u0000', '\ud800', '🙂')
        .chain(char => fc.nat(40_000).map(length => char.repeat(length))),
      fc.string({ unit: 'binary' }),
    )
    fc.assert(
      fc.property(text, text, text, (first, message, stack) => {
        const kept = errorText({ name: first, message, stack })
        expect(Buffer.byteLength(kept)).toBeLessThanOrEqual(RESULT_BYTES_MAX)
        const error = JSON.parse(kept)
        expect(message.startsWith(error.message)).toBe(true)
        expect(error.message.length).toBeGreaterThanOrEqual(Math.min(2000, message.length))
        expect(stack.startsWith(error.stack)).toBe(true)
      }),
      runs(200),
    )
    const long = errorText({ name: 'E', message: 'x'.repeat(1e6), stack: 'y'.repeat(1e6) })
    expect(Buffer.byteLength(long)).toBeLessThan(ERROR_BYTES_MAX)
  })
})
