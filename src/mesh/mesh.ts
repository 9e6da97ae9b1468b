/**
 * What an engine is in a mesh: who is there (membership), and what follows from it (placement: which stores keep each
 * range, and which acts for it). Both are made anew from the view at each change; nothing of the table before is asked.
 */

import { CarillonError } from '../errors.ts'
import { hexOf } from '../lib/bytes.ts'
import { Membership } from '../membership/membership.ts'
import type { MembershipOptions } from '../membership/options.ts'
import type { StoreId, View } from '../membership/view.ts'
import type { Clock } from '../ports/clock.ts'
import type { Network } from '../ports/network.ts'
import type { Random } from '../ports/random.ts'
import { Placement } from '../ring/placement.ts'
import { renewAtNextStart } from '../store/meta.ts'
import type { TaskStore } from '../store/task-store.ts'
import type { Run } from '../task/record.ts'
import type { MeshView } from '../task/views.ts'

export interface MeshOptions extends Omit<MembershipOptions, 'ranges'> {
  /** `spread`: each range has an owner of its own. `single`: one node acts for all, the others stand by hot. */
  readonly ownership: 'spread' | 'single'
}

export interface MeshPorts {
  readonly clock: Clock
  readonly random: Random
  readonly network: Network
  readonly observer?: MeshObserver | undefined
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
}

export class Mesh<R extends Run> {
  readonly #ports: MeshPorts
  readonly #options: MeshOptions
  readonly #store: TaskStore<R>
  readonly #failed: (error: unknown) => void
  readonly membership: Membership
  readonly #refusals = new Map<string, string>()
  #placed: { readonly view: string; readonly placement: Placement } | undefined

  /** `failed`: the engine has to stop. */
  constructor(ports: MeshPorts, options: MeshOptions, store: TaskStore<R>, failed: (error: unknown) => void) {
    this.#ports = ports
    this.#options = options
    this.#store = store
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
        viewChanged: view => observer?.viewChanged(view),
        suspected: about => observer?.suspected(about),
        refuted: about => observer?.refuted(about),
        founded: ({ meshId, ranges }) => {
          if (ranges === meta.ranges) observer?.founded(meshId)
          else failed(otherRanges(ranges, meta.ranges))
        },
        refused: (code, line) => {
          this.#refusals.set(code, line)
          observer?.refused(code, line)
        },
        rolledBack: line => this.#rolledBack(line),
        failed,
      },
    )
  }

  async start(): Promise<void> {
    const { meta, actor } = this.#store.identity
    this.#ports.observer?.starting({
      store: meta.store as StoreId,
      boot: meta.boot,
      startId: hexOf(actor.startId),
    })
    await this.#ports.network.start(this.membership.events)
    await this.membership.start()
  }

  async stop(): Promise<void> {
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

  status(): MeshView {
    const { membership } = this
    const { view, quorum } = membership
    const self = this.#store.identity.meta.store
    const suspects = new Set<string>(membership.suspects)
    const { placement } = this
    const kept = placement.rangesOf(self)
    return {
      id: membership.meshId ?? null,
      admitted: membership.isAdmitted,
      view: view.id,
      quorum: Number.isFinite(quorum) ? quorum : null,
      ranges: {
        owned: kept.filter(range => placement.owner(range)?.store === self).length,
        kept: kept.length,
        of: view.ranges,
      },
      stores: view.stores.map(each => ({ ...each, suspect: suspects.has(each.store) })),
      refusals: [...this.#refusals].map(([code, line]) => ({ code, line })),
    }
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

function otherRanges(theirs: number, ours: number): CarillonError {
  return new CarillonError(
    'STORE_FORMAT',
    `the mesh has ${theirs} ranges, and this data directory was made with ${ours}: join with an empty one`,
  )
}
