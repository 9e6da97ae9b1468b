/**
 * Store: an ordered map from binary keys to binary values on one disk. Keys compare as unsigned bytes.
 *
 * Contract, checked by one conformance suite on every adapter:
 * - `write` is atomic: all of its operations or none, also across a crash. Operations apply in order (a later one
 *   of the same key wins). With `sync: true` it resolves only when the batch would survive a power cut; unsynced
 *   writes may be lost at a crash, newest first (a lost write means all later unsynced ones are lost too). A synced
 *   write makes all earlier writes durable.
 * - Writes take effect in the order they were called. A read that is called after `write` resolved sees it.
 * - `cursor` reads a snapshot taken when it was called: later writes do not show.
 * - The caller must not change keys or values it passed before `write` resolves; what reads return is the caller's.
 * - Errors are CarillonErrors: `STORE_FULL` (no space; nothing of that batch is to be trusted until `reopen`
 *   succeeded, then it may be written again), `STORE_CORRUPT` (checksum), `STORE_FAILED` (anything else; the
 *   adapter is unusable). After an error of a write every further write fails until `reopen` or for ever.
 */

export type StoreOp =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: Uint8Array }

export interface KeyRange {
  readonly gte: Uint8Array
  readonly lt: Uint8Array
}

export interface CursorOptions extends KeyRange {
  /** Descending order. Default: false. */
  readonly reverse?: boolean
  /** False: values come back empty, which is cheaper. Default: true. */
  readonly values?: boolean
}

export interface StoreCursor {
  /** At most `max` (>= 1) next entries; an empty array at the end. Not to be called again before it resolved. */
  next(max: number): Promise<Array<[key: Uint8Array, value: Uint8Array]>>
  /** Frees the snapshot. Safe to call twice. */
  close(): Promise<void>
}

export interface Store {
  /** True if what was written survives a restart of the process. */
  readonly durable: boolean
  open(): Promise<void>
  write(ops: readonly StoreOp[], options: { readonly sync: boolean }): Promise<void>
  get(key: Uint8Array): Promise<Uint8Array | undefined>
  getMany(keys: readonly Uint8Array[]): Promise<Array<Uint8Array | undefined>>
  cursor(options: CursorOptions): StoreCursor
  /** Deletes every key of the range; not atomic, not synced (a crash may leave a part). */
  clear(range: KeyRange): Promise<void>
  /** After STORE_FULL: closes and opens again. Rejects with STORE_FULL while there is still no space. */
  reopen(): Promise<void>
  /** Free and total bytes of the disk that the store lies on; Infinity where there is no bound. */
  space(): Promise<{ freeBytes: number; totalBytes: number }>
  /** Waits for calls under way. Safe to call twice. */
  close(): Promise<void>
}
