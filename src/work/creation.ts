/**
 * Schedule: a definition becomes a record, replaces one, or finds that it is there already. Ids that the library
 * minted can't exist, so they cost no look-up; users' ids are asked of the index, a whole batch at a time.
 */

import { CarillonError, isCarillonError } from '../errors.ts'
import { invariant } from '../invariant.ts'
import { ByteReader, CorruptBytes } from '../lib/bytes.ts'
import type { KnownRequest } from '../store/requests.ts'
import type { TaskStore } from '../store/task-store.ts'
import { Definition } from '../task/definition.ts'
import { isFollowUpId, waitingNumber } from '../task/follow-up.ts'
import type { Policy } from '../task/policy.ts'
import { NEVER, NOT_YET, TaskRecord } from '../task/record.ts'
import { isRunEnd } from '../task/task.ts'
import type { ScheduleStatus } from '../wire/frame.ts'
import type { Lifecycle } from './lifecycle.ts'
import type { LiveRecord, LiveRun } from './live-run.ts'
import { NOTHING_WRITTEN, type Ownership, type Written } from './ownership.ts'
import type { Round } from './rounds.ts'
import type { TaskOrder } from './task-order.ts'

export interface CreationParts {
  readonly store: TaskStore<LiveRun>
  readonly lifecycle: Lifecycle
  readonly order: TaskOrder
  readonly hlc: () => number
  readonly now: () => number
  /** Why no new work is taken now, if so. */
  readonly refusal: () => CarillonError | undefined
  readonly ownership: () => Ownership
}

export type ScheduleResult = Exclude<ScheduleStatus, 'error'> | CarillonError

export class Creation {
  readonly #parts: CreationParts

  constructor(parts: CreationParts) {
    this.#parts = parts
  }

  /** Carries out a batch of one caller, in order of the items; a promise if the index had to be asked. */
  schedule(definitions: readonly Definition[], mark: number, round: Round): Scheduled | Promise<Scheduled> {
    return this.#parts.order.change(definitions, () => this.#schedule(definitions, mark, round))
  }

  #schedule(definitions: readonly Definition[], mark: number, round: Round): Scheduled | Promise<Scheduled> {
    const { store, now } = this.#parts
    const first = definitions[0]
    if (first === undefined) return { results: [], written: NOTHING_WRITTEN }
    const { caller } = first
    const at = now()
    store.requests.raiseMark(caller, mark, at)
    const refusal = this.#parts.refusal()
    if (refusal !== undefined) return { results: definitions.map(() => refusal), written: NOTHING_WRITTEN }
    const isUnknown = ({ minted, id }: Definition): boolean => !minted && store.peek(id) === undefined
    if (!definitions.some(isUnknown)) return this.#all(definitions, caller, at, round)
    // Also those that are in memory: while the others are read they could leave it, and would count as new.
    const ids = definitions.filter(({ minted }) => !minted).map(({ id }) => id)
    return store.load(ids).then(() => this.#all(definitions, caller, at, round))
  }

  #all(definitions: readonly Definition[], caller: string, at: number, round: Round): Scheduled {
    const ownership = this.#parts.ownership()
    ownership.gather()
    const results = ownership.isShared
      ? definitions.map(definition => this.#one(definition, caller, definition.requestNumber, round))
      : this.#allAlone(definitions, caller, at, round)
    return { results, written: ownership.written() }
  }

  /** Which change a request made is of no matter, so those that follow each other are remembered as one. */
  #allAlone(definitions: readonly Definition[], caller: string, at: number, round: Round): Results {
    const { requests } = this.#parts.store
    let results: Array<ScheduleResult | undefined> | undefined
    let from = -1
    let to = -2 // request 0 follows nothing
    for (let i = 0; i < definitions.length; i++) {
      const definition = definitions[i] as Definition
      const n = definition.requestNumber
      const result = this.#one(definition, caller, n, round)
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
  #one(definition: Definition, caller: string, n: number, round: Round): ScheduleResult | undefined {
    try {
      const { store, ownership, now } = this.#parts
      const range = ownership().isShared ? store.rangeOf(definition.id) : -1
      const refusal = range < 0 ? undefined : round.change(range, ownership().refusal(range))
      if (refusal !== undefined) return refusal
      const known = store.requests.find(caller, n, definition.madeAt, now())
      if (known === undefined) return this.#carryOut(definition)
      // It came before, and was created then: that counts once it has its copies.
      if (known.dot !== undefined) ownership().needs(known.dot.range, [known.dot])
      return known.answer === EXISTS ? EXISTS : undefined
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

  /** Why one of these can't be made, if so. Asked before anything of their run is written. */
  followUpRefusal(list: readonly Uint8Array[]): CarillonError | undefined {
    if (!this.#parts.ownership().isShared) return undefined
    for (const bytes of list) {
      const { id, policy } = new Definition(new ByteReader(bytes), bytes.length)
      if (policy.guarantee !== 'at-least-once') return notInMesh(id, policy.guarantee)
    }
    return undefined
  }

  /**
   * A follow-up task of a run of the range `source`, in the same commit as the completion that it follows. One that
   * belongs to another range waits in that of its run, until it is acknowledged where it belongs (PROTOCOLS B7): it is returned.
   */
  followUp(bytes: Uint8Array, source: number): LiveRecord | undefined {
    const { store, ownership } = this.#parts
    const definition = new Definition(new ByteReader(bytes), bytes.length)
    if (!ownership().isShared) {
      if (!(store.peek(definition.id) instanceof TaskRecord)) this.#create(definition)
      return undefined
    }
    // Its requestId is that of its run: an attempt that comes twice asks for the same.
    const waits = store.rangeOf(definition.id) !== source
    if (this.#known(definition, waits) !== undefined) return undefined
    if (waits) {
      for (const { id } of store.outboxOf(source)) if (id === definition.id) return undefined
      return this.#make(definition, source, 0, true)
    }
    return store.peek(definition.id) instanceof TaskRecord ? undefined : this.#create(definition)
  }

  /** A follow-up is made again rather than lost, where it is no longer known whether it was made. */
  #known({ caller, requestNumber, madeAt }: Definition, waits: boolean): KnownRequest | undefined {
    const { store, now } = this.#parts
    try {
      const number = waits ? waitingNumber(requestNumber) : requestNumber
      return store.requests.find(caller, number, madeAt, now())
    } catch (error) {
      if (isCarillonError(error, 'TOO_OLD')) return undefined
      throw error
    }
  }

  /**
   * A follow-up has come to the range where it belongs: creates it, if it is not there and has not been. Undefined: it
   * can't be taken now.
   */
  async relayed(bytes: Uint8Array): Promise<Written | undefined> {
    const { store } = this.#parts
    const definition = new Definition(new ByteReader(bytes), bytes.length)
    await store.load([definition.id])
    const ownership = this.#parts.ownership()
    const range = store.rangeOf(definition.id)
    if (ownership.refusal(range) !== undefined || this.#parts.refusal() !== undefined) return undefined
    ownership.gather()
    const known = this.#known(definition, false)
    const there = store.peek(definition.id)
    if (known?.dot !== undefined) ownership.needs(range, [known.dot])
    else if (there instanceof TaskRecord) ownership.needs(range, there.dots)
    else this.#createAtLast(definition)
    return ownership.written()
  }

  /** What can't be made will never be: it is as good as handed on. */
  #createAtLast(definition: Definition): void {
    try {
      this.#create(definition)
    } catch (error) {
      if (!isCarillonError(error)) throw error
    }
  }

  /** A follow-up that waited in the range of its run is acknowledged where it belongs: nobody has to relay it any more. */
  handedOn(source: number, id: string): void {
    const { store, ownership } = this.#parts
    if (ownership().refusal(source) !== undefined) return
    for (const record of store.outboxOf(source)) {
      if (record.id !== id) continue
      record.next = NEVER
      store.ended(record, undefined, { times: true })
      return
    }
  }

  #carryOut(definition: Definition): ScheduleResult | undefined {
    const known = this.#parts.store.peek(definition.id)
    if (!(known instanceof TaskRecord)) return this.#create(definition)
    // Nobody else has such an id: the request came before, and was forgotten.
    if (definition.minted) {
      this.#parts.ownership().needs(known.range, known.dots)
      return undefined
    }
    const over = known.nextAt === NEVER && !known.hasOpenRun
    const isSame = definition.ifAbsent || (!over && sameDefinition(known.definition, definition))
    if (isSame) {
      const ownership = this.#parts.ownership()
      ownership.needs(known.range, known.dots)
      // The same request repeated at another node, after a replacement, would put back what was replaced.
      const { caller, requestNumber: n } = definition
      if (ownership.isShared) this.#parts.store.updated(known, { request: { caller, n, answer: EXISTS } })
      return EXISTS
    }
    return over ? this.#create(definition) : this.#replace(known, definition)
  }

  #create(definition: Definition): undefined {
    const { store, lifecycle, ownership } = this.#parts
    const { guarantee } = definition.policy
    if (guarantee !== 'at-least-once' && ownership().isShared) throw notInMesh(definition.id, guarantee)
    const lifeBefore = definition.minted ? undefined : store.lastLifeOf(definition.id)
    const before = definition.minted ? undefined : store.peek(definition.id)
    if (lifeBefore !== undefined) store.history.remove(definition.id)
    const record = this.#make(
      definition,
      store.rangeOf(definition.id),
      (lifeBefore ?? 0) + 1,
      lifeBefore === undefined,
    )
    if (before instanceof TaskRecord) lifecycle.letGo(before)
    lifecycle.counters.created++
    lifecycle.settle(record)
    return undefined
  }

  #make(definition: Definition, range: number, lifeMin: number, isFirstLife: boolean): LiveRecord {
    const { store, hlc, ownership } = this.#parts
    // Ids that were made once for ever have one life, whoever makes the task: two who do so at once make the same.
    const isOnce = definition.minted || isFollowUpId(definition.id)
    const floor = isOnce ? Number.NEGATIVE_INFINITY : ownership().lifeMin(range)
    const life = Math.max(Math.floor(definition.madeAt), lifeMin, floor)
    const record = new TaskRecord<LiveRun>(definition.id, range, life, isFirstLife, definition)
    record.hlc = hlc()
    record.actor = store.actorOf(range)
    record.next = this.#firstInstant(definition, NOT_YET)
    store.created(record)
    return record
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
    record.replace(definition, next, hlc(), store.actorOf(record.range))
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

/** `undefined` means created. */
export type Results = ReadonlyArray<ScheduleResult | undefined>

export interface Scheduled {
  readonly results: Results
  /** What has to count before the batch is answered. */
  readonly written: Written
}

/** What was refused stays refused; of the rest nobody knows. */
export function unsynced(results: Results, count: number, error: CarillonError): Results {
  return Array.from({ length: count }, (_, i) => (results[i] instanceof CarillonError ? results[i] : error))
}

function notInMesh(id: string, guarantee: string): CarillonError {
  return new CarillonError(
    'UNSUPPORTED',
    `task "${id}" is ${guarantee}: in a mesh every task is at-least-once, so that far. Leave guarantee out, and make the handler idempotent by run.idempotencyKey`,
    { field: 'guarantee' },
  )
}

const EXISTS = 'exists'

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
