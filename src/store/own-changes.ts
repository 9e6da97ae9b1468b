/**
 * Under which dot a change of this store is written. Alone, the journal counts: there is one actor, this boot. In a mesh
 * replication counts, range by range: a range that was let go of and came back is written under a fresh actor, whose
 * changes stand in the journal as those of others do.
 */

import { invariant } from '../invariant.ts'
import { type ByteWriter, Copies } from '../lib/bytes.ts'
import type { Random } from '../ports/random.ts'
import type { Dot } from '../replication/context.ts'
import type { ChangeWriter } from '../task/change.ts'
import type { TaskRecord } from '../task/record.ts'
import { START_ID_BYTES, START_PREFIX_BYTES } from '../task/version.ts'
import type { Journal } from './journal.ts'
import type { Identity } from './meta.ts'

/** Replication, as it numbers this store's changes and passes them on. */
export interface ChangeSink {
  /** The dot of the next change of a range. */
  next(range: number): Dot
  /** The change has been journaled under that dot; `dots` are those of its record, which includes it. */
  wrote(range: number, bytes: Uint8Array, dots: readonly Dot[]): void
}

export interface OwnChanges {
  /** Of the change that was begun. */
  readonly writer: ChangeWriter
  /** The actor that the next change of a range will be written under. */
  actorOf(range: number): number
  /** Opens a change of a range: its body goes to the returned writer. */
  begin(range: number): ByteWriter
  /** Ends it, and includes it in its record. */
  end(record: TaskRecord): void
}

export class AloneChanges implements OwnChanges {
  readonly #journal: Journal
  readonly writer: ChangeWriter

  constructor(journal: Journal, identity: Identity) {
    this.#journal = journal
    this.writer = { actor: identity.actor.index, actors: identity.startIds }
  }

  actorOf(): number {
    return this.writer.actor
  }

  begin(range: number): ByteWriter {
    return this.#journal.begin(range)
  }

  end(record: TaskRecord): void {
    record.include(this.writer.actor, this.#journal.end(record.range))
  }
}

export class MeshChanges implements OwnChanges {
  readonly #journal: Journal
  readonly #identity: Identity
  readonly #random: Random
  /** How many actors were minted of a range. */
  readonly #minted = new Map<number, number>()
  writer: ChangeWriter
  sink: ChangeSink | undefined
  #dot: Dot = { actor: -1, n: 0 }
  #out: ByteWriter | undefined
  #bodyAt = 0
  /** Of the bytes of changes, which replication keeps for a while. */
  readonly #copies = new Copies(32 * 1024)

  constructor(journal: Journal, identity: Identity, random: Random) {
    this.#journal = journal
    this.#identity = identity
    this.#random = random
    this.writer = { actor: identity.actor.index, actors: identity.startIds }
  }

  /** The dot of the change that was ended last. */
  get dot(): Dot {
    return this.#dot
  }

  actorOf(range: number): number {
    return this.#sink.next(range).actor
  }

  /** The first actor of a range in this boot is the boot's own, each later one is fresh. */
  mintActor(range: number): number {
    const count = this.#minted.get(range) ?? 0
    this.#minted.set(range, count + 1)
    const { actor, startIds } = this.#identity
    if (count === 0) return actor.index
    // It begins as the boot's own does, so that others know whose it is.
    const startId = this.#random.bytes(START_ID_BYTES)
    startId.set(actor.startId.subarray(0, START_PREFIX_BYTES))
    return startIds.learn(startId)
  }

  begin(range: number): ByteWriter {
    const { actor, startIds } = this.#identity
    const dot = this.#sink.next(range)
    if (dot.actor === actor.index) {
      invariant(dot.n === this.#journal.nextN(range), 'a dot names one change (A1)')
      this.#out = this.#journal.begin(range)
    } else this.#out = this.#journal.beginOther(range, dot.n, startIds.startIdOf(dot.actor))
    if (this.writer.actor !== dot.actor) this.writer = { actor: dot.actor, actors: startIds }
    this.#dot = dot
    this.#bodyAt = this.#out.position
    return this.#out
  }

  end(record: TaskRecord): void {
    const out = this.#out
    invariant(out !== undefined, 'what is ended was begun')
    const bytes = this.#copies.of(out.view(this.#bodyAt))
    this.#out = undefined
    this.#journal.endEntry()
    record.include(this.#dot.actor, this.#dot.n)
    this.#sink.wrote(record.range, bytes, record.dots)
  }

  get #sink(): ChangeSink {
    invariant(this.sink !== undefined, 'replication is there before anything is written')
    return this.sink
  }
}
