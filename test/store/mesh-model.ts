/**
 * The judge of a store of a mesh: the list of what was journaled, carried out by the rules of src/task on plain maps. After
 * a crash the store must be what some first part of the list makes, no shorter than what was synced.
 */

import { expect } from 'vitest'
import { type Entry, statesOf } from '../../sim/replication/disk.ts'
import { ByteReader } from '../../src/lib/bytes.ts'
import { rangeOf } from '../../src/lib/hash.ts'
import { Context, type Dot } from '../../src/replication/context.ts'
import { canonical, decodeCopy } from '../../src/store/copies.ts'
import { dueIdOf, rangeOfKey, taskIdOf } from '../../src/store/keys.ts'
import { decodeExtras } from '../../src/store/mesh-requests.ts'
import { readChange } from '../../src/task/change.ts'
import { waitingNumber } from '../../src/task/follow-up.ts'
import { applyChange, hasEnded, mergeRecords } from '../../src/task/merge.ts'
import { NEVER, Run, type TaskRecord } from '../../src/task/record.ts'
import { Actors } from '../../src/task/version.ts'
import { save, shownState, stateOf } from './mesh-states.ts'
import { Rooms, type Verb } from './rooms.ts'
import { CALLER, StoreBed } from './test-bed.ts'

export const RANGES = 2
export const IDS = ['a', 'b', 'c', 'd', 'e']
const makeRun = (_: TaskRecord, instant: number, manual: boolean): Run => new Run(instant, manual)

/** Everything that can be asked, as text; by the place of a record, by range, by request. */
interface Shown {
  readonly records: Record<string, string>
  readonly states: Record<string, object>
  readonly requests: Record<string, string>
}

/** What a list of entries comes to. */
class Model {
  readonly #actors: Actors
  readonly records = new Map<number, Map<string, TaskRecord>>()
  readonly requests = new Map<number, Dot & { readonly range: number }>()

  constructor(actors: Actors, entries: readonly Entry[]) {
    this.#actors = actors
    for (const entry of entries) this.#carryOut(entry)
  }

  of(range: number): Map<string, TaskRecord> {
    let records = this.records.get(range)
    if (records === undefined) {
      records = new Map()
      this.records.set(range, records)
    }
    return records
  }

  #carryOut(entry: Entry): void {
    const { range } = entry
    const records = this.of(range)
    const compareActors = this.#actors.compare
    if (entry.kind === 'change') {
      const { actor, n } = entry
      const change = readChange(new ByteReader(entry.bytes), this.#actors.learning)
      const { definition, request } = change
      if (definition !== undefined)
        this.#learn(numberOf(range, change.id, definition.requestNumber), { range, actor, n })
      if (request !== undefined) this.#learn(request.n, { range, actor, n })
      const options = { actor, n, range, makeRun, compareActors }
      const merged = applyChange(records.get(change.id), change, options)
      if (merged.kind !== 'none') records.set(change.id, merged.record)
    } else if (entry.kind === 'record') {
      const other = decodeCopy<Run>(entry.bytes, range, makeRun, this.#actors)
      const dot = other.dots.find(({ actor }) => actor === other.actor)
      if (dot !== undefined)
        this.#learn(numberOf(range, other.id, other.definition.requestNumber), { range, ...dot })
      const mine = records.get(other.id)
      records.set(
        other.id,
        mine === undefined ? other : mergeRecords(mine, other, { makeRun, compareActors }),
      )
    } else if (entry.kind === 'extras') {
      for (const { n, dot } of decodeExtras(range, entry.bytes, this.#actors).requests) this.#learn(n, dot)
    } else if (entry.kind === 'drop') records.delete(entry.id)
    else if (entry.kind === 'delete-records') this.records.delete(range)
  }

  #learn(n: number, dot: Dot & { readonly range: number }): void {
    if (!this.requests.has(n)) this.requests.set(n, dot)
  }
}

/** A store under test, and a peer of it that never dies. */
export class MeshWorld {
  readonly bed: StoreBed
  readonly peer: StoreBed
  readonly rooms: Rooms
  readonly #peerRooms: Rooms
  /** The peer's changes, by range, in the order of their numbers. */
  readonly #log = new Map<number, Uint8Array[]>()
  /** Of the judge's own table. */
  readonly #actors = new Actors([])
  #entries: Entry[] = []
  /** How many of them are synced. */
  #synced = 0
  /** Own changes that the peer has not got yet. */
  #toPeer: Array<Entry & { readonly kind: 'change' }> = []
  readonly counts = { restarts: 0, lost: 0, dropped: 0, deleted: 0, spilled: 0, ended: 0, outbox: 0 }

  constructor(bed: StoreBed) {
    this.bed = bed
    this.peer = new StoreBed({ ...bed.options, replicated: true }, 'peer')
    this.rooms = new Rooms(bed)
    this.#peerRooms = new Rooms(this.peer, 1)
  }

  /** The bed is open. */
  begin(): void {
    this.bed.wrote = (range, bytes, _, dot) => {
      const actor = this.#actors.learn(this.bed.tasks.actors.startIdOf(dot.actor))
      const entry = { kind: 'change', range, actor, n: dot.n, bytes } as const
      this.#entries.push(entry)
      this.#toPeer.push(entry)
    }
    for (let range = 0; range < RANGES; range++) this.#save(range, Context.EMPTY)
  }

  async openPeer(): Promise<void> {
    await this.peer.open()
    for (let range = 0; range < RANGES; range++) {
      this.#log.set(range, [])
      save(this.peer, range)
    }
    this.peer.wrote = (range, bytes) => void this.#log.get(range)?.push(bytes)
  }

  #save(range: number, context: Context): void {
    save(this.bed, range, stateOf(context))
    this.#entries.push({ kind: 'state', range, state: stateOf(this.#toJudge(context)) })
  }

  #toJudge(context: Context): Context {
    const { actors } = this.bed.tasks
    const learn = ({ actor, n }: Dot): Dot => ({ actor: this.#actors.learn(actors.startIdOf(actor)), n })
    return Context.from([...context.dots()].map(learn), context.holes.map(learn), context.life)
  }

  // --- what is done

  async act(verb: Verb, id: string, recurring: boolean, pick: number): Promise<void> {
    await this.bed.run(this.bed.tasks.load([id]))
    this.rooms.carryOut(verb, id, recurring, pick)
    this.rooms.writeAll(id)
  }

  async peerAct(verb: Verb, id: string, recurring: boolean, pick: number): Promise<void> {
    await this.peer.run(this.peer.tasks.load([id]))
    this.#peerRooms.carryOut(verb, id, recurring, pick)
    this.#peerRooms.writeAll(id)
  }

  async followUp(id: string): Promise<void> {
    const { tasks } = this.bed
    const range = 1 - rangeOf(id, RANGES)
    await this.#loaded(range, [id])
    if (!tasks.endedIn(range).some(each => each.id === id)) this.rooms.followUp(range, id)
    this.counts.outbox++
  }

  async #loaded(range: number, ids: readonly string[]): Promise<void> {
    const loading = this.bed.tasks.loadIn(range, ids)
    if (loading !== undefined) await this.bed.run(loading)
  }

  /** The next of the peer's changes arrive. */
  async deliver(range: number, max: number): Promise<void> {
    const { tasks, states } = this.bed
    const log = this.#log.get(range) ?? []
    const startId = this.peer.tasks.identity.actor.startId
    const actor = tasks.actors.learn(startId)
    for (let i = 0; i < max; i++) {
      const n = (states.all.get(range)?.context.of(actor) ?? 0) + 1
      const bytes = log[n - 1]
      if (bytes === undefined) return
      await this.#loaded(range, [tasks.idOf(bytes)])
      const applied = tasks.apply(range, actor, n, bytes)
      if (applied.record?.gone === true) this.counts.ended++
      states.change(range, actor, n)
      this.#entries.push({ kind: 'change', range, actor: this.#actors.learn(startId), n, bytes })
    }
  }

  /** One record of the peer is copied, as in the midst of a copy. */
  async copy(range: number, id: string): Promise<void> {
    const loading = this.peer.tasks.loadIn(range, [id])
    if (loading !== undefined) await this.peer.run(loading)
    const bytes = this.peer.tasks.encodeRecord(range, id)
    if (bytes === undefined) return
    await this.#loaded(range, [id])
    this.bed.tasks.adopt(range, bytes)
    this.#entries.push({ kind: 'record', range, bytes })
  }

  copyRequests(range: number): void {
    const bytes = this.peer.tasks.encodeExtras(range)
    this.bed.tasks.adoptExtras(range, bytes)
    this.#entries.push({ kind: 'extras', range, bytes })
  }

  /** Both get all; then what has ended goes, and ended runs are pruned. */
  async stable(range: number): Promise<void> {
    const { tasks, states } = this.bed
    await this.deliver(range, 1000)
    await this.sync()
    for (const { range: of, actor, n, bytes } of this.#toPeer.splice(0)) {
      const known = this.peer.tasks.actors.learn(this.#actors.startIdOf(actor))
      const context = this.peer.states.all.get(of)?.context
      if (context === undefined || context.of(known) + 1 !== n) continue
      const id = this.peer.tasks.idOf(bytes)
      const loading = this.peer.tasks.loadIn(of, [id])
      if (loading !== undefined) await this.peer.run(loading)
      this.peer.tasks.apply(of, known, n, bytes)
      this.peer.states.change(of, known, n)
    }
    const before = tasks.endedIn(range)
    tasks.stable(range, states.all.get(range)?.context ?? Context.EMPTY)
    const now = new Set(tasks.endedIn(range))
    for (const { id, life } of before.filter(record => !now.has(record))) {
      this.counts.dropped++
      this.#entries.push({ kind: 'drop', range, id, life })
    }
  }

  /** A record goes, as a copy says that it ended. */
  async drop(range: number, id: string): Promise<void> {
    const { tasks, states } = this.bed
    await this.#loaded(range, [id])
    const record = [...tasks.rangeRecords(range), ...tasks.endedIn(range)].find(each => each.id === id)
    if (record === undefined) return
    const life = tasks.drop(range, id)
    expect([record.gone, record.life]).toEqual([true, life])
    states.dropped(range, life)
    this.counts.dropped++
    this.#entries.push({ kind: 'drop', range, id, life })
  }

  /** The range is let go of, and comes back with nothing. */
  deleteRange(range: number): void {
    const { tasks, states } = this.bed
    const live = [...tasks.rangeRecords(range)]
    tasks.deleteState(range)
    states.all.delete(range)
    tasks.deleteRecords(range)
    this.#entries.push({ kind: 'delete-state', range }, { kind: 'delete-records', range })
    for (const record of live) expect(record.gone).toBe(true)
    expect([...tasks.rangeRecords(range)]).toEqual([])
    this.counts.deleted++
    this.bed.freshActor(range)
    this.#save(range, Context.EMPTY)
  }

  async sync(): Promise<void> {
    const count = this.#entries.length
    await this.bed.drain()
    this.#synced = Math.max(this.#synced, count)
  }

  /** What has been given to the journal so far counts once this is told. */
  acknowledge(): void {
    const count = this.#entries.length
    const entries = this.#entries
    this.bed.tasks.afterSync(error => {
      if (error === undefined && this.#entries === entries && count > this.#synced) this.#synced = count
    })
  }

  // --- the verdict

  async check(where = ''): Promise<void> {
    await this.#judge(this.#entries.length, where)
  }

  /** The bed was opened after a crash: from here on what it has is the whole list. */
  async restarted(where = ''): Promise<void> {
    this.counts.restarts++
    this.rooms.restarted()
    await this.#judge(this.#synced, where)
    this.#synced = this.#entries.length
    this.#toPeer = this.#toPeer.filter(entry => this.#entries.includes(entry))
    for (let range = 0; range < RANGES; range++)
      if (!this.bed.states.all.has(range)) this.#save(range, Context.EMPTY)
  }

  async #judge(atLeast: number, where: string): Promise<void> {
    const actual = await this.#actual()
    let count = atLeast
    for (; count <= this.#entries.length; count++) {
      if (JSON.stringify(this.#expected(count)) === JSON.stringify(actual)) break
    }
    if (count > this.#entries.length)
      expect(actual, `${where}: no first part of what was done`).toEqual(this.#expected(atLeast))
    this.counts.lost += this.#entries.length - count
    if (count < this.#entries.length) this.#entries = this.#entries.slice(0, count)
    await this.#checkIndex(where)
  }

  #expected(count: number): Shown {
    const entries = this.#entries.slice(0, count)
    const model = new Model(this.#actors, entries)
    const records: Record<string, string> = {}
    for (let range = 0; range < RANGES; range++) {
      const kept = [...model.of(range)].sort(([a], [b]) => (a < b ? -1 : 1))
      for (const [id, record] of kept)
        records[`${range}/${id}`] = `${hasEnded(record)} ${canonical(record, this.#actors, true)}`
    }
    const states: Record<string, object> = {}
    const named = { tasks: { actors: this.#actors } }
    for (const [range, state] of [...statesOf(entries)].sort(([a], [b]) => a - b))
      states[range] = shownState(named, state)
    const requests: Record<string, string> = {}
    for (const n of this.#numbers) {
      const dot = model.requests.get(n)
      if (dot !== undefined) requests[n] = `${dot.range} ${this.#actors.nameOf(dot.actor)} ${dot.n}`
    }
    return { records, states, requests }
  }

  /** All requestIds that were ever given. */
  get #numbers(): number[] {
    const numbers: number[] = []
    for (let n = 0; n < this.rooms.requests; n++) numbers.push(n)
    for (let n = 1_000_000; n < this.#peerRooms.requests; n++) numbers.push(n)
    return numbers.flatMap(n => [n, waitingNumber(n)])
  }

  async #actual(): Promise<Shown> {
    const { bed } = this
    const { tasks } = bed
    const records: Record<string, string> = {}
    const mine: string[] = []
    for (let range = 0; range < RANGES; range++) {
      let after: string | undefined
      for (;;) {
        const { heads, isLast } = await bed.run(tasks.pageOf(range, after, 3))
        for (const { id, ended } of heads) {
          const record = [...tasks.rangeRecords(range), ...tasks.endedIn(range)].find(each => each.id === id)
          if (record === undefined) throw new Error(`${id} of a page is not in memory`)
          expect(record.gone).toBe(ended)
          records[`${range}/${id}`] = `${ended} ${tasks.canonical(record, true)}`
          if (!ended && tasks.rangeOf(id) === range) mine.push(id)
        }
        after = heads.at(-1)?.id
        if (isLast) break
      }
    }
    const listed = (await bed.run(tasks.page(undefined, 1000))).records.map(({ id }) => id)
    expect(listed.sort()).toEqual(mine.sort())
    const loaded = await bed.run(tasks.load(IDS))
    expect(loaded.flatMap(record => record?.id ?? [])).toEqual([...mine].sort())
    for (const record of loaded) if (record !== undefined) tasks.release(record)
    const states: Record<string, object> = {}
    for (const [range, state] of [...bed.states.all].sort(([a], [b]) => a - b))
      states[range] = shownState(bed, state)
    const requests: Record<string, string> = {}
    for (const n of this.#numbers) {
      const dot = tasks.requests.find(CALLER, n, 1e6, 1e6)?.dot
      if (dot !== undefined) requests[n] = `${dot.range} ${tasks.actors.nameOf(dot.actor)} ${dot.n}`
    }
    return { records, states, requests }
  }

  /** What is not in memory is found by its due key; and the index has nothing that nobody knows. */
  async #checkIndex(where: string): Promise<void> {
    const { tasks } = this.bed
    for (let range = 0; range < RANGES; range++) {
      const { heads } = await this.bed.run(tasks.pageOf(range, undefined, 1000))
      const records = new Map<string, TaskRecord>()
      for (const record of [...tasks.rangeRecords(range), ...tasks.endedIn(range)])
        records.set(record.id, record)
      // A batch that is under way is not on the disk yet.
      await this.bed.run(tasks.spillsIdle())
      const due = new Set((await this.bed.dump('d')).map(([key]) => `${rangeOfKey(key)}/${dueIdOf(key)}`))
      for (const { id, ended } of heads) {
        const record = records.get(id)
        if (record === undefined || record.segment > 0) continue
        this.counts.spilled++
        if (ended || record.outbox || record.dueAt !== NEVER)
          expect(due, `${where}: a due key of ${id}`).toContain(`${range}/${id}`)
      }
    }
  }

  /** When all is spilled: the index has what there is, and nothing else. */
  async checkSettled(): Promise<void> {
    await this.bed.settle()
    const known = new Set<string>()
    for (let range = 0; range < RANGES; range++) {
      const { heads } = await this.bed.run(this.bed.tasks.pageOf(range, undefined, 1000))
      for (const { id } of heads) known.add(`${range}/${id}`)
    }
    // A tombstone is there until its segment is spilled.
    if (this.bed.tasks.journal.bytes > 0) return
    const stored = (await this.bed.dump('t')).map(([key]) => `${rangeOfKey(key)}/${taskIdOf(key)}`)
    expect(stored.sort()).toEqual([...known].sort())
  }
}

/** What waits in another range than its own has a number of its own. */
function numberOf(range: number, id: string, requestNumber: number): number {
  return rangeOf(id, RANGES) === range ? requestNumber : waitingNumber(requestNumber)
}
