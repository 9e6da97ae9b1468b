/** One start of a store: the host of the shipped replication, over a simulated disk and network. */

import { invariant } from '../../src/invariant.ts'
import type { Context } from '../../src/replication/context.ts'
import type {
  FollowUp,
  RangeState,
  RecordHead,
  ReplicaEvents,
  ReplicaHost,
} from '../../src/replication/host.ts'
import type { Message } from '../../src/replication/messages.ts'
import { Replication } from '../../src/replication/replication.ts'
import { hasEnded } from '../../src/task/merge.ts'
import { NEVER, type TaskRecord } from '../../src/task/record.ts'
import { Commits, type Disk, type Entry, statesOf } from './disk.ts'
import { Engine } from './engine.ts'
import { Reads } from './reads.ts'
import { Records } from './records.ts'
import type { SimView } from './view.ts'
import type { World } from './world.ts'

export interface Acting {
  /** When it began to ask: what was acknowledged before then it must know. */
  readonly since: number
  readonly unsure: boolean
  /** The lists that it knew of, each with until when: what was acknowledged under it later it need not know. */
  readonly lists: ReadonlyMap<string, number>
}

export function listText(members: readonly string[]): string {
  return [...members].sort().join(' ')
}

export class Process implements ReplicaHost, ReplicaEvents {
  readonly world: World
  readonly disk: Disk
  readonly records: Records
  readonly replication: Replication
  readonly engine: Engine
  readonly reads: Reads
  readonly acting = new Map<number, Acting>()
  readonly startedAt: number
  readonly #skewMs: number
  readonly #commits: Commits
  readonly #minted = new Map<number, number>()
  readonly #actor: number
  isUp = true

  constructor(world: World, disk: Disk, skewMs: number, isFounder: boolean) {
    this.world = world
    this.disk = disk
    this.#skewMs = skewMs
    this.startedAt = world.agenda.now
    disk.boot++
    this.#actor = world.mintActor(disk)
    this.#commits = new Commits(disk, world.agenda, () => world.syncMs(disk.store))
    const { actors, options, flaws } = world
    this.records = new Records(actors, options.ranges, flaws)
    this.records.replay(disk.entries)
    this.engine = new Engine(this)
    this.reads = new Reads(world, disk.store, () => this.isUp)
    this.replication = new Replication(this, world.protocol, this, {
      self: disk.store,
      ranges: options.ranges,
      firstNumber: world.random.uint32(),
      states: statesOf(disk.entries),
      withRecords: this.records.withRecords(),
      // As in the product: who has anything on its disk has started before.
      isFounder: isFounder && disk.entries.length === 0,
      durable: !world.isMemoryOnly(disk.store),
    })
  }

  /** It ticks all the time. */
  awake(): void {}

  get store(): string {
    return this.disk.store
  }

  viewChanged(view: SimView): void {
    this.replication.viewChanged(view)
    this.replication.flush()
  }

  receive(from: string, message: Message): void {
    this.replication.receive(from, message)
    this.replication.flush()
  }

  tick(): void {
    this.engine.tick()
    this.replication.tick()
  }

  /** `extra`: how much of what was not synced survives. */
  crash(extra: number): void {
    this.isUp = false
    this.#commits.stop()
    this.disk.cut(extra)
  }

  // --- the host

  now(): number {
    return this.world.wall + this.#skewMs
  }

  monotonic(): number {
    return this.world.agenda.now
  }

  nameOf(actor: number): string {
    return this.world.actors.nameOf(actor)
  }

  afterSync(done: () => void): void {
    this.#commits.afterSync(() => {
      if (this.isUp) done()
    })
  }

  isConnected(store: string): boolean {
    const { network } = this.world
    const isUp = this.world.process(store)?.isUp === true
    return isUp && !network.isCut(this.store, store) && !network.isCut(store, this.store)
  }

  send(store: string, message: Message): void {
    this.world.network.send(this.store, store, message)
  }

  mintActor(range: number): number {
    const count = (this.#minted.get(range) ?? 0) + 1
    this.#minted.set(range, count)
    return count === 1 ? this.#actor : this.world.mintActor(this.disk)
  }

  #journal(entry: Entry): void {
    this.disk.entries.push(entry)
  }

  idOf(bytes: Uint8Array): string {
    return this.records.idOf(bytes)
  }

  load(range: number, ids: readonly string[], done: () => void): void {
    this.reads.read(range, () => ({ ids, done }))
  }

  page(
    range: number,
    after: string | undefined,
    limit: number,
    done: (heads: readonly RecordHead[], isLast: boolean) => void,
  ): void {
    this.reads.read(range, () => {
      const heads = this.records.heads(range, after, limit)
      return { ids: heads.map(({ id }) => id), done: () => done(heads, heads.length < limit) }
    })
  }

  apply(range: number, actor: number, n: number, bytes: Uint8Array): void {
    this.reads.mustHave(range, this.idOf(bytes))
    this.world.checkDot(range, actor, n, bytes)
    this.records.apply(range, actor, n, bytes)
    this.#journal({ kind: 'change', range, actor, n, bytes })
  }

  listOf(range: number): string {
    return listText(this.replication.replica(range)?.list ?? [])
  }

  /** A change of this process: journaled and applied as on any other store. */
  write(range: number, actor: number, n: number, bytes: Uint8Array): void {
    this.world.checkDot(range, actor, n, bytes)
    const { id } = this.records.apply(range, actor, n, bytes)
    this.#journal({ kind: 'change', range, actor, n, bytes })
    this.replication.wrote(range, bytes, this.records.get(range, id)?.dots ?? [])
  }

  adopt(range: number, bytes: Uint8Array): void {
    this.reads.mustHave(range, this.headOf(range, bytes).id)
    // A record comes by a copy that goes on, or not at all.
    if (this.replication.replica(range)?.copying.incoming === undefined)
      this.world.history.broken.push(`copies: a record of range ${range} comes by a copy that has ended`)
    this.records.adopt(range, bytes)
    this.#journal({ kind: 'record', range, bytes })
  }

  headOf(range: number, bytes: Uint8Array): RecordHead {
    return this.records.headOf(range, bytes)
  }

  isHere(range: number, id: string): boolean {
    this.reads.mustHave(range, id)
    return this.records.get(range, id) !== undefined
  }

  drop(range: number, id: string): void {
    this.reads.mustHave(range, id)
    this.#drop(range, id)
  }

  #drop(range: number, id: string): void {
    const record = this.records.get(range, id)
    invariant(record !== undefined, 'what is dropped is there (A4)')
    if (this.world.flaws.forgetsLives !== true) this.replication.replica(range)?.dropped(record.life)
    this.records.drop(range, id)
    this.#journal({ kind: 'drop', range, id, life: record.life })
  }

  saveState(range: number, state: RangeState): void {
    this.#journal({ kind: 'state', range, state })
  }

  deleteState(range: number): void {
    this.#journal({ kind: 'delete-state', range })
  }

  deleteRecords(range: number): void {
    this.records.deleteAll(range)
    this.engine.forget(range)
    this.#journal({ kind: 'delete-records', range })
  }

  encode(range: number, id: string): Uint8Array | undefined {
    this.reads.mustHave(range, id)
    return this.records.encode(range, id)
  }

  encodeExtras(range: number): Uint8Array {
    return this.records.encodeExtras(range)
  }

  adoptExtras(range: number, bytes: Uint8Array): void {
    this.records.adoptExtras(range, bytes)
    this.#journal({ kind: 'extras', range, bytes })
  }

  isBusy(range: number): boolean {
    return this.engine.isBusy(range)
  }

  stable(range: number, context: Context): void {
    const ended: TaskRecord[] = []
    for (const record of this.records.of(range).values()) {
      if (!context.coversAll(record.dots)) continue
      if (hasEnded(record)) ended.push(record)
      else if (this.world.prunes) record.prune()
    }
    for (const { id } of ended) this.#drop(range, id)
  }

  arm(range: number, unsure: boolean): void {
    const replica = this.replication.replica(range)
    const since = replica?.round?.startedAt ?? this.world.agenda.now
    const lists = new Map([[this.listOf(range), Number.POSITIVE_INFINITY]])
    for (const { members, formerAt, retiredAt } of replica?.lists.all ?? []) {
      // One that is over may have been the list again since, for others.
      const isOver = retiredAt >= formerAt
      lists.set(listText(members), isOver ? this.world.agendaAt(retiredAt) : Number.POSITIVE_INFINITY)
    }
    this.acting.set(range, { since, unsure, lists })
  }

  disarm(range: number): void {
    this.acting.delete(range)
  }

  overdue(range: number, beforeMs: number): string | undefined {
    const at = this.now() - beforeMs
    for (const record of this.records.of(range).values()) {
      if (hasEnded(record) || this.records.isOutbox(range, record.id)) continue
      if (!record.paused && record.nextAt <= at && record.nextAt !== NEVER) return record.id
    }
    return undefined
  }

  outbox(range: number): readonly FollowUp[] {
    if (this.world.flaws.relaysNothing === true) return []
    const list: FollowUp[] = []
    for (const { id, definition } of this.records.of(range).values()) {
      const record = this.records.get(range, id) as TaskRecord
      if (hasEnded(record) || !this.records.isOutbox(range, id)) continue
      const { source, start, end } = definition
      list.push({
        source: range,
        range: this.world.rangeOf(id),
        id,
        definition: source.slice(start, end),
      })
    }
    return list
  }

  relay(followUp: FollowUp, done: () => void): void {
    this.engine.relay(followUp, done)
  }

  relayed(source: number, id: string): void {
    this.engine.relayed(source, id)
  }

  exchangeViews(store: string): void {
    this.world.exchangeViews(this.store, store)
  }

  // --- events

  unsure(): void {
    this.world.history.unsure++
  }

  hole(range: number, actor: number, n: number): void {
    this.world.history.broken.push(`a hole in range ${range}: ${this.nameOf(actor)} ${n}`)
  }
}
