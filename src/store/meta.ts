/**
 * What a store knows of itself: its id, how often it was started, and where its journal begins. Each start raises the
 * boot and mints a start id, synced before anything else is written, so that the actor (store, boot, start id) is
 * never used twice (PROTOCOLS A and B).
 */

import { CarillonError } from '../errors.ts'
import { CorruptBytes } from '../lib/bytes.ts'
import { openJson, sealJson } from '../lib/sealed.ts'
import type { Random } from '../ports/random.ts'
import type { Store, StoreOp } from '../ports/store.ts'
import { Actors, START_ID_BYTES } from '../task/version.ts'
import { type Actor, STORE_ID_BYTES } from './blob.ts'
import { actorKey, allOf, META_KEY, numberOf, RENEWAL_KEY } from './keys.ts'

const FORMAT = 1
/** A range is written in two bytes. */
const RANGES_MAX = 65_536

export interface Meta {
  readonly format: number
  /** Hex. */
  readonly store: string
  readonly boot: number
  readonly ranges: number
  /** Blobs below this sequence number no longer count: what lived in them is in the index. */
  readonly journalFrom: number
  /** It was one of a mesh: what it has is others' as well, and alone it would not keep what it owes them. */
  readonly mesh?: true | undefined
}

/** The meta of an opened store, and its actors by name. */
export interface Identity {
  readonly meta: Meta
  readonly actor: Actor
  /** `store/boot/startId` in hex -> index; of other stores, and of a range's later actors, only the start id is known. */
  readonly actors: ReadonlyMap<string, number>
  /** The same by their start ids, as changes name them. */
  readonly startIds: Actors
  /** True if the store was made just now. */
  readonly fresh: boolean
}

export interface IdentityOptions {
  readonly ranges: number
  /** After a repair that dropped data: this store is a new one (its copies no longer count as the old one's). */
  readonly renew: boolean
  /** The store is one of a mesh; one that was alone until now is taken over when it is read. */
  readonly replicated?: boolean
}

/** Reads or makes the meta, raises the boot, and mints this start's actor; all of it is synced. */
export async function startIdentity(
  ports: { store: Store; random: Random },
  options: IdentityOptions,
): Promise<Identity> {
  const { store, random } = ports
  const bytes = await store.get(META_KEY)
  const known = bytes === undefined ? undefined : decodeMeta(bytes)
  const replicated = options.replicated === true
  if (known?.mesh === true && !replicated) throw meshStore()
  const renew = options.renew || (await store.get(RENEWAL_KEY)) !== undefined
  const id = known === undefined || renew ? hex(random.bytes(STORE_ID_BYTES)) : known.store
  const meta: Meta = {
    format: FORMAT,
    store: id,
    boot: known === undefined ? 1 : known.boot + 1,
    ranges: known?.ranges ?? options.ranges,
    journalFrom: known?.journalFrom ?? 1,
    mesh: (known === undefined && replicated) || known?.mesh === true ? true : undefined,
  }
  const actors = await readActors(store)
  const startId = random.bytes(START_ID_BYTES)
  const actor: Actor = { index: actors.size, store: unhex(id), boot: meta.boot, startId }
  const name = actorName(actor)
  actors.set(name, actor.index)
  await store.write(
    [
      { type: 'put', key: META_KEY, value: encodeMeta(meta) },
      { type: 'del', key: RENEWAL_KEY },
      { type: 'put', key: actorKey(actor.index), value: Buffer.from(name) },
    ],
    { sync: true },
  )
  return { meta, actor, actors, startIds: startIdsOf(actors), fresh: known === undefined }
}

export function meshStore(): CarillonError {
  return new CarillonError(
    'MESH_STORE',
    'this data directory belongs to a mesh: start the node with its network',
  )
}

/** The numbers of actors of other stores, from the given one on, for a batch that may name them. */
export function actorOps(startIds: Actors, from: number): StoreOp[] {
  const ops: StoreOp[] = []
  for (let actor = from; actor < startIds.count; actor++) {
    ops.push({ type: 'put', key: actorKey(actor), value: Buffer.from(startIds.nameOf(actor)) })
  }
  return ops
}

/** The next start takes a new store id, and keeps all that is there; resolves when that is on the disk. */
export function renewAtNextStart(store: Pick<Store, 'write'>): Promise<void> {
  return store.write([{ type: 'put', key: RENEWAL_KEY, value: new Uint8Array(0) }], { sync: true })
}

function startIdsOf(actors: ReadonlyMap<string, number>): Actors {
  const startIds: Uint8Array[] = []
  for (const [name, index] of actors) startIds[index] = unhex(name.slice(name.lastIndexOf('/') + 1))
  return new Actors(startIds)
}

export function actorName(actor: Pick<Actor, 'store' | 'boot' | 'startId'>): string {
  return `${hex(actor.store)}/${actor.boot}/${hex(actor.startId)}`
}

export function encodeMeta(meta: Meta): Uint8Array {
  return sealJson(meta)
}

function decodeMeta(bytes: Uint8Array): Meta {
  return openJson(bytes, "the store's meta record", value => {
    const { format, store, boot, ranges, journalFrom } = value as Partial<Meta>
    if (format !== FORMAT) {
      throw new CarillonError(
        'STORE_FORMAT',
        `the store has format ${String(format)}, this Carillon knows ${FORMAT}: use the version that wrote it`,
      )
    }
    const whole = [boot, ranges, journalFrom].every(n => Number.isSafeInteger(n) && (n as number) > 0)
    if (!whole || (ranges as number) > RANGES_MAX) throw new CorruptBytes('a number of it is out of bounds')
    if (typeof store !== 'string' || !/^[0-9a-f]{32}$/.test(store))
      throw new CorruptBytes('it has no store id')
    return value as Meta
  })
}

async function readActors(store: Store): Promise<Map<string, number>> {
  const actors = new Map<string, number>()
  const cursor = store.cursor(allOf('a'))
  try {
    for (;;) {
      const page = await cursor.next(1000)
      if (page.length === 0) return actors
      for (const [key, value] of page) actors.set(Buffer.from(value).toString(), numberOf(key))
    }
  } finally {
    await cursor.close()
  }
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')
}

function unhex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'hex'))
}
