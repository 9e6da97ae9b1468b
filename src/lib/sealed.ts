/**
 * Small values of the store that are JSON: a checksum stands before the text, since a flipped digit would read as well
 * as the right one. Layout: u32 crc32 of what follows (little endian), then JSON in UTF-8.
 */

import { CarillonError } from '../errors.ts'
import { ByteReader, CorruptBytes, utf8Of } from './bytes.ts'
import { crc32 } from './crc32.ts'

const SUM_BYTES = 4

export function sealJson(value: unknown): Uint8Array {
  const text = Buffer.from(JSON.stringify(value))
  const sealed = Buffer.allocUnsafeSlow(SUM_BYTES + text.length)
  sealed.writeUInt32LE(crc32(text))
  sealed.set(text, SUM_BYTES)
  return sealed
}

/** What `read` makes of the value; whatever is wrong with it is STORE_CORRUPT, and `what` says where. */
export function openJson<T>(bytes: Uint8Array, what: string, read: (value: unknown) => T): T {
  try {
    const sum = new ByteReader(bytes).u32le()
    if (sum !== crc32(bytes.subarray(SUM_BYTES))) throw new CorruptBytes('it does not match its checksum')
    return read(JSON.parse(utf8Of(bytes, SUM_BYTES)))
  } catch (cause) {
    if (cause instanceof CarillonError) throw cause
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new CarillonError('STORE_CORRUPT', `${what} can't be read: ${why}`, { cause })
  }
}
