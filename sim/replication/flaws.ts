/** Known bugs of what the rest of the engine does: only the hunt for mutants sets them. */

import type { mergeRecords } from '../../src/task/merge.ts'
import type { TaskRecord } from '../../src/task/record.ts'
import type { Records } from './records.ts'

export interface Flaws {
  /** Before a change is applied to a record. */
  before?(record: TaskRecord): void
  /** After it. */
  applied?(record: TaskRecord): void
  /** Instead of the merge of a copied record. */
  merge?: typeof mergeRecords
  /** Before a record is dropped. */
  dropped?(records: Records, record: TaskRecord | undefined): void
  /** Lives of dropped records are not remembered. */
  forgetsLives?: boolean
  /** A start takes the actor of the start before. */
  repeatsActor?: boolean
  /** A rolled-back disk keeps its store id. */
  keepsRolledBack?: boolean
  /** Follow-ups are never relayed. */
  relaysNothing?: boolean
  /** W is a majority of the live. */
  countsLive?: boolean
  /** A crash takes the boot back that was raised at the start. */
  losesBoot?: boolean
  /** What a request has made is not remembered. */
  forgetsRequests?: boolean
  /** Known requests are acknowledged at once. */
  trustsKnown?: boolean
}
