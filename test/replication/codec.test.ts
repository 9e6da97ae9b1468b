/** Contexts, states, messages and frames as bytes: what was written is read, and nothing else is. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ByteReader, ByteWriter } from '../../src/lib/bytes.ts'
import { Context } from '../../src/replication/context.ts'
import { decodeState, encodeState } from '../../src/replication/context-codec.ts'
import { BUCKETS } from '../../src/replication/copy.ts'
import { FrameReader, FrameWriter } from '../../src/replication/frames.ts'
import { FormerLists } from '../../src/replication/lists.ts'
import { readMessage, writeMessage } from '../../src/replication/message-codec.ts'
import type { Message } from '../../src/replication/messages.ts'
import { Actors } from '../../src/task/version.ts'
import { badBytes, decodesOrIsCorrupt, name, runs } from '../support/tasks.ts'

const MESH = '0123456789abcdef'.repeat(2)
const ACTORS = 6
const startId = (i: number): Uint8Array => Uint8Array.of(i, 2, 3, 4, 5, 6, 7, 8)
const actors = new Actors(Array.from({ length: ACTORS }, (_, i) => startId(i)))

const hex = (bytes: number): fc.Arbitrary<string> =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map(list => Buffer.from(list).toString('hex'))
const store = hex(16)
const actor = fc.nat(ACTORS - 1)
const n = fc.integer({ min: 1, max: 1e9 })
const dot = fc.record({ actor, n })
const dots = fc.uniqueArray(dot, { selector: each => each.actor, maxLength: ACTORS })
const context = fc
  .tuple(dots, fc.oneof(fc.constant(Number.NEGATIVE_INFINITY), fc.nat()), fc.boolean())
  .map(([list, life, hole]) => Context.from(list, hole ? list.slice(0, 1) : [], life))
const members = fc.uniqueArray(store, { minLength: 1, maxLength: 4 })
const lists = fc
  .array(fc.record({ members, quorum: fc.integer({ min: 1, max: 5 }), at: fc.nat() }), { maxLength: 3 })
  .map(all => all.reduce((sum, each) => sum.add(each.members, each.quorum, each.at), FormerLists.NONE))
const bytes = fc.uint8Array({ maxLength: 60 })
const range = fc.nat(65_535)
const number = fc.maxSafeNat()
const flags = { ready: fc.boolean(), active: fc.boolean(), durable: fc.boolean() }
const of = <T extends Message['type']>(type: T): fc.Arbitrary<T> => fc.constant(type)

const message: fc.Arbitrary<Message> = fc.oneof(
  fc.record({
    type: of('append'),
    range,
    entries: fc.array(fc.record({ actor, n, after: dots, bytes }), { maxLength: 4 }),
  }),
  fc.record({ type: of('have'), range, durable: fc.boolean(), context }),
  fc.record({ type: of('stable'), range, viewId: hex(8), context, upTo: context }),
  fc.record({
    ...{ type: of('tail'), range, kind: fc.constantFrom('ask', 'answer', 'tell'), number, viewId: hex(8) },
    ...{ context, lists, ...flags, knows: fc.boolean() },
  }),
  fc.record({
    type: of('digest'),
    range,
    hash: hex(8),
    ...flags,
    seen: fc.nat(2 ** 32 - 1),
    asks: fc.boolean(),
  }),
  fc.record({ type: of('copy-offer'), range }),
  fc.record({
    ...{ type: of('copy-want'), range, copy: number, chunk: fc.nat() },
    buckets: fc.array(fc.nat(BUCKETS - 1), { maxLength: 5 }),
  }),
  fc.record({
    ...{
      type: of('copy-chunk'),
      range,
      copy: number,
      chunk: fc.nat(),
      after: fc.constantFrom('', 'a', 'b.7'),
    },
    ...{ upTo: fc.option(fc.constantFrom('c', 'z'), { nil: undefined }), context },
    ...{ records: fc.array(bytes, { maxLength: 3 }), extras: bytes },
  }),
  fc.record({ type: of('copy-end'), range, copy: number }),
  fc.record({
    ...{ type: of('tree'), range, at: hex(8) },
    buckets: fc.array(fc.nat(2 ** 32 - 1), { minLength: BUCKETS, maxLength: BUCKETS }),
  }),
  fc.record({ type: of('activate'), range, number, context }),
  fc.record({ type: of('activated'), range, number }),
  fc.record({ type: of('overdue'), range, id: name(), viewId: hex(8) }),
  fc.record({ type: of('disown'), range, viewId: hex(8) }),
  fc.record({
    ...{ type: of('relay'), range, source: range, id: name(), definition: bytes },
    ...{ origin: store, hops: fc.nat(2) },
  }),
  fc.record({ type: of('relayed'), range, source: range, id: name() }),
)

function encoded(each: Message): Uint8Array {
  const out = new ByteWriter()
  writeMessage(out, each, actors)
  return out.take()
}

/** Without what a context remembers of its own hash. */
const plain = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (_, each) => {
      if (each instanceof Context)
        return { dots: [...each.dots()], holes: each.holes, life: String(each.life) }
      if (each instanceof Uint8Array) return Buffer.from(each).toString('hex')
      return typeof each === 'number' ? String(each) : each
    }),
  )

test('every message is read as it was written', () => {
  fc.assert(
    fc.property(message, each => {
      expect(plain(readMessage(new ByteReader(encoded(each)), actors))).toEqual(plain(each))
    }),
    runs(1000),
  )
})

test('bytes that are no message are corrupt, and nothing else is thrown', () => {
  fc.assert(
    fc.property(badBytes(message.map(encoded)), bad => {
      decodesOrIsCorrupt(() => readMessage(new ByteReader(bad), new Actors([])))
    }),
    runs(3000),
  )
})

test('the state of a range is read as it was written, and bytes that are none are corrupt', () => {
  const state = fc.record({
    ...{ context, lists, list: members, ready: fc.boolean() },
    quorum: fc.constantFrom(1, 2, 3, Number.POSITIVE_INFINITY),
  })
  fc.assert(
    fc.property(state, each => {
      expect(plain(decodeState(encodeState(each, actors), actors))).toEqual(plain(each))
    }),
    runs(300),
  )
  fc.assert(
    fc.property(badBytes(state.map(each => encodeState(each, actors))), bad => {
      decodesOrIsCorrupt(() => decodeState(bad, new Actors([])))
    }),
    runs(1000),
  )
})

test('actors are named by their start ids: another table of them reads the same', () => {
  const other = new Actors([startId(3), startId(1)])
  const readBy = (actor: number): unknown => {
    const have = { type: 'have', range: 7, durable: true, context: Context.from([{ actor, n: 5 }]) } as const
    return readMessage(new ByteReader(encoded(have)), other)
  }
  expect(readBy(2)).toMatchObject({ context: { actors: [2], ns: [5] } })
  expect(other.nameOf(2)).toBe(actors.nameOf(2))
  expect(readBy(3)).toMatchObject({ context: { actors: [0] } })
})

test('frames stay below their limit, and long messages go in parts, in order', () => {
  fc.assert(
    fc.property(fc.array(message, { maxLength: 12 }), fc.integer({ min: 80, max: 600 }), (all, max) => {
      const writer = new FrameWriter(MESH, actors, max)
      const reader = new FrameReader(MESH, actors)
      for (const each of all) writer.add(each)
      const frames = writer.take()
      for (const frame of frames) expect(frame.length).toBeLessThanOrEqual(max)
      expect(plain(frames.flatMap(frame => reader.read(frame)))).toEqual(plain(all))
    }),
    runs(300),
  )
})

test('many ranges share a frame', () => {
  const writer = new FrameWriter(MESH, actors, 64 * 1024)
  for (let i = 0; i < 1000; i++)
    writer.add({
      type: 'digest',
      range: i,
      hash: '0'.repeat(16),
      ready: true,
      active: false,
      durable: true,
      seen: 0,
      asks: false,
    })
  expect(writer.take()).toHaveLength(1)
})

test('a frame of another mesh, of another version, or in the midst of a long message is refused', () => {
  const frameOf = (mesh: string, count = 1): Uint8Array[] => {
    const writer = new FrameWriter(mesh, actors, 100)
    const after = [{ actor: 0, n: 1 }]
    const entries = [{ actor: 1, n: 1, after, bytes: new Uint8Array(100 * count) }]
    writer.add({ type: 'append', range: 0, entries })
    return writer.take()
  }
  const other = frameOf('f'.repeat(32))[0] as Uint8Array
  expect(() => new FrameReader(MESH, actors).read(other)).toThrow('mesh')
  const [first, second, third] = frameOf(MESH, 2) as [Uint8Array, Uint8Array, Uint8Array]
  const newer = first.slice()
  newer[2] = 9
  expect(() => new FrameReader(MESH, actors).read(newer)).toThrow('version')
  const reader = new FrameReader(MESH, actors)
  expect(reader.read(first)).toEqual([])
  expect(() => reader.read(third)).toThrow('part of')
  expect(() => reader.read(first)).toThrow('part of')
  expect(reader.read(second)).toEqual([])
})

test('a frame that was meddled with is corrupt, and nothing else is thrown', () => {
  const frame = message.map(each => {
    const writer = new FrameWriter(MESH, actors, 4096)
    writer.add(each)
    return writer.take()[0] as Uint8Array
  })
  fc.assert(
    fc.property(badBytes(frame), bad => {
      decodesOrIsCorrupt(() => new FrameReader(MESH, new Actors([])).read(bad))
    }),
    runs(2000),
  )
})
