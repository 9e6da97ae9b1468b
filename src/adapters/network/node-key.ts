/**
 * A node's identity: an ed25519 key, in the file NODE_KEY of its data directory, for its owner's eyes only. It is made
 * at the first start and stays: others know the node by it. Without a data directory it lives as long as the process.
 */

import { randomBytes } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { CarillonError } from '../../errors.ts'
import { storeError } from '../store-error.ts'
import { writeWhole } from '../whole-file.ts'

const FILE = 'NODE_KEY'
const SEED_BYTES = 32
const PATTERN = /^ed25519:([A-Za-z0-9_-]{43})$/

/** 32 secret bytes of which the key is made. */
export function freshNodeKey(): Uint8Array {
  return randomBytes(SEED_BYTES)
}

/**
 * The key of the data directory, made if there is none; the directory must have been opened. Rejects with INVALID if
 * the file is no key or others may read it; with STORE_FAILED or STORE_FULL if it can't be read or written.
 */
export async function nodeKey(dataDir: string): Promise<Uint8Array> {
  const directory = resolve(dataDir)
  const path = join(directory, FILE)
  try {
    const text = await readIfThere(path)
    if (text !== undefined) {
      await checkMode(path)
      return seedOf(text, path)
    }
    const seed = freshNodeKey()
    await writeWhole(directory, FILE, `ed25519:${Buffer.from(seed).toString('base64url')}\n`)
    return seed
  } catch (error) {
    throw error instanceof CarillonError ? error : storeError(error, `could not read or write ${path}`)
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

async function checkMode(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const { mode } = await stat(path)
  if ((mode & 0o077) === 0) return
  const shown = (mode & 0o777).toString(8).padStart(4, '0')
  throw new CarillonError(
    'INVALID',
    `the key file ${path} is open to others (mode ${shown}): allowed is 0600; \`chmod 600 ${path}\`, or delete it, ` +
      'and the node gets another id',
  )
}

function seedOf(text: string, path: string): Uint8Array {
  const [, digits] = PATTERN.exec(text.trim()) ?? []
  const seed = Buffer.from(digits ?? '', 'base64url')
  if (seed.length === SEED_BYTES) return seed
  throw new CarillonError(
    'INVALID',
    `the key file ${path} holds no key: restore it, or delete it, and the node gets another id`,
  )
}
