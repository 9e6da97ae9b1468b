/**
 * What a data directory keeps of the mesh, for its owner's eyes only:
 *
 *     MESH_SECRET  {"mesh":…,"secrets":[…]}: made by who started a mesh without a secret, or brought by a join token
 *     TOKENS       [{"id":…,"expiresAt":…}]: join tokens that were used here and have not expired
 */

import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { CarillonError } from '../../errors.ts'
import { storeError } from '../store-error.ts'
import { writeWhole } from '../whole-file.ts'
import type { UsedToken, UsedTokenStore } from './join-token.ts'
import { checkSecret, type MeshAccess } from './mesh-secret.ts'

const SECRET = 'MESH_SECRET'
const TOKENS = 'TOKENS'

export class MeshFiles {
  readonly #directory: string

  constructor(dataDir: string) {
    this.#directory = resolve(dataDir)
  }

  /** Undefined: there is no such file. Rejects with INVALID if it can't be used. */
  async access(): Promise<MeshAccess | undefined> {
    const text = await this.#read(SECRET)
    if (text === undefined) return undefined
    try {
      const { mesh, secrets } = JSON.parse(text) as { mesh: unknown; secrets: unknown }
      if (typeof mesh !== 'string' || !Array.isArray(secrets) || secrets.length === 0)
        throw new Error('of another form')
      for (const secret of secrets) checkSecret(secret)
      return { name: mesh, secrets: secrets as string[] }
    } catch (error) {
      throw new CarillonError(
        'INVALID',
        `the file ${join(this.#directory, SECRET)} can't be used (${(error as Error).message}): restore it, or delete it and give mesh.secret`,
      )
    }
  }

  keep({ name, secrets }: MeshAccess): Promise<void> {
    return this.#write(SECRET, { mesh: name, secrets })
  }

  readonly usedTokens: UsedTokenStore = {
    // A list that can't be read is one of nobody: a token that was used may be used again until it expires.
    load: async () => listOf(await this.#read(TOKENS)),
    save: used => this.#write(TOKENS, used),
  }

  async #read(file: string): Promise<string | undefined> {
    const path = join(this.#directory, file)
    try {
      return await readFile(path, 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw storeError(error, `could not read ${path}`)
    }
  }

  async #write(file: string, content: unknown): Promise<void> {
    try {
      await writeWhole(this.#directory, file, `${JSON.stringify(content)}\n`)
    } catch (error) {
      throw storeError(error, `could not write ${join(this.#directory, file)}`)
    }
  }
}

function listOf(text: string | undefined): readonly UsedToken[] {
  try {
    const list: unknown = JSON.parse(text ?? '[]')
    return Array.isArray(list) ? list.filter(isUsed) : []
  } catch {
    return []
  }
}

function isUsed(each: unknown): each is UsedToken {
  const { id, expiresAt } = (each ?? {}) as Partial<UsedToken>
  return typeof id === 'string' && Number.isSafeInteger(expiresAt)
}
