/**
 * The tasks of a node in a mesh: for which ranges it acts, and when a change counts. It stands between the rooms of work,
 * which ask it as their Ownership, the store, whose changes it numbers, and the replication. Before this store belongs to a
 * mesh there is no replication, and it acts for nothing.
 */

import { CarillonError } from '../errors.ts'
import { invariant } from '../invariant.ts'
import { Wake } from '../lib/wake.ts'
import type { View } from '../membership/view.ts'
import type { Clock } from '../ports/clock.ts'
import type { Network } from '../ports/network.ts'
import type { Random } from '../ports/random.ts'
import { defaultCopies } from '../replication/acknowledgements.ts'
import type { Dot } from '../replication/context.ts'
import type { RangeState } from '../replication/host.ts'
import type { ReplicationOptions } from '../replication/options.ts'
import type { RangeReplica } from '../replication/range-replica.ts'
import { Replication } from '../replication/replication.ts'
import type { Placement } from '../ring/placement.ts'
import type { ChangeSink, Started, TaskStore } from '../store/task-store.ts'
import type { Creation } from '../work/creation.ts'
import type { Duty } from '../work/duty.ts'
import type { LiveRecord, LiveRun } from '../work/live-run.ts'
import { type Counted, NOTHING_WRITTEN, type Ownership, type Written } from '../work/ownership.ts'
import { Counting, type CountingOptions, joined } from './counting.ts'
import { followUpOf, StoreReplicaHost } from './replica-host.ts'
import { GoneSince, replicationView } from './replication-view.ts'
import type { Ordered, StallOptions } from './stall.ts'
import { Starts } from './starts.ts'
import { Transport, type TransportHost } from './transport.ts'

export interface TasksOptions extends CountingOptions {
  readonly replication: ReplicationOptions
  /** How long an attempt is waited for whose node nobody knows, from when this node began to act, ms. */
  readonly orphanMs: number
  readonly stall: StallOptions
}

export interface TasksParts {
  readonly clock: Clock
  readonly random: Random
  readonly network: Network
  readonly store: TaskStore<LiveRun>
  readonly duty: Duty
  /** This node has begun, or ceased, to act for the range. */
  readonly acting: (range: number, acts: boolean) => void
  readonly creation: Creation
  /** What it has synced survives the loss of its process. */
  readonly durable: boolean
  readonly meshId: () => string | undefined
  /** A sign of life of a node; the store that speaks from there. */
  readonly heard: (node: string) => string | undefined
  /** Its connection is about to be cut: a new one is dialled at once. */
  readonly renew: (node: string) => void
  readonly exchangeViews: (store: string) => void
  /** The store has left the mesh, or was forgotten. */
  readonly isRemoved: (store: string) => boolean
  readonly stir: () => void
  readonly failed: (error: unknown) => void
}

/** What one range is here, for who judges meshes. */
export interface RangeInspection {
  readonly acts: boolean
  readonly isListed: boolean
  /** Live records by id; the texts are equal on all stores that have the same. */
  readonly records: ReadonlyMap<string, string>
}

const PAGE = 500
const SWEEP_MS = 1000

export class MeshTasks implements Ownership, ChangeSink {
  readonly isShared = true
  readonly #options: TasksOptions
  readonly #parts: TasksParts
  readonly #started: Started
  readonly #transport: Transport
  readonly #gone: GoneSince
  readonly #starts: Starts
  /** By range: since when this node acts, monotonic ms; NaN: it does not. */
  readonly #actingSince: Float64Array
  readonly #unsure = new Set<number>()
  readonly #refusals = new Map<string | undefined, CarillonError>()
  #replication: Replication | undefined
  #replicaHost: StoreReplicaHost | undefined
  #counting: Counting | undefined
  #view: View | undefined
  #gathered: Map<number, Dot[]> | undefined
  readonly #wake: Wake
  #sweptAt = 0
  #isStopped = false
  /** Ranges that this node began to act for without having heard enough others. */
  unsureCount = 0
  holes = 0

  constructor(parts: TasksParts, options: TasksOptions, started: Started) {
    this.#parts = parts
    this.#options = options
    this.#started = started
    const { network, store } = parts
    const { meta, actor } = store.identity
    this.#actingSince = new Float64Array(meta.ranges).fill(Number.NaN)
    this.#gone = new GoneSince(parts.isRemoved)
    this.#starts = new Starts(Buffer.from(actor.startId).toString('hex'))
    const host: TransportHost = {
      meshId: parts.meshId,
      nodeOf: id => this.#nodeOf(id),
      heard: node => {
        const id = parts.heard(node)
        return this.#view?.stores.some(each => each.store === id) ? id : undefined
      },
      received: (from, message) => this.#replication?.receive(from, message),
      renew: parts.renew,
      monotonic: () => parts.clock.monotonic(),
    }
    this.#transport = new Transport(network, store.actors, host, options.stall)
    this.#wake = new Wake(parts.clock, () => this.#tick())
    store.sink = this
  }

  // --- the mesh

  /** `quorum` is Infinity for a store that belongs to no mesh. */
  viewChanged(view: View, placement: Placement, quorum: number, isFounder: boolean): void {
    const { clock, stir } = this.#parts
    this.#view = view
    this.#starts.update(view)
    this.#gone.update(view, clock.now())
    this.#refusals.clear()
    if (this.#replication === undefined) {
      if (!Number.isFinite(quorum)) return
      this.#begin(isFounder)
    }
    this.#replication?.viewChanged(replicationView(view, placement, quorum, this.#gone))
    this.#parts.duty.watch()
    stir()
  }

  #begin(isFounder: boolean): void {
    const { clock, random, store, duty, creation, exchangeViews, stir, failed } = this.#parts
    const { states, withRecords } = this.#started
    const host = new StoreReplicaHost({
      clock,
      store,
      duty,
      creation,
      send: (to, message) => this.#transport.send(to, message),
      isConnected: id => this.#transport.isConnected(id),
      exchangeViews,
      acts: (range, acts, unsure) => this.#acts(range, acts, unsure),
      whenCounted: (written, done) => this.acknowledge(written, error => done(error === undefined)),
      dropped: (range, life) => this.dropped(range, life),
      failed,
      stir,
    })
    this.#replicaHost = host
    this.#replication = new Replication(
      host,
      this.#options.replication,
      {
        unsure: () => {
          this.unsureCount++
        },
        hole: () => {
          this.holes++
        },
        awake: () => this.#arm(),
      },
      {
        self: store.identity.meta.store,
        ranges: store.identity.meta.ranges,
        firstNumber: Math.floor(random.float() * 0x7fff_ffff),
        states,
        withRecords,
        // Who was there at the founding and has anything since is like any other.
        durable: this.#parts.durable,
        isFounder: isFounder && states.size === 0 && withRecords.size === 0,
      },
    )
    this.#counting = new Counting(this.#options, {
      replication: this.#replication,
      copies: () => defaultCopies(this.#view?.stores.length ?? 0),
      monotonic: () => clock.monotonic(),
      isFull: () => store.isFull,
    })
    this.#arm()
  }

  connected(node: string): void {
    this.#transport.connected(node)
  }

  disconnected(node: string): void {
    this.#transport.disconnected(node)
  }

  frame(node: string, plane: Ordered, frame: Uint8Array): void {
    this.#transport.frame(node, plane, frame)
    this.#parts.stir()
  }

  drained(node: string, plane: Ordered): void {
    this.#transport.drained(node, plane)
  }

  /** A frame of the liveness plane that is about the others. */
  tallies(node: string, frame: Uint8Array): void {
    this.#transport.tallies(node, frame)
  }

  /** The end of a turn: what is new goes out while it is synced. */
  flush(): void {
    this.#replication?.flush()
    this.#transport.flush()
  }

  /** A record of that life was dropped. */
  dropped(range: number, life: number): void {
    this.#replication?.replica(range)?.dropped(life)
  }

  /** What the ranges come to now, beside their records. */
  states(): Iterable<[number, RangeState]> {
    return this.#replication?.states() ?? []
  }

  #acts(range: number, acts: boolean, unsure: boolean): void {
    const isActing = this.acts(range)
    if (acts && unsure) this.#unsure.add(range)
    else this.#unsure.delete(range)
    if (acts === isActing) return
    this.#actingSince[range] = acts ? this.#parts.clock.monotonic() : Number.NaN
    if (acts) this.#parts.duty.begin(range)
    this.#parts.acting(range, acts)
  }

  /** The next look is when something is due, and each second. */
  #arm(): void {
    if (this.#isStopped) return
    const { clock, duty } = this.#parts
    const now = clock.monotonic()
    const { tickMs } = this.#options.replication
    const dueAt = Math.min(
      now + SWEEP_MS,
      this.#replication?.nextTickAt ?? Number.POSITIVE_INFINITY,
      this.#counting?.nextAt ?? Number.POSITIVE_INFINITY,
      this.#transport.nextAt,
      // Attempts of others, of which nobody tells that they are lost.
      duty.watched > 0 ? now + tickMs : Number.POSITIVE_INFINITY,
    )
    this.#wake.by(Math.max(now, dueAt))
  }

  #tick(): void {
    const { clock, store, duty } = this.#parts
    this.#replication?.tick()
    this.#counting?.tick()
    this.#transport.tick()
    duty.watch()
    if (clock.monotonic() - this.#sweptAt >= SWEEP_MS) {
      this.#sweptAt = clock.monotonic()
      store.sweepEnded(clock.now())
    }
    this.#arm()
  }

  /** Hands over what this node acts for, so that the next owners go on at once; gives up after a while. */
  handOver(limitMs: number): Promise<void> {
    return this.#whileIn(limitMs, () => this.#replication?.handOver() === true)
  }

  /**
   * Waits until what was written here is on as many disks as it takes; gives up after a while. Nothing is started here: what
   * could not be handed over is offered again.
   */
  keep(limitMs: number): Promise<void> {
    return this.#whileIn(
      limitMs,
      () => this.#replication?.isKept === false,
      () => this.#replication?.handOver(),
    )
  }

  /** Asks now and then, until there is nothing more to wait for, or the time is over. */
  async #whileIn(limitMs: number, isOpen: () => boolean, again?: () => void): Promise<void> {
    const { clock } = this.#parts
    const until = clock.monotonic() + limitMs
    while (isOpen() && clock.monotonic() < until) {
      again?.()
      await new Promise<void>(resolve => clock.setTimer(this.#options.replication.tickMs / 4, resolve))
    }
  }

  stop(): void {
    this.#replicaHost?.stop()
    this.#isStopped = true
    this.#wake.cancel()
  }

  // --- Ownership

  acts(range: number): boolean {
    return !Number.isNaN(this.#actingSince[range] as number)
  }

  isOpen(range: number): boolean {
    return this.#replication?.replica(range)?.isOpen === true
  }

  /** The node that acts for the range, as far as this one knows. */
  nodeFor(range: number): string | undefined {
    const owner = this.#replication?.owner(range)
    return owner === undefined ? undefined : this.#nodeOf(owner)
  }

  refusal(range: number): CarillonError | undefined {
    if (this.isOpen(range)) return undefined
    if (this.#replication === undefined) {
      return new CarillonError(
        'NOT_OWNER',
        'this node belongs to no mesh yet: call again, or ask another node',
      )
    }
    const owner = this.#replication.owner(range)
    return this.#notOwner(owner === this.#parts.store.identity.meta.store ? undefined : owner)
  }

  /** One for each owner: a bulk call may get thousands, and most of what an error costs is its stack. */
  #notOwner(owner: string | undefined): CarillonError {
    let error = this.#refusals.get(owner)
    if (error === undefined) {
      const node = owner === undefined ? undefined : this.#nodeOf(owner)
      const who =
        node === undefined ? 'no node acts for it at this moment: call again' : `node ${node} does: ask there`
      error = new CarillonError('NOT_OWNER', `this node does not act for the task; ${who}`, { owner: node })
      this.#refusals.set(owner, error)
    }
    return error
  }

  #nodeOf(store: string): string | undefined {
    return this.#view?.stores.find(each => each.store === store)?.node
  }

  lifeMin(range: number): number {
    return this.#replication?.replica(range)?.lifeMin ?? Number.NEGATIVE_INFINITY
  }

  mayRunElsewhere(range: number, actor: number): boolean {
    // A copy may tell of an attempt whose start was not written yet: nobody is named then.
    const known = actor < 0 ? undefined : this.#starts.isLive(this.#parts.store.actors.nameOf(actor))
    if (known !== undefined) return known
    return this.#parts.clock.monotonic() - (this.#actingSince[range] as number) < this.#options.orphanMs
  }

  gather(): void {
    this.#gathered = new Map()
  }

  needs(range: number, dots: readonly Dot[]): void {
    if (this.#gathered !== undefined) joined(this.#gathered, range, dots)
  }

  written(): Written {
    const written = this.#gathered ?? NOTHING_WRITTEN
    this.#gathered = undefined
    return written
  }

  justWritten({ range, dotActor, dotN }: LiveRecord): Written {
    return new Map([[range, [{ actor: dotActor, n: dotN }]]])
  }

  acknowledge(written: Written, counted: Counted): void {
    if (this.#counting !== undefined && written.size > 0) return this.#counting.acknowledge(written, counted)
    this.#parts.store.afterSync(error => counted(error, 0))
  }

  handOn(record: LiveRecord, followUps: readonly LiveRecord[]): void {
    const { store, stir } = this.#parts
    this.acknowledge(this.justWritten(record), error => {
      // What does not count yet is relayed later, by whoever acts for the range then.
      if (error !== undefined) return
      const waiting = followUps.filter(({ gone }) => !gone)
      this.#replication?.relay(waiting.map(each => followUpOf(each, store)))
      stir()
    })
  }

  confirm(written: Written, done: (firm: boolean, copies: number) => void): void {
    if (this.#counting === undefined || written.size === 0) return done(false, 0)
    this.#counting.confirm(written, done)
    // Its patience may be shorter than what is left until the next look.
    this.#arm()
  }

  // --- ChangeSink

  next(range: number): Dot {
    return this.#the().next(range)
  }

  wrote(range: number, bytes: Uint8Array, dots: readonly Dot[]): void {
    const replication = this.#the()
    const dot = replication.wrote(range, bytes, dots)
    if (this.#gathered !== undefined) joined(this.#gathered, range, [dot])
    // The end of an attempt that ran on here: nobody waits for it, but who acts has to get it.
    if (replication.replica(range)?.role !== 'owner')
      replication.acknowledge(range, dot, 'majority', () => {})
  }

  #the(): Replication {
    invariant(this.#replication !== undefined, 'nothing is written before this store belongs to a mesh')
    return this.#replication
  }

  // --- to look at

  /** What is known here of a range. */
  replica(range: number): RangeReplica | undefined {
    return this.#replication?.replica(range)
  }

  /** Ranges of which this store has anything. */
  get holding(): number {
    let count = 0
    for (const replica of this.#replication?.replicas() ?? []) if (replica.holds) count++
    return count
  }

  /** Copies of ranges that come here, or go out from here. */
  get copying(): number {
    let count = 0
    for (const replica of this.#replication?.replicas() ?? []) count += replica.copying.underWay
    return count
  }

  /** Connections that this node has cut, as they were stuck. */
  get stalled(): number {
    return this.#transport.stalled
  }

  status(): { readonly acting: number; readonly unsure: number; readonly waiting: number } {
    let acting = 0
    for (const since of this.#actingSince) if (!Number.isNaN(since)) acting++
    return { acting, unsure: this.#unsure.size, waiting: this.#counting?.waiting ?? 0 }
  }

  async inspect(range: number): Promise<RangeInspection> {
    const { store } = this.#parts
    const records = new Map<string, string>()
    for (let after: string | undefined, more = true; more; ) {
      const { heads, isLast } = await store.pageOf(range, after, PAGE)
      for (const { id, ended } of heads) {
        after = id
        const record = ended ? undefined : store.recordIn(range, id)
        // Each store forgets ended runs once it knows that all have them: when that is, is of no matter.
        if (record !== undefined) records.set(id, store.canonical(record, true))
      }
      more = !isLast
    }
    const list = this.#replication?.replica(range)?.list ?? []
    return { acts: this.acts(range), isListed: list.includes(store.identity.meta.store), records }
  }
}
