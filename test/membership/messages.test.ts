import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CorruptBytes } from '../../src/lib/bytes.ts'
import { SeededRandom } from '../../src/lib/seeded-random.ts'
import type { FoundingValue } from '../../src/membership/founding.ts'
import {
  decodeMessage,
  EXPECT_MAX,
  encodeMessage,
  FRAME_BYTES_MAX,
  type Hello,
  type Message,
  type Outgoing,
  REFUSALS,
} from '../../src/membership/messages.ts'
import { ADDRESSES_MAX, encodeNews, type News } from '../../src/membership/record-codec.ts'
import { stateChunks } from '../../src/membership/state-chunks.ts'
import { MEMBER_STATES } from '../../src/membership/view.ts'
import { recordOf, startIdOf, storeId } from '../support/membership.ts'

const MESH = 'ab'.repeat(16)
const START = startIdOf(7)
const anyStore = fc.nat(2 ** 31).map(storeId)
const counter = fc.nat(2 ** 31)
const anyText = (maxLength: number) =>
  fc.string({ unit: 'binary-ascii', maxLength }).filter(text => text !== '')
const anyRecord = fc.record({
  store: anyStore,
  node: anyText(128),
  zone: fc.string({ unit: 'binary-ascii', maxLength: 64 }),
  weight: fc.nat(1000),
  addresses: fc.array(anyText(200), { maxLength: ADDRESSES_MAX }),
  boot: counter,
  startId: counter.map(startIdOf),
  incarnation: counter,
  state: fc.constantFrom(...MEMBER_STATES),
})
const ballot = fc.record({ counter, store: anyStore })
const founding: fc.Arbitrary<FoundingValue> = fc.record({
  meshId: fc.constant(MESH),
  expect: fc.nat(EXPECT_MAX),
  ranges: fc.integer({ min: 1, max: 65_536 }),
  replicas: fc.integer({ min: 1, max: 16 }),
  founders: fc.array(anyRecord, { maxLength: 5 }),
})
const seen = fc.array(anyStore, { maxLength: EXPECT_MAX })
const hex8 = counter.map(startIdOf)
const anyNews: fc.Arbitrary<News> = fc.oneof(
  anyRecord.map((record): News => ({ kind: 'record', record })),
  fc.record({
    kind: fc.constant('state' as const),
    store: anyStore,
    boot: counter,
    incarnation: counter,
    state: fc.constantFrom(...MEMBER_STATES),
  }),
  fc.record({
    kind: fc.constant('suspect' as const),
    store: anyStore,
    boot: counter,
    incarnation: counter,
    voter: anyStore,
  }),
  fc.record({ kind: fc.constant('crash' as const), store: anyStore, boot: counter, voter: anyStore }),
  fc.record({ kind: fc.constant('removed' as const), store: anyStore }),
)
const news = fc.array(anyNews, { maxLength: 6 })
const type = <T extends string>(name: T) => fc.constant(name)

const anyMessage: fc.Arbitrary<Message> = fc.oneof(
  fc.record({
    type: type('hello'),
    role: fc.constantFrom('node' as const, 'client' as const),
    seen: fc.boolean(),
    want: fc.boolean(),
    admitted: fc.boolean(),
    record: anyRecord,
    startSeq: counter,
    journalSeq: counter,
    starts: fc.array(fc.record({ boot: counter, startId: hex8 }), { maxLength: 16 }),
    expect: fc.nat(EXPECT_MAX),
    viewId: hex8,
    fresh: fc.array(fc.record({ store: anyStore, addresses: fc.array(anyText(200), { maxLength: 4 }) }), {
      maxLength: 4,
    }),
  }),
  fc.record({
    type: type('refuse'),
    code: fc.constantFrom(...REFUSALS),
    store: anyStore,
    startId: hex8,
    line: fc.string({ unit: 'binary-ascii', maxLength: 255 }),
  }),
  fc.record({ type: type('join'), store: anyStore }),
  fc.record({
    type: type('welcome'),
    founding,
    viewId: hex8,
    stores: fc.nat(2000),
    records: fc.array(anyRecord, { maxLength: 3 }),
  }),
  fc.record({ type: type('ping'), seq: counter, target: anyStore, viewId: hex8, journalSeq: counter, news }),
  fc.record({ type: type('ack'), seq: counter, viewId: hex8, journalSeq: counter, news }),
  fc.record({ type: type('ping-req'), seq: counter, target: anyStore, news }),
  fc.record({ type: type('nack'), seq: counter }),
  fc.record({ type: type('news'), news }),
  fc.record({
    type: type('state'),
    want: fc.boolean(),
    records: fc.array(anyRecord, { maxLength: 5 }),
    marks: fc.array(anyStore, { maxLength: 5 }),
  }),
  fc.record({ type: type('prepare'), ballot, expect: fc.nat(EXPECT_MAX), seen }),
  fc.record({
    type: type('promise'),
    ballot,
    accepted: fc.option(fc.record({ ballot, value: founding }), { nil: undefined }),
    seen,
  }),
  fc.record({ type: type('accept'), ballot, value: founding, seen }),
  fc.record({ type: type('accepted'), ballot }),
  fc.record({ type: type('outvoted'), ballot, promised: ballot }),
)

function outgoing(message: Message): Outgoing {
  if (!('news' in message)) return message
  return { ...message, news: message.news.map(encodeNews) } as Outgoing
}

test('what is encoded is decoded', () => {
  fc.assert(
    fc.property(anyMessage, fc.boolean(), (message, founded) => {
      const meshId = founded ? MESH : undefined
      expect(decodeMessage(encodeMessage(meshId, START, outgoing(message)))).toEqual({
        meshId,
        startId: START,
        message,
      })
    }),
    { numRuns: 2000 },
  )
})

test('a frame that is cut, longer, or has a flipped byte is read or refused as corrupt, and nothing else', () => {
  fc.assert(
    fc.property(anyMessage, fc.nat(), fc.integer({ min: 1, max: 255 }), (message, at, flip) => {
      const frame = encodeMessage(MESH, START, outgoing(message))
      expect(() => decodeMessage(frame.subarray(0, at % frame.length))).toThrow(CorruptBytes)
      expect(() => decodeMessage(Buffer.concat([frame, Uint8Array.of(0)]))).toThrow(CorruptBytes)
      frame[at % frame.length]! ^= flip
      decodeOrCorrupt(frame)
    }),
    { numRuns: 2000 },
  )
})

test('random bytes behind a good head never do anything but fail as corrupt', () => {
  const random = new SeededRandom('fuzz')
  let read = 0
  for (let i = 0; i < 100_000; i++) {
    const frame = random.bytes(28 + Math.floor(random.float() * 80))
    frame.set([0x43, 0x4d, 1, Math.floor(random.float() * 16)])
    if (i % 2 === 0) frame.fill(Math.floor(random.float() * 4), 28, 28 + Math.floor(random.float() * 40))
    if (decodeOrCorrupt(frame)) read++
  }
  // A few are messages by chance; that they are read shows that the fuzz gets past the head.
  expect(read).toBeGreaterThan(0)
})

test('counts beyond their limits are refused before anything is made of them', () => {
  const many = encodeMessage(MESH, START, { type: 'state', want: false, records: [], marks: [] })
  // The count of records is the byte before the last: two bytes of a varuint say 16,383.
  const lie = Buffer.concat([many.subarray(0, -2), Uint8Array.of(0xff, 0x7f, 0)])
  expect(() => decodeMessage(lie)).toThrow(/list of 16383/)
  expect(() => decodeMessage(new Uint8Array(FRAME_BYTES_MAX + 1))).toThrow(/frame of/)
  expect(() => decodeMessage(new Uint8Array(0))).toThrow(CorruptBytes)
})

test('another version is named in the refusal', () => {
  const frame = encodeMessage(MESH, START, { type: 'nack', seq: 1 })
  frame[2] = 9
  expect(() => decodeMessage(frame)).toThrow(/version 9/)
})

test('the largest founding, hello and promise fit into a frame', () => {
  const long = (number: number) =>
    recordOf(number, {
      node: 'n'.repeat(128),
      zone: 'z'.repeat(64),
      weight: 1000,
      addresses: Array.from({ length: 4 }, () => 'a'.repeat(200)),
      boot: 2 ** 40,
      incarnation: 2 ** 40,
    })
  const value: FoundingValue = {
    meshId: MESH,
    expect: EXPECT_MAX,
    ranges: 65_536,
    replicas: 16,
    founders: Array.from({ length: EXPECT_MAX }, (_, i) => long(i)),
  }
  const ballot = { counter: 2 ** 40, store: storeId(1) }
  const seen = Array.from({ length: EXPECT_MAX + 1 }, (_, i) => storeId(i))
  const hello: Hello = {
    type: 'hello',
    role: 'node',
    seen: true,
    want: true,
    admitted: true,
    record: long(1),
    startSeq: 2 ** 50,
    journalSeq: 2 ** 50,
    starts: Array.from({ length: 16 }, (_, i) => ({ boot: 2 ** 40 - i, startId: START })),
    expect: EXPECT_MAX,
    viewId: START,
    fresh: seen.map(store => ({ store, addresses: long(1).addresses })),
  }
  for (const message of [
    hello,
    { type: 'promise', ballot, accepted: { ballot, value }, seen },
    { type: 'welcome', founding: value, viewId: 'ab'.repeat(8), stores: 2, records: [long(1), long(2)] },
  ] as const) {
    const frame = encodeMessage(MESH, START, message)
    expect(frame.length).toBeLessThanOrEqual(FRAME_BYTES_MAX)
    expect(decodeMessage(frame).message).toEqual(message)
  }
})

test('a full state of a thousand goes in chunks that each fit, and nothing is left out', () => {
  const records = Array.from({ length: 1000 }, (_, i) => recordOf(i))
  const marks = Array.from({ length: 3000 }, (_, i) => storeId(5000 + i))
  const chunks = stateChunks(records, marks, 16 * 1024)
  expect(chunks.length).toBeGreaterThan(5)
  expect(chunks.flatMap(chunk => chunk.records)).toEqual(records)
  expect(chunks.flatMap(chunk => chunk.marks)).toEqual(marks)
  for (const chunk of chunks) {
    const frame = encodeMessage(MESH, START, { type: 'state', want: true, ...chunk })
    expect(frame.length).toBeLessThanOrEqual(16 * 1024 + 64)
    expect(decodeMessage(frame).message).toEqual({ type: 'state', want: true, ...chunk })
  }
  expect(stateChunks([], [], 1024)).toEqual([{ records: [], marks: [] }])
})

function decodeOrCorrupt(frame: Uint8Array): boolean {
  try {
    decodeMessage(frame)
    return true
  } catch (error) {
    expect(error).toBeInstanceOf(CorruptBytes)
    return false
  }
}
