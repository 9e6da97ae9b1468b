/**
 * Small values of the store, most of them JSON: a checksum stands before the text, since a flipped digit would read as well
 * as the right one. Layout: u32 crc32 of what follows (little endian), then JSON in UTF-8.
 */

import { CarillonError } from '../errors.ts'
import { ByteReader, CorruptBytes, utf8Of } from './bytes.ts'
import { crc32 } from './crc32.ts'

const SUM_BYTES = 4

export function sealJson(value: unknown): Uint8Array {
  return sealBytes(Buffer.from(JSON.stringify(value)))
}

/** The same before bytes that are no JSON. */
export function sealBytes(bytes: Uint8Array): Uint8Array {
  const sealed = Buffer.allocUnsafeSlow(SUM_BYTES + bytes.length)
  sealed.writeUInt32LE(crc32(bytes))
  sealed.set(bytes, SUM_BYTES)
  return sealed
}

/** Throws CorruptBytes. */
export function openBytes(sealed: Uint8Array): Uint8Array {
  const sum = new ByteReader(sealed).u32le()
  const bytes = sealed.subarray(SUM_BYTES)
  if (sum !== crc32(bytes)) throw new CorruptBytes('it does not match its checksum')
  return bytes
}

/** What `read` makes of the value; whatever is wrong with it is STORE_CORRUPT, and `what` says where. */
export function openJson<T>(bytes: Uint8Array, what: string, read: (value: unknown) => T): T {
  try {
    return read(JSON.parse(utf8Of(openBytes(bytes), 0)))
  } catch (cause) {
    if (cause instanceof CarillonError) throw cause
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new CarillonError('STORE_CORRUPT', `${what} can't be read: ${why}`, { cause })
  }
}
