/**
 * Messages of the worker protocol on their way through a client: the same, but for the numbers of the attempts. A number's
 * length may change, so a message is written anew around the bytes that stay.
 */

import { type ByteReader, type ByteWriter, CorruptBytes } from '../lib/bytes.ts'
import { ITEMS_MAX, JSON_BYTES_MAX, MESSAGE } from '../wire/frame.ts'
import { ABORT_REASONS, type AbortReason, readOutcome, readRun } from '../wire/work.ts'
import type { HandleMap } from './handle-map.ts'

/** Down to the worker: runs that were handed out. */
export function relayRuns(reader: ByteReader, handles: HandleMap, out: ByteWriter): void {
  const count = reader.varuint()
  if (count > ITEMS_MAX) throw new CorruptBytes(`${count} runs in a message`)
  out.u8(MESSAGE.runs)
  out.varuint(count)
  for (let i = 0; i < count; i++) {
    const start = reader.position
    const remote = reader.varuint()
    const from = reader.position
    reader.position = start
    readRun(reader)
    out.varuint(handles.begun(remote))
    out.slice(reader.source, from, reader.position)
  }
}

/** Down to the worker. What has ended here meanwhile is passed over. */
export function relayAbort(reader: ByteReader, handles: HandleMap, out: ByteWriter): void {
  const local = handles.localOf(reader.varuint())
  const reason = ABORT_REASONS[reader.u8()]
  if (reason === undefined) throw new CorruptBytes('an abort for no known reason')
  if (local !== undefined) writeAbort(out, local, reason)
}

export function writeAbort(out: ByteWriter, handle: number, reason: AbortReason): void {
  out.u8(MESSAGE.abort)
  out.varuint(handle)
  out.u8(ABORT_REASONS.indexOf(reason))
}

/**
 * Up to the gateway: what the worker says of its attempts, less what it says of those that were lost. False if the message
 * is not of this kind.
 */
export function relayReport(type: number, reader: ByteReader, handles: HandleMap, out: ByteWriter): boolean {
  if (type === MESSAGE.outcomes) {
    relayOutcomes(reader, handles, out)
    return true
  }
  if (type !== MESSAGE.started && type !== MESSAGE.progress && type !== MESSAGE.log) return false
  const remote = handles.remoteOf(reader.varuint())
  const from = reader.position
  if (type === MESSAGE.started) reader.f64()
  else reader.lenBytes(JSON_BYTES_MAX)
  if (remote === undefined) return true
  out.u8(type)
  out.varuint(remote)
  out.slice(reader.source, from, reader.position)
  return true
}

function relayOutcomes(reader: ByteReader, handles: HandleMap, out: ByteWriter): void {
  const count = reader.varuint()
  if (count > ITEMS_MAX) throw new CorruptBytes(`${count} outcomes in a message`)
  const kept: Array<{ readonly remote: number; readonly from: number; readonly to: number }> = []
  for (let i = 0; i < count; i++) {
    const start = reader.position
    const local = reader.varuint()
    const from = reader.position
    reader.position = start
    readOutcome(reader)
    const remote = handles.ended(local)
    if (remote !== undefined) kept.push({ remote, from, to: reader.position })
  }
  if (kept.length === 0) return
  out.u8(MESSAGE.outcomes)
  out.varuint(kept.length)
  for (const { remote, from, to } of kept) {
    out.varuint(remote)
    out.slice(reader.source, from, to)
  }
}
