/**
 * History: what the simulated users know. Each call with the instants of its sending and its acknowledgement, each
 * attempt as a handler saw it, each end that was reported, and what was done to the node meanwhile. The checkers
 * judge from this alone.
 *
 * Instants named `at` are on the monotonic clock, which never jumps; what has `wall` in its name is epoch ms.
 */

import type { Policy } from '../src/task/policy.ts'
import type { Schedule } from '../src/task/schedule.ts'
import type { RunView, StatusView, TaskView } from '../src/task/views.ts'
import type { VirtualClock } from './virtual-clock.ts'

export type Method = 'schedule' | 'cancel' | 'pause' | 'resume' | 'trigger' | 'retry'

/** How the handler of a task behaves; drawn by the workload, carried out by the clients. */
export interface Conduct {
  readonly durationMs: readonly [min: number, max: number]
  /** Share of attempts that throw. */
  readonly failShare: number
  /** The first attempts that throw whatever the share says. */
  readonly failFirst: number
  /** Share of attempts that don't end before they are aborted. */
  readonly hangShare: number
  readonly fatalShare: number
  /** Tasks that a completed attempt schedules. */
  readonly followUps: number
}

/** How a handler behaves, unless it is said otherwise. */
export const QUICK: Conduct = {
  durationMs: [1, 20],
  failShare: 0,
  failFirst: 0,
  hangShare: 0,
  fatalShare: 0,
  followUps: 0,
}

/** What a schedule call asked for. */
export interface Spec {
  readonly name: string
  readonly schedule: Schedule
  readonly policy: Policy
  /** JSON; undefined for none. */
  readonly payload: string | undefined
  readonly conduct: Conduct
  readonly keyTtlMs: number
  readonly ifAbsent: boolean
  readonly minted: boolean
  readonly madeAtWall: number
}

/** One call that changes something, from its first sending to its acknowledgement. */
export interface Op {
  readonly method: Method
  readonly story: Story
  readonly caller: string
  readonly n: number
  /** The task id, or a run id. */
  readonly target: string
  readonly spec: Spec | undefined
  readonly sentAt: number
  readonly madeAtWall: number
  sendCount: number
  /** The first acknowledgement. */
  ackAt: number | undefined
  /** created, replaced, exists; for other methods 'done'; or the code of an error. */
  outcome: string | undefined
  answer: Record<string, unknown> | undefined
  /** Its effect is not known: refused as too old after it was sent at least once before. */
  unknown: boolean
}

/** All that was asked of one task id, and all that was seen of it. */
export interface Story {
  readonly id: string
  /** loose: calls overlap each other, so that only what holds in any order is checked. */
  readonly loose: boolean
  readonly ops: Op[]
  readonly attempts: Attempt[]
  readonly ends: End[]
  /** Instants that the engine said were passed over as missed. */
  missed: number
  /** Made by a completed run: its story begins there. */
  parent: { readonly runId: string; readonly spec: Spec; readonly attempts: Attempt[] } | undefined
}

export interface Attempt {
  readonly story: Story
  readonly runId: string
  readonly life: number
  readonly firstLife: boolean
  readonly instant: number
  readonly attempt: number
  readonly fence: string | undefined
  readonly client: number
  /** Which life of the engine sent it. */
  readonly boot: number
  readonly receivedAt: number
  readonly startedAt: number
  readonly startedWall: number
  /** What it saw of its payload: the op that sent it, or why it is wrong. */
  readonly version: Op | undefined
  readonly payloadFault: string | undefined
  endedAt: number | undefined
  endedWall: number | undefined
  /** killed: its process died; orphaned: it ended when nobody listened any more. */
  end: 'completed' | 'failed' | 'fatal' | 'killed' | 'orphaned' | undefined
  result: string | undefined
  abortedAt: number | undefined
  abortReason: string | undefined
}

/** The end of a run as the engine reported it, hence as it is on the disk. */
export interface End {
  readonly runId: string
  readonly state: string
  readonly at: number
  readonly boot: number
  readonly result: unknown
  readonly attempt: number
  readonly from: 'event' | 'result'
}

/** A span in which the node was not itself; `late`: things may be late in it, or missed by their policy. */
export interface Disturbance {
  readonly kind: string
  readonly from: number
  to: number
}

/** A life of the engine. */
export interface Boot {
  readonly number: number
  readonly startedAt: number
  readyAt: number | undefined
  endedAt: number | undefined
  how: 'crash' | 'died' | 'stopped' | undefined
}

export class History {
  readonly #clock: VirtualClock
  readonly stories = new Map<string, Story>()
  readonly boots: Boot[] = []
  readonly disturbances: Disturbance[] = []
  /** Jumps of the wall clock: from `at` on, wall = monotonic + offset. */
  readonly offsets: Array<{ readonly at: number; readonly offset: number }> = []
  /** Instants at which a connection of a worker was lost while the engine lived. */
  readonly workersLost: Array<{ readonly at: number; readonly client: number }> = []
  /** What is wrong in itself, found on the way. */
  readonly faults: string[] = []
  readonly counters: Record<string, number> = {}
  /** Faults are off and the node is up from here on. */
  healedAt = Number.POSITIVE_INFINITY
  endedAt = Number.POSITIVE_INFINITY
  /** All pages of tasks() at the end, and after one more restart. */
  listed: readonly TaskView[] = []
  listedAgain: readonly TaskView[] = []
  status: StatusView | undefined
  timersLeft = 0
  /** The engine's queue, or its memory, is so short that what is due may wait for room until it counts as missed. */
  queueIsShort = false
  /** runs() at the end, of some tasks. */
  readonly runsOf = new Map<string, readonly RunView[]>()

  constructor(clock: VirtualClock) {
    this.#clock = clock
    this.offsets.push({ at: 0, offset: clock.wallOffset })
  }

  story(id: string, loose = false): Story {
    let story = this.stories.get(id)
    if (story === undefined) {
      story = { id, loose, ops: [], attempts: [], ends: [], missed: 0, parent: undefined }
      this.stories.set(id, story)
    }
    return story
  }

  count(what: string, by = 1): void {
    this.counters[what] = (this.counters[what] ?? 0) + by
  }

  fault(text: string): void {
    if (this.faults.length < 100) this.faults.push(`at ${this.#clock.monotonic().toFixed(3)}: ${text}`)
  }

  jumped(): void {
    this.offsets.push({ at: this.#clock.monotonic(), offset: this.#clock.wallOffset })
  }

  /** Opens a disturbance; the returned function ends it. */
  disturb(kind: string): () => void {
    const disturbance: Disturbance = { kind, from: this.#clock.monotonic(), to: Number.POSITIVE_INFINITY }
    this.disturbances.push(disturbance)
    return () => {
      disturbance.to = this.#clock.monotonic()
    }
  }

  get boot(): Boot | undefined {
    return this.boots.at(-1)
  }

  wallAt(at: number): number {
    let offset = this.offsets[0]?.offset ?? 0
    for (const each of this.offsets) if (each.at <= at) offset = each.offset
    return at + offset
  }

  /** The first instant at or after `from` when the wall clock shows `wall` or more; Infinity if it never does. */
  reachedAt(wall: number, from: number): number {
    for (const [i, { at, offset }] of this.offsets.entries()) {
      const until = this.offsets[i + 1]?.at ?? Number.POSITIVE_INFINITY
      if (until <= from) continue
      const reached = Math.max(wall - offset, at, from)
      if (reached < until) return reached
    }
    return Number.POSITIVE_INFINITY
  }

  /** The latest wall instant that was shown up to `at`. */
  highestWall(at: number): number {
    let highest = Number.NEGATIVE_INFINITY
    for (const [i, each] of this.offsets.entries()) {
      if (each.at > at) break
      const until = Math.min(at, this.offsets[i + 1]?.at ?? Number.POSITIVE_INFINITY)
      highest = Math.max(highest, until + each.offset)
    }
    return highest
  }

  /** The latest instant at or after `from` at which the node was itself again; `from` if it was. */
  calmFrom(from: number, marginMs: number): number {
    let calm = from
    let moved = true
    while (moved) {
      moved = false
      for (const each of this.disturbances) {
        if (each.from - marginMs <= calm && calm < each.to + marginMs) {
          calm = each.to + marginMs
          moved = true
        }
      }
    }
    return calm
  }

  /** Runs of a handler that wait for it at the end; 0 if nothing of it was started any more: then it is stuck, not busy. */
  waitingAtEnd(name: string): number {
    const lately = this.endedAt - 5000
    const isBusy = [...this.stories.values()].some(({ attempts }) =>
      attempts.some(each => each.startedAt > lately && each.version?.spec?.name === name),
    )
    if (!isBusy) return 0
    return this.listed.flatMap(task => task.open).filter(run => run.name === name && run.state === 'queued')
      .length
  }

  /** True if something disturbed the node in [from, to]. */
  disturbed(from: number, to: number, kind?: string): boolean {
    return this.disturbances.some(
      each => each.from <= to && each.to >= from && (kind === undefined || each.kind === kind),
    )
  }

  /** True if the engine of an attempt was lost (or its worker) between the two instants. */
  lostBetween(from: number, to: number): boolean {
    return this.lossesBetween(from, to) > 0
  }

  lossesBetween(from: number, to: number): number {
    const isIn = (at: number | undefined): boolean => at !== undefined && at >= from && at <= to
    return (
      this.boots.filter(boot => isIn(boot.endedAt)).length +
      this.workersLost.filter(lost => isIn(lost.at)).length
    )
  }
}
