/**
 * LinkWorker: what runs handlers for another engine, over the same session in which this node asks it for what it acts
 * for: the worker half of such a session. The link reads and writes frames; this one knows the messages of the worker
 * protocol (wire/work.ts).
 */

import type { ByteReader, ByteWriter } from '../lib/bytes.ts'

export interface LinkWorker {
  /** The session stands: its first frame may be written. */
  opened(): void
  /** Takes a message of the other engine, runs or abort; false: it is not its own. Throws CorruptBytes. */
  handleMessage(type: number, reader: ByteReader): boolean
  /** Appends what this turn gathered. */
  takeOutgoing(out: ByteWriter): void
  closed(): void
}
