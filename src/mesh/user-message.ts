/** The messages of a user's thread, as far as a client's relay has to read them. Throws CorruptBytes or SyntaxError. */

import { type ByteReader, CorruptBytes } from '../lib/bytes.ts'
import type { CallRequest } from '../wire/calls.ts'
import { ITEMS_MAX, JSON_BYTES_MAX, MESSAGE } from '../wire/frame.ts'
import type { Hello } from '../wire/work.ts'

export type UserMessage =
  /** To be answered: its bytes, a copy. */
  | {
      readonly type: 'ask'
      readonly kind: 'schedule' | 'call'
      readonly call: number
      readonly count: number
      readonly isPatient: boolean
      readonly bytes: Uint8Array
    }
  | { readonly type: 'forget'; readonly call: number; readonly of: number }
  | { readonly type: 'close'; readonly call: number; readonly graceMs: number }
  | { readonly type: 'hello'; readonly hello: Hello }
  /** The worker's: the reader stands behind the type byte. */
  | { readonly type: 'report'; readonly report: number }

const HELLO_BYTES_MAX = 4 * 1024 * 1024

export function readUserMessage(reader: ByteReader): UserMessage {
  const from = reader.position
  const type = reader.u8()
  if (type === MESSAGE.schedule) {
    const call = reader.varuint()
    reader.varuint() // the mark: it stays as it is
    const count = reader.varuint()
    if (count === 0 || count > ITEMS_MAX) throw new CorruptBytes(`${count} items in a batch`)
    for (let i = 0; i < count; i++) reader.skip(reader.u32le())
    const bytes = reader.source.slice(from, reader.position)
    return { type: 'ask', kind: 'schedule', call, count, isPatient: false, bytes }
  }
  if (type === MESSAGE.hello)
    return { type: 'hello', hello: JSON.parse(reader.utf8(HELLO_BYTES_MAX)) as Hello }
  if (type !== MESSAGE.call) return { type: 'report', report: type }
  const call = reader.varuint()
  const request = JSON.parse(reader.utf8(JSON_BYTES_MAX)) as CallRequest
  if (request.method === 'forget') return { type: 'forget', call, of: request.call }
  if (request.method === 'close') return { type: 'close', call, graceMs: request.graceMs }
  const bytes = reader.source.slice(from, reader.position)
  return { type: 'ask', kind: 'call', call, count: 1, isPatient: request.method === 'result', bytes }
}
