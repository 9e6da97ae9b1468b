/** What replication can be set to; config.ts holds the values. All durations in ms. */

import type { ChangeLogOptions } from './change-log.ts'
import type { CopyOptions } from './copy.ts'
import type { InboxOptions } from './inbox.ts'

export interface ReplicationOptions {
  /** What is under way is looked at this often, and what has come up as much later at most. Shorter: more wake-ups. */
  readonly tickMs: number
  readonly log: ChangeLogOptions
  readonly copy: CopyOptions
  readonly inbox: InboxOptions
  /** How long a new owner waits for enough of its lists before it goes on unsure. Longer: surer, later fires. */
  readonly unsureAfterMs: number
  /**
   * The same for a store that lives, and acts or may, until it has said that it does not; and for any that lives, of one that
   * has nothing of the range yet. Longer: completed runs are not begun again on a busy machine; what a store has that hangs,
   * and is not found out, fires later.
   */
  readonly unsureWhenActsMs: number
  /**
   * The same of one that has nothing of the range yet, for a store that lives and is connected. It is late: what hangs is found
   * out, and a connection that is stuck is cut, long before. Shorter: on a very busy machine completed runs are begun again.
   */
  readonly unsureWhenNewMs: number
  /** The same from its own start on, if nobody has acted for the range since: the others may be starting as well. */
  readonly unsureAfterStartMs: number
  /** A question without an answer is asked again. Shorter: faster over a bad network, more messages. */
  readonly askMs: number
  /** What a peer has not confirmed is sent again. */
  readonly resendMs: number
  /** Between two digests of a range to a peer that is not in step. Shorter: faster convergence, more gossip. */
  readonly digestMs: number
  /** Between two words on all ranges to a peer that is. Shorter: what no protocol explains is seen sooner. */
  readonly digestIdleMs: number
  /**
   * Between two comparisons of a range's records at equal contexts. They find what no protocol explains. Shorter: sooner,
   * and all records are read from the disk more often, three times in each of these.
   */
  readonly treeMs: number
  /** Between two words of an owner of what all have. Longer: what has ended stays in memory for longer, fewer messages. */
  readonly stableMs: number
  /** Changes in one append, bytes. */
  readonly appendBytesMax: number
  /** How late an occurrence is before a replica asks for its owner. */
  readonly overdueMs: number
  /** How long a sealed range waits for the next owner. */
  readonly sealMs: number
  /** How long a store is gone before its former lists do not wait for it any more. */
  readonly goneRetireMs: number
}

export const REPLICATION_DEFAULTS: ReplicationOptions = {
  tickMs: 50,
  log: { changesMax: 4096, bytesMax: 4 * 1024 * 1024 },
  copy: { chunkRecordsMax: 1000, chunkBytesMax: 128 * 1024, retryMs: 500, patienceMs: 10_000 },
  inbox: { messagesMax: 64, bytesMax: 1024 * 1024 },
  unsureAfterMs: 1000,
  unsureWhenActsMs: 30_000,
  unsureWhenNewMs: 300_000,
  unsureAfterStartMs: 5000,
  askMs: 250,
  resendMs: 500,
  digestMs: 1000,
  digestIdleMs: 10_000,
  treeMs: 30 * 60_000,
  stableMs: 250,
  appendBytesMax: 192 * 1024,
  overdueMs: 2000,
  sealMs: 2000,
  goneRetireMs: 24 * 60 * 60 * 1000,
}
