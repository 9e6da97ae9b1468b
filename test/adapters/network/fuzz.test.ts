/** What strangers and broken peers can send: it costs bounded memory, and ends in CorruptBytes or INVALID, nothing else. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type AdmissionMessage,
  decodeAdmission,
  encodeAdmission,
  MESSAGE_BYTES_MAX,
} from '../../../src/adapters/network/admission-messages.ts'
import {
  creditFrame,
  emptyFrame,
  FRAME_HEAD_BYTES,
  FrameDecoder,
  writeHead,
} from '../../../src/adapters/network/frames.ts'
import { readToken, writeToken } from '../../../src/adapters/network/join-token.ts'
import { isCarillonError } from '../../../src/errors.ts'
import { CorruptBytes } from '../../../src/lib/bytes.ts'

const BYTES_MAX = 64

type Told = string

/** What a decoder hands over, and whether it gave up. */
function decode(parts: readonly Uint8Array[]): {
  readonly told: readonly Told[]
  readonly isBroken: boolean
} {
  const told: Told[] = []
  const decoder = new FrameDecoder(BYTES_MAX, {
    data: frame => told.push(`data ${Buffer.from(frame).toString('hex')}`),
    credit: bytes => told.push(`credit ${bytes}`),
    ping: () => told.push('ping'),
    pong: () => told.push('pong'),
  })
  try {
    for (const part of parts) decoder.push(part)
    return { told, isBroken: false }
  } catch (error) {
    if (!(error instanceof CorruptBytes)) throw error
    return { told, isBroken: true }
  }
}

function dataFrame(body: Uint8Array): Uint8Array {
  const frame = new Uint8Array(FRAME_HEAD_BYTES + body.length)
  writeHead(frame, 0, 'data', body.length)
  frame.set(body, FRAME_HEAD_BYTES)
  return frame
}

/** The same bytes, cut at the given places. */
function cutAt(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const ends = [...new Set(places.map(place => place % (bytes.length + 1)))].toSorted((a, b) => a - b)
  return [...ends, bytes.length].map((end, i) => bytes.slice(i === 0 ? 0 : ends[i - 1], end))
}

const body = fc.uint8Array({ minLength: 1, maxLength: BYTES_MAX })
const frame = fc.oneof(
  body.map(bytes => ({ bytes: dataFrame(bytes), told: `data ${Buffer.from(bytes).toString('hex')}` })),
  fc.integer({ min: 0, max: 2 ** 32 - 1 }).map(n => ({ bytes: creditFrame(n), told: `credit ${n}` })),
  fc.constantFrom('ping' as const, 'pong' as const).map(type => ({ bytes: emptyFrame(type), told: type })),
)
const places = fc.array(fc.nat(), { maxLength: 20 })

describe('frames', () => {
  test('arrive whole and in order, however the stream is cut', () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 12 }), places, (frames, cuts) => {
        const stream = Buffer.concat(frames.map(({ bytes }) => bytes))
        expect(decode(cutAt(stream, cuts))).toEqual({ told: frames.map(({ told }) => told), isBroken: false })
      }),
    )
  })

  test('that are none are told from frames at the same byte, however they are cut, and nothing else is thrown', () => {
    fc.assert(
      fc.property(
        fc.array(frame, { maxLength: 4 }),
        fc.uint8Array({ maxLength: 40 }),
        places,
        (frames, noise, cuts) => {
          const stream = Buffer.concat([...frames.map(({ bytes }) => bytes), noise])
          const { told, isBroken } = decode([stream])
          expect(told.slice(0, frames.length)).toEqual(frames.map(each => each.told))
          expect(decode(cutAt(stream, cuts))).toEqual({ told, isBroken })
        },
      ),
    )
  })

  test('that announce more than is taken are refused by their head, before anything is kept for them', () => {
    fc.assert(
      fc.property(fc.integer({ min: BYTES_MAX + 1, max: 2 ** 32 - 1 }), length => {
        const head = new Uint8Array(FRAME_HEAD_BYTES)
        writeHead(head, 0, 'data', length)
        expect(decode([head])).toEqual({ told: [], isBroken: true })
      }),
    )
  })

  test('with one byte of the head changed are refused, or are another frame of allowed length', () => {
    fc.assert(
      fc.property(body, fc.nat(FRAME_HEAD_BYTES - 1), fc.integer({ min: 1, max: 255 }), (bytes, at, flip) => {
        const stream = dataFrame(bytes)
        stream[at] = (stream[at] as number) ^ flip
        const { told, isBroken } = decode([stream])
        const isWhole = told.some(each => each === `data ${Buffer.from(bytes).toString('hex')}`)
        expect(isBroken || !isWhole).toBe(true)
      }),
    )
  })
})

const fixed = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const hex = (bytes: number) => fixed(bytes).map(each => Buffer.from(each).toString('hex'))
const hello = fc.record({
  boot: hex(8),
  seq: fc.nat(),
  connections: fc.array(hex(16), { maxLength: 8 }),
})
const token = fc.option(fc.record({ id: fixed(16), expiresAt: fc.nat() }), { nil: undefined })
const version = fc.constant(1)
const message: fc.Arbitrary<Exclude<AdmissionMessage, { type: 'foreign' }>> = fc.oneof(
  fc.record({ type: fc.constant('open' as const), version, nameHash: fixed(32), nonce: fixed(32), token }),
  fc.record({ type: fc.constant('challenge' as const), version, nonce: fixed(32) }),
  fc.record({
    type: fc.constant('prove' as const),
    proofs: fc.array(fixed(32), { minLength: 1, maxLength: 2 }),
  }),
  fc.record({ type: fc.constant('welcome' as const), proof: fixed(32), hello }),
  fc.record({ type: fc.constant('hello' as const), hello }),
  fc.record({ type: fc.constant('verdict' as const), isTaken: fc.boolean() }),
)

/** Before each message, on the wire. */
const LENGTH_BYTES = 2

/** Bytes of either kind of array are the same bytes. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plain(each)]))
}

describe('admission', () => {
  test('messages come back as they were, and none is longer than is taken', () => {
    fc.assert(
      fc.property(message, each => {
        const bytes = encodeAdmission(each)
        expect(bytes.length - LENGTH_BYTES).toBeLessThanOrEqual(MESSAGE_BYTES_MAX)
        expect(plain(decodeAdmission(bytes.slice(LENGTH_BYTES)))).toEqual(plain(each))
      }),
    )
  })

  test('anything else is CorruptBytes, or some message', () => {
    const mangled = fc
      .tuple(message, fc.nat(), fc.integer({ min: 1, max: 255 }), fc.nat())
      .map(([each, at, flip, end]) => {
        const bytes = encodeAdmission(each).slice(LENGTH_BYTES)
        bytes[at % bytes.length] = (bytes[at % bytes.length] as number) ^ flip
        return bytes.slice(0, end % (bytes.length + 1))
      })
    let refused = 0
    fc.assert(
      fc.property(fc.oneof(mangled, fc.uint8Array({ maxLength: MESSAGE_BYTES_MAX })), bytes => {
        try {
          expect(typeof decodeAdmission(bytes).type).toBe('string')
        } catch (error) {
          if (!(error instanceof CorruptBytes)) throw error
          refused++
        }
      }),
    )
    expect(refused).toBeGreaterThan(0)
  })
})

describe('join tokens', () => {
  const good = fc.record({
    id: fixed(16),
    expiresAt: fc.nat(),
    key: fixed(32),
    mesh: fc.string({ minLength: 1, maxLength: 20 }).filter(text => text.isWellFormed()),
    issuer: fc.stringMatching(/^[1-9A-HJ-NP-Za-km-z]{1,52}$/),
    addresses: fc.array(
      fc.nat(65_535).map(port => `10.0.0.1:${port}`),
      { maxLength: 4 },
    ),
  })

  test('come back as they were written', () => {
    fc.assert(
      fc.property(good, each => {
        expect(plain(readToken(writeToken(each)))).toEqual(plain(each))
      }),
    )
  })

  test('cut short or made up are INVALID, and nothing else is thrown', () => {
    const cut = fc.tuple(good, fc.nat()).map(([each, at]) => {
      const text = writeToken(each)
      return text.slice(0, at % text.length)
    })
    fc.assert(
      fc.property(
        fc.oneof(
          cut,
          fc.string().map(text => `crl1.${text}`),
          fc.string(),
        ),
        text => {
          try {
            readToken(text)
          } catch (error) {
            if (!isCarillonError(error, 'INVALID')) throw error
            return
          }
          throw new Error(`taken: ${text}`)
        },
      ),
    )
  })
})
