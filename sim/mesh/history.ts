/**
 * MeshHistory: what the nodes of a mesh reported, and what was done to them. The checkers judge from this alone. Each
 * instant is on the monotonic clock.
 */

import type { RefusalCode } from '../../src/membership/messages.ts'
import type { MemberState, StoreId, View } from '../../src/membership/view.ts'
import type { VirtualClock } from '../virtual-clock.ts'
import type { TaskHistory } from './tasks/task-history.ts'

/** A start of a process on a store, as it was on the disk: what the nodes say is measured by it. */
export interface StoreStart {
  readonly at: number
  readonly node: number
  readonly store: StoreId
  readonly boot: number
  readonly startId: string
  /** Which of the node's disks it was: each wipe and each restored image is another. */
  readonly disk: number
}

export interface ViewReport {
  readonly at: number
  readonly node: number
  readonly view: View
}

/** A node holds a member for worse than it did, in the member's present start. */
export interface Alarm {
  readonly at: number
  /** Who holds it for that. */
  readonly node: number
  readonly about: number
  readonly state: MemberState
  /** For how long the member has been healthy (truth.ts), ms; undefined: it is not. */
  readonly healthyMs: number | undefined
  /** Whose word it may have been that had reason to think so, if there was one. */
  readonly excuse: string | undefined
}

export interface Founded {
  readonly at: number
  readonly node: number
  readonly store: StoreId
  readonly meshId: string
}

export interface Refused {
  readonly at: number
  readonly node: number
  readonly store: StoreId
  readonly code: RefusalCode | 'ROLLED_BACK'
}

/** `cut-off`: it runs, and has no good links with a majority. `apart`: it is not part of the mesh, or not yet. */
export type NodeState = 'apart' | 'down' | 'starting' | 'up' | 'cut-off' | 'paused' | 'stopping'

/** What was done to nodes or links, as it was carried out. */
export interface StrikeReport {
  readonly fault: string
  readonly from: number
  to: number
  readonly nodes: readonly number[]
  readonly others: readonly number[]
}

export class MeshHistory {
  readonly #clock: VirtualClock
  readonly starts: StoreStart[] = []
  /** When processes ended, however; `isOrderly`: as they were asked to. */
  readonly ends: { readonly at: number; readonly node: number; readonly isOrderly?: boolean }[] = []
  /** When processes were asked to end, and how long what ran there had for it. */
  readonly stops: { readonly at: number; readonly node: number; readonly graceMs: number }[] = []
  readonly views: ViewReport[] = []
  readonly alarms: Alarm[] = []
  readonly founded: Founded[] = []
  /** What each node was from when on (node-states.ts). */
  readonly states: { readonly at: number; readonly node: number; readonly state: NodeState }[] = []
  /** Who began to act for a range, or ceased to; who ends has ceased without a word. */
  readonly acting: {
    readonly at: number
    readonly node: number
    readonly range: number
    readonly acts: boolean
  }[] = []
  readonly refusals: Refused[] = []
  /** Members that were accused, of each accusation that a node made or heard. */
  readonly suspicions: { readonly at: number; readonly node: number; readonly about: StoreId }[] = []
  readonly strikes: StrikeReport[] = []
  /** Undefined: the mesh has no tasks. */
  tasks: TaskHistory | undefined
  readonly counters: Record<string, number> = {}
  readonly faults: string[] = []
  healedAt = Number.POSITIVE_INFINITY
  /** When all that are up saw the same, the right view; undefined: not within the bound. */
  agreedAt: number | undefined
  /** Nothing happens to anybody from then on, until `endedAt`. */
  restsAt = Number.POSITIVE_INFINITY
  endedAt = Number.POSITIVE_INFINITY
  /** Timers that ran on after an orderly stop of all. */
  timersLeft = 0
  /** What each node saw when time was up, for who did not agree. */
  disagreement = ''

  constructor(clock: VirtualClock) {
    this.#clock = clock
  }

  get now(): number {
    return this.#clock.monotonic()
  }

  count(name: string, by = 1): void {
    this.counters[name] = (this.counters[name] ?? 0) + by
  }

  most(name: string, value: number): void {
    this.counters[name] = Math.max(this.counters[name] ?? 0, value)
  }

  /** The simulation itself, or a node, did what nobody may do. */
  fault(text: string): void {
    this.faults.push(text)
  }
}
