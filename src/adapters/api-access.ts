/**
 * How the HTTP API of a node is found and entered by those who may read its data directory: two files in it, for their
 * owner's eyes only.
 *
 *     TOKEN   the token that the API wants, made once; it stays, so that others can be given it
 *     HTTP    {"url":…,"pid":…,"token":…}: where the API listens now; only while it does (a kill leaves it behind:
 *             who reads it looks whether the process still lives before it sends the token there)
 */

import { randomBytes } from 'node:crypto'
import { readFile, rm, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { CarillonError } from '../errors.ts'
import { storeError } from './store-error.ts'
import { writeWhole } from './whole-file.ts'

export interface ApiAccess {
  readonly url: string
  readonly pid: number
  readonly token: string
}

const TOKEN_FILE = 'TOKEN'
const HTTP_FILE = 'HTTP'
const TOKEN_BYTES = 32
const TOKEN_PATTERN = /^[\x21-\x7e]{16,512}$/

export function freshToken(): string {
  return randomBytes(TOKEN_BYTES).toString('base64url')
}

/**
 * The token of the data directory, made if there is none. Rejects with INVALID if the file is no token, or others than
 * its owner may read it; with STORE_FAILED or STORE_FULL if it can't be read or written.
 */
export async function apiToken(dataDir: string): Promise<string> {
  const path = join(resolve(dataDir), TOKEN_FILE)
  try {
    const known = await readIfThere(path)
    if (known !== undefined) {
      await checkMode(path)
      return checkToken(known.trim(), path)
    }
    const token = freshToken()
    await writeWhole(resolve(dataDir), TOKEN_FILE, `${token}\n`)
    return token
  } catch (error) {
    throw error instanceof CarillonError ? error : storeError(error, `could not read or write ${path}`)
  }
}

/** Tells where the API listens from now on. */
export async function announceApi(dataDir: string, api: ApiAccess): Promise<void> {
  await writeWhole(resolve(dataDir), HTTP_FILE, `${JSON.stringify(api)}\n`)
}

/** It listens there no more. */
export async function withdrawApi(dataDir: string): Promise<void> {
  await rm(join(resolve(dataDir), HTTP_FILE), { force: true })
}

/** The API that was announced last, if it was not withdrawn. Rejects if the file is there and can't be read. */
export async function findApi(dataDir: string): Promise<ApiAccess | undefined> {
  const text = await readIfThere(join(resolve(dataDir), HTTP_FILE))
  if (text === undefined) return undefined
  try {
    const { url, pid, token } = JSON.parse(text) as Partial<ApiAccess>
    if (typeof url !== 'string' || !Number.isSafeInteger(pid) || typeof token !== 'string') return undefined
    return { url, pid: pid as number, token }
  } catch {
    // Somebody has written into it: as if it were not there.
    return undefined
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
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
    `the token file ${path} is open to others (mode ${shown}): allowed is 0600; \`chmod 600 ${path}\`, or delete it for a new token`,
  )
}

function checkToken(token: string, path: string): string {
  if (TOKEN_PATTERN.test(token)) return token
  throw new CarillonError(
    'INVALID',
    `the token file ${path} holds no token: allowed are 16 to 512 printable characters; delete it for a new one`,
  )
}
