/**
 * A node's data directory: made, checked, locked and opened.
 *
 *     FORMAT   {"format":1,"product":"carillon"}: written before anything else, whole or not at all
 *     OWNER    {"pid":…,"host":…,"startedAt":…}: who has it open; only for people and error messages
 *     TOKEN, HTTP   of the HTTP API, where one was asked for: see api-access.ts
 *     NODE_KEY the node's identity, where it has a network: see network/node-key.ts
 *     MESH_SECRET, TOKENS   of its mesh: see network/mesh-files.ts
 *     db/      the LevelStore; its LOCK is the lock of the directory
 *
 * The lock belongs to the operating system (fcntl) and ends with its process, however that ends, so none is ever
 * stale. LevelDB refuses a second open in one process by the path's name: hence the real path, without symlinks
 * (the same directory bound to two mount points is not noticed).
 *
 * A directory that holds other people's files is refused, and nothing is written to it.
 */

import { access, constants, mkdir, readdir, readFile, realpath, rm } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { CarillonError, isCarillonError } from '../errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { Store } from '../ports/store.ts'
import { LevelStore, type LevelStoreOptions } from './level-store.ts'
import { storeError } from './store-error.ts'
import { syncDirectory, writeWhole } from './whole-file.ts'

export interface DataDirOptions {
  readonly clock: Clock
  /** How long to wait for another holder to go away. Higher: a restart survives a slow end. Default: 5000. */
  readonly waitMs?: number
  readonly level?: LevelStoreOptions
}

export interface DataDir {
  /** The real path: absolute, without symlinks. */
  readonly path: string
  readonly store: Store
  /** Closes the store and gives the directory up. Safe to call twice. */
  close(): Promise<void>
}

const format = 1
const product = 'carillon'
const retryMs = 100
const waitMsDefault = 5000

/**
 * Opens the data directory, which is made if there is none. Rejects with `STORE_LOCKED` if somebody has it,
 * `STORE_FORMAT` if it is not ours or of another version, `INVALID` if it is no directory.
 */
export async function openDataDir(givenPath: string, options: DataDirOptions): Promise<DataDir> {
  const path = await makeDirectory(resolve(givenPath))
  await checkFormat(path)
  const store = await openStore(path, options)
  const ownerPath = join(path, 'OWNER')
  try {
    const owner = {
      pid: process.pid,
      host: hostname(),
      startedAt: new Date(options.clock.now()).toISOString(),
    }
    await writeWhole(path, 'OWNER', `${JSON.stringify(owner)}\n`)
  } catch (error) {
    await store.close()
    throw storeError(error, `could not write ${ownerPath}`)
  }
  let closed: Promise<void> | undefined
  const close = async (): Promise<void> => {
    // Before the lock goes: afterwards the file may be the next owner's.
    await rm(ownerPath, { force: true }).catch(() => {})
    await store.close()
  }
  return {
    path,
    store,
    close() {
      closed ??= close()
      return closed
    },
  }
}

async function makeDirectory(path: string): Promise<string> {
  try {
    const made = await makeAll(path)
    const real = await realpath(path)
    // readdir() of a file fails with ENOTDIR, which mkdir() does not on every platform.
    await readdir(real)
    await access(real, constants.R_OK | constants.W_OK | constants.X_OK)
    if (made !== undefined) await syncDirectory(dirname(made))
    return real
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOTDIR' || code === 'EEXIST') {
      throw new CarillonError('INVALID', `the data directory ${path} is not a directory`, { cause: error })
    }
    if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
      const message = `no permission to read and write the data directory ${path} (${code}); it must belong to the user that runs Carillon`
      throw new CarillonError('STORE_FAILED', message, { cause: error })
    }
    throw storeError(error, `could not make the data directory ${path}`)
  }
}

/**
 * Makes the directory and those above it; returns the highest that it made. Node's own `recursive` tries for ever
 * where the system says ENOENT of a directory that can't be made (as in /proc), with a thread that nothing ends.
 */
async function makeAll(path: string): Promise<string | undefined> {
  try {
    return (await makeOne(path)) ? path : undefined
  } catch (error) {
    const above = dirname(path)
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || above === path) throw error
    const made = (await exists(above)) ? undefined : await makeAll(above)
    return (await makeOne(path)) ? (made ?? path) : made
  }
}

/** False if it is there already. */
async function makeOne(path: string): Promise<boolean> {
  try {
    await mkdir(path, { mode: 0o700 })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

async function checkFormat(path: string): Promise<void> {
  const formatPath = join(path, 'FORMAT')
  const text = await readFormat(formatPath)
  if (text !== undefined) {
    assertKnown(text, formatPath)
    return
  }
  // What an opening leaves behind that was cut short; and what mkfs puts into a fresh file system.
  const foreign = (await readdir(path)).filter(name => !/^FORMAT$|^FORMAT\..*\.tmp$|^lost\+found$/.test(name))
  if (foreign.length > 0) {
    const message =
      `${path} is not a data directory of Carillon: it has no FORMAT file, and it is not empty (it holds ` +
      `${foreign.slice(0, 3).join(', ')}${foreign.length > 3 ? ', …' : ''}). Name an empty or a new directory`
    throw new CarillonError('STORE_FORMAT', message)
  }
  try {
    await writeWhole(path, 'FORMAT', `${JSON.stringify({ format, product })}\n`)
  } catch (error) {
    throw storeError(error, `could not write ${formatPath}`)
  }
}

async function readFormat(formatPath: string): Promise<string | undefined> {
  try {
    return await readFile(formatPath, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw storeError(error, `could not read ${formatPath}`)
  }
}

function assertKnown(text: string, formatPath: string): void {
  let found: unknown
  try {
    found = JSON.parse(text)
  } catch {
    found = undefined
  }
  const record = typeof found === 'object' && found !== null ? (found as Record<string, unknown>) : {}
  if (record.product === product && record.format === format) return
  const says = text.length > 80 ? `${text.slice(0, 80)}…` : text
  const message =
    record.product === product
      ? `is of format ${JSON.stringify(record.format)}, and this Carillon knows format ${format}. Use the Carillon that wrote it`
      : `says ${JSON.stringify(says)} where ${JSON.stringify({ format, product })} was expected. It is not Carillon's, or damaged`
  throw new CarillonError(
    'STORE_FORMAT',
    `the data directory's ${formatPath} ${message}, or name another directory`,
  )
}

async function openStore(path: string, options: DataDirOptions): Promise<LevelStore> {
  const { clock, waitMs = waitMsDefault } = options
  const until = clock.monotonic() + waitMs
  for (;;) {
    const store = new LevelStore(join(path, 'db'), options.level)
    try {
      await store.open()
      return store
    } catch (error) {
      if (!isCarillonError(error, 'STORE_LOCKED')) throw error
      if (clock.monotonic() >= until) throw await locked(path, error)
    }
    await new Promise<void>(resolve => clock.setTimer(retryMs, resolve))
  }
}

async function locked(path: string, cause: unknown): Promise<CarillonError> {
  const { pid, host, startedAt } = await readOwner(path)
  const who =
    pid === process.pid && host === hostname() ? 'this process itself' : `process ${pid} on host ${host}`
  const since = `since ${startedAt}`
  const message =
    `the data directory ${path} is in use by ${pid === undefined ? 'another process' : `${who}, ${since}`}. ` +
    'A directory belongs to one node at a time: stop that one, or name another directory'
  return new CarillonError('STORE_LOCKED', message, { cause })
}

async function readOwner(path: string): Promise<{ pid?: unknown; host?: unknown; startedAt?: unknown }> {
  try {
    const owner: unknown = JSON.parse(await readFile(join(path, 'OWNER'), 'utf8'))
    return typeof owner === 'object' && owner !== null ? owner : {}
  } catch {
    // The holder has not written it yet, or has just removed it.
    return {}
  }
}
