/**
 * Schedule: a definition becomes a record, replaces one, or finds that it is there already. Ids that the library
 * minted can't exist, so they cost no look-up; users' ids are asked of the index, a whole batch at a time.
 */

import { CarillonError, isCarillonError } from '../errors.ts'
import { invariant } from '../invariant.ts'
import { ByteReader, CorruptBytes } from '../lib/bytes.ts'
import type { TaskStore } from '../store/task-store.ts'
import { Definition } from '../task/definition.ts'
import type { Policy } from '../task/policy.ts'
import { NEVER, NOT_YET, TaskRecord } from '../task/record.ts'
import { isRunEnd } from '../task/task.ts'
import type { ScheduleStatus } from '../wire/frame.ts'
import type { Lifecycle } from './lifecycle.ts'
import type { LiveRecord, LiveRun } from './live-run.ts'

export interface CreationParts {
  readonly store: TaskStore<LiveRun>
  readonly lifecycle: Lifecycle
  readonly hlc: () => number
  readonly now: () => number
  /** Why no new work is taken now, if so. */
  readonly refusal: () => CarillonError | undefined
}

export type ScheduleResult = Exclude<ScheduleStatus, 'error'> | CarillonError

export class Creation {
  readonly #parts: CreationParts

  constructor(parts: CreationParts) {
    this.#parts = parts
  }

  /**
   * Carries out a batch of one caller, in order of the items. Returns their results, of which `undefined` means
   * created; a promise if the index had to be asked.
   */
  schedule(definitions: readonly Definition[], mark: number): Results | Promise<Results> {
    const { store, now } = this.#parts
    const first = definitions[0]
    if (first === undefined) return []
    const { caller } = first
    const at = now()
    store.requests.raiseMark(caller, mark, at)
    const refusal = this.#parts.refusal()
    if (refusal !== undefined) return definitions.map(() => refusal)
    const unknown: string[] = []
    for (const definition of definitions) {
      if (!definition.minted && store.peek(definition.id) === undefined) unknown.push(definition.id)
    }
    if (unknown.length === 0) return this.#all(definitions, caller, at)
    return store.load(unknown).then(() => this.#all(definitions, caller, at))
  }

  #all(definitions: readonly Definition[], caller: string, at: number): Results {
    const { requests } = this.#parts.store
    let results: Array<ScheduleResult | undefined> | undefined
    let from = -1
    let to = -2 // request 0 follows nothing
    for (let i = 0; i < definitions.length; i++) {
      const definition = definitions[i] as Definition
      const n = definition.requestNumber
      const result = this.#one(definition, caller, n)
      if (result !== undefined) {
        results ??= new Array<ScheduleResult | undefined>(definitions.length)
        results[i] = result
      }
      if (result instanceof CarillonError) continue
      if (n === to + 1) to = n
      else {
        if (from >= 0) requests.add(caller, from, to, at)
        from = n
        to = n
      }
    }
    if (from >= 0) requests.add(caller, from, to, at)
    return results ?? NOTHING_SPECIAL
  }

  /** Undefined: created. */
  #one(definition: Definition, caller: string, n: number): ScheduleResult | undefined {
    try {
      if (this.#parts.store.requests.find(caller, n, definition.madeAt, this.#parts.now()) !== undefined)
        return undefined // it came before: created then
      return this.#carryOut(definition)
    } catch (error) {
      if (isCarillonError(error)) return error
      if (error instanceof CorruptBytes) {
        return new CarillonError(
          'INVALID',
          `the definition of "${definition.id}" can't be read: ${error.message}`,
        )
      }
      throw error
    }
  }

  /** A follow-up task, in the same commit as the completion that it follows. */
  followUp(bytes: Uint8Array): void {
    const definition = new Definition(new ByteReader(bytes), bytes.length)
    if (this.#parts.store.peek(definition.id) instanceof TaskRecord) return
    this.#create(definition)
  }

  #carryOut(definition: Definition): ScheduleResult | undefined {
    const known = this.#parts.store.peek(definition.id)
    if (!(known instanceof TaskRecord)) return this.#create(definition)
    // Nobody else has such an id: the request came before, and was forgotten.
    if (definition.minted) return undefined
    const over = known.nextAt === NEVER && !known.hasOpenRun
    if (definition.ifAbsent) return 'exists'
    if (over) return this.#create(definition)
    if (sameDefinition(known.definition, definition)) return 'exists'
    return this.#replace(known, definition)
  }

  #create(definition: Definition): undefined {
    const { store, lifecycle, hlc } = this.#parts
    const lifeBefore = definition.minted ? undefined : store.lastLifeOf(definition.id)
    const life = Math.max(Math.floor(definition.madeAt), (lifeBefore ?? 0) + 1)
    const range = store.rangeOf(definition.id)
    const record = new TaskRecord<LiveRun>(definition.id, range, life, lifeBefore === undefined, definition)
    record.hlc = hlc()
    record.actor = store.identity.actor.index
    record.next = this.#firstInstant(definition, NOT_YET)
    const before = definition.minted ? undefined : store.peek(definition.id)
    if (lifeBefore !== undefined) store.history.remove(definition.id)
    store.created(record)
    if (before instanceof TaskRecord) lifecycle.letGo(before)
    lifecycle.counters.created++
    lifecycle.settle(record)
    return undefined
  }

  #replace(record: LiveRecord, definition: Definition): 'replaced' {
    const { store, lifecycle, hlc } = this.#parts
    if (definition.policy.guarantee !== record.definition.policy.guarantee) {
      throw new CarillonError(
        'CONFLICT',
        `task "${record.id}" is ${record.definition.policy.guarantee} and can't become ${definition.policy.guarantee} while it lives: cancel it first, or use another id`,
      )
    }
    const next = this.#firstInstant(definition, record.lastAt)
    record.replace(definition, next, hlc(), store.identity.actor.index)
    while (record.findRun(record.next) !== undefined || record.next === record.lastAt) record.next++
    // What was reached before has its runs, whose ids are not used again; but a one-shot may lie before it.
    record.lastAt = Math.min(record.lastAt, record.next - 1)
    store.created(record)
    for (const run of [...record.runs]) {
      // One whose claim is on its way was not handed out: it would get the old handler with the new payload.
      const isHandedOut = run.state === 'running' && run.place === 'sent'
      if (!isRunEnd(run.state) && !isHandedOut) lifecycle.cancelRun(run, 'replaced')
    }
    invariant(!record.gone, 'a replaced task has an instant ahead')
    lifecycle.settle(record)
    return 'replaced'
  }

  /** The first instant of the definition; of a recurring task, after `reached`. */
  #firstInstant(definition: Definition, reached: number): number {
    if (!definition.recurring) return definition.at
    const recurrence = this.#parts.lifecycle.occurrences.recurrence({ definition })
    const first = recurrence?.next(Math.max(Math.floor(definition.madeAt), reached))
    if (first === undefined) {
      throw new CarillonError(
        'INVALID',
        `task "${definition.id}" would never fire: its schedule has no instant left`,
        { field: 'schedule' },
      )
    }
    return first
  }
}

export type Results = ReadonlyArray<ScheduleResult | undefined>

/** What was refused stays refused; of the rest nobody knows. */
export function unsynced(results: Results, count: number, error: CarillonError): Results {
  return Array.from({ length: count }, (_, i) => (results[i] instanceof CarillonError ? results[i] : error))
}

/** All were created. */
const NOTHING_SPECIAL: Results = Object.freeze([])

/** Equal but for when and by whom it was asked: to schedule the same again, at every start of a program, changes nothing. */
function sameDefinition(a: Definition, b: Definition): boolean {
  if (a.name !== b.name || a.scheduleText !== b.scheduleText || !samePolicy(a.policy, b.policy)) return false
  if (!Object.is(a.at, b.at) || a.keyTtlMs !== b.keyTtlMs) return false
  return Buffer.compare(a.payload, b.payload) === 0
}

/** Policies of the same text are mostly the same object. */
function samePolicy(a: Policy, b: Policy): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b)
}
