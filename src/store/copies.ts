/**
 * Records as they go to other stores: their actors by start ids, and without what is each store's own (what is kept of
 * ended runs, and until when).
 */

import { ByteWriter } from '../lib/bytes.ts'
import type { RecordHead } from '../replication/host.ts'
import { hasEnded } from '../task/merge.ts'
import { NEVER, Run, type TaskRecord } from '../task/record.ts'
import type { Actors } from '../task/version.ts'
import { decodeSnapshot, encodeSnapshot } from './snapshot.ts'

const out = new ByteWriter(4096)

export function encodeCopy(record: TaskRecord, actors: Actors): Uint8Array {
  return encodeSnapshot(out, record, actors, true)
}

/** Learns the actors that are not known. Throws CorruptBytes. */
export function decodeCopy<R extends Run>(
  bytes: Uint8Array,
  range: number,
  makeRun: (record: TaskRecord<R>, instant: number, manual: boolean) => R,
  actors: Actors,
): TaskRecord<R> {
  const record = decodeSnapshot(bytes, range, makeRun, actors.learning)
  record.kept = []
  record.expiresAt = NEVER
  return record
}

export function headOf(record: TaskRecord): RecordHead {
  return { id: record.id, dots: record.dots, ended: hasEnded(record) }
}

/**
 * The same text for the same record, in whatever order its changes came. `prunes`: without ended runs and what is known
 * of former versions, which each store forgets when it knows that all have them.
 */
export function canonical(record: TaskRecord, actors: Actors, prunes = false): string {
  const makeRun = (_: TaskRecord, instant: number, manual: boolean): Run => new Run(instant, manual)
  const copy = decodeCopy<Run>(encodeCopy(record, actors), record.range, makeRun, actors)
  if (prunes) {
    copy.runs = copy.runs.filter(run => copy.isOpen(run))
    copy.closedBefore = []
  }
  copy.dots = [...copy.dots].sort((a, b) => actors.compare(a.actor, b.actor))
  copy.closedBefore = [...copy.closedBefore].sort(
    (a, b) => a.version.rev - b.version.rev || a.version.hlc - b.version.hlc || a.closed - b.closed,
  )
  copy.runs.sort((a, b) => a.instant - b.instant || Number(a.manual) - Number(b.manual))
  return Buffer.from(encodeCopy(copy, actors)).toString('base64')
}
