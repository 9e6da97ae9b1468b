/**
 * Members on the wire: the record in full (some hundred bytes) and the pieces of news (some twenty to fifty). Lengths
 * and numbers are checked before anything is made of them; what is out of bounds is CorruptBytes.
 */

import { type ByteReader, ByteWriter, CorruptBytes, hexOf } from '../lib/bytes.ts'
import { MEMBER_STATES, type MemberRecord, type MemberState, type StoreId } from './view.ts'

export const STORE_ID_BYTES = 16
export const START_ID_BYTES = 8
export const VIEW_ID_BYTES = 8
export const NODE_LENGTH_MAX = 128
export const ZONE_LENGTH_MAX = 64
export const ADDRESS_LENGTH_MAX = 200
export const ADDRESSES_MAX = 4
export const WEIGHT_MAX = 1000
/** Boots, incarnations and ballots; far above what is ever reached, far below where sums lose digits. */
export const COUNTER_MAX = 2 ** 40

/** A piece of news, as it is piggybacked. */
export type News =
  | { readonly kind: 'record'; readonly record: MemberRecord }
  /** A state of a boot that the reader knows in full; without effect if it does not. */
  | {
      readonly kind: 'state'
      readonly store: StoreId
      readonly boot: number
      readonly incarnation: number
      readonly state: MemberState
    }
  | {
      readonly kind: 'suspect'
      readonly store: StoreId
      readonly boot: number
      readonly incarnation: number
      readonly voter: StoreId
    }
  /** The voter saw a reset and a refused redial. */
  | { readonly kind: 'crash'; readonly store: StoreId; readonly boot: number; readonly voter: StoreId }
  | { readonly kind: 'removed'; readonly store: StoreId }

const KINDS: readonly News['kind'][] = ['record', 'state', 'suspect', 'crash', 'removed']

export function writeNews(writer: ByteWriter, news: News): void {
  writer.u8(KINDS.indexOf(news.kind))
  if (news.kind === 'record') return writeRecord(writer, news.record)
  writeHex(writer, news.store)
  if (news.kind === 'removed') return
  writer.varuint(news.boot)
  if (news.kind === 'crash') return writeHex(writer, news.voter)
  writer.varuint(news.incarnation)
  if (news.kind === 'state') writer.u8(MEMBER_STATES.indexOf(news.state))
  else writeHex(writer, news.voter)
}

/** The bytes of one piece, as frames carry them. */
export function encodeNews(news: News): Uint8Array {
  const writer = new ByteWriter(128)
  writeNews(writer, news)
  return writer.take()
}

export function readNews(reader: ByteReader): News {
  const kind = KINDS[reader.u8()]
  if (kind === undefined) throw new CorruptBytes('an unknown kind of news')
  if (kind === 'record') return { kind, record: readRecord(reader) }
  const store = readStore(reader)
  if (kind === 'removed') return { kind, store }
  const boot = readCounter(reader)
  if (kind === 'crash') return { kind, store, boot, voter: readStore(reader) }
  const incarnation = readCounter(reader)
  if (kind === 'state') return { kind, store, boot, incarnation, state: readState(reader) }
  return { kind, store, boot, incarnation, voter: readStore(reader) }
}

export function writeRecord(writer: ByteWriter, record: MemberRecord): void {
  writeHex(writer, record.store)
  writer.ascii(record.node)
  writer.ascii(record.zone)
  writer.varuint(record.weight)
  writer.u8(record.addresses.length)
  for (const address of record.addresses) writer.ascii(address)
  writer.varuint(record.boot)
  writeHex(writer, record.startId)
  writer.varuint(record.incarnation)
  writer.u8(MEMBER_STATES.indexOf(record.state))
}

export function readRecord(reader: ByteReader): MemberRecord {
  const store = readStore(reader)
  const node = readText(reader, NODE_LENGTH_MAX, 'node')
  if (node === '') throw new CorruptBytes('a member without a node id')
  const zone = readText(reader, ZONE_LENGTH_MAX, 'zone')
  const weight = reader.varuint()
  if (weight > WEIGHT_MAX) throw new CorruptBytes(`weight ${weight}, at most ${WEIGHT_MAX}`)
  const addresses = readAddresses(reader)
  const boot = readCounter(reader)
  const startId = readHex(reader, START_ID_BYTES)
  const incarnation = readCounter(reader)
  return { store, node, zone, weight, addresses, boot, startId, incarnation, state: readState(reader) }
}

export function readAddresses(reader: ByteReader): string[] {
  const count = reader.u8()
  if (count > ADDRESSES_MAX) throw new CorruptBytes(`${count} addresses, at most ${ADDRESSES_MAX}`)
  const addresses: string[] = []
  for (let i = 0; i < count; i++) addresses.push(readText(reader, ADDRESS_LENGTH_MAX, 'address'))
  return addresses
}

export function readCounter(reader: ByteReader): number {
  const value = reader.varuint()
  if (value > COUNTER_MAX) throw new CorruptBytes(`a counter of ${value}`)
  return value
}

export function readStore(reader: ByteReader): StoreId {
  return readHex(reader, STORE_ID_BYTES) as StoreId
}

export function readHex(reader: ByteReader, bytes: number): string {
  return hexOf(reader.bytes(bytes))
}

export function writeHex(writer: ByteWriter, hex: string): void {
  for (let i = 0; i < hex.length; i += 2) writer.u8(Number.parseInt(hex.slice(i, i + 2), 16))
}

function readState(reader: ByteReader): MemberState {
  const state = MEMBER_STATES[reader.u8()]
  if (state === undefined) throw new CorruptBytes('an unknown state of a member')
  return state
}

function readText(reader: ByteReader, lengthMax: number, what: string): string {
  const text = reader.ascii()
  if (text.length > lengthMax) throw new CorruptBytes(`${what} of ${text.length}, at most ${lengthMax}`)
  return text
}
