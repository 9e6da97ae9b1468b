/**
 * Members: everything that is known of the stores of the mesh, and the one place where it changes: roster, trials, crash
 * votes, memories of starts, news to pass on, and what lies on disk of it. Synchronous; what it does to the outside goes
 * through its actions.
 *
 * Invariants
 * - M1 Knowledge only grows: each change is a join (a record, a removal mark), so the order of messages does not matter.
 * - M2 What we vouch for (our own start, an admission, a removal) is on this disk before it is news. What we only heard
 *   may travel before: it is another's word.
 * - M3 Only we raise our incarnation, past the accusation; what claims a later boot of our store than ours, or another
 *   start of this boot, means that our disk went back in time.
 */

import { invariant } from '../invariant.ts'
import type { Random } from '../ports/random.ts'
import { CrashEvidence } from './crash-evidence.ts'
import { Detector, type DetectorActions } from './detector.ts'
import { GossipQueue } from './gossip-queue.ts'
import { NEWS_MAX } from './messages.ts'
import type { MembershipOptions, MembershipSelf } from './options.ts'
import type { KeptMember, MembershipDisk } from './persistence.ts'
import { COUNTER_MAX, encodeNews, type News } from './record-codec.ts'
import { Roster } from './roster.ts'
import { judgeStart, type StartClaim, type StoreMemory, withSequence } from './store-memory.ts'
import { crashWitnessesWanted, goneAfter, type Timings, transmissionsMax } from './timings.ts'
import type { MemberRecord, StoreId } from './view.ts'

export interface MembersActions
  extends Pick<DetectorActions, 'helpers' | 'ping' | 'pingThrough' | 'nack' | 'relayAck'> {
  /** Monotonic. */
  now(): number
  /** The view may look different now. */
  changed(): void
  /** There is something to pass on. */
  newsCame(): void
  suspected(store: StoreId): void
  refuted(store: StoreId): void
  rolledBack(line: string): void
  /** We were removed: by our leave, or by somebody's forget. */
  removed(): void
  /** A crash vote of ours goes straight to some members: it must not wait for its turn. */
  urgent(news: Uint8Array): void
}

export interface MembersDeps {
  readonly random: Random
  readonly disk: MembershipDisk
  readonly self: MembershipSelf
  readonly options: MembershipOptions
  readonly timings: Timings
  readonly now: number
}

export class Members {
  readonly roster: Roster
  readonly detector: Detector
  readonly crash: CrashEvidence
  readonly #deps: MembersDeps
  readonly #actions: MembersActions
  readonly #news: GossipQueue
  readonly #memories = new Map<StoreId, StoreMemory>()
  /** Changed since they were written, and nobody waits for it. */
  readonly #dirty = new Set<StoreId>()
  /** Since when we know a member to be away. */
  readonly #awaySince = new Map<StoreId, number>()
  #own: MemberRecord
  #changedAt: number

  constructor(deps: MembersDeps, own: MemberRecord, actions: MembersActions) {
    const { options, timings, self, now } = deps
    this.#deps = deps
    this.#actions = actions
    this.#own = own
    this.#changedAt = now
    this.roster = new Roster(options.limits)
    this.crash = new CrashEvidence(self.store, timings.crashVoteMs)
    this.#news = new GossipQueue(options.limits.newsMax, () => actions.newsCame())
    this.detector = new Detector(
      deps,
      { self: self.store, timings, relaysMax: options.limits.relaysMax },
      {
        ...actions,
        record: store => this.roster.get(store),
        liveCount: () => this.roster.liveCount,
        voted: record => this.#onVoted(record),
        condemned: record => this.#end(record),
        acquitted: store => {
          this.#news.delete(suspectKey(store, self.store))
          actions.refuted(store)
        },
      },
      now,
    )
  }

  /** Our own record, in the roster or not yet. */
  get own(): MemberRecord {
    return this.#own
  }

  /** When the view last changed. */
  get changedAt(): number {
    return this.#changedAt
  }

  get newsWaiting(): boolean {
    return this.#news.size > 0
  }

  /** What the disk had; nothing of it is news. */
  load(members: ReadonlyMap<StoreId, KeptMember>, now: number): void {
    for (const [store, { record, memory, removed }] of members) {
      if (removed) this.roster.remove(store)
      if (memory !== undefined) this.#memories.set(store, memory)
      if (record === undefined || removed) continue
      this.roster.merge(record)
      this.detector.changed(record)
      if (record.state === 'away') this.#awaySince.set(store, now)
    }
  }

  /** We are a member, with this start's record: on disk before anybody hears of it. */
  enter(): void {
    this.roster.merge(this.#own)
    const merged = this.roster.get(this.#own.store)
    invariant(merged !== undefined, 'there is room for ourselves in the roster')
    this.#save(merged.store)
    this.#tell(merged, true)
    this.#touch()
  }

  /** We are about to leave: out of all lists, though still here. Said of ourselves, so nobody has to find out. */
  withdraw(): void {
    if (this.isWithdrawn) return
    this.#own = { ...this.#own, state: 'gone' }
    this.roster.merge(this.#own)
    this.#tell(this.#own, false)
    this.#touch()
  }

  get isWithdrawn(): boolean {
    return this.#own.state === 'gone'
  }

  /** Joins what somebody said of a store. True if it was new. */
  merge(record: MemberRecord): boolean {
    if (record.store === this.#deps.self.store) return this.#onOwn(record)
    const merged = this.roster.merge(record)
    if (merged === false) return false
    const after = this.roster.get(record.store) as MemberRecord
    const { before } = merged
    this.detector.changed(after)
    if (before !== undefined && after.boot > before.boot) this.crash.forget(after.store)
    if (after.state !== 'away') this.#awaySince.delete(after.store)
    else if (before?.state !== 'away') this.#awaySince.set(after.store, this.#actions.now())
    this.#news.delete(crashKey(after.store, this.#deps.self.store))
    if (before === undefined || after.boot > before.boot) {
      this.#save(after.store)
      this.#deps.disk.commit(() => this.#tell(after, true))
    } else {
      this.#dirty.add(after.store)
      this.#tell(after, false)
    }
    this.#touch()
    return true
  }

  /** Removes a store for ever; `then` is called when the mark is on disk. True if it was not removed before. */
  remove(store: StoreId, then?: () => void): boolean {
    if (!this.roster.remove(store)) {
      if (then !== undefined) this.#deps.disk.commit(then)
      return false
    }
    this.detector.removed(store)
    this.crash.forget(store)
    this.#memories.delete(store)
    this.#awaySince.delete(store)
    this.#dirty.delete(store)
    this.#news.delete(recordKey(store))
    this.#deps.disk.putMember(store, { record: undefined, memory: undefined, removed: true })
    this.#deps.disk.commit(() => {
      this.#news.put(recordKey(store), encodeNews({ kind: 'removed', store }))
      then?.()
    })
    this.#touch()
    if (store === this.#deps.self.store) this.#actions.removed()
    return true
  }

  /** What came with a frame from a member. */
  hear(news: readonly News[], now: number): void {
    for (const item of news) this.#hearOne(item, now)
  }

  /** A frame came straight from this store. */
  heard(store: StoreId, now: number): void {
    this.detector.heard(store, now)
    this.crash.heard(store)
  }

  /** A start that somebody claims, against all that we know of its store. */
  judge(store: StoreId, claim: StartClaim): string | undefined {
    const record = this.roster.get(store)
    if (record !== undefined && claim.boot < record.boot)
      return `boot ${claim.boot} comes after boot ${record.boot}`
    if (record !== undefined && claim.boot === record.boot && claim.startId !== record.startId) {
      return `boot ${claim.boot} was started twice: ${record.startId} and ${claim.startId}`
    }
    const verdict = judgeStart(this.#memories.get(store), claim)
    if (!verdict.ok) return verdict.why
    // Only members are remembered: a stranger costs nothing.
    if (record !== undefined && verdict.changed) this.#remember(store, verdict.memory)
    return undefined
  }

  /** A journal sequence that came with a frame of the store's present start. */
  sequence(store: StoreId, boot: number, journalSeq: number): void {
    const memory = this.#memories.get(store)
    if (memory === undefined) return
    const after = withSequence(memory, boot, journalSeq)
    if (after === memory) return
    this.#memories.set(store, after)
    this.#dirty.add(store)
  }

  /** Our connection with a member was reset. */
  reset(store: StoreId, now: number): void {
    const record = this.roster.get(store)
    if (record?.state === 'live') this.crash.reset(store, record.boot, now)
  }

  /** Nobody listens at the address any more; a member that is connected all the same has another. */
  dialRefused(address: string, isConnected: (node: string) => boolean, now: number): void {
    for (const { store, node, state, addresses } of this.roster.records) {
      const isThere = state === 'live' && addresses.includes(address) && store !== this.#deps.self.store
      if (isThere && !isConnected(node)) this.refused(store, now)
    }
  }

  /** A redial of a member that is not connected was refused. */
  refused(store: StoreId, now: number): void {
    const record = this.roster.get(store)
    if (record === undefined || record.state !== 'live') return
    if (this.crash.refused(store, record.boot, now)) this.#witness(record, now)
  }

  /** The store's node speaks for another store now: its process is gone, without doubt. */
  replaced(record: MemberRecord): void {
    this.#end(record)
  }

  /** News for a frame to `target`: first of all what is said against it, so that it can answer. */
  take(target: StoreId | undefined, bytes: number): Uint8Array[] {
    const first: Uint8Array[] = []
    const record = target === undefined ? undefined : this.roster.get(target)
    if (record !== undefined) {
      const { store, boot, incarnation, state } = record
      if (state !== 'live') first.push(encodeNews({ kind: 'state', store, boot, incarnation, state }))
      else if (this.detector.isSuspect(store)) {
        first.push(encodeNews({ kind: 'suspect', store, boot, incarnation, voter: this.#deps.self.store }))
      }
    }
    const limit = transmissionsMax(this.#deps.timings, this.roster.liveCount)
    return [...first, ...this.#news.take(bytes, NEWS_MAX - first.length, limit)]
  }

  /** That we go, as news: nobody has to find out. */
  farewell(): Uint8Array {
    const { store, boot, incarnation } = this.#own
    return encodeNews({ kind: 'state', store, boot, incarnation, state: 'away' })
  }

  beat(now: number, lateMs: number): void {
    this.detector.beat(now, lateMs)
  }

  /** What has time: away for long is gone, stale votes go, and what nobody waits for is written. */
  slowBeat(now: number): void {
    this.crash.prune(now)
    for (const [store, since] of this.#awaySince) {
      const record = this.roster.get(store)
      if (record === undefined) continue
      const waitMs = goneAfter(this.#deps.options.goneAfterMs, this.#isSucceeded(record))
      if (now - since >= waitMs) this.merge({ ...record, state: 'gone' })
    }
  }

  /** The store's node lives, with another store: this one does not come back. */
  #isSucceeded({ store, node }: MemberRecord): boolean {
    for (const other of this.roster.at(node))
      if (other !== store && this.roster.get(other)?.state === 'live') return true
    return false
  }

  flush(): void {
    for (const store of this.#dirty) this.#save(store)
    this.#deps.disk.flush()
  }

  #hearOne(news: News, now: number): void {
    if (news.kind === 'record') {
      this.merge(news.record)
      return
    }
    const { kind, store } = news
    if (kind === 'removed') {
      this.remove(store)
      return
    }
    if (store === this.#deps.self.store) {
      if (kind === 'crash') return
      if (kind === 'suspect') this.#refute(news.boot, news.incarnation)
      else this.#onOwn({ ...this.#own, ...news, store })
      return
    }
    const record = this.roster.get(store)
    if (record === undefined || record.boot !== news.boot) return
    if (kind === 'state') {
      this.merge({ ...record, incarnation: news.incarnation, state: news.state })
    } else if (kind === 'suspect') {
      const known = this.detector.isSuspect(store)
      if (!this.detector.accused(store, news.boot, news.incarnation, news.voter, now)) return
      if (!known) this.#actions.suspected(store)
      this.#news.put(suspectKey(store, news.voter), encodeNews(news))
    } else if (record.state === 'live') {
      if (this.crash.vote(store, news.boot, news.voter, now)) this.#witness(record, now)
      else this.#judgeCrash(record, now)
    }
  }

  /** We are a witness: others must know at once, as one is not enough. */
  #witness(record: MemberRecord, now: number): void {
    const { store, boot } = record
    const voter = this.#deps.self.store
    const news = encodeNews({ kind: 'crash', store, boot, voter })
    this.#actions.urgent(news)
    this.#news.put(crashKey(store, voter), news)
    this.#judgeCrash(record, now)
  }

  #judgeCrash(record: MemberRecord, now: number): void {
    const wanted = crashWitnessesWanted(this.roster.liveCount)
    if (this.crash.witnesses(record.store, record.boot, now) >= wanted) this.#end(record)
  }

  /** The member is away, as far as we can tell. */
  #end(record: MemberRecord): void {
    const now = this.roster.get(record.store)
    if (now === undefined || now.state !== 'live') return
    if (now.boot !== record.boot || now.incarnation !== record.incarnation) return
    this.crash.forget(record.store)
    this.merge({ ...now, state: 'away' })
  }

  #onVoted(record: MemberRecord): void {
    const { store, boot, incarnation } = record
    const voter = this.#deps.self.store
    this.#actions.suspected(store)
    this.#news.put(suspectKey(store, voter), encodeNews({ kind: 'suspect', store, boot, incarnation, voter }))
  }

  /** Somebody speaks of us. */
  #onOwn(record: MemberRecord): boolean {
    const own = this.#own
    if (record.boot < own.boot) return false
    if (record.boot > own.boot) {
      this.#actions.rolledBack(`a member knows boot ${record.boot} of this store, this is boot ${own.boot}`)
      return false
    }
    if (record.startId !== own.startId) {
      this.#actions.rolledBack(`boot ${own.boot} of this store was started twice`)
      return false
    }
    if (record.state === 'live' && record.incarnation <= own.incarnation) return false
    return this.#refute(record.boot, record.incarnation)
  }

  #refute(boot: number, incarnation: number): boolean {
    if (boot !== this.#own.boot || incarnation < this.#own.incarnation || incarnation >= COUNTER_MAX)
      return false
    if (this.isWithdrawn) return false
    this.#own = { ...this.#own, incarnation: incarnation + 1, state: 'live' }
    this.detector.refuted()
    if (!this.roster.has(this.#own.store)) return false
    this.roster.merge(this.#own)
    this.#tell(this.#own, false)
    this.#actions.refuted(this.#own.store)
    return true
  }

  #tell(record: MemberRecord, whole: boolean): void {
    const { store, boot, incarnation, state } = record
    const news: News = whole ? { kind: 'record', record } : { kind: 'state', store, boot, incarnation, state }
    this.#news.put(recordKey(store), encodeNews(news))
  }

  #remember(store: StoreId, memory: StoreMemory): void {
    const before = this.#memories.get(store)
    this.#memories.set(store, memory)
    if (before?.boot === memory.boot) {
      this.#dirty.add(store)
      return
    }
    this.#save(store)
    this.#deps.disk.commit()
  }

  /** To be called before a commit or flush. */
  #save(store: StoreId): void {
    this.#dirty.delete(store)
    if (this.roster.isRemoved(store)) return
    this.#deps.disk.putMember(store, {
      record: this.roster.get(store),
      memory: this.#memories.get(store),
      removed: false,
    })
  }

  #touch(): void {
    this.#changedAt = this.#actions.now()
    this.#actions.changed()
  }
}

function recordKey(store: StoreId): string {
  return `r${store}`
}

function suspectKey(store: StoreId, voter: StoreId): string {
  return `s${store}${voter}`
}

function crashKey(store: StoreId, voter: StoreId): string {
  return `c${store}${voter}`
}
