/**
 * TaskHistory: what the clients and the handlers of a mesh saw: each call with all its answers, each attempt with the
 * node that it was on, and what a last look at the stores showed. With what was done to the nodes (MeshHistory) it is
 * all that the judges of tasks know.
 *
 * Instants named `at` are on the monotonic clock; what has `wall` in its name is epoch ms.
 */

import type { Op, Story } from '../../history.ts'
import type { Gauge } from '../gauges.ts'

/** What came back of one sending of a call. */
export interface Answer {
  readonly at: number
  /** Where it was sent. */
  readonly node: number
  /** created, replaced, exists, done, the code of an error, `silence`, or `lost`: the connection broke. */
  readonly code: string
}

export interface MeshOp extends Op {
  /** The nodes that it was sent to send it on: which of them carried it out is not known. */
  readonly isRouted: boolean
  /** Each sending, the first included. */
  readonly sends: { readonly at: number; readonly node: number }[]
  /** All answers, those to later repetitions too. */
  readonly answers: Answer[]
}

/** Of its attempts `client` is the node, and `boot` the life of that node's process. */
export interface MeshStory extends Story {
  readonly ops: MeshOp[]
}

/** What one node says of one range. */
export interface RangeInspection {
  /** It acts for the range now. */
  readonly acts: boolean
  /** It is in the list of its view. */
  readonly isListed: boolean
  /** Live records by id, in a text that is equal where the records are. */
  readonly records: ReadonlyMap<string, string>
}

export interface Inspection extends RangeInspection {
  readonly node: number
  readonly range: number
}

/** Somebody set a node's wall clock: from `at` on it shows the true time and so many ms. */
export interface Skew {
  readonly at: number
  readonly node: number
  readonly ms: number
}

export class TaskHistory {
  readonly stories = new Map<string, MeshStory>()
  /** Connections of workers that were lost while the engine lived. */
  readonly workerLosses: { readonly at: number; readonly node: number }[] = []
  readonly skews: Skew[] = []
  /** The true wall clock less the monotonic clock. */
  readonly wallOffset: number
  /** From when on clients made calls. */
  beganAt = Number.POSITIVE_INFINITY
  /** The last look at all ranges of all nodes that were up; empty: the engines do not tell. */
  inspections: readonly Inspection[] = []
  /** When a look showed that all ranges had converged; undefined: none did. */
  convergedAt: number | undefined
  /** The ranges that had not converged in time, and what was wrong with each. */
  apart: ReadonlyMap<number, string> = new Map()
  /** The same of the time after the end of the faults, while users went on; only of a rush. */
  behind: ReadonlyMap<number, string> = new Map()
  /** What each node had under way once all was at rest: twice, some time apart. */
  readonly gauges: Gauge[] = []
  /** From when on the ranges had nothing to do but converge. */
  settledAt: number | undefined

  constructor(wallOffset: number) {
    this.wallOffset = wallOffset
  }

  story(id: string, loose = false): MeshStory {
    let story = this.stories.get(id)
    if (story === undefined) {
      story = { id, loose, ops: [], attempts: [], ends: [], missed: 0, parent: undefined }
      this.stories.set(id, story)
    }
    return story
  }

  /** The true monotonic instant of a wall instant. */
  atOf(wall: number): number {
    return wall - this.wallOffset
  }

  /** The latest wall instant that a node may have acted by, up to `at`: its own, or that of one it took over from. */
  highestWall(node: number, at: number): number {
    const before = this.skews.filter(skew => skew.at <= at)
    if (before.length === 0) return at + this.wallOffset
    const own = before.findLast(skew => skew.node === node)?.ms ?? 0
    return at + this.wallOffset + Math.max(own, 0, ...before.map(({ ms }) => ms))
  }
}
