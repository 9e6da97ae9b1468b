import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ByteReader, ByteWriter, CorruptBytes } from '../../src/lib/bytes.ts'
import { readDefinition } from '../../src/task/change.ts'
import { DEFINITION_BYTES_MAX, Definition, PAYLOAD_BYTES_MAX } from '../../src/task/definition.ts'
import { DEFAULT_POLICY } from '../../src/task/policy.ts'
import {
  badBytes,
  CALLER,
  decodesOrIsCorrupt,
  definitionBytes,
  definitionInput,
  definitionOf,
  EVERY_SECOND,
  PLAIN,
  runs,
} from '../support/tasks.ts'

const read = (bytes: Uint8Array): Definition => new Definition(new ByteReader(bytes), bytes.length)

/** A one-shot without anything else: its bytes by hand, so that each part can be spoilt. */
function byHand(parts: { format?: number; flags?: number; at?: number; rest?: (out: ByteWriter) => void }) {
  const out = new ByteWriter()
  out.u8(parts.format ?? 1)
  out.u8(parts.flags ?? 0)
  out.f64(1000)
  out.bytes(CALLER)
  out.varuint(7)
  out.ascii('task')
  out.ascii('handler')
  if (((parts.flags ?? 0) & 2) === 0) out.f64(parts.at ?? 2000)
  parts.rest?.(out)
  return out.take()
}

describe('Definition', () => {
  test('what is written is read, every field of it', () => {
    fc.assert(
      fc.property(definitionInput, fc.maxSafeNat(), (input, n) => {
        const definition = read(definitionBytes(input, n))
        expect(definition).toMatchObject({
          id: input.id,
          name: input.name,
          minted: input.minted,
          ifAbsent: input.ifAbsent,
          keyTtlMs: input.keyTtlMs,
          requestNumber: n,
          caller: '00010203fcfdfeff',
          recurring: input.schedule.kind !== 'at',
          hasPayload: input.payload !== undefined,
        })
        expect(definition.madeAt).toBe(input.madeAt)
        expect(definition.schedule).toEqual(input.schedule)
        expect(definition.at).toBe(input.schedule.kind === 'at' ? input.schedule.at : Number.NaN)
        expect(definition.policy).toEqual({
          ...DEFAULT_POLICY,
          ...(input.policyText === '' ? {} : JSON.parse(input.policyText)),
        })
        expect(Buffer.from(definition.payload).toString()).toBe(input.payload ?? '')
      }),
      runs(400),
    )
  })

  test('is read from the middle of a frame, and leaves the reader behind it', () => {
    fc.assert(
      fc.property(fc.array(definitionInput, { maxLength: 5 }), inputs => {
        const out = new ByteWriter()
        out.u8(9)
        for (const input of inputs) {
          const bytes = definitionBytes(input)
          out.varuint(bytes.length)
          out.bytes(bytes)
        }
        out.u8(10)
        const reader = new ByteReader(out.take())
        expect(reader.u8()).toBe(9)
        for (const input of inputs) {
          const definition = readDefinition(reader, reader.varuint())
          const own = definition.source.subarray(definition.start, definition.end)
          expect(own).toEqual(definitionBytes(input))
          expect(definition.caller).toBe('00010203fcfdfeff')
          expect(Buffer.from(definition.payload).toString()).toBe(input.payload ?? '')
        }
        expect([reader.u8(), reader.remaining]).toEqual([10, 0])
      }),
      runs(150),
    )
  })

  // The bytes lie on disks: another version must read them as they are.
  test('has these bytes in format 1', () => {
    const oneShot = definitionBytes(
      {
        id: 'a',
        minted: true,
        ifAbsent: false,
        keyTtlMs: 0,
        name: 'b',
        madeAt: 1,
        schedule: { kind: 'at', at: 2 },
        policyText: '',
        payload: '"é"',
      },
      300,
    )
    expect(Buffer.from(oneShot).toString('hex')).toBe(
      '0121000000000000f03f00010203fcfdfeffac0201610162000000000000004022c3a922',
    )
    const keyed = definitionOf({
      keyTtlMs: 5,
      ifAbsent: true,
      schedule: EVERY_SECOND,
      policyText: '{"priority":1}',
    })
    expect(keyed.flags).toBe(2 | 4 | 8 | 16)
    expect(Buffer.from(keyed.source.subarray(32, 34)).toString('hex')).toBe('397b')
  })

  test('equal policies and schedules are one object, whoever reads them', () => {
    const a = definitionOf({ id: 'a', policyText: '{"priority":3}', schedule: EVERY_SECOND })
    const b = definitionOf({ id: 'b', policyText: '{"priority":3}', schedule: { ...EVERY_SECOND } })
    expect(a.policy).toBe(b.policy)
    expect(a.schedule).toBe(b.schedule)
    expect(definitionOf().policy).toBe(DEFAULT_POLICY)
    for (let i = 0; i < 5000; i++) {
      const policy = definitionOf({ policyText: `{"timeoutMs":${i}}` }).policy
      expect(policy.timeoutMs).toBe(i)
    }
    expect(definitionOf({ policyText: '{"priority":3}' }).policy).toEqual(a.policy)
  })

  test('the longest payload fits', () => {
    const payload = JSON.stringify('x'.repeat(PAYLOAD_BYTES_MAX - 2))
    const bytes = definitionBytes({ ...PLAIN, payload })
    expect(bytes.length).toBeLessThan(DEFINITION_BYTES_MAX)
    expect(readDefinition(new ByteReader(bytes), bytes.length).payload.length).toBe(PAYLOAD_BYTES_MAX)
  })

  test.each([
    ['of an unknown format', byHand({ format: 2 }), /format 2/],
    ['at an instant that is none', byHand({ at: Number.NaN }), /instant NaN/],
    ['at no instant', byHand({ at: Number.POSITIVE_INFINITY }), /instant Infinity/],
    [
      'with a payload that it does not announce',
      byHand({ rest: out => out.u8(1) }),
      /payload without its flag/,
    ],
    ['with a policy that is not JSON', byHand({ flags: 4, rest: out => out.utf8('{') }), /not JSON/],
    ['with a policy that is no object', byHand({ flags: 4, rest: out => out.utf8('7') }), /not an object/],
    ['with a policy that is null', byHand({ flags: 4, rest: out => out.utf8('null') }), /not an object/],
    [
      'with a text that is too long',
      byHand({ flags: 4, rest: out => out.utf8(' '.repeat(8193)) }),
      /at most 8192/,
    ],
    [
      'with a text that is not UTF-8',
      byHand({ flags: 4, rest: out => out.lenBytes(Uint8Array.of(255)) }),
      /UTF-8/,
    ],
    ['that ends too soon', byHand({}).subarray(0, 39), /wanted/],
  ])('one %s is corrupt', (_, bytes, why) => {
    expect(() => read(bytes)).toThrow(CorruptBytes)
    expect(() => read(bytes)).toThrow(why)
  })

  test('a schedule that is not JSON is found when it is asked for', () => {
    const definition = read(byHand({ flags: 2, rest: out => out.utf8('[') }))
    expect(() => definition.schedule).toThrow(CorruptBytes)
  })

  test('a length that lies is corrupt before anything is read', () => {
    const bytes = definitionBytes(PLAIN)
    for (const length of [bytes.length + 1, DEFINITION_BYTES_MAX + 1, 2 ** 50]) {
      expect(() => readDefinition(new ByteReader(bytes), length)).toThrow(CorruptBytes)
    }
    // Its fields reach into what follows it.
    const two = Buffer.concat([bytes, bytes])
    expect(() => readDefinition(new ByteReader(two), bytes.length - 1)).toThrow(/longer than its frame/)
  })

  test('one without a payload is corrupt wherever it is cut', () => {
    const bytes = definitionBytes({
      ...PLAIN,
      keyTtlMs: 500,
      policyText: '{"priority":1}',
      schedule: EVERY_SECOND,
    })
    for (let length = 0; length < bytes.length; length++) {
      expect(() => read(bytes.subarray(0, length)), String(length)).toThrow(CorruptBytes)
    }
  })

  test('any bytes at all give a definition or CorruptBytes', () => {
    let decoded = 0
    fc.assert(
      fc.property(badBytes(definitionInput.map(input => definitionBytes(input))), bytes => {
        const definition = decodesOrIsCorrupt(() => read(bytes))
        if (definition === undefined) return
        decoded++
        decodesOrIsCorrupt(() => definition.schedule)
        expect(definition.caller).toHaveLength(16)
        expect(definition.payload.length).toBeLessThanOrEqual(bytes.length)
      }),
      runs(3000),
    )
    expect(decoded).toBeGreaterThan(50)
  })
})
