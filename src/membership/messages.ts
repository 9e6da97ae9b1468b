/**
 * Frames of the liveness plane. Layout: u8 'C', u8 'M', u8 version, u8 type, 16 bytes mesh id (zeros before there is
 * one), 8 bytes start id of the sender (a late frame of an earlier start is told by it), then the fields of the type; at
 * most 64 KiB. Each frame stands for itself: it may be lost, late, twice, or out
 * of order. The wire is an enemy: every length and count is checked against its limit before anything is allocated,
 * the frame must end where its fields end, and whatever is wrong is CorruptBytes.
 */

import { ByteReader, ByteWriter, CorruptBytes } from '../lib/bytes.ts'
import type { Accepted, Ballot, FoundingMessage, FoundingValue } from './founding.ts'
import {
  ADDRESSES_MAX,
  type News,
  readAddresses,
  readCounter,
  readHex,
  readNews,
  readRecord,
  readStore,
  START_ID_BYTES,
  STORE_ID_BYTES,
  VIEW_ID_BYTES,
  writeHex,
  writeRecord,
} from './record-codec.ts'
import type { MemberRecord, StoreId } from './view.ts'

export const FRAME_BYTES_MAX = 64 * 1024
/** So that a founding with the longest records fits into a frame. */
export const EXPECT_MAX = 48
export const STARTS_MAX = 16
export const NEWS_MAX = 64
export const RECORDS_MAX = 512
export const MARKS_MAX = 1024
const LINE_LENGTH_MAX = 255
const RANGES_MAX = 65_536
const REPLICAS_MAX = 16
const NO_MESH = '0'.repeat(32)
const VERSION = 1

/** Why somebody is not let in, or stops. Stable: operators and callers branch on it. */
export const REFUSALS = [
  'OTHER_MESH',
  'STORE_ROLLED_BACK',
  'REMOVED',
  'NOT_ADMITTED',
  'TOO_MANY_FRESH',
  'EXPECT_DIFFERS',
] as const
export type RefusalCode = (typeof REFUSALS)[number]

export type Role = 'node' | 'client'

export interface FreshPeer {
  readonly store: StoreId
  readonly addresses: readonly string[]
}

export interface Hello {
  readonly type: 'hello'
  readonly role: Role
  /** The sender has the reader's hello. */
  readonly seen: boolean
  /** The sender wants an answer: it does not know whether its own hello has arrived. */
  readonly want: boolean
  readonly admitted: boolean
  readonly record: MemberRecord
  readonly startSeq: number
  readonly journalSeq: number
  readonly starts: readonly { readonly boot: number; readonly startId: string }[]
  /** 0: it never founds. */
  readonly expect: number
  readonly viewId: string
  /** Other fresh stores that it knows, while there is no mesh. */
  readonly fresh: readonly FreshPeer[]
}

export type Message =
  | Hello
  | {
      readonly type: 'refuse'
      readonly code: RefusalCode
      /** Whom it is meant for: a late one must not hit the next start. */
      readonly store: StoreId
      readonly startId: string
      readonly line: string
    }
  | { readonly type: 'join'; readonly store: StoreId }
  | {
      readonly type: 'welcome'
      readonly founding: FoundingValue
      /** Of the sender's view, and how many stores it has: a part of them follows, the others are in other frames. */
      readonly viewId: string
      readonly stores: number
      readonly records: readonly MemberRecord[]
    }
  | {
      readonly type: 'ping'
      readonly seq: number
      readonly target: StoreId
      readonly viewId: string
      readonly journalSeq: number
      readonly news: readonly News[]
    }
  | {
      readonly type: 'ack'
      readonly seq: number
      readonly viewId: string
      readonly journalSeq: number
      readonly news: readonly News[]
    }
  | {
      readonly type: 'ping-req'
      readonly seq: number
      readonly target: StoreId
      readonly news: readonly News[]
    }
  | { readonly type: 'nack'; readonly seq: number }
  | { readonly type: 'news'; readonly news: readonly News[] }
  /** A chunk of a full state; `want`: send yours. */
  | {
      readonly type: 'state'
      readonly want: boolean
      readonly records: readonly MemberRecord[]
      readonly marks: readonly StoreId[]
    }
  | FoundingMessage

const TYPES: readonly Message['type'][] = [
  'hello',
  'refuse',
  'join',
  'welcome',
  'ping',
  'ack',
  'ping-req',
  'nack',
  'news',
  'state',
  'prepare',
  'promise',
  'accept',
  'accepted',
  'outvoted',
]

export interface Envelope {
  readonly meshId: string | undefined
  /** The sender's. */
  readonly startId: string
  readonly message: Message
}

/** News are encoded once and kept so: a frame that carries them takes their bytes. */
export type Outgoing =
  | Exclude<Message, { readonly news: readonly News[] }>
  | {
      [T in Extract<Message, { readonly news: readonly News[] }>['type']]: Omit<
        Extract<Message, { readonly type: T }>,
        'news'
      > & { readonly news: readonly Uint8Array[] }
    }[Extract<Message, { readonly news: readonly News[] }>['type']]

export function encodeMessage(meshId: string | undefined, startId: string, message: Outgoing): Uint8Array {
  const writer = new ByteWriter(256)
  writer.u8(0x43)
  writer.u8(0x4d)
  writer.u8(VERSION)
  writer.u8(TYPES.indexOf(message.type))
  writeHex(writer, meshId ?? NO_MESH)
  writeHex(writer, startId)
  writeBody(writer, message)
  return writer.take()
}

export function decodeMessage(frame: Uint8Array): Envelope {
  if (frame.length > FRAME_BYTES_MAX) throw new CorruptBytes(`a frame of ${frame.length} bytes`)
  const reader = new ByteReader(frame)
  if (reader.u8() !== 0x43 || reader.u8() !== 0x4d) throw new CorruptBytes('not a frame of a mesh')
  const version = reader.u8()
  if (version !== VERSION)
    throw new CorruptBytes(`version ${version} of the frames, this Carillon knows ${VERSION}`)
  const type = TYPES[reader.u8()]
  const mesh = readHex(reader, STORE_ID_BYTES)
  const startId = readHex(reader, START_ID_BYTES)
  const message = readBody(reader, type)
  if (reader.remaining !== 0) throw new CorruptBytes(`${reader.remaining} bytes too many`)
  return { meshId: mesh === NO_MESH ? undefined : mesh, startId, message }
}

function writeBody(writer: ByteWriter, message: Outgoing): void {
  switch (message.type) {
    case 'hello':
      return writeHello(writer, message)
    case 'refuse':
      writer.u8(REFUSALS.indexOf(message.code))
      writeHex(writer, message.store)
      writeHex(writer, message.startId)
      return writer.ascii(message.line.slice(0, LINE_LENGTH_MAX))
    case 'join':
      return writeHex(writer, message.store)
    case 'welcome':
      writeFoundingValue(writer, message.founding)
      writeHex(writer, message.viewId)
      writer.varuint(message.stores)
      return writeList(writer, message.records, record => writeRecord(writer, record))
    case 'ping':
      writer.varuint(message.seq)
      writeHex(writer, message.target)
      writeHex(writer, message.viewId)
      writer.varuint(message.journalSeq)
      return writePieces(writer, message.news)
    case 'ack':
      writer.varuint(message.seq)
      writeHex(writer, message.viewId)
      writer.varuint(message.journalSeq)
      return writePieces(writer, message.news)
    case 'ping-req':
      writer.varuint(message.seq)
      writeHex(writer, message.target)
      return writePieces(writer, message.news)
    case 'nack':
      return writer.varuint(message.seq)
    case 'news':
      return writePieces(writer, message.news)
    case 'state':
      writer.u8(message.want ? 1 : 0)
      writeList(writer, message.records, record => writeRecord(writer, record))
      return writeList(writer, message.marks, store => writeHex(writer, store))
    case 'prepare':
      writeBallot(writer, message.ballot)
      writer.varuint(message.expect)
      return writeList(writer, message.seen, store => writeHex(writer, store))
    case 'promise':
      writeBallot(writer, message.ballot)
      writer.u8(message.accepted === undefined ? 0 : 1)
      if (message.accepted !== undefined) {
        writeBallot(writer, message.accepted.ballot)
        writeFoundingValue(writer, message.accepted.value)
      }
      return writeList(writer, message.seen, store => writeHex(writer, store))
    case 'accept':
      writeBallot(writer, message.ballot)
      writeFoundingValue(writer, message.value)
      return writeList(writer, message.seen, store => writeHex(writer, store))
    case 'accepted':
      return writeBallot(writer, message.ballot)
    case 'outvoted':
      writeBallot(writer, message.ballot)
      return writeBallot(writer, message.promised)
  }
}

function readBody(reader: ByteReader, type: Message['type'] | undefined): Message {
  switch (type) {
    case 'hello':
      return readHello(reader)
    case 'refuse': {
      const code = REFUSALS[reader.u8()]
      if (code === undefined) throw new CorruptBytes('an unknown refusal')
      return {
        type,
        code,
        store: readStore(reader),
        startId: readHex(reader, START_ID_BYTES),
        line: reader.ascii(),
      }
    }
    case 'join':
      return { type, store: readStore(reader) }
    case 'welcome':
      return {
        type,
        founding: readFoundingValue(reader),
        viewId: readHex(reader, VIEW_ID_BYTES),
        stores: reader.varuint(),
        records: readList(reader, RECORDS_MAX, readRecord),
      }
    case 'ping':
      return {
        type,
        seq: reader.varuint(),
        target: readStore(reader),
        viewId: readHex(reader, VIEW_ID_BYTES),
        journalSeq: reader.varuint(),
        news: readList(reader, NEWS_MAX, readNews),
      }
    case 'ack':
      return {
        type,
        seq: reader.varuint(),
        viewId: readHex(reader, VIEW_ID_BYTES),
        journalSeq: reader.varuint(),
        news: readList(reader, NEWS_MAX, readNews),
      }
    case 'ping-req':
      return {
        type,
        seq: reader.varuint(),
        target: readStore(reader),
        news: readList(reader, NEWS_MAX, readNews),
      }
    case 'nack':
      return { type, seq: reader.varuint() }
    case 'news':
      return { type, news: readList(reader, NEWS_MAX, readNews) }
    case 'state':
      return {
        type,
        want: readFlag(reader),
        records: readList(reader, RECORDS_MAX, readRecord),
        marks: readList(reader, MARKS_MAX, readStore),
      }
    case 'prepare':
      return { type, ballot: readBallot(reader), expect: readExpect(reader), seen: readSeen(reader) }
    case 'promise': {
      const ballot = readBallot(reader)
      const accepted: Accepted | undefined = readFlag(reader)
        ? { ballot: readBallot(reader), value: readFoundingValue(reader) }
        : undefined
      return { type, ballot, accepted, seen: readSeen(reader) }
    }
    case 'accept':
      return { type, ballot: readBallot(reader), value: readFoundingValue(reader), seen: readSeen(reader) }
    case 'accepted':
      return { type, ballot: readBallot(reader) }
    case 'outvoted':
      return { type, ballot: readBallot(reader), promised: readBallot(reader) }
    case undefined:
      throw new CorruptBytes('an unknown type of frame')
  }
}

function writeHello(writer: ByteWriter, hello: Hello): void {
  writer.u8(
    (hello.role === 'client' ? 1 : 0) |
      (hello.want ? 2 : 0) |
      (hello.admitted ? 4 : 0) |
      (hello.seen ? 8 : 0),
  )
  writeRecord(writer, hello.record)
  writer.varuint(hello.startSeq)
  writer.varuint(hello.journalSeq)
  writeList(writer, hello.starts, start => {
    writer.varuint(start.boot)
    writeHex(writer, start.startId)
  })
  writer.varuint(hello.expect)
  writeHex(writer, hello.viewId)
  writeList(writer, hello.fresh, peer => {
    writeHex(writer, peer.store)
    writer.u8(Math.min(peer.addresses.length, ADDRESSES_MAX))
    for (const address of peer.addresses.slice(0, ADDRESSES_MAX)) writer.ascii(address)
  })
}

function readHello(reader: ByteReader): Hello {
  const flags = reader.u8()
  if (flags > 15) throw new CorruptBytes(`flags ${flags} of a hello`)
  return {
    type: 'hello',
    role: (flags & 1) !== 0 ? 'client' : 'node',
    seen: (flags & 8) !== 0,
    want: (flags & 2) !== 0,
    admitted: (flags & 4) !== 0,
    record: readRecord(reader),
    startSeq: reader.varuint(),
    journalSeq: reader.varuint(),
    starts: readList(reader, STARTS_MAX, () => ({
      boot: readCounter(reader),
      startId: readHex(reader, START_ID_BYTES),
    })),
    expect: readExpect(reader),
    viewId: readHex(reader, VIEW_ID_BYTES),
    fresh: readList(reader, EXPECT_MAX + 1, () => ({
      store: readStore(reader),
      addresses: readAddresses(reader),
    })),
  }
}

function writeFoundingValue(writer: ByteWriter, value: FoundingValue): void {
  writeHex(writer, value.meshId)
  writer.varuint(value.expect)
  writer.varuint(value.ranges)
  writer.varuint(value.replicas)
  writeList(writer, value.founders, record => writeRecord(writer, record))
}

function readFoundingValue(reader: ByteReader): FoundingValue {
  const meshId = readHex(reader, STORE_ID_BYTES)
  if (meshId === NO_MESH) throw new CorruptBytes('a founding without a mesh id')
  const expect = readExpect(reader)
  const ranges = reader.varuint()
  if (ranges < 1 || ranges > RANGES_MAX) throw new CorruptBytes(`${ranges} ranges`)
  const replicas = reader.varuint()
  if (replicas < 1 || replicas > REPLICAS_MAX) throw new CorruptBytes(`${replicas} replicas`)
  return { meshId, expect, ranges, replicas, founders: readList(reader, EXPECT_MAX, readRecord) }
}

function writeBallot(writer: ByteWriter, ballot: Ballot): void {
  writer.varuint(ballot.counter)
  writeHex(writer, ballot.store)
}

function readBallot(reader: ByteReader): Ballot {
  return { counter: readCounter(reader), store: readStore(reader) }
}

function readExpect(reader: ByteReader): number {
  const expect = reader.varuint()
  if (expect > EXPECT_MAX) throw new CorruptBytes(`expect ${expect}, at most ${EXPECT_MAX}`)
  return expect
}

function readSeen(reader: ByteReader): StoreId[] {
  return readList(reader, EXPECT_MAX + 1, readStore)
}

function readFlag(reader: ByteReader): boolean {
  const flag = reader.u8()
  if (flag > 1) throw new CorruptBytes(`a flag of ${flag}`)
  return flag === 1
}

function writePieces(writer: ByteWriter, pieces: readonly Uint8Array[]): void {
  writeList(writer, pieces, piece => writer.bytes(piece))
}

function writeList<T>(writer: ByteWriter, items: readonly T[], write: (item: T) => void): void {
  writer.varuint(items.length)
  for (const item of items) write(item)
}

/** At most `max` items; the list grows as they are read, so a lie about their number costs nothing. */
function readList<T>(reader: ByteReader, max: number, read: (reader: ByteReader) => T): T[] {
  const count = reader.varuint()
  if (count > max) throw new CorruptBytes(`a list of ${count}, at most ${max}`)
  const items: T[] = []
  for (let i = 0; i < count; i++) items.push(read(reader))
  return items
}
