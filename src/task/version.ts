/**
 * Versions of what a user may change at two places at once, and the names of those who write them.
 *
 * In memory and in a store's own index an actor is a small number, its place in the store's table. Changes go to other
 * stores as well: there it is its start id, eight random bytes, which mean the same everywhere. Ties are broken by
 * the start id too, since the numbers differ from store to store.
 */

import { type ByteReader, type ByteWriter, CorruptBytes, hexOf } from '../lib/bytes.ts'

/** The greater rev wins, then the greater hlc, then the greater actor. All of one life. */
export interface Version {
  readonly rev: number
  readonly hlc: number
  readonly actor: number
}

/** The actor that writes a change, where the change itself says so (its dot does). */
export const WRITER = -1

/** Any first version of the life but the one at hand: below all others, and which of them is of no matter. */
export const SOME_FIRST: Version = Object.freeze({ rev: 1, hlc: Number.NEGATIVE_INFINITY, actor: WRITER })

/** How an actor is written. */
export interface ActorCodec {
  write(out: ByteWriter, actor: number): void
  /** Throws CorruptBytes if there is no such actor. */
  read(reader: ByteReader): number
}

export type CompareActors = (a: number, b: number) => number

export const START_ID_BYTES = 8
/** Actors of one start of a store have these in common. */
export const START_PREFIX_BYTES = 4

/** The actors that a store knows. */
export class Actors implements ActorCodec {
  readonly #startIds: Uint8Array[] = []
  readonly #texts: string[] = []
  readonly #byText = new Map<string, number>()
  /** By the four bytes in which those of one start differ: most are found without a text being made. */
  readonly #byTail = new Map<number, number>()

  /** For what others wrote: who is not known yet gets a number. */
  readonly learning: ActorCodec = {
    write: (out, actor) => this.write(out, actor),
    read: reader => this.#lookUp(reader) ?? this.learn(reader.bytes(START_ID_BYTES).slice()),
  }

  /** `startIds`: of each actor, in the order of their numbers. */
  constructor(startIds: readonly Uint8Array[]) {
    for (const startId of startIds) this.learn(startId)
  }

  /** The number of an actor, which is a new one if it was not known. */
  learn(startId: Uint8Array): number {
    const text = hexOf(startId)
    const known = this.#byText.get(text)
    if (known !== undefined) return known
    const actor = this.#startIds.length
    this.#startIds.push(startId)
    this.#texts.push(text)
    this.#byText.set(text, actor)
    this.#byTail.set(tailOf(startId, 0), actor)
    return actor
  }

  /** Reads the start id if it is known by its tail; otherwise nothing is read. */
  #lookUp(reader: ByteReader): number | undefined {
    if (reader.remaining < START_ID_BYTES) return undefined
    const { source, position } = reader
    const actor = this.#byTail.get(tailOf(source, position))
    if (actor === undefined) return undefined
    const startId = this.#startIds[actor] as Uint8Array
    for (let i = 0; i < START_ID_BYTES; i++) if (startId[i] !== source[position + i]) return undefined
    reader.skip(START_ID_BYTES)
    return actor
  }

  /** How many there are: their numbers are those below. */
  get count(): number {
    return this.#startIds.length
  }

  startIdOf(actor: number): Uint8Array {
    const startId = this.#startIds[actor]
    if (startId === undefined) throw new RangeError(`there is no actor ${actor}`)
    return startId
  }

  /** Its start id in hex. */
  nameOf(actor: number): string {
    const text = this.#texts[actor]
    if (text === undefined) throw new RangeError(`there is no actor ${actor}`)
    return text
  }

  write(out: ByteWriter, actor: number): void {
    out.bytes(this.startIdOf(actor))
  }

  read(reader: ByteReader): number {
    const known = this.#lookUp(reader)
    if (known !== undefined) return known
    const startId = hexOf(reader.bytes(START_ID_BYTES))
    const actor = this.#byText.get(startId)
    if (actor === undefined) throw new CorruptBytes(`unknown actor ${startId}`)
    return actor
  }

  compare: CompareActors = (a, b) => {
    const [one, other] = [this.#texts[a] ?? '', this.#texts[b] ?? '']
    return one === other ? 0 : one < other ? -1 : 1
  }
}

function tailOf(source: Uint8Array, at: number): number {
  const b = at + START_PREFIX_BYTES
  return (
    (((source[b] as number) << 24) |
      ((source[b + 1] as number) << 16) |
      ((source[b + 2] as number) << 8) |
      (source[b + 3] as number)) >>>
    0
  )
}

/** Within one store: actors by their number. */
export const BY_NUMBER: ActorCodec = {
  write: (out, actor) => out.varuint(actor),
  read: reader => reader.varuint(),
}

export function compareVersions(a: Version, b: Version, compareActors: CompareActors): number {
  if (a.rev !== b.rev) return a.rev - b.rev
  if (a.hlc !== b.hlc) return a.hlc < b.hlc ? -1 : 1
  return a.actor === b.actor ? 0 : compareActors(a.actor, b.actor)
}

/** varuint rev, f64 hlc, actor; of SOME_FIRST a 0. */
export function writeVersion(out: ByteWriter, version: Version, actors: ActorCodec): void {
  if (version.actor === WRITER) return out.varuint(0)
  out.varuint(version.rev)
  out.f64(version.hlc)
  actors.write(out, version.actor)
}

export function readVersion(reader: ByteReader, actors: ActorCodec): Version {
  const rev = reader.varuint()
  if (rev === 0) return SOME_FIRST
  const hlc = readHlc(reader)
  return { rev, hlc, actor: actors.read(reader) }
}

export function readHlc(reader: ByteReader): number {
  const hlc = reader.f64()
  if (Number.isNaN(hlc)) throw new CorruptBytes('a version whose hlc is not a number')
  return hlc
}
