/**
 * What an engine is in a mesh: who is there (membership), what follows from it (placement: which stores keep each range,
 * and which acts for it), and the tasks of the ranges that it keeps. Placement is made anew from the view at each change;
 * nothing of the table before is asked.
 */

import { CarillonError } from '../errors.ts'
import { hexOf } from '../lib/bytes.ts'
import { Membership } from '../membership/membership.ts'
import type { MembershipOptions } from '../membership/options.ts'
import type { StoreId, View } from '../membership/view.ts'
import type { Clock } from '../ports/clock.ts'
import type { Network, NetworkEvents } from '../ports/network.ts'
import type { Random } from '../ports/random.ts'
import type { WorkerChannel } from '../ports/worker-channel.ts'
import { Placement } from '../ring/placement.ts'
import { renewAtNextStart } from '../store/meta.ts'
import type { Started, TaskStore } from '../store/task-store.ts'
import type { DrainView, MeshView } from '../task/views.ts'
import type { EngineEvent } from '../wire/calls.ts'
import type { MeshAnswers, MeshCalls, MeshRequest } from '../wire/mesh-calls.ts'
import type { Calls } from '../work/calls.ts'
import type { Creation } from '../work/creation.ts'
import type { Duty } from '../work/duty.ts'
import type { FrontDesk } from '../work/front-desk.ts'
import type { Guests } from '../work/guests.ts'
import type { LiveRun } from '../work/live-run.ts'
import { Drain } from './drain.ts'
import { storesToForget } from './forgetting.ts'
import { PeerChannels, type SessionKind } from './peer-channels.ts'
import { type RingParts, ringView, shortages } from './ring-view.ts'
import { Routing, type RoutingOptions } from './routing.ts'
import { isTallyFrame } from './tally-frames.ts'
import { MeshTasks, type TasksOptions } from './tasks.ts'

export interface MeshOptions extends Omit<MembershipOptions, 'ranges'> {
  /** `spread`: each range has an owner of its own. `single`: one node acts for all, the others stand by hot. */
  readonly ownership: 'spread' | 'single'
  readonly tasks: TasksOptions
  readonly routing: RoutingOptions
}

export interface MeshPorts {
  readonly clock: Clock
  readonly random: Random
  readonly network: Network
  readonly observer?: MeshObserver | undefined
}

/** The engine, as its mesh needs it. */
export interface MeshHost {
  readonly store: TaskStore<LiveRun>
  readonly duty: Duty
  readonly creation: Creation
  readonly desk: FrontDesk
  readonly calls: Calls
  readonly guests: Guests
  /** What the store found at this start. */
  readonly started: Started
  /** Its store keeps what is synced. */
  readonly durable: boolean
  /** A peer has opened a session with this engine. */
  readonly attach: (node: string, kind: SessionKind, channel: WorkerChannel) => void
  /** Nothing is started from here on. */
  readonly pause: () => void
  /** Attempts that run here. */
  readonly running: () => number
  readonly emit: (event: EngineEvent) => void
  readonly stir: () => void
  /** The engine has to stop. */
  readonly failed: (error: unknown) => void
}

/** Who wants to know what happens. Never called inside a call of the engine. */
export interface MeshObserver {
  /** This boot is on the disk, and is about to say hello. */
  starting(self: { readonly store: StoreId; readonly boot: number; readonly startId: string }): void
  viewChanged(view: View): void
  /** This store belongs to a mesh from now on; called at each start. */
  founded(meshId: string): void
  suspected(store: StoreId): void
  refuted(store: StoreId): void
  refused(code: string, line: string): void
  /** This node acts for the range from now on, or no longer. */
  acting(range: number, acts: boolean): void
}

/** How long a node that has left answers still: who waits for it is to see it. */
const SAID_MS = 1000

export class Mesh implements MeshCalls {
  readonly #ports: MeshPorts
  readonly #options: MeshOptions
  readonly #store: TaskStore<LiveRun>
  readonly #host: MeshHost
  readonly #failed: (error: unknown) => void
  readonly membership: Membership
  readonly tasks: MeshTasks
  readonly channels: PeerChannels
  readonly routing: Routing
  readonly #refusals = new Map<string, string>()
  /** The view before. */
  #seen: View | undefined
  #drain: Drain | undefined
  #isStopping = false
  #placed: { readonly view: string; readonly placement: Placement } | undefined

  constructor(ports: MeshPorts, options: MeshOptions, host: MeshHost) {
    const { store, duty, creation, desk, calls, guests, started, durable, attach, stir, failed } = host
    this.#ports = ports
    this.#options = options
    this.#store = store
    this.#host = host
    this.#failed = failed
    const { clock, random, network, observer } = ports
    const { meta, actor } = store.identity
    this.membership = new Membership(
      { clock, random, network, store: store.shared },
      { ...options, ranges: meta.ranges },
      {
        node: network.self,
        store: meta.store as StoreId,
        boot: meta.boot,
        startId: hexOf(actor.startId),
        journalSeq: () => store.journal.syncedSeq,
      },
      {
        viewChanged: view => {
          observer?.viewChanged(view)
          for (const event of changesOf(this.#seen, view)) host.emit(event)
          this.#seen = view
          const { quorum, isFounder } = this.membership
          this.tasks.viewChanged(view, this.placement, quorum, isFounder)
          this.routing.viewChanged(view)
        },
        suspected: about => observer?.suspected(about),
        refuted: about => observer?.refuted(about),
        founded: ({ meshId, ranges }) => {
          if (ranges === meta.ranges) observer?.founded(meshId)
          else failed(otherRanges(ranges, meta.ranges))
        },
        refused: (code, line) => {
          const told = code === 'REMOVED' ? this.#removed(line) : line
          this.#refusals.set(code, told)
          host.emit({ type: 'refused', code, line: told })
          observer?.refused(code, line)
        },
        rolledBack: line => this.#rolledBack(line),
        failed,
      },
    )
    this.channels = new PeerChannels(network, { opened: attach })
    this.tasks = new MeshTasks(
      {
        clock,
        random,
        network,
        store,
        duty,
        creation,
        durable,
        meshId: () => this.membership.meshId,
        heard: node => this.membership.heard(node),
        renew: node => this.membership.renew(node),
        exchangeViews: id => this.membership.exchangeViews(id as StoreId),
        isRemoved: id => this.membership.isRemoved(id as StoreId),
        acting: (range, acts) => {
          observer?.acting(range, acts)
          this.routing.acts(range, acts)
        },
        stir,
        failed,
      },
      options.tasks,
      started,
    )
    this.routing = new Routing(
      {
        clock,
        self: network.self,
        ranges: meta.ranges,
        rangeOf: id => store.rangeOf(id),
        acting: this.tasks,
        desk,
        guests,
        tasksHere: request => calls.tasks(request),
        forgetHere: asker => calls.forget(asker),
        ceased: isCeased => calls.ceased(isCeased),
        open: node => this.channels.open(node, 'node'),
        stir,
        failed,
      },
      options.routing,
    )
  }

  /** Each plane goes to whom it belongs. */
  readonly #events: NetworkEvents = {
    connected: (node, address) => {
      this.tasks.connected(node)
      this.channels.connected(node)
      this.#guard(() => this.routing.connected(node))
      this.membership.events.connected(node, address)
    },
    disconnected: (node, why) => {
      this.tasks.disconnected(node)
      this.#guard(() => this.routing.disconnected(node))
      this.#guard(() => this.channels.disconnected(node))
      this.membership.events.disconnected(node, why)
    },
    dialFailed: (address, why) => this.membership.events.dialFailed(address, why),
    frame: (node, plane, frame) => {
      if (plane === 'calls') this.#guard(() => this.channels.frame(node, frame))
      else if (plane !== 'liveness') this.#guard(() => this.tasks.frame(node, plane, frame))
      else if (isTallyFrame(frame)) this.#guard(() => this.tasks.tallies(node, frame))
      else this.membership.events.frame(node, plane, frame)
    },
    drained: (node, plane) => {
      if (plane === 'calls') this.#guard(() => this.channels.drained(node))
      else if (plane !== 'liveness') this.#guard(() => this.tasks.drained(node, plane))
    },
  }

  #guard(act: () => void): void {
    try {
      act()
    } catch (error) {
      this.#failed(error)
    }
  }

  async start(): Promise<void> {
    const { meta, actor } = this.#store.identity
    this.#ports.observer?.starting({
      store: meta.store as StoreId,
      boot: meta.boot,
      startId: hexOf(actor.startId),
    })
    await this.#ports.network.start(this.#events)
    await this.membership.start()
  }

  /** Gives all that is here to the others, and leaves the mesh for ever; waits for no step longer than this. */
  async leave(limitMs: number): Promise<void> {
    this.#drain ??= this.#makeDrain()
    await this.#drain.run(limitMs)
  }

  async answer(request: MeshRequest): Promise<MeshAnswers[MeshRequest['method']]> {
    switch (request.method) {
      case 'forget-stores': {
        const stores = storesToForget(this.membership.view.stores, request.who)
        for (const { store } of stores) await this.membership.forget(store)
        return { forgotten: stores.map(({ store, node }) => ({ store, node })) }
      }
      case 'drain':
        return { drain: this.#beginDrain() }
      case 'ring': {
        const { id } = request
        const asked = id === undefined ? undefined : { id, range: this.#store.rangeOf(id) }
        return { ring: ringView(this.#ringParts, asked) }
      }
    }
  }

  /** Goes on however long it takes; the engine is told at the end. */
  #beginDrain(): DrainView {
    if (this.#drain !== undefined) return this.#drain.view
    const self = this.#store.identity.meta.store
    if (!this.membership.isAdmitted)
      throw new CarillonError('CONFLICT', 'this node belongs to no mesh: there is nothing to leave')
    if (!this.membership.view.stores.some(({ store, state }) => state === 'live' && store !== self))
      throw new CarillonError('CONFLICT', 'no other node of the mesh is live: nobody would have its tasks')
    this.#drain = this.#makeDrain()
    this.#host.pause()
    this.#drain.run().then(
      () =>
        this.#ports.clock.setTimer(SAID_MS, () => {
          this.#host.emit({ type: 'drained' })
          this.#host.stir()
        }),
      // Who stops meanwhile is a member still.
      error => this.#isStopping || this.#failed(error),
    )
    return this.#drain.view
  }

  #makeDrain(): Drain {
    const { tasks, membership } = this
    const { clock } = this.#ports
    const renew = (): Promise<void> => renewAtNextStart(this.#store.shared)
    return new Drain({ clock, tasks, membership, running: this.#host.running, renew })
  }

  async stop(): Promise<void> {
    this.#isStopping = true
    this.routing.stop()
    this.tasks.stop()
    await this.membership.stop()
    await this.#ports.network.stop()
  }

  /** As the view is now. */
  get placement(): Placement {
    const { id, stores, ranges, replicas } = this.membership.view
    if (this.#placed?.view !== id) {
      const { ownership } = this.#options
      this.#placed = { view: id, placement: new Placement(stores, { ranges, replicas, ownership }) }
    }
    return this.#placed.placement
  }

  get #ringParts(): RingParts {
    const { placement, tasks } = this
    return { view: this.membership.view, placement, known: range => tasks.replica(range) }
  }

  /** Where live members can be dialled. */
  addresses(): string[] {
    return this.membership.view.stores.flatMap(({ state, addresses }) => (state === 'live' ? addresses : []))
  }

  status(): MeshView {
    const { membership } = this
    const { view, quorum } = membership
    const self = this.#store.identity.meta.store
    const suspects = new Set<string>(membership.suspects)
    const { placement } = this
    const kept = placement.rangesOf(self)
    const { acting, unsure } = this.tasks.status()
    return {
      id: membership.meshId ?? null,
      admitted: membership.isAdmitted,
      view: view.id,
      quorum: Number.isFinite(quorum) ? quorum : null,
      ranges: {
        owned: acting,
        unsure,
        kept: kept.length,
        of: view.ranges,
        ...shortages(this.#ringParts),
        copying: this.tasks.copying,
      },
      stores: view.stores.map(({ startId: _, ...each }) => ({
        ...each,
        suspect: suspects.has(each.store),
        skewMs: each.store === self ? 0 : (this.routing.skews.of(each.node) ?? null),
      })),
      draining: this.#drain?.view ?? null,
      refusals: [...this.#refusals].map(([code, line]) => ({ code, line })),
    }
  }

  /** It was forgotten while it was away: its data dir begins anew, with what it holds. */
  #removed(line: string): string {
    renewAtNextStart(this.#store.shared).catch(this.#failed)
    return `${line}: start this node again, and it joins as a new store, with all that it holds`
  }

  /** What lies on the disk is an older copy: what it said since is not known to it. It goes on as somebody new. */
  #rolledBack(line: string): void {
    renewAtNextStart(this.#store.shared).then(
      () =>
        this.#failed(
          new CarillonError(
            'STORE_ROLLED_BACK',
            `${line}; start this node again: it goes on as a new store, with all that it holds`,
          ),
        ),
      this.#failed,
    )
  }
}

/** What a view says of its stores that the one before did not. */
function changesOf(before: View | undefined, view: View): EngineEvent[] {
  const events: EngineEvent[] = []
  const known = new Map(before?.stores.map(each => [each.store, each]))
  for (const { store, node, state, addresses } of view.stores) {
    if (known.get(store)?.state !== state) events.push({ type: 'member', node, store, state, addresses })
    known.delete(store)
  }
  for (const { store, node, addresses } of known.values())
    events.push({ type: 'member', node, store, state: 'removed', addresses })
  return events
}

function otherRanges(theirs: number, ours: number): CarillonError {
  return new CarillonError(
    'STORE_FORMAT',
    `the mesh has ${theirs} ranges, and this data directory was made with ${ours}: join with an empty one`,
  )
}
