/**
 * One message as bytes: u8 type, varuint range, the fields of the type. Every length and count is checked before it is
 * used, a message ends where its fields end, and whatever is wrong is CorruptBytes.
 */

import { type ByteReader, type ByteWriter, CorruptBytes } from '../lib/bytes.ts'
import { DEFINITION_BYTES_MAX } from '../task/definition.ts'
import type { LogEntry } from './change-log.ts'
import {
  type ActorNames,
  readContext,
  readCount,
  readDot,
  readDots,
  readFlags,
  readHex,
  readLists,
  STORE_BYTES,
  VIEW_ID_BYTES,
  writeContext,
  writeDot,
  writeDots,
  writeHex,
  writeLists,
} from './context-codec.ts'
import { BUCKETS } from './copy.ts'
import type { Digest, Have, Message, Tail } from './messages.ts'

/** Numbers on the wire: they stay with the version of the frame. */
const TYPES = [
  'append',
  'have',
  'tail',
  'digest',
  'copy-offer',
  'copy-want',
  'copy-chunk',
  'copy-end',
  'tree',
  'activate',
  'activated',
  'overdue',
  'disown',
  'relay',
  'relayed',
  'stable',
  'in-step',
] as const satisfies readonly Message['type'][]

const KINDS: readonly Tail['kind'][] = ['ask', 'answer', 'tell']
const RANGES_MAX = 65_536
const ENTRIES_MAX = 100_000
const RECORDS_MAX = 100_000
const HASH_BYTES = 8
const HOPS_MAX = 2
/** A definition with results of its runs. */
export const CHANGE_BYTES_MAX = 1024 * 1024
export const EXTRAS_BYTES_MAX = 4 * 1024 * 1024
const READY = 1
const ACTIVE = 2
const ASKS = 4
const MEMORY_ONLY = 8
const KNOWS = 16

export function writeMessage(out: ByteWriter, message: Message, names: ActorNames): void {
  out.u8(TYPES.indexOf(message.type))
  out.varuint(message.range)
  switch (message.type) {
    case 'append':
      out.varuint(message.entries.length)
      for (const { actor, n, after, bytes } of message.entries) {
        writeDot(out, actor, n, names)
        writeDots(out, after, names)
        out.lenBytes(bytes)
      }
      return
    case 'have':
      out.u8(flagsOf(message))
      return writeContext(out, message.context, names)
    case 'stable':
      writeHex(out, message.viewId, VIEW_ID_BYTES)
      writeContext(out, message.context, names)
      return writeContext(out, message.upTo, names)
    case 'tail':
      out.u8(KINDS.indexOf(message.kind))
      out.varuint(message.number)
      writeHex(out, message.viewId, VIEW_ID_BYTES)
      out.u8(flagsOf(message))
      writeContext(out, message.context, names)
      return writeLists(out, message.lists)
    case 'digest':
      out.u8(flagsOf(message))
      out.u32le(message.seen)
      return writeHex(out, message.hash, HASH_BYTES)
    case 'in-step':
      out.varuint(message.count)
      return out.u32le(message.sum)
    case 'copy-offer':
      return
    case 'copy-want':
      out.varuint(message.copy)
      out.varuint(message.chunk)
      return writeBuckets(out, message.buckets)
    case 'copy-chunk':
      out.varuint(message.copy)
      out.varuint(message.chunk)
      out.ascii(message.after)
      out.u8(message.upTo === undefined ? 0 : 1)
      if (message.upTo !== undefined) out.ascii(message.upTo)
      writeContext(out, message.context, names)
      out.varuint(message.records.length)
      for (const record of message.records) out.lenBytes(record)
      return out.lenBytes(message.extras)
    case 'copy-end':
      return out.varuint(message.copy)
    case 'tree':
      writeHex(out, message.at, HASH_BYTES)
      for (const sum of message.buckets) out.u32le(sum)
      return
    case 'activate':
      out.varuint(message.number)
      return writeContext(out, message.context, names)
    case 'activated':
      return out.varuint(message.number)
    case 'overdue':
      writeHex(out, message.viewId, VIEW_ID_BYTES)
      return out.ascii(message.id)
    case 'disown':
      return writeHex(out, message.viewId, VIEW_ID_BYTES)
    case 'relay':
      out.varuint(message.source)
      out.ascii(message.id)
      writeHex(out, message.origin, STORE_BYTES)
      out.u8(message.hops)
      return out.lenBytes(message.definition)
    case 'relayed':
      out.varuint(message.source)
      return out.ascii(message.id)
  }
}

/** Reads a message that ends where the reader ends. */
export function readMessage(reader: ByteReader, names: ActorNames): Message {
  const code = reader.u8()
  const type = TYPES[code]
  if (type === undefined) throw new CorruptBytes(`unknown message ${code}`)
  const message = readFields(reader, type, readRange(reader), names)
  if (reader.remaining > 0) throw new CorruptBytes(`${reader.remaining} bytes follow a message`)
  return message
}

function readFields(
  reader: ByteReader,
  type: (typeof TYPES)[number],
  range: number,
  names: ActorNames,
): Message {
  switch (type) {
    case 'append':
      return { type, range, entries: readEntries(reader, names) }
    case 'have': {
      const { durable } = stateOf(readFlags(reader, MEMORY_ONLY))
      return { type, range, durable, context: readContext(reader, names) }
    }
    case 'stable': {
      const viewId = readHex(reader, VIEW_ID_BYTES)
      return { type, range, viewId, context: readContext(reader, names), upTo: readContext(reader, names) }
    }
    case 'tail': {
      const kind = KINDS[reader.u8()]
      if (kind === undefined) throw new CorruptBytes('unknown kind of a tail')
      const number = reader.varuint()
      const viewId = readHex(reader, VIEW_ID_BYTES)
      const flags = readFlags(reader, READY | ACTIVE | MEMORY_ONLY | KNOWS)
      const state = { ...stateOf(flags), knows: (flags & KNOWS) !== 0 }
      const context = readContext(reader, names)
      return { type, range, kind, number, viewId, ...state, context, lists: readLists(reader) }
    }
    case 'digest': {
      const flags = readFlags(reader, READY | ACTIVE | ASKS | MEMORY_ONLY)
      const asks = (flags & ASKS) !== 0
      const seen = reader.u32le()
      return { type, range, ...stateOf(flags), asks, seen, hash: readHex(reader, HASH_BYTES) }
    }
    case 'in-step':
      if (range !== 0) throw new CorruptBytes('a word on all ranges that names one')
      return { type, range, count: reader.varuint(), sum: reader.u32le() }
    case 'copy-offer':
      return { type, range }
    case 'copy-want':
      return { type, range, copy: reader.varuint(), chunk: reader.varuint(), buckets: readBuckets(reader) }
    case 'copy-chunk':
      return readChunk(reader, range, names)
    case 'copy-end':
      return { type, range, copy: reader.varuint() }
    case 'tree': {
      const at = readHex(reader, HASH_BYTES)
      return { type, range, at, buckets: Array.from({ length: BUCKETS }, () => reader.u32le()) }
    }
    case 'activate':
      return { type, range, number: reader.varuint(), context: readContext(reader, names) }
    case 'activated':
      return { type, range, number: reader.varuint() }
    case 'overdue':
      return { type, range, viewId: readHex(reader, VIEW_ID_BYTES), id: reader.ascii() }
    case 'disown':
      return { type, range, viewId: readHex(reader, VIEW_ID_BYTES) }
    case 'relay': {
      const [source, id] = [readRange(reader), reader.ascii()]
      const origin = readHex(reader, STORE_BYTES)
      const hops = readFlags(reader, HOPS_MAX)
      return {
        type,
        range,
        source,
        id,
        origin,
        hops,
        definition: reader.lenBytes(DEFINITION_BYTES_MAX).slice(),
      }
    }
    case 'relayed':
      return { type, range, source: readRange(reader), id: reader.ascii() }
  }
}

function readRange(reader: ByteReader): number {
  const range = reader.varuint()
  if (range >= RANGES_MAX) throw new CorruptBytes(`range ${range}`)
  return range
}

function readEntries(reader: ByteReader, names: ActorNames): LogEntry[] {
  const count = readCount(reader, ENTRIES_MAX, 11)
  const entries: LogEntry[] = []
  for (let i = 0; i < count; i++) {
    const { actor, n } = readDot(reader, names)
    const after = readDots(reader, names)
    // Views of the frame: the log lets go of all its changes at about the same time.
    entries.push({ actor, n, after, bytes: reader.lenBytes(CHANGE_BYTES_MAX) })
  }
  return entries
}

function readChunk(reader: ByteReader, range: number, names: ActorNames): Message {
  const [copy, chunk, after] = [reader.varuint(), reader.varuint(), reader.ascii()]
  const upTo = readFlags(reader, 1) === 1 ? reader.ascii() : undefined
  if (upTo !== undefined && upTo < after) throw new CorruptBytes('a chunk that ends before it begins')
  const context = readContext(reader, names)
  const count = readCount(reader, RECORDS_MAX, 1)
  const records: Uint8Array[] = []
  for (let i = 0; i < count; i++) records.push(reader.lenBytes(CHANGE_BYTES_MAX).slice())
  const extras = reader.lenBytes(EXTRAS_BYTES_MAX).slice()
  return { type: 'copy-chunk', range, copy, chunk, after, upTo, context, records, extras }
}

function flagsOf(message: Have | Tail | Digest): number {
  const none = { ready: false, active: false, asks: false, knows: false }
  const { ready, active, asks, knows, durable } = { ...none, ...message }
  const said = (ready ? READY : 0) | (active ? ACTIVE : 0) | (asks ? ASKS : 0) | (knows ? KNOWS : 0)
  return said | (durable ? 0 : MEMORY_ONLY)
}

function stateOf(flags: number): { ready: boolean; active: boolean; durable: boolean } {
  return {
    ready: (flags & READY) !== 0,
    active: (flags & ACTIVE) !== 0,
    durable: (flags & MEMORY_ONLY) === 0,
  }
}

function writeBuckets(out: ByteWriter, buckets: readonly number[]): void {
  out.varuint(buckets.length)
  for (const bucket of buckets) out.u8(bucket)
}

function readBuckets(reader: ByteReader): number[] {
  const count = readCount(reader, BUCKETS, 1)
  const buckets: number[] = []
  for (let i = 0; i < count; i++) {
    const bucket = reader.u8()
    if (bucket >= BUCKETS) throw new CorruptBytes(`bucket ${bucket}`)
    buckets.push(bucket)
  }
  return buckets
}
