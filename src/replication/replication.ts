/**
 * Replication of all ranges on one store. It makes a RangeReplica for each range in whose list the store is, or of which it
 * holds something, hands messages and ticks on, and gathers what a turn has brought: one sync for all, and after it the
 * answers of all (A3). Follow-ups that belong to other ranges are relayed from here (relay.ts).
 */

import { invariant } from '../invariant.ts'
import { type Acknowledged, type Copies, isKept } from './acknowledgements.ts'
import type { Dot } from './context.ts'
import type { FollowUp, RangeState, ReplicaEvents, ReplicaHost, ReplicationView } from './host.ts'
import { InStepWords } from './in-step.ts'
import type { Message } from './messages.ts'
import type { ReplicationOptions } from './options.ts'
import { RangeReplica } from './range-replica.ts'
import { Relays } from './relay.ts'
import type { Parts, Replica } from './replica.ts'
import { Schedule } from './schedule.ts'

export interface ReplicationStart {
  readonly self: string
  readonly ranges: number
  /** A number by chance, so that an answer to an earlier process is none to this one. */
  readonly firstNumber: number
  /** What the disk has. Ranges with records and without a state were let go, or never wholly copied. */
  readonly states: ReadonlyMap<number, RangeState>
  readonly withRecords: ReadonlySet<number>
  /** What it syncs outlives the process; of a memory-only store it does not. */
  readonly durable: boolean
  /** The store is one of the founders, whose lists begin with nothing to copy. */
  readonly isFounder: boolean
}

/** A tick that comes so much later than it was wanted is late: the process was not awake in between. */
const LATE_TICK_MS = 200

export class Replication {
  readonly #host: ReplicaHost
  readonly #start: ReplicationStart
  readonly #parts: Parts
  readonly #replicas = new Map<number, RangeReplica>()
  readonly #touched = new Set<Replica>()
  readonly #schedule = new Schedule<Replica>()
  readonly #relays: Relays
  #view: ReplicationView | undefined
  #number: number
  #isLeaving = false
  readonly #inStep: InStepWords
  #sweptAt = Number.NEGATIVE_INFINITY
  #nextTickAt: number
  /** How long ticks were late, beyond what is nothing. */
  #lateMs = 0

  constructor(
    host: ReplicaHost,
    options: ReplicationOptions,
    events: ReplicaEvents,
    start: ReplicationStart,
  ) {
    this.#host = host
    this.#start = start
    this.#number = start.firstNumber
    this.#nextTickAt = host.monotonic()
    this.#parts = {
      self: start.self,
      host,
      options,
      events,
      durable: start.durable,
      startedAt: host.monotonic(),
      awakeMs: () => Math.min(host.monotonic(), this.#nextTickAt + LATE_TICK_MS) - this.#lateMs,
      isLeaving: () => this.#isLeaving,
      view: () => {
        invariant(this.#view !== undefined, 'a view comes before everything else')
        return this.#view
      },
      nextNumber: () => ++this.#number,
      touch: replica => {
        this.#touched.add(replica)
        this.#wake(replica)
      },
      wake: replica => this.#wake(replica),
      endTurn: () => this.flush(),
    }
    this.#inStep = new InStepWords(this.#parts, () => this.#replicas.values())
    this.#relays = new Relays(host, start.self, options.resendMs, range => this.replica(range))
  }

  get view(): ReplicationView {
    return this.#parts.view()
  }

  replica(range: number): RangeReplica | undefined {
    return this.#replicas.get(range)
  }

  replicas(): IterableIterator<RangeReplica> {
    return this.#replicas.values()
  }

  /** What is saved of each range, as it is now; the same objects while nothing of them changes. */
  *states(): Generator<[number, RangeState]> {
    for (const [range, replica] of this.#replicas) {
      const state = replica.stateNow()
      if (state !== undefined) yield [range, state]
    }
  }

  /** The owner of a range by this store's view. */
  owner(range: number): string | undefined {
    const known = this.#replicas.get(range)
    if (known !== undefined) return known.owner()
    const view = this.view
    return view.list(range).find(store => view.isLive(store))
  }

  viewChanged(view: ReplicationView): void {
    const before = this.#view
    const isFirst = before === undefined
    this.#view = view
    const now = this.#host.monotonic()
    const { self, ranges, states, withRecords, isFounder } = this.#start
    for (let range = 0; range < ranges; range++) {
      let replica = this.#replicas.get(range)
      if (replica === undefined) {
        const isListed = view.list(range).includes(self)
        const isHeld = isFirst && (states.has(range) || withRecords.has(range))
        if (!isListed && !isHeld) continue
        replica = this.#make(range, isFirst, before)
        if (isFirst && isFounder && !states.has(range)) {
          replica.ready = true
          replica.knowsLists = true
        }
      }
      replica.viewChanged(now)
    }
  }

  /** `before`: the view until now. Its list may have acknowledged what nobody told this store, which held nothing. */
  #make(range: number, fromDisk: boolean, before: ReplicationView | undefined): RangeReplica {
    const { states, withRecords } = this.#start
    const state = fromDisk ? states.get(range) : undefined
    const replica = new RangeReplica(this.#parts, range, state, fromDisk && withRecords.has(range))
    if (!fromDisk && before !== undefined) {
      replica.list = [...before.list(range)]
      replica.quorum = before.quorum
    }
    this.#replicas.set(range, replica)
    return replica
  }

  receive(from: string, message: Message): void {
    if (this.#view === undefined) return
    const { range } = message
    if (!(range < this.#start.ranges)) return
    if (message.type === 'relay' || message.type === 'relayed') return this.#relays.receive(message)
    if (message.type === 'in-step') return this.#inStep.heard(from, message)
    let replica = this.#replicas.get(range)
    if (replica === undefined) {
      // Changes and copies are taken from any member; whoever asks gets an answer, also that there is nothing.
      replica = this.#make(range, false, this.#view)
      replica.viewChanged(this.#host.monotonic())
    }
    replica.receive(from, message, this.#host.monotonic())
  }

  /** A change that the host has journaled under the dot that `next` gave. */
  wrote(range: number, bytes: Uint8Array, dots: readonly Dot[]): Dot {
    return this.#mine(range).wrote(bytes, dots)
  }

  next(range: number): Dot {
    return this.#mine(range).next()
  }

  /** These can go where they belong: what they follow has its copies. */
  relay(followUps: readonly FollowUp[]): void {
    for (const each of followUps) {
      const source = this.#replicas.get(each.source)
      if (source?.isOpen === true && source.holds) this.#relays.send(each, source)
    }
  }

  /** Calls back once, when the change has its copies. Returns how to give up waiting for them. */
  acknowledge(range: number, dot: Dot, copies: Copies, done: Acknowledged): () => void {
    return this.#mine(range).acknowledge(dot, copies, done)
  }

  /** How many stores of the list have a change, as far as is known: as `copies` counts them. 0: nothing is held. */
  copiesOf(range: number, dot: Dot, copies: Copies = 'any'): number {
    return this.#replicas.get(range)?.copiesOf(dot, copies) ?? 0
  }

  #mine(range: number): RangeReplica {
    const replica = this.#replicas.get(range)
    invariant(replica !== undefined, `range ${range} is held here`)
    return replica
  }

  /** What this process wrote is where it has to be before it may go, as far as anybody is there for it. */
  get isKept(): boolean {
    return [...this.#replicas.values()].every(replica => {
      if (!replica.takesEnds) return true
      const { actor, n } = replica.next()
      return isKept(replica, replica.acks, { actor, n: n - 1 })
    })
  }

  /**
   * Hands over every range that this store acts for, before it leaves, and takes none over from now on. True while some
   * are under way; to be called until it is false.
   */
  handOver(): boolean {
    const now = this.#host.monotonic()
    if (!this.#isLeaving) {
      this.#isLeaving = true
      for (const replica of this.#replicas.values()) if (replica.role === 'replica') replica.gossip.tellAll()
    }
    let open = false
    for (const replica of this.#replicas.values()) {
      if (replica.role !== 'owner') continue
      if (replica.handingOver.isSealed || replica.handingOver.begin(now)) open = true
    }
    this.flush()
    return open
  }

  /** When `tick` is to be called, monotonic ms; the host is told (`awake`) when that becomes sooner. */
  get nextTickAt(): number {
    return this.#nextTickAt
  }

  /** Does what is due. To be called then, or sooner; what comes late was the process's own sleep. */
  tick(): void {
    const now = this.#host.monotonic()
    const { tickMs, overdueMs } = this.#parts.options
    this.#lateMs += Math.max(0, now - this.#nextTickAt - LATE_TICK_MS)
    this.#nextTickAt = now + tickMs
    if (this.#view === undefined) return
    this.#schedule.tick(now, replica => {
      const nextAt = replica.tick(now)
      this.#forget(replica)
      return nextAt
    })
    if (now - this.#sweptAt >= overdueMs / 2) {
      this.#sweptAt = now
      for (const replica of this.#replicas.values())
        if (replica.role === 'replica' && replica.holds) replica.outgoing.sweep()
    }
    this.#relays.tick(this.#replicas.values(), now)
    this.#inStep.tick(now)
    this.flush()
    const dueAt = Math.min(this.#schedule.nextAt, this.#relays.nextAt, this.#inStep.nextAt)
    this.#nextTickAt = Math.max(now + tickMs, Math.min(dueAt, this.#sweptAt + overdueMs / 2))
  }

  #wake(replica: Replica): void {
    replica.quietUntil = Number.NEGATIVE_INFINITY
    this.#schedule.wake(replica)
    const at = this.#host.monotonic() + this.#parts.options.tickMs
    if (at >= this.#nextTickAt) return
    this.#nextTickAt = at
    this.#parts.events.awake()
  }

  /** Nothing is held of the range, and nothing of it is under way. */
  #forget(replica: Replica): void {
    if (replica.role !== 'none' || replica.holds || replica.isReceiving) return
    if (this.#replicas.get(replica.range) === replica) this.#replicas.delete(replica.range)
    this.#schedule.delete(replica)
  }

  /** The end of a turn. */
  flush(): void {
    if (this.#touched.size === 0) return
    const now = this.#host.monotonic()
    const done = [...this.#touched].map(replica => replica.flush(now))
    this.#touched.clear()
    this.#host.afterSync(() => {
      for (const each of done) each()
      this.flush()
    })
  }
}
