import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ByteReader, ByteWriter, Copies, CorruptBytes, utf8Of } from '../../src/lib/bytes.ts'

const ascii = (maxLength: number) =>
  fc.string({ unit: fc.integer({ min: 0, max: 127 }).map(code => String.fromCharCode(code)), maxLength })

type Piece =
  | { type: 'u8' | 'u16be' | 'u32le' | 'f64' | 'varuint'; value: number }
  | { type: 'ascii'; value: string }
  | { type: 'utf8'; value: string }
  | { type: 'lenBytes'; value: Uint8Array }

const piece: fc.Arbitrary<Piece> = fc.oneof(
  fc.record({ type: fc.constant('u8' as const), value: fc.integer({ min: 0, max: 255 }) }),
  fc.record({ type: fc.constant('u16be' as const), value: fc.integer({ min: 0, max: 65_535 }) }),
  fc.record({ type: fc.constant('u32le' as const), value: fc.integer({ min: 0, max: 0xffff_ffff }) }),
  fc.record({ type: fc.constant('f64' as const), value: fc.double() }),
  fc.record({ type: fc.constant('varuint' as const), value: fc.maxSafeNat() }),
  fc.record({ type: fc.constant('ascii' as const), value: ascii(255) }),
  fc.record({ type: fc.constant('utf8' as const), value: fc.string({ unit: 'binary', maxLength: 200 }) }),
  fc.record({ type: fc.constant('utf8' as const), value: ascii(1500) }),
  fc.record({ type: fc.constant('lenBytes' as const), value: fc.uint8Array({ maxLength: 300 }) }),
)

function write(out: ByteWriter, one: Piece): void {
  if (one.type === 'ascii' || one.type === 'utf8') out[one.type](one.value)
  else if (one.type === 'lenBytes') out.lenBytes(one.value)
  else out[one.type](one.value)
}

function read(reader: ByteReader, type: Piece['type']): unknown {
  if (type === 'lenBytes') return new Uint8Array(reader.lenBytes(1000))
  return type === 'utf8' ? reader.utf8(10_000) : reader[type]()
}

describe('ByteWriter and ByteReader', () => {
  test('what is written is read, also from a writer that is used again', () => {
    const out = new ByteWriter(64)
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), pieces => {
        out.reset()
        for (const one of pieces) write(out, one)
        expect(out.view().length).toBe(out.position)
        const reader = new ByteReader(out.take())
        for (const one of pieces) expect(read(reader, one.type)).toEqual(one.value)
        expect(reader.remaining).toBe(0)
      }),
      { numRuns: 300 },
    )
  })

  test('reads the same from the middle of a larger buffer', () => {
    const out = new ByteWriter()
    out.u32le(7)
    out.f64(-1.5)
    out.ascii('abc')
    out.u32le(9)
    const whole = out.take().subarray(4)
    const reader = new ByteReader(whole, 0, 12)
    expect([reader.f64(), reader.ascii(), reader.remaining]).toEqual([-1.5, 'abc', 0])
    expect(() => reader.u8()).toThrow(CorruptBytes)
    expect(reader.source).toBe(whole)
  })

  test('bytes cut anywhere are refused, not misread past their end', () => {
    fc.assert(
      fc.property(piece, fc.nat(), (one, at) => {
        const out = new ByteWriter()
        write(out, one)
        const bytes = out.take()
        const cut = bytes.subarray(0, at % bytes.length)
        expect(() => read(new ByteReader(cut), one.type)).toThrow(CorruptBytes)
      }),
      { numRuns: 300 },
    )
  })

  test('any bytes at all give a value or CorruptBytes', () => {
    const types = ['u8', 'u16be', 'u32le', 'f64', 'varuint', 'ascii', 'utf8', 'lenBytes'] as const
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.constantFrom(...types), (bytes, type) => {
        const reader = new ByteReader(bytes)
        try {
          read(reader, type)
        } catch (error) {
          expect(error).toBeInstanceOf(CorruptBytes)
        }
        expect(reader.position).toBeLessThanOrEqual(bytes.length)
      }),
      { numRuns: 2000 },
    )
  })

  test.each([
    [0, '00'],
    [127, '7f'],
    [128, '8001'],
    [16_384, '808001'],
    [0xffff_ffff, 'ffffffff0f'],
    [2 ** 32, '8080808010'],
    [Number.MAX_SAFE_INTEGER, 'ffffffffffffff0f'],
  ])('varuint of %d is %s', (value, hex) => {
    const out = new ByteWriter()
    out.varuint(value)
    expect(Buffer.from(out.view()).toString('hex')).toBe(hex)
    expect(new ByteReader(out.view()).varuint()).toBe(value)
  })

  test('a varuint that is too long, too large or not minimal is corrupt', () => {
    for (const hex of ['8000', 'ffffffffffffff1f', 'ffffffffffffffff01', '80', '']) {
      expect(() => new ByteReader(Buffer.from(hex, 'hex')).varuint(), hex).toThrow(CorruptBytes)
    }
    const out = new ByteWriter()
    for (const value of [-1, 0.5, 2 ** 53, Number.NaN]) expect(() => out.varuint(value)).toThrow(RangeError)
  })

  test('a text that is known comes as that very string, any other as it is', () => {
    for (const known of ['', 'abc', 'abcd'.repeat(20)]) {
      for (const text of ['', 'abc', 'abd', 'ab', 'abcd', 'abcd'.repeat(20)]) {
        const out = new ByteWriter()
        out.ascii(text)
        out.u8(7)
        const reader = new ByteReader(out.take())
        expect([reader.asciiLike(known), reader.u8(), reader.remaining]).toEqual([text, 7, 0])
      }
    }
    expect(() => new ByteReader(Uint8Array.of(3, 97, 98)).asciiLike('abc')).toThrow(CorruptBytes)
    expect(() => new ByteReader(new Uint8Array(0)).asciiLike('')).toThrow(CorruptBytes)
  })

  test('copies that share buffers stay as they were, also long ones', () => {
    const copies = new Copies(1024)
    const out = new ByteWriter()
    const made: Array<[Uint8Array, Uint8Array]> = []
    for (let i = 0; i < 3000; i++) {
      out.reset()
      out.rawUtf8(String(i).repeat(i % 50 === 0 ? 2000 : 10))
      const start = i % 3
      made.push([copies.of(out.view(start)), out.take().slice(start)])
    }
    for (const [copy, expected] of made) expect(Buffer.compare(copy, expected)).toBe(0)
  })

  test('ascii refuses what is not ASCII or too long, and writes nothing then', () => {
    const out = new ByteWriter()
    for (const text of ['é', '\u0100', `${'x'.repeat(30)}ÿ`, '😀'.repeat(20), 'x'.repeat(256)]) {
      expect(() => out.ascii(text)).toThrow(RangeError)
      expect(out.position).toBe(0)
    }
    for (const length of [0, 1, 12, 13, 17, 18, 19, 255]) {
      const text = 'abcdefghijklmnopqrstuvwxyz'.repeat(10).slice(0, length)
      out.reset()
      out.ascii(text)
      expect(new ByteReader(out.view()).ascii()).toBe(text)
    }
    expect(() => new ByteReader(new Uint8Array([1, 200])).ascii()).toThrow(CorruptBytes)
  })

  test('utf8 shifts the text when its length needs a second byte, and keeps a real U+FFFD', () => {
    for (const text of [
      'é'.repeat(100),
      '\ufffd',
      '\ufeffbom',
      'é'.repeat(1023),
      'é'.repeat(9000),
      '😀'.repeat(42),
    ]) {
      const out = new ByteWriter(64)
      out.utf8(text)
      out.u8(5)
      const reader = new ByteReader(out.view())
      expect(reader.utf8(20_000)).toBe(text)
      expect(reader.u8()).toBe(5)
      const raw = new ByteWriter(64)
      raw.rawUtf8(text)
      expect(utf8Of(raw.view())).toBe(text)
    }
    expect(() => utf8Of(new Uint8Array([0x61, 0xff]))).toThrow(CorruptBytes)
    expect(() => new ByteReader(new Uint8Array([3, 97, 98, 99])).utf8(2)).toThrow(CorruptBytes)
    expect(() => new ByteReader(new Uint8Array([3, 97, 98, 99])).lenBytes(2)).toThrow(CorruptBytes)
  })

  test('patches a length written before, slices and truncates', () => {
    const out = new ByteWriter()
    out.u8(1)
    out.u32le(0)
    out.slice(new Uint8Array([9, 8, 7, 6]), 1, 3)
    out.patchU32(1, 0xdeadbeef)
    const reader = new ByteReader(out.view())
    expect([reader.u8(), reader.u32le(), reader.u8(), reader.u8(), reader.remaining]).toEqual([
      1, 0xdeadbeef, 8, 7, 0,
    ])
    reader.position = 5
    expect(reader.bytes(2)).toEqual(new Uint8Array([8, 7]))
    expect(() => reader.skip(1)).toThrow(CorruptBytes)
    expect(() => reader.bytes(-1)).toThrow(CorruptBytes)
    expect(() => reader.bytes(Number.NaN)).toThrow(CorruptBytes)
    expect(() => {
      reader.position = 8
    }).toThrow(CorruptBytes)
    expect(() => out.patchU32(4, 1)).toThrow(RangeError)
    expect(() => out.slice(new Uint8Array(3), 2, 4)).toThrow(RangeError)
    out.truncate(1)
    expect(out.take()).toEqual(new Uint8Array([1]))
    expect(() => out.truncate(2)).toThrow(RangeError)
  })

  test('lets a large buffer go once it is hardly used', () => {
    const out = new ByteWriter()
    out.bytes(new Uint8Array(20 << 20))
    out.reset()
    out.u8(1)
    expect(out.view().buffer.byteLength).toBeGreaterThan(20 << 20)
    out.reset()
    out.u8(1)
    expect(out.view().buffer.byteLength).toBe(1 << 20)
  })
})
