/** What happened, as clients and handlers saw it. The checkers read this, and the final states, and nothing else. */

export type OpKind = 'create' | 'cancel' | 'pause' | 'resume' | 'trigger'

export interface Op {
  readonly kind: OpKind
  readonly id: string
  readonly request: string
  readonly invokedAt: number
  /** Of the first answer; NaN: none came. */
  answeredAt: number
  outcome: 'done' | 'absent' | undefined
  life: number
  /** The list that the answer was given under. */
  list: string
  /** When all of the list and the former lists had it; NaN: not known. */
  firmAt: number
  /** Of a create: the instants that it schedules; how many follow-ups each completion has. */
  readonly instants: readonly number[]
  readonly followUps: number
  readonly minted: boolean
}

export interface Start {
  readonly id: string
  readonly life: number
  readonly instant: number
  readonly manual: boolean
  readonly store: string
  readonly at: number
  /** When that store began to act for the range, and whether it knew enough by then. */
  readonly actingSince: number
  readonly unsure: boolean
  readonly fenced: boolean
  /** The lists that it knew of before it acted, each with until when (process.ts). */
  readonly lists: ReadonlyMap<string, number>
}

export interface Completion {
  readonly id: string
  readonly life: number
  readonly instant: number
  readonly manual: boolean
  readonly at: number
  readonly store: string
  /** NaN: never. */
  ackedAt: number
  /** The list that it was acknowledged under. */
  list: string
  readonly followUps: readonly string[]
}

export interface Fault {
  readonly kind: string
  readonly at: number
}

export class History {
  readonly ops: Op[] = []
  readonly starts: Start[] = []
  readonly completions: Completion[] = []
  readonly faults: Fault[] = []
  /** Broken invariants that somebody noticed on the way. */
  readonly broken: string[] = []
  unsure = 0

  fault(kind: string, at: number): void {
    this.faults.push({ kind, at })
  }
}
