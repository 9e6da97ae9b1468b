/**
 * The mesh secret, and what is made of it. Whoever has it is let in; it never travels, except sealed by a join token.
 * The key is made of it at a price (scrypt, salted with the mesh's name), so that who records a handshake can't try
 * many secrets. While a secret is being changed a node knows two: the first is the one that it hands on.
 */

import { createHash, createHmac, randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { CarillonError } from '../../errors.ts'

export interface MeshAccess {
  /** 1 to 100 characters. Nodes of other meshes are told apart by it. */
  readonly name: string
  /** The newest first; at most two, while one replaces the other. None: a join token will bring them. */
  readonly secrets: readonly string[]
}

/** A key for each secret, in their order. */
export interface MeshKeys {
  readonly name: string
  /** Tells meshes apart without giving the name to strangers who don't know it. */
  readonly nameHash: Uint8Array
  readonly secrets: readonly string[]
  readonly keys: readonly Uint8Array[]
}

export const SECRET_LENGTH_MIN = 16
/** Two of them fit into what a stranger is told. */
export const SECRET_BYTES_MAX = 256
export const SECRETS_MAX = 2
const NAME_LENGTH_MAX = 100
const KEY_BYTES = 32
/** 32 MiB and a tenth of a second a guess. */
const SCRYPT = { N: 32_768, r: 8, p: 1, maxmem: 64 * 1024 * 1024 }

/** A secret that nobody guesses. */
export function freshSecret(): string {
  return randomBytes(32).toString('base64url')
}

/** Rejects with INVALID for a name or a secret that is not allowed. */
export async function meshKeys({ name, secrets }: MeshAccess): Promise<MeshKeys> {
  checkName(name)
  if (secrets.length > SECRETS_MAX) {
    throw invalid(
      'mesh.secret',
      `${secrets.length} secrets: allowed are ${SECRETS_MAX}, while one replaces the other`,
    )
  }
  for (const secret of secrets) checkSecret(secret)
  const keys: Uint8Array[] = []
  for (const secret of secrets) keys.push(await derived(secret, name))
  return { name, nameHash: hashOf('carillon mesh', Buffer.from(name)), secrets, keys }
}

function checkName(name: unknown): void {
  if (typeof name === 'string' && name.length >= 1 && name.length <= NAME_LENGTH_MAX) return
  throw invalid('mesh.name', `${JSON.stringify(name)}: allowed are 1 to ${NAME_LENGTH_MAX} characters`)
}

/** Throws INVALID; the message doesn't hold the secret. */
export function checkSecret(secret: unknown): void {
  const length = typeof secret === 'string' ? secret.length : 0
  const isShort = length < SECRET_LENGTH_MIN
  if (!isShort && Buffer.byteLength(secret as string) <= SECRET_BYTES_MAX) return
  throw invalid(
    'mesh.secret',
    `${typeof secret === 'string' ? `a text of ${length} characters` : typeof secret}: allowed are ` +
      `${SECRET_LENGTH_MIN} characters to ${SECRET_BYTES_MAX} bytes, the same on all nodes; ` +
      '`openssl rand -base64 32` prints a good one',
  )
}

function invalid(field: string, rest: string): CarillonError {
  return new CarillonError('INVALID', `${field} is ${rest}`, { field })
}

function derived(secret: string, name: string): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    scrypt(secret, `carillon mesh ${name}`, KEY_BYTES, SCRYPT, (error, key) =>
      error === null ? resolve(key) : reject(error),
    )
  })
}

/** A hash over parts that can't run into each other. */
export function hashOf(label: string, ...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash('sha256')
  for (const part of [Buffer.from(label), ...parts]) hash.update(lengthOf(part)).update(part)
  return hash.digest()
}

/** Proves that its maker has the key. */
export function proofOf(key: Uint8Array, label: string, ...parts: readonly Uint8Array[]): Uint8Array {
  const proof = createHmac('sha256', key)
  for (const part of [Buffer.from(label), ...parts]) proof.update(lengthOf(part)).update(part)
  return proof.digest()
}

/** In constant time. */
export function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}

function lengthOf(part: Uint8Array): Uint8Array {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(part.length)
  return length
}
