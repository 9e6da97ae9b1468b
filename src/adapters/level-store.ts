/**
 * LevelStore: the Store port on LevelDB (classic-level), the only file that imports it, and only when opened.
 *
 * What LevelDB alone does not keep, and this does (tried with classic-level 3.0.0, LevelDB 1.20, on Linux):
 * - Order. Calls run on a pool of threads, so two writes under way at once may change places: here one write is
 *   under way at a time, the others wait.
 * - A full disk. A write that finds no space leaves half a record in the log. If space comes back, LevelDB accepts
 *   and acknowledges further writes behind that record, synced ones too, and its recovery then drops them without
 *   a word. So after a failed write every write fails until `reopen`, whose recovery cuts the half record off.
 *   No space for a compaction makes LevelDB itself fail every write, with megabytes still free, until it is
 *   opened again; opening needs space for the whole log as a table. Nothing acknowledged was lost in any trial.
 * - A synced write makes earlier ones durable only if they lie in the same log file: when a log fills up, LevelDB
 *   starts the next without syncing it. A synced write that follows unsynced ones therefore syncs older log files.
 *   (Left open: a power cut right after a change of logs may lose the end of the old one and keep unsynced writes
 *   in the new one, so unsynced writes are not always lost strictly newest first.)
 * - A store whose file CURRENT is gone is opened as an empty one, and the data deleted: here it is STORE_CORRUPT.
 * - A path is locked by its name within one process: open only through data-dir.ts, which resolves symlinks.
 *
 * What neither keeps: LevelDB, as classic-level sets it up, does not check its checksums when it reads a table, and
 * drops damaged records of its log without a word. A flipped bit shows as a wrong key or value, or as the end of
 * the log being gone. Whoever stores records here gives each a checksum, and a sequence that shows a gap.
 *
 * A key has at least one byte; the empty one is used to try the disk.
 */

import { open as openFile, readdir, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import type { ClassicLevel, Iterator as LevelIterator } from 'classic-level'
import { CarillonError, isCarillonError } from '../errors.ts'
import { invariant } from '../invariant.ts'
import type { CursorOptions, KeyRange, Store, StoreCursor, StoreOp } from '../ports/store.ts'
import { storeError } from './store-error.ts'

/**
 * Each number in bytes, if nothing else is said. The defaults were measured with blobs of 5 and 100 KB that are
 * deleted soon, and with millions of records of 100 bytes: benchmarks/store.ts.
 */
export interface LevelStoreOptions {
  /**
   * The log that fills up before it is written as a table. Higher: fewer tables, but two logs lie in memory (8 MiB
   * cost 55 MB of RSS under a stream of large blobs, 32 MiB 90 MB), and a start replays one. It does not save the
   * second write of blobs that died early: LevelDB writes those as well. Default: 8 MiB.
   */
  readonly writeBufferSize?: number
  /** One table file. Higher: fewer files, longer compactions, more memory mapped. Default: 4 MiB. */
  readonly maxFileSize?: number
  /** Blocks kept in memory for reads. Higher: more memory, fewer reads of the disk. Default: 8 MiB. */
  readonly cacheSize?: number
  /** What one read of the disk brings. Higher: better for cursors, worse for single keys. Default: 8 KiB. */
  readonly blockSize?: number
  /**
   * Table files kept open: a number of files, at least 74. Higher: single keys of a large store are found sooner;
   * but LevelDB maps open tables into memory, and the process seems to grow by up to this times maxFileSize (the
   * kernel takes those pages back when it needs them). Default: 100.
   */
  readonly maxOpenFiles?: number
  /** Snappy, done when tables are written; without it more is written, and loading is slower. Default: true. */
  readonly compression?: boolean
  /** A cursor's page ends early at this size. Default: 1 MiB. */
  readonly pageBytes?: number
  /** `reopen` is refused with less free space than this. Default: twice writeBufferSize. */
  readonly reopenFreeBytesMin?: number
}

type Level = ClassicLevel<Uint8Array, Uint8Array>

interface PendingWrite {
  readonly work: (level: Level) => Promise<void>
  readonly sync: boolean
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

const emptyKey = new Uint8Array(0)
const noValue = new Uint8Array(0)
const writeBufferSizeDefault = 8 * 1024 * 1024

export class LevelStore implements Store {
  readonly durable = true
  readonly #path: string
  readonly #options: LevelStoreOptions
  #level: Level | undefined
  readonly #queue: PendingWrite[] = []
  #drained: Promise<void> | undefined
  /** True if a write since the last synced one was not synced. */
  #unsynced = false
  /** The error of a write: since then no write is let through. */
  #failure: CarillonError | undefined

  constructor(path: string, options: LevelStoreOptions = {}) {
    this.#path = path
    this.#options = options
  }

  async open(): Promise<void> {
    invariant(this.#level === undefined, 'a level store is opened once')
    await this.#assertNoRemains()
    const { ClassicLevel } = await import('classic-level')
    const level: Level = new ClassicLevel(this.#path, {
      keyEncoding: 'view',
      valueEncoding: 'view',
      writeBufferSize: this.#options.writeBufferSize ?? writeBufferSizeDefault,
      maxFileSize: this.#options.maxFileSize ?? 4 * 1024 * 1024,
      cacheSize: this.#options.cacheSize ?? 8 * 1024 * 1024,
      blockSize: this.#options.blockSize ?? 8 * 1024,
      maxOpenFiles: this.#options.maxOpenFiles ?? 100,
      compression: this.#options.compression ?? true,
    })
    try {
      await level.open()
    } catch (error) {
      await level.close()
      throw this.#translate(error, 'open')
    }
    this.#level = level
    // What an earlier process wrote last may lie in the page cache only.
    this.#unsynced = true
  }

  write(ops: readonly StoreOp[], options: { readonly sync: boolean }): Promise<void> {
    const { sync } = options
    return this.#enqueue(sync, level => apply(level, ops, sync))
  }

  clear(range: KeyRange): Promise<void> {
    return this.#enqueue(false, level => level.clear({ gte: range.gte, lt: range.lt }))
  }

  async get(key: Uint8Array): Promise<Uint8Array | undefined> {
    try {
      return plain(await this.#opened().get(key))
    } catch (error) {
      throw this.#translate(error, 'read')
    }
  }

  async getMany(keys: readonly Uint8Array[]): Promise<Array<Uint8Array | undefined>> {
    try {
      return (await this.#opened().getMany(keys as Uint8Array[])).map(plain)
    } catch (error) {
      throw this.#translate(error, 'read')
    }
  }

  cursor(options: CursorOptions): StoreCursor {
    const { gte, lt, reverse = false, values = true } = options
    const iterator = this.#opened().iterator<Uint8Array, Uint8Array>({
      gte,
      lt,
      reverse,
      values,
      highWaterMarkBytes: this.#options.pageBytes ?? 1024 * 1024,
    })
    return new LevelCursor(iterator, error => this.#translate(error, 'read'))
  }

  async reopen(): Promise<void> {
    if (this.#failure !== undefined && this.#failure.code !== 'STORE_FULL') throw this.#failure
    await this.#drained
    // Before closing, so that reads go on while there is no space.
    const { freeBytes } = await this.space()
    const neededBytes =
      this.#options.reopenFreeBytesMin ?? 2 * (this.#options.writeBufferSize ?? writeBufferSizeDefault)
    if (freeBytes < neededBytes) {
      const message = `the disk of ${this.#path} has ${freeBytes} bytes free and needs ${neededBytes} to go on`
      throw new CarillonError('STORE_FULL', message)
    }
    const level = this.#level
    this.#level = undefined
    await level?.close()
    await this.open()
    this.#failure = undefined
    // The proof that there is space: quotas, for one, don't show in the free space.
    await this.write([{ type: 'del', key: emptyKey }], { sync: true })
  }

  async space(): Promise<{ freeBytes: number; totalBytes: number }> {
    try {
      const { bavail, blocks, bsize } = await statfs(this.#path)
      return { freeBytes: bavail * bsize, totalBytes: blocks * bsize }
    } catch (error) {
      throw this.#translate(error, 'look at the space of')
    }
  }

  async close(): Promise<void> {
    const level = this.#level
    this.#level = undefined
    await this.#drained
    await level?.close()
  }

  #opened(): Level {
    if (this.#level !== undefined) return this.#level
    throw this.#failure ?? new CarillonError('CLOSED', `the store in ${this.#path} is not open`)
  }

  #enqueue(sync: boolean, work: PendingWrite['work']): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    return new Promise((resolve, reject) => {
      this.#opened()
      this.#queue.push({ work, sync, resolve, reject })
      this.#drained ??= this.#drain()
    })
  }

  /** Carries out the waiting writes one after the other. Never rejects. */
  async #drain(): Promise<void> {
    const level = this.#opened()
    for (let write = this.#queue.shift(); write !== undefined; write = this.#queue.shift()) {
      if (this.#failure !== undefined) {
        write.reject(this.#failure)
        continue
      }
      try {
        await write.work(level)
        if (write.sync && this.#unsynced) await this.#syncOlderLogs()
        this.#unsynced = !write.sync
        write.resolve()
      } catch (error) {
        this.#failure = this.#translate(error, 'write to')
        write.reject(this.#failure)
      }
    }
    this.#drained = undefined
  }

  /** LevelDB takes a directory without CURRENT for a new one, and deletes what lies in it. */
  async #assertNoRemains(): Promise<void> {
    const names = await readdir(this.#path).catch((): string[] => [])
    const remains = names.filter(name => /^\d+\.(log|ldb|sst)$/.test(name))
    if (remains.length === 0 || names.includes('CURRENT')) return
    const message = `the store in ${this.#path} has lost its file CURRENT, and ${remains.length} files of data are left`
    throw new CarillonError('STORE_CORRUPT', message)
  }

  async #syncOlderLogs(): Promise<void> {
    const logs = (await readdir(this.#path)).filter(name => /^\d+\.log$/.test(name))
    logs.sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10))
    logs.pop()
    for (const log of logs) {
      try {
        const file = await openFile(join(this.#path, log), 'r')
        await file.datasync().finally(() => file.close())
      } catch (error) {
        // A log that is gone lies in a synced table.
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      }
    }
  }

  #translate(error: unknown, doing: string): CarillonError {
    if (isCarillonError(error)) return error
    return storeError(error, `could not ${doing} the store in ${this.#path}`)
  }
}

/** A single put or del goes without a batch: the journal's hot case. */
function apply(level: Level, ops: readonly StoreOp[], sync: boolean): Promise<void> {
  const first = ops[0]
  if (first === undefined) return sync ? level.del(emptyKey, { sync }) : Promise.resolve()
  if (ops.length === 1) {
    return first.type === 'put' ? level.put(first.key, first.value, { sync }) : level.del(first.key, { sync })
  }
  const batch = level.batch()
  for (const op of ops) {
    if (op.type === 'put') batch.put(op.key, op.value)
    else batch.del(op.key)
  }
  return batch.write({ sync })
}

class LevelCursor implements StoreCursor {
  readonly #iterator: LevelIterator<Level, Uint8Array, Uint8Array>
  readonly #translate: (error: unknown) => CarillonError

  constructor(
    iterator: LevelIterator<Level, Uint8Array, Uint8Array>,
    translate: (error: unknown) => CarillonError,
  ) {
    this.#iterator = iterator
    this.#translate = translate
  }

  async next(max: number): Promise<Array<[key: Uint8Array, value: Uint8Array]>> {
    try {
      const entries = await this.#iterator.nextv(max)
      return entries.map(([key, value]) => [plain(key), value === undefined ? noValue : plain(value)])
    } catch (error) {
      throw this.#translate(error)
    }
  }

  async close(): Promise<void> {
    await this.#iterator.close()
  }
}

/** LevelDB's Buffer as a plain Uint8Array over the same bytes: a Buffer's slice() doesn't copy. */
function plain<T extends Uint8Array | undefined>(bytes: T): T {
  if (bytes === undefined) return bytes
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength) as NonNullable<T>
}
