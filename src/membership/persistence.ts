/**
 * What membership keeps on disk, below the letter `v` of the store (store/keys.ts):
 *
 *   vm              the founding value of the mesh we belong to
 *   vf              the founding's acceptor: promise, acceptance, fresh stores seen
 *   vs              our own starts: (store, boot, start id), the latest ones
 *   vr<store>       a member: its record and what we remember of its starts; or the mark of a removed one
 *
 * Each value is sealed JSON. Writes are gathered while one is under way (group commit); what must not be told before it
 * is on disk is told in the callback of its commit. A failed write ends membership: the store never lies.
 */

import { CarillonError } from '../errors.ts'
import { CorruptBytes } from '../lib/bytes.ts'
import { openJson, sealJson } from '../lib/sealed.ts'
import type { Store, StoreOp } from '../ports/store.ts'
import type { FoundingState, FoundingValue } from './founding.ts'
import { STARTS_MAX } from './messages.ts'
import type { StoreMemory } from './store-memory.ts'
import type { MemberRecord, StoreId } from './view.ts'

export interface OwnStart {
  readonly store: StoreId
  readonly boot: number
  readonly startId: string
}

/** Under `vr`: a record may come without a memory (gossip), and a memory without a record (a store that asked to join). */
export interface KeptMember {
  readonly record: MemberRecord | undefined
  readonly memory: StoreMemory | undefined
  readonly removed: boolean
}

export interface Kept {
  readonly mesh: FoundingValue | undefined
  readonly founding: FoundingState | undefined
  readonly starts: readonly OwnStart[]
  readonly members: ReadonlyMap<StoreId, KeptMember>
}

const V = 0x76
const MESH_KEY = Uint8Array.of(V, 0x6d)
const FOUNDING_KEY = Uint8Array.of(V, 0x66)
const STARTS_KEY = Uint8Array.of(V, 0x73)
const PAGE = 500

export class MembershipDisk {
  readonly #store: Pick<Store, 'getMany' | 'cursor' | 'write'>
  readonly #failed: (error: unknown) => void
  #ops: StoreOp[] = []
  #after: Array<() => void> = []
  #writing = false
  #closed = false
  #idle: Array<() => void> = []
  /** Of those who wait for a promise, as long as nothing has failed. */
  #rejects: Array<(error: unknown) => void> = []

  /** `failed`: a write was not done; nothing more is written. */
  constructor(store: Pick<Store, 'getMany' | 'cursor' | 'write'>, failed: (error: unknown) => void) {
    this.#store = store
    this.#failed = failed
  }

  async load(): Promise<Kept> {
    const [mesh, founding, starts] = await this.#store.getMany([MESH_KEY, FOUNDING_KEY, STARTS_KEY])
    const members = new Map<StoreId, KeptMember>()
    const cursor = this.#store.cursor({ gte: Uint8Array.of(V, 0x72), lt: Uint8Array.of(V, 0x73) })
    try {
      for (;;) {
        const page = await cursor.next(PAGE)
        if (page.length === 0) break
        for (const [key, value] of page) {
          const store = Buffer.from(key.subarray(2)).toString('hex') as StoreId
          members.set(
            store,
            openJson(value, `the member ${store}`, json => keptOf(json)),
          )
        }
      }
    } finally {
      await cursor.close()
    }
    return {
      mesh: mesh && openJson(mesh, "the mesh's founding", json => objectOf(json) as unknown as FoundingValue),
      founding:
        founding && openJson(founding, 'the founding', json => objectOf(json) as unknown as FoundingState),
      starts: starts === undefined ? [] : openJson(starts, 'the starts', json => json as OwnStart[]),
      members,
    }
  }

  putMesh(value: FoundingValue): void {
    this.#put(MESH_KEY, value)
  }

  putFounding(state: FoundingState): void {
    this.#put(FOUNDING_KEY, state)
  }

  putStarts(starts: readonly OwnStart[]): void {
    this.#put(STARTS_KEY, starts)
  }

  putMember(store: StoreId, kept: KeptMember): void {
    this.#put(memberKey(store), kept)
  }

  dropMember(store: StoreId): void {
    this.#ops.push({ type: 'del', key: memberKey(store) })
  }

  /** What was put so far is synced, and then `after` is called. */
  commit(after?: () => void): void {
    if (this.#closed) return
    if (after !== undefined) this.#after.push(after)
    void this.#write()
  }

  /** Resolves when what was put so far is synced. */
  synced(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(new CarillonError('CLOSED', 'membership was stopped'))
      this.#rejects.push(reject)
      this.commit(resolve)
    })
  }

  /** The same for what nobody waits for. */
  flush(): void {
    if (!this.#closed && this.#ops.length > 0) void this.#write()
  }

  /** No further commit; resolves when what was under way is done. */
  async close(): Promise<void> {
    this.#closed = true
    if (this.#writing) await new Promise<void>(resolve => this.#idle.push(resolve))
  }

  #put(key: Uint8Array, value: unknown): void {
    this.#ops.push({ type: 'put', key, value: sealJson(value) })
  }

  async #write(): Promise<void> {
    if (this.#writing) return
    this.#writing = true
    try {
      while (this.#ops.length > 0 || this.#after.length > 0) {
        // What one turn puts goes into one batch, all or nothing.
        await Promise.resolve()
        const ops = this.#ops
        const after = this.#after
        this.#ops = []
        this.#after = []
        // Without ops the callbacks wait for nothing: an earlier commit has covered them.
        if (ops.length > 0) await this.#store.write(ops, { sync: true })
        if (!this.#closed) for (const callback of after) callback()
        if (this.#after.length === 0) this.#rejects = []
      }
    } catch (error) {
      this.#closed = true
      for (const reject of this.#rejects.splice(0)) reject(error)
      this.#failed(error)
    } finally {
      this.#writing = false
      for (const resolve of this.#idle.splice(0)) resolve()
    }
  }
}

/** The starts of this store with this one, the latest last. */
export function startsWith(kept: readonly OwnStart[], { store, boot, startId }: OwnStart): OwnStart[] {
  const own = kept.filter(start => start.store === store && start.boot !== boot)
  return [...own, { store, boot, startId }].slice(-STARTS_MAX)
}

function memberKey(store: StoreId): Uint8Array {
  return Uint8Array.from([V, 0x72, ...Buffer.from(store, 'hex')])
}

function keptOf(json: unknown): KeptMember {
  const { record, memory, removed } = objectOf(json) as Partial<KeptMember>
  return { record, memory, removed: removed === true }
}

function objectOf(json: unknown): Record<string, unknown> {
  if (typeof json !== 'object' || json === null) throw new CorruptBytes('it is not an object')
  return json as Record<string, unknown>
}
