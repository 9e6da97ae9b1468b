/**
 * Contexts, former lists and the state of a range as bytes, for the wire and for the disk. Actors are named by their start
 * ids, which mean the same everywhere; a reader learns the ones that it does not know. Counts are checked before anything
 * is allocated, and what is wrong is CorruptBytes.
 */

import { ByteReader, ByteWriter, CorruptBytes, hexOf } from '../lib/bytes.ts'
import { type ActorCodec, START_ID_BYTES } from '../task/version.ts'
import { Context, type Dot } from './context.ts'
import type { RangeState } from './host.ts'
import { type FormerList, FormerLists } from './lists.ts'

/** The table of actors of this process. */
export interface ActorNames {
  /** By their start ids; who is not known yet gets a number. */
  readonly learning: ActorCodec
}

export const STORE_BYTES = 16
export const VIEW_ID_BYTES = 8
const NO_DOTS: readonly Dot[] = []
const DOTS_MAX = 20_000
const LISTS_MAX = 1000
const MEMBERS_MAX = 1000
const QUORUM_MAX = 1000
const STATE_FORMAT = 1

export function writeHex(out: ByteWriter, text: string, length: number): void {
  if (text.length !== length * 2) throw new RangeError(`"${text}" is not ${length} bytes in hex`)
  for (let i = 0; i < text.length; i += 2) {
    const byte = digit(text.charCodeAt(i)) * 16 + digit(text.charCodeAt(i + 1))
    if (!(byte >= 0)) throw new RangeError(`"${text}" is not hex`)
    out.u8(byte)
  }
}

/** NaN: it is none. */
function digit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48
  return code >= 97 && code <= 102 ? code - 87 : Number.NaN
}

export function readHex(reader: ByteReader, length: number): string {
  return hexOf(reader.bytes(length))
}

/** Throws CorruptBytes beyond `max`, and if the bytes that are left can't hold so many. */
export function readCount(reader: ByteReader, max: number, bytesEach: number): number {
  const count = reader.varuint()
  if (count > max || count * bytesEach > reader.remaining)
    throw new CorruptBytes(`${count} of at most ${max}`)
  return count
}

export function writeDots(out: ByteWriter, dots: readonly Dot[], names: ActorNames): void {
  out.varuint(dots.length)
  for (const { actor, n } of dots) writeDot(out, actor, n, names)
}

export function writeDot(out: ByteWriter, actor: number, n: number, names: ActorNames): void {
  names.learning.write(out, actor)
  out.varuint(n)
}

export function readDots(reader: ByteReader, names: ActorNames): readonly Dot[] {
  const count = readCount(reader, DOTS_MAX, START_ID_BYTES + 1)
  if (count === 0) return NO_DOTS
  const dots: Dot[] = []
  for (let i = 0; i < count; i++) dots.push(readDot(reader, names))
  return dots
}

export function readDot(reader: ByteReader, names: ActorNames): Dot {
  const actor = names.learning.read(reader)
  const n = reader.varuint()
  if (n === 0) throw new CorruptBytes('a dot without a number')
  return { actor, n }
}

export function writeContext(out: ByteWriter, context: Context, names: ActorNames): void {
  const { actors, ns } = context
  out.varuint(actors.length)
  for (let i = 0; i < actors.length; i++) writeDot(out, actors[i] as number, ns[i] as number, names)
  writeDots(out, context.holes, names)
  out.f64(context.life)
}

export function readContext(reader: ByteReader, names: ActorNames): Context {
  const dots = readDots(reader, names)
  if (new Set(dots.map(({ actor }) => actor)).size < dots.length)
    throw new CorruptBytes('an actor comes twice')
  const holes = readDots(reader, names)
  const life = reader.f64()
  if (Number.isNaN(life)) throw new CorruptBytes('a life that is not a number')
  const context = Context.from(dots, holes, life)
  for (const { actor, n } of holes) if (context.of(actor) < n) throw new CorruptBytes('a hole beyond its log')
  return context
}

function writeStores(out: ByteWriter, stores: readonly string[]): void {
  out.varuint(stores.length)
  for (const store of stores) writeHex(out, store, STORE_BYTES)
}

function readStores(reader: ByteReader): string[] {
  const count = readCount(reader, MEMBERS_MAX, STORE_BYTES)
  const stores: string[] = []
  for (let i = 0; i < count; i++) stores.push(readHex(reader, STORE_BYTES))
  if (new Set(stores).size < stores.length) throw new CorruptBytes('a store is in a list twice')
  return stores
}

function readQuorum(reader: ByteReader): number {
  const quorum = reader.varuint()
  if (quorum > QUORUM_MAX) throw new CorruptBytes(`a W of ${quorum}`)
  // A store that is not admitted acknowledges nothing.
  return quorum === 0 ? Number.POSITIVE_INFINITY : quorum
}

function writeQuorum(out: ByteWriter, quorum: number): void {
  out.varuint(quorum === Number.POSITIVE_INFINITY ? 0 : quorum)
}

export function writeLists(out: ByteWriter, lists: FormerLists): void {
  out.varuint(lists.all.length)
  for (const { members, quorum, formerAt, retiredAt } of lists.all) {
    writeStores(out, members)
    writeQuorum(out, quorum)
    out.f64(formerAt)
    out.f64(retiredAt)
  }
}

export function readLists(reader: ByteReader): FormerLists {
  const count = readCount(reader, LISTS_MAX, 18)
  const lists: FormerList[] = []
  for (let i = 0; i < count; i++) {
    const members = readStores(reader)
    const quorum = readQuorum(reader)
    const [formerAt, retiredAt] = [reader.f64(), reader.f64()]
    if (!Number.isFinite(formerAt) || Number.isNaN(retiredAt))
      throw new CorruptBytes('a list without its time')
    lists.push({ members, quorum, formerAt, retiredAt })
  }
  return FormerLists.from(lists)
}

/** What is kept of a range beside its records, as an entry of the journal and in the index. */
export function encodeState(state: RangeState, names: ActorNames): Uint8Array {
  const out = new ByteWriter()
  out.u8(STATE_FORMAT)
  out.u8(state.ready ? 1 : 0)
  writeContext(out, state.context, names)
  writeLists(out, state.lists)
  writeStores(out, state.list)
  writeQuorum(out, state.quorum)
  return out.take()
}

export function decodeState(bytes: Uint8Array, names: ActorNames): RangeState {
  const reader = new ByteReader(bytes)
  const format = reader.u8()
  if (format !== STATE_FORMAT) throw new CorruptBytes(`state format ${format}, known is ${STATE_FORMAT}`)
  const ready = readFlags(reader, 1) === 1
  const context = readContext(reader, names)
  const lists = readLists(reader)
  const list = readStores(reader)
  const quorum = readQuorum(reader)
  if (reader.remaining > 0) throw new CorruptBytes(`${reader.remaining} bytes follow a state`)
  return { context, lists, list, quorum, ready }
}

export function readFlags(reader: ByteReader, max: number): number {
  const flags = reader.u8()
  if (flags > max) throw new CorruptBytes(`unknown flags ${flags}`)
  return flags
}
