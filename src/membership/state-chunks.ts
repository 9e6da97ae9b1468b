/** A full state cut into frames, each of which stands for itself: members and marks are joins, so a lost chunk costs time only. */

import { MARKS_MAX, RECORDS_MAX } from './messages.ts'
import type { MemberRecord, StoreId } from './view.ts'

export interface StateChunk {
  readonly records: readonly MemberRecord[]
  readonly marks: readonly StoreId[]
}

/** At least one chunk, each of at most `bytesMax` bytes beside the frame's head (or of one record). */
export function stateChunks(
  records: Iterable<MemberRecord>,
  marks: Iterable<StoreId>,
  bytesMax: number,
): StateChunk[] {
  const chunks: { records: MemberRecord[]; marks: StoreId[] }[] = [{ records: [], marks: [] }]
  let bytes = 0
  const room = (wanted: number, full: (chunk: StateChunk) => boolean) => {
    const last = chunks[chunks.length - 1] as (typeof chunks)[number]
    if (bytes + wanted <= bytesMax && !full(last)) {
      bytes += wanted
      return last
    }
    if (bytes === 0) return last
    const next = { records: [], marks: [] }
    chunks.push(next)
    bytes = wanted
    return next
  }
  for (const record of records)
    room(bytesOf(record), chunk => chunk.records.length >= RECORDS_MAX).records.push(record)
  for (const mark of marks) room(16, chunk => chunk.marks.length >= MARKS_MAX).marks.push(mark)
  return chunks
}

/** Not below what record-codec.ts writes. */
function bytesOf({ node, zone, addresses }: MemberRecord): number {
  return 64 + node.length + zone.length + addresses.reduce((sum, address) => sum + 1 + address.length, 0)
}
