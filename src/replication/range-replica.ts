/**
 * One range on one store: what is applied and synced of it, who has confirmed what, and what this store is for it. Events
 * come in (a view, a message, a tick, the end of a sync), calls on the host go out; nothing waits.
 *
 *   none        not in the list, and nothing is held
 *   replica     in the list; takes changes, starts nothing
 *   activating  first of the list: asks for all that was acknowledged before it starts anything
 *   owner       acts
 *   outside     not in the list, but holds copies: keeps them until the whole list has confirmed them
 *   deleting    lets go: the context goes first, and nothing comes in until the records are gone too
 *
 * Invariants: A2 applied covers only what the host was given. A3 what a message says is synced was synced before. A5 the
 * host is armed by activation only.
 */

import { invariant } from '../invariant.ts'
import { CorruptBytes } from '../lib/bytes.ts'
import { type Acknowledged, Acknowledgements, ackViewOf, type Copies, countOf } from './acknowledgements.ts'
import { Activation } from './activation.ts'
import { ChangeLog, type LogEntry } from './change-log.ts'
import { Context, type Dot } from './context.ts'
import { Copying } from './copying.ts'
import { mayLetGo } from './custody.ts'
import type { Round } from './exchange.ts'
import { Gossip } from './gossip.ts'
import { HandingOver } from './handover.ts'
import type { RangeState } from './host.ts'
import { Inbox } from './inbox.ts'
import { Incoming } from './incoming.ts'
import { FormerLists, Others, sameMembers } from './lists.ts'
import type { Message } from './messages.ts'
import { Orphans } from './orphans.ts'
import { Outgoing } from './outgoing.ts'
import { OwnChanges } from './own-changes.ts'
import { Peer } from './peer.ts'
import type { Parts, Replica, Role } from './replica.ts'
import { SavedState } from './saved-state.ts'
import { Stability } from './stability.ts'
import { Sweep } from './sweep.ts'

export class RangeReplica implements Replica {
  readonly range: number
  readonly parts: Parts
  applied: Context
  synced: Context
  lists: FormerLists
  knowsLists = false
  role: Role = 'none'
  /** This store has joined a copy since it came into the list. */
  ready: boolean
  /** The owner may not know every acknowledged change. */
  unsure = false
  readonly log: ChangeLog
  readonly acks = new Acknowledgements()
  readonly peers = new Map<string, Peer>()
  readonly copying: Copying
  readonly inbox: Inbox
  readonly incoming: Incoming
  readonly outgoing: Outgoing
  readonly gossip: Gossip
  readonly handingOver: HandingOver
  readonly activation: Activation
  readonly sweep = new Sweep()
  quietUntil = Number.NEGATIVE_INFINITY
  readonly #own = new OwnChanges()
  readonly #others: Others
  readonly #saved: SavedState
  readonly #stability = new Stability(this)
  readonly #orphans = new Orphans(this)
  round: Round | undefined
  /** It has handed the range over in this view. */
  released = false
  /** Nobody else acts, though the view says so. */
  standIn = false
  list: readonly string[]
  /** W of the list. */
  quorum: number
  generation = 0
  /** To be told after the sync that covers all so far; another list with each turn. */
  owed: Array<() => void> = []
  /** Also of a copy whose context is not joined yet. */
  hasRecords: boolean

  constructor(parts: Parts, range: number, state: RangeState | undefined, hasRecords: boolean) {
    this.parts = parts
    this.range = range
    this.applied = state?.context ?? Context.EMPTY
    this.synced = this.applied
    this.lists = state?.lists ?? FormerLists.NONE
    this.ready = state?.ready ?? false
    this.list = state?.list ?? []
    this.quorum = state?.quorum ?? 0
    this.hasRecords = hasRecords
    this.#saved = new SavedState(this, state)
    this.#others = new Others(parts.self)
    this.log = new ChangeLog(parts.options.log)
    this.copying = new Copying(this)
    this.incoming = new Incoming(this)
    this.inbox = new Inbox(parts.options.inbox, this.incoming)
    this.outgoing = new Outgoing(this)
    this.gossip = new Gossip(this)
    this.handingOver = new HandingOver(this)
    this.activation = new Activation(this)
    this.#own.sawAll(this.applied.cleanDots(), Context.EMPTY)
  }

  get isActing(): boolean {
    return this.role === 'owner'
  }

  /** Changes of what exists may be made here. */
  get isOpen(): boolean {
    return this.role === 'owner' && !this.handingOver.isSealed
  }

  /** The ends of attempts that run here may still be written, whoever acts now. */
  get takesEnds(): boolean {
    return this.role !== 'none' && this.role !== 'deleting'
  }

  /**
   * Creations of ids that the library made may, if they come for the first time: nobody can know better. One that is
   * repeated waits like any other: its task may be done and gone, and only the others remember the request.
   */
  get takesMinted(): boolean {
    return this.isOpen || this.role === 'activating'
  }

  get others(): readonly string[] {
    return this.#others.of(this.list, this.parts.view())
  }

  get holds(): boolean {
    return !this.applied.isEmpty || this.hasRecords
  }

  get isReceiving(): boolean {
    return this.inbox.isBusy || this.copying.isBusy
  }

  // --- views and roles

  /** `isNew`: who has just come into a list has nothing yet. */
  viewChanged(now: number): void {
    const { self, host } = this.parts
    const view = this.parts.view()
    const list = view.list(this.range)
    const before = this.list
    this.released = false
    this.standIn = false
    this.round = undefined
    this.#stability.viewChanged()
    // Also of the same members in another order: who is first acts.
    this.list = [...list]
    if (!sameMembers(before, list) || this.quorum !== view.quorum) {
      if (before.length > 0) {
        this.lists = this.lists.add(before, this.quorum, host.now())
        for (const store of list) if (!before.includes(store) && store !== self) this.peer(store).isNew()
        if (list.includes(self) && !before.includes(self)) this.ready = false
      }
      this.quorum = view.quorum
      this.#forgetPeers()
      // While it lets go its context must not come back to the disk: the records are about to go.
      if (this.role !== 'deleting' && (list.includes(self) || this.holds)) this.save()
    }
    if (this.role === 'activating') this.activation.askAnew(now)
    this.settle(now)
  }

  /** Brings the role to what the view and the readiness of the others say. */
  settle(now: number): void {
    if (this.role === 'deleting') return
    const { self } = this.parts
    const inList = this.list.includes(self)
    const owner = this.owner()
    if (inList && owner === self) {
      if (this.role !== 'owner' && this.role !== 'activating') this.activation.begin(now)
    } else {
      const wasActing = this.role === 'owner' || this.role === 'activating'
      if (wasActing) this.#stepDown()
      this.role = inList ? 'replica' : this.holds ? 'outside' : 'none'
      if (wasActing) this.round = undefined
      if (wasActing && owner !== undefined && this.peers.has(owner)) this.outgoing.tell(owner, 'tell', 0)
    }
    this.#check(now)
    this.parts.touch(this)
  }

  /** Of this store's view: the first live one of the list that is ready; with none of these, the first live one. */
  owner(): string | undefined {
    return this.standIn ? this.parts.self : this.ownerByView()
  }

  /** The same, of who stands in for it, too. */
  ownerByView(): string | undefined {
    const { self } = this.parts
    const view = this.parts.view()
    const live = this.list.filter(store => view.isLive(store))
    return live.find(store => this.isReadyAt(store)) ?? live.find(store => store !== self || !this.released)
  }

  isReadyAt(store: string): boolean {
    return store === this.parts.self ? this.isReady : (this.peers.get(store)?.ready ?? true)
  }

  get isReady(): boolean {
    const goes = this.released || (this.role !== 'owner' && this.parts.isLeaving())
    return this.ready && !goes
  }

  #stepDown(): void {
    const wasOwner = this.role === 'owner'
    this.handingOver.cancel()
    this.unsure = false
    if (wasOwner) this.parts.host.disarm(this.range)
  }

  /** What follows from what is applied now and who has answered. */
  #check(now: number): void {
    const { self, host } = this.parts
    this.handingOver.take()
    if (this.role === 'activating') this.activation.check(now)
    if (this.role === 'owner' && this.round !== undefined) this.activation.checkExchanged(now)
    if (this.role === 'replica' && this.ready && this.knowsLists) this.round = undefined
    if (this.role === 'replica' && !this.ready && this.round !== undefined) {
      for (const [store, answer] of this.round.answers) {
        if (answer.active && this.round.isHeard(store, self, this.applied)) {
          this.becomeReady(now)
          break
        }
      }
    }
    if (this.role === 'outside' && this.round !== undefined) {
      const viewId = this.parts.view().id
      const { list, quorum, applied, synced } = this
      const [isBusy, { durable }] = [host.isBusy(this.range), this.parts]
      if (mayLetGo(this.round, { viewId, list, quorum, applied, synced, isBusy, durable }, self)) this.letGo()
    }
    if (this.acks.length > 0) this.acks.settle(ackViewOf(this))
    if (this.role !== 'deleting' && this.list.includes(self)) this.#stability.check()
  }

  becomeReady(now: number): void {
    this.ready = true
    this.save()
    this.gossip.tellAll()
    if (this.role === 'replica') {
      this.round = undefined
      this.settle(now)
    }
  }

  // --- changes of this store

  /** The actor under which the next change is written, and its n. */
  next(): Dot {
    return this.#own.next(this.applied, () => this.parts.host.mintActor(this.range))
  }

  /**
   * A change of this store, which the host has applied and journaled; `dots` are those of the record that it changes. One
   * that a copy brought may include more than is applied here: who gets the change needs that as well.
   */
  wrote(bytes: Uint8Array, dots: readonly Dot[]): Dot {
    invariant(this.role !== 'deleting', 'nothing is written to a range that is let go')
    const dot = this.next()
    for (const { actor, n } of dots)
      if (actor !== dot.actor && this.applied.of(actor) < n) this.#own.saw(actor, n)
    const after = this.#own.takeCauses()
    this.applied = this.applied.advance(dot.actor, dot.n)
    this.log.push({ ...dot, after, bytes })
    this.parts.touch(this)
    return dot
  }

  /** Calls back when a change has its copies. Returns how to give up waiting for them. */
  acknowledge(dot: Dot, copies: Copies, done: Acknowledged): () => void {
    const giveUp = this.acks.wait(dot, copies, done)
    this.#orphans.wants(dot)
    this.parts.touch(this)
    return giveUp
  }

  /** How many stores of the list have a change, as far as is known. */
  copiesOf({ actor, n }: Dot, copies: Copies): number {
    return countOf({ actor, n, copies }, ackViewOf(this))
  }

  isDurable(store: string): boolean {
    return store === this.parts.self ? this.parts.durable : (this.peers.get(store)?.durable ?? true)
  }

  confirmed(store: string): Context {
    if (store === this.parts.self) return this.synced
    return this.peers.get(store)?.confirmed ?? Context.EMPTY
  }

  /** A record of this life was dropped, or made: an id that is made again starts above it. */
  dropped(life: number): void {
    this.applied = this.applied.withLife(life)
    this.parts.touch(this)
  }

  /** The least life of an id that is made now, whatever was known of it. */
  get lifeMin(): number {
    return this.applied.life + 1
  }

  // --- messages

  /** Confirmations wait for nothing, and what ends a copy must not; the rest comes in order (inbox.ts). */
  receive(from: string, message: Message, now: number): void {
    if (this.role === 'deleting') return
    switch (message.type) {
      case 'have':
        this.peer(from).durable = message.durable
        this.peer(from).confirms(message.context, now, this.parts.options.resendMs)
        break
      case 'stable':
        this.#stability.heard(from, message)
        break
      case 'activated':
        this.handingOver.activated(from, message.number, now)
        break
      case 'overdue':
        // Who is about to act does not say that nobody does.
        if (!this.isActing && this.role !== 'activating') this.incoming.disown(from)
        break
      case 'disown':
        this.incoming.disowned(from, message.viewId, now)
        break
      case 'copy-offer':
      case 'copy-want':
      case 'copy-end':
        this.copying.receive(from, message, now)
        break
      case 'relay':
      case 'relayed':
        return
      default:
        return this.inbox.receive({ from, message })
    }
    this.received()
  }

  /** What follows from what has come in. */
  received(): void {
    if (this.role === 'deleting') return
    this.#stability.news()
    const now = this.parts.host.monotonic()
    // Also of a copy that has ended half way there are records, which have to be kept or let go.
    if (this.role === 'none' && this.holds) this.settle(now)
    this.#check(now)
    this.parts.touch(this)
  }

  /** Takes a change that follows on what is applied. */
  apply(entry: LogEntry): void {
    const { actor, n, bytes } = entry
    const { host, events } = this.parts
    if (!this.#saved.isSaved) this.save()
    try {
      host.apply(this.range, actor, n, bytes)
      this.applied = this.applied.advance(actor, n)
      this.log.push(entry)
    } catch (error) {
      if (!(error instanceof CorruptBytes)) throw error
      this.applied = this.applied.withHole(actor, n)
      this.save()
      events.hole(this.range, actor, n)
    }
    if (this.applied.cleanOf(actor) === n) this.#own.saw(actor, n)
    this.hasRecords = true
  }

  /** Does whatever is late; returns when it is to be called again, if nothing happens before. */
  tick(now: number): number {
    if (this.role === 'deleting') return Number.NEGATIVE_INFINITY
    if (now < this.quietUntil) return this.quietUntil
    const wantsRound =
      this.role === 'outside' ||
      (this.role === 'replica' && !(this.ready && this.knowsLists) && !this.released) ||
      (this.role === 'owner' && (this.unsure || this.lists.open.length > 0))
    if (wantsRound && this.round === undefined) this.round = this.activation.newRound(now)
    if (this.round !== undefined && now - this.round.askedAt >= this.activation.askEveryMs)
      this.outgoing.ask(now)
    this.handingOver.tick(now)
    this.#stability.tick(now)
    this.#orphans.tick(now)
    this.log.tick(now)
    this.copying.tick(now)
    this.outgoing.tickPeers(now)
    if (this.role !== 'none' && this.role !== 'outside') this.gossip.tick(now)
    this.#check(now)
    if (!this.#isQuiet) return Number.NEGATIVE_INFINITY
    this.quietUntil = Math.min(this.gossip.nextAt, this.copying.nextAt)
    return this.quietUntil
  }

  /** Nothing is under way here: until its next time only what comes from elsewhere changes anything. */
  get #isQuiet(): boolean {
    const acts = this.role === 'owner' || this.role === 'replica'
    const isAsked = this.round !== undefined || this.#orphans.isBusy
    const isUnderWay = isAsked || this.handingOver.isSealed || this.copying.isBusy
    return acts && !isUnderWay && this.outgoing.isThrough
  }

  // --- the end of a turn, and of a sync

  /** Sends what is new, and returns what is to be done once all so far is synced. */
  flush(now: number): () => void {
    const hasNews = this.role === 'outside' || this.log.length > 0
    const isAwaited = this.role === 'activating' || this.acks.length > 0
    if (this.role === 'owner' || (hasNews && isAwaited))
      for (const store of this.others) this.outgoing.push(store, now)
    const { applied, generation, owed } = this
    this.owed = []
    return () => {
      if (generation !== this.generation) return
      // The same object where they are equal: then it is seen at a glance that all is synced.
      this.synced = applied.contains(this.synced) ? applied : this.synced.join(applied)
      this.#stability.news()
      this.parts.wake(this)
      for (const tell of owed) tell()
      this.#check(this.parts.host.monotonic())
    }
  }

  /** The context was joined with one that a copy brought. */
  joined(context: Context, now: number): void {
    const before = this.applied
    this.applied = before.join(context)
    this.#own.sawAll(context.cleanDots(), before)
    this.save()
    this.settle(now)
  }

  save(): void {
    this.#saved.save()
  }

  /** What is saved of the range, as it is now; the same object while nothing of it changes. */
  stateNow(): RangeState | undefined {
    return this.#saved.now()
  }

  /** Ends every copy, deletes the context, and then the records. */
  letGo(): void {
    const { host } = this.parts
    this.copying.end()
    this.#saved.delete()
    this.role = 'deleting'
    // What a view brings from here on is news again.
    this.lists = FormerLists.NONE
    this.inbox.clear()
    this.#endTurns()
    this.parts.touch(this)
    host.afterSync(() => {
      host.deleteRecords(this.range)
      this.#endTurns()
      this.applied = Context.EMPTY
      this.synced = Context.EMPTY
      this.log.clear()
      this.acks.clear()
      this.peers.clear()
      this.#own.clear()
      this.#orphans.clear()
      this.#stability.clear()
      this.hasRecords = false
      this.ready = false
      this.knowsLists = false
      this.round = undefined
      this.role = 'none'
      // It may have come into the list again meanwhile.
      if (this.list.includes(this.parts.self)) this.save()
      this.settle(host.monotonic())
    })
  }

  /** What waits for a sync speaks of a range that is no longer here. */
  #endTurns(): void {
    this.generation++
    this.owed = []
  }

  peer(store: string): Peer {
    let peer = this.peers.get(store)
    if (peer === undefined) {
      peer = new Peer()
      this.peers.set(store, peer)
    }
    return peer
  }

  #forgetPeers(): void {
    const known = new Set(this.list)
    for (const { members } of this.lists.open) for (const store of members) known.add(store)
    for (const store of this.peers.keys()) if (!known.has(store)) this.peers.delete(store)
  }
}
