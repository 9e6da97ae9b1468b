/**
 * A journal blob: one commit, hence one value under `j/<seq>`, written and synced whole. It says who wrote it (the
 * actor: store, boot and start id), which commit it is, how long it is and what its bytes sum to, so that a torn or
 * flipped blob is told from a good one, and a missing one from none.
 *
 * Layout: u32 magic, u8 version, u32 length of all, u32 crc32 of all that follows, f64 seq, 16 bytes store,
 * u32 boot, 8 bytes start id, then entries: u8 kind, u16 range, varuint n, u32 length, body.
 */

import { ByteReader, type ByteWriter, CorruptBytes } from '../lib/bytes.ts'
import { crc32 } from '../lib/crc32.ts'
import { START_ID_BYTES } from '../task/version.ts'

const MAGIC = 0x6e_6c_72_63 // 'crln', little endian
const VERSION = 1
const CRC_FROM = 13
export const BLOB_HEADER_BYTES = CRC_FROM + 8 + 16 + 4 + 8
const NO_HEADER = new Uint8Array(BLOB_HEADER_BYTES)

/**
 * Kinds of entries. `change` is one of this boot, `remoteChange` one of another actor, whose start id comes first. Then
 * entries of the strict log with its promises and decisions, and the roster, which have their numbers and are not
 * written yet. The rest is of a mesh as well: a record that was copied, what is kept of a range beside its records, that
 * this is gone, that the records are gone, that one of them is (its id, then f64 life), and requestIds of a copy.
 */
export const ENTRY = {
  change: 1,
  remoteChange: 2,
  strictEntry: 3,
  strictPromise: 4,
  strictAccepted: 5,
  strictDecided: 6,
  roster: 7,
  record: 8,
  state: 9,
  stateDeleted: 10,
  recordsDeleted: 11,
  dropped: 12,
  extras: 13,
} as const

export const STORE_ID_BYTES = 16

/** Who writes: one start of one store. New at each start, so that a lost dot is never minted again. */
export interface Actor {
  /** Its number in this store's table of actors. */
  readonly index: number
  readonly store: Uint8Array
  readonly boot: number
  readonly startId: Uint8Array
}

/** Leaves room for the header; entries follow, then sealBlob fills it in. */
export function beginBlob(out: ByteWriter): void {
  out.reset()
  out.bytes(NO_HEADER)
}

/** Opens an entry and returns where its length stands, for endEntry. */
export function beginEntry(out: ByteWriter, kind: number, range: number, n: number): number {
  out.u8(kind)
  out.u8(range & 255)
  out.u8(range >> 8)
  out.varuint(n)
  const at = out.position
  out.u32le(0)
  return at
}

export function endEntry(out: ByteWriter, at: number): void {
  out.patchU32(at, out.position - at - 4)
}

/** Fills the header in; the returned view is the blob until the writer is reset. */
export function sealBlob(out: ByteWriter, seq: number, actor: Actor): Uint8Array {
  const blob = out.view()
  const header = new DataView(blob.buffer, blob.byteOffset, BLOB_HEADER_BYTES)
  header.setUint32(0, MAGIC, true)
  header.setUint8(4, VERSION)
  header.setUint32(5, blob.length, true)
  header.setFloat64(CRC_FROM, seq, true)
  blob.set(actor.store, CRC_FROM + 8)
  header.setUint32(CRC_FROM + 24, actor.boot, true)
  blob.set(actor.startId, CRC_FROM + 28)
  header.setUint32(9, crc32(blob.subarray(CRC_FROM)), true)
  return blob
}

export interface Blob {
  readonly seq: number
  readonly store: Uint8Array
  readonly boot: number
  readonly startId: Uint8Array
  /** Entries, in order; throws CorruptBytes where one is not whole. */
  entries(): Generator<BlobEntry>
}

export interface BlobEntry {
  readonly kind: number
  readonly range: number
  readonly n: number
  /** Positioned at the body; its end is the body's end. */
  readonly body: ByteReader
}

/** Reads a blob's header and checks its sum; throws CorruptBytes. */
export function openBlob(bytes: Uint8Array): Blob {
  const reader = new ByteReader(bytes)
  if (bytes.length < BLOB_HEADER_BYTES) throw new CorruptBytes(`blob of ${bytes.length} bytes`)
  const magic = reader.u32le()
  if (magic !== MAGIC) throw new CorruptBytes(`not a journal blob: magic ${magic.toString(16)}`)
  const version = reader.u8()
  if (version !== VERSION) throw new CorruptBytes(`blob version ${version}, known is ${VERSION}`)
  const length = reader.u32le()
  if (length !== bytes.length) throw new CorruptBytes(`blob of ${bytes.length} bytes says ${length}`)
  const sum = reader.u32le()
  const actual = crc32(bytes.subarray(CRC_FROM))
  if (sum !== actual) throw new CorruptBytes(`blob sums to ${actual.toString(16)}, says ${sum.toString(16)}`)
  const seq = reader.f64()
  const store = reader.bytes(STORE_ID_BYTES)
  const boot = reader.u32le()
  const startId = reader.bytes(START_ID_BYTES)
  return { seq, store, boot, startId, entries: () => entriesOf(bytes) }
}

function* entriesOf(bytes: Uint8Array): Generator<BlobEntry> {
  const reader = new ByteReader(bytes, BLOB_HEADER_BYTES)
  while (reader.remaining > 0) {
    const kind = reader.u8()
    const range = reader.u8() | (reader.u8() << 8)
    const n = reader.varuint()
    const length = reader.u32le()
    if (length > reader.remaining)
      throw new CorruptBytes(`entry of ${length} bytes, ${reader.remaining} left`)
    const start = reader.position
    yield { kind, range, n, body: new ByteReader(bytes, start, start + length) }
    reader.position = start + length
  }
}
