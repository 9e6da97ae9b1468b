/**
 * A join token: lets one node in, once, and soon. It says where its issuer is, and holds a key that only the issuer can
 * make again: of the mesh's key, the token's id and its end. The joiner shows the issuer that it has that key, and gets
 * the mesh's secrets for it; to anybody else the token says nothing, and nobody else is asked.
 *
 * The hazard: until its end, or until it is used, whoever reads the token can join. Used tokens are remembered until
 * they would have ended anyway, also over restarts of the issuer, if it has a place to keep them.
 */

import { CarillonError } from '../../errors.ts'
import { ByteReader, ByteWriter, CorruptBytes } from '../../lib/bytes.ts'
import { parseAddress } from './addresses.ts'
import { proofOf } from './mesh-secret.ts'

export interface JoinToken {
  readonly id: Uint8Array
  /** Wall clock of the issuer, epoch milliseconds. */
  readonly expiresAt: number
  readonly mesh: string
  /** The node id of who issued it. */
  readonly issuer: string
  /** Where the issuer can be dialled. */
  readonly addresses: readonly string[]
  readonly key: Uint8Array
}

export const TOKEN_ID_BYTES = 16
export const TOKEN_TTL_MS = 600_000
const PREFIX = 'crl1.'
const KEY_BYTES = 32
const ADDRESSES_MAX = 16
const LENGTH_MAX = 4096

/** What only members can make of a token's id and end. */
export function tokenKey(meshKey: Uint8Array, id: Uint8Array, expiresAt: number): Uint8Array {
  return proofOf(meshKey, 'carillon join token', id, instantBytes(expiresAt))
}

export function writeToken(token: JoinToken): string {
  const writer = new ByteWriter()
  writer.bytes(token.id)
  writer.varuint(token.expiresAt)
  writer.bytes(token.key)
  writer.utf8(token.mesh)
  writer.utf8(token.issuer)
  const addresses = token.addresses.slice(0, ADDRESSES_MAX)
  writer.u8(addresses.length)
  for (const address of addresses) writer.utf8(address)
  return PREFIX + Buffer.from(writer.view()).toString('base64url')
}

/** Throws INVALID. Whether it is still good only its issuer can say. */
export function readToken(text: string): JoinToken {
  if (!text.startsWith(PREFIX) || text.length > LENGTH_MAX) throw invalid()
  try {
    const reader = new ByteReader(Buffer.from(text.slice(PREFIX.length), 'base64url'))
    const id = reader.bytes(TOKEN_ID_BYTES).slice()
    const expiresAt = reader.varuint()
    const key = reader.bytes(KEY_BYTES).slice()
    const mesh = reader.utf8(LENGTH_MAX)
    const issuer = reader.utf8(LENGTH_MAX)
    const addresses = Array.from({ length: reader.u8() }, () => reader.utf8(LENGTH_MAX))
    if (reader.remaining > 0) throw invalid()
    for (const address of addresses) parseAddress(address, 'token')
    return { id, expiresAt, mesh, issuer, addresses, key }
  } catch (error) {
    if (error instanceof CorruptBytes || error instanceof CarillonError) throw invalid()
    throw error
  }
}

function invalid(): CarillonError {
  const message = `the join token is not one: allowed is what a member printed, whole, like ${PREFIX}…`
  return new CarillonError('INVALID', message, { field: 'token' })
}

export function instantBytes(at: number): Uint8Array {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(at))
  return bytes
}

/** Keeps the tokens that were used, so that a restart of the issuer doesn't let them be used again. */
export interface UsedTokenStore {
  load(): Promise<readonly UsedToken[]>
  /** Resolves when they are on disk, instead of those that were. */
  save(used: readonly UsedToken[]): Promise<void>
}

export interface UsedToken {
  /** Hex digits. */
  readonly id: string
  readonly expiresAt: number
}

/** Most used tokens that are remembered; beyond, none is taken until some have ended. */
const USED_MAX = 10_000

export class UsedTokens {
  readonly #store: UsedTokenStore | undefined
  readonly #used = new Map<string, number>()
  #saved: Promise<void> = Promise.resolve()

  constructor(store: UsedTokenStore | undefined) {
    this.#store = store
  }

  async load(now: number): Promise<void> {
    for (const { id, expiresAt } of (await this.#store?.load()) ?? []) {
      if (expiresAt > now) this.#used.set(id, expiresAt)
    }
  }

  /** False if it was used before, or there is no room to remember it. Once it resolves true nobody else gets true. */
  async use(id: Uint8Array, expiresAt: number, now: number): Promise<boolean> {
    const hex = Buffer.from(id).toString('hex')
    for (const [other, until] of this.#used) if (until <= now) this.#used.delete(other)
    if (this.#used.has(hex) || this.#used.size >= USED_MAX) return false
    this.#used.set(hex, expiresAt)
    // One after the other: a save that is overtaken would bring an older list back.
    const save = async (): Promise<void> => {
      await this.#store?.save([...this.#used].map(([each, until]) => ({ id: each, expiresAt: until })))
    }
    const saved = this.#saved.then(save)
    this.#saved = saved.catch(() => {})
    await saved
    return true
  }
}
