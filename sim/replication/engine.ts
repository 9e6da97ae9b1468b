/**
 * What the engine does with the ranges it acts for, as little as the protocol needs: starts what is due, writes ends, and
 * carries out calls. It works on drafts: what it writes is applied to its own record as everywhere else.
 */

import { ByteReader, ByteWriter } from '../../src/lib/bytes.ts'
import { hash32 } from '../../src/lib/hash.ts'
import type { Dot } from '../../src/replication/context.ts'
import type { FollowUp } from '../../src/replication/host.ts'
import type { RangeReplica } from '../../src/replication/range-replica.ts'
import { type Update, writeCreated, writeUpdate } from '../../src/task/change.ts'
import { Definition, writeDefinition } from '../../src/task/definition.ts'
import { runIdOf } from '../../src/task/ids.ts'
import { hasEnded } from '../../src/task/merge.ts'
import { NEVER, Run, TaskRecord } from '../../src/task/record.ts'
import { isRunEnd } from '../../src/task/task.ts'
import type { Completion, Op } from './history.ts'
import type { Acting, Process } from './process.ts'
import { requestKey } from './records.ts'

/** A running attempt of another store goes on for so long before it counts as lost. */
const ORPHAN_MS = 400

const NOT_ACTING: Acting = { since: Number.NaN, unsure: true, lists: new Map() }

const out = new ByteWriter(4096)

/** What a task's payload tells the handler, and the recurrence. */
export interface Payload {
  readonly everyMs: number
  readonly count: number
  readonly runMs: number
  readonly followUps: number
}

export interface Request {
  readonly op: Op
  readonly caller: string
  readonly n: number
  readonly madeAt: number
  readonly definition: Uint8Array | undefined
  /** It was sent before: somebody may have carried it out. */
  readonly isRepeated: boolean
}

export type Reply = (outcome: 'done' | 'absent', life: number, list: string) => void

export class Engine {
  readonly #process: Process
  readonly #executing = new Set<string>()
  readonly #relaying = new Set<string>()
  #hlc = 0

  constructor(process: Process) {
    this.#process = process
  }

  /** An attempt of the range runs here. */
  isBusy(range: number): boolean {
    for (const key of this.#executing) if (key.startsWith(`${range} `)) return true
    return false
  }

  forget(range: number): void {
    for (const key of this.#executing) if (key.startsWith(`${range} `)) this.#executing.delete(key)
  }

  #nextHlc(): number {
    this.#hlc = Math.max(this.#hlc + 1, this.#process.now())
    return this.#hlc
  }

  // --- what is due

  tick(): void {
    const { acting, records } = this.#process
    const now = this.#process.now()
    for (const [range, { since }] of acting) {
      const mayAdopt = this.#process.monotonic() - since >= ORPHAN_MS
      for (const record of [...records.of(range).values()]) {
        if (hasEnded(record) || records.isOutbox(range, record.id)) continue
        if (record.nextAt === NEVER && !record.hasOpenRun && !(record.paused && record.next !== NEVER)) {
          this.#update(range, records.draft(record), { times: true, dropped: true })
        } else if (!record.paused && record.nextAt <= now) this.#reach(range, record)
        else this.#startOpen(range, record, mayAdopt)
      }
    }
  }

  #reach(range: number, record: TaskRecord): void {
    const draft = this.#process.records.draft(record)
    const instant = draft.nextAt
    const known = findRun(draft, instant, false)
    draft.lastAt = instant
    draft.fired++
    const { everyMs, count } = payloadOf(draft.definition)
    draft.next = everyMs > 0 && draft.fired < count ? instant + everyMs : NEVER
    // An occurrence is the same in every version (A6): another writer's first version may come to one that has run.
    if (known !== undefined) {
      this.#update(range, draft, { times: true })
      return
    }
    const run = new Run(instant, false)
    draft.addRun(run)
    this.#start(range, draft, run)
  }

  #startOpen(range: number, record: TaskRecord, mayAdopt: boolean): void {
    for (const { instant, manual, state } of record.runs) {
      if (this.#executing.has(keyOf(range, record, instant, manual))) continue
      const run = findRun(record, instant, manual)
      if (run === undefined || !record.isOpen(run) || (state === 'running' && !mayAdopt)) continue
      const draft = this.#process.records.draft(record)
      return this.#start(range, draft, findRun(draft, instant, manual) as Run)
    }
  }

  #start(range: number, draft: TaskRecord, run: Run): void {
    const { world, store } = this.#process
    run.state = 'running'
    run.attempt++
    run.startedAt = this.#process.now()
    this.#update(range, draft, { times: true, runs: [run] })
    const { id, life } = draft
    const { instant, manual } = run
    const acting = this.#process.acting.get(range)
    const { since: actingSince, unsure, lists } = acting ?? NOT_ACTING
    const at = this.#process.monotonic()
    world.history.starts.push({
      ...{ id, life, instant, manual, store, at, actingSince, unsure, lists },
      fenced: acting !== undefined,
    })
    const key = keyOf(range, draft, instant, manual)
    this.#executing.add(key)
    const process = this.#process
    world.agenda.after(payloadOf(draft.definition).runMs, () => {
      if (!process.isUp || !this.#executing.delete(key)) return
      this.#completed(range, { id, life, instant, manual })
    })
  }

  #completed(
    range: number,
    { id, life, instant, manual }: { id: string; life: number; instant: number; manual: boolean },
  ): void {
    const { records, replication, world, store } = this.#process
    const record = records.get(range, id)
    const run = record?.life === life ? findRun(record, instant, manual) : undefined
    if (record === undefined || run === undefined || !record.isOpen(run) || hasEnded(record)) return
    if (replication.replica(range)?.takesEnds !== true) return
    const draft = records.draft(record)
    const done = findRun(draft, instant, manual) as Run
    const followUps: string[] = []
    const runId = runIdOf(id, life, record.firstLife, instant)
    for (let k = 0; k < payloadOf(record.definition).followUps; k++)
      followUps.push(this.#followUp(range, runId, instant, k))
    const completion: Completion = {
      ...{ id, life, instant, manual, store, followUps },
      at: this.#process.monotonic(),
      ackedAt: Number.NaN,
      list: '',
    }
    world.history.completions.push(completion)
    done.state = 'completed'
    done.endedAt = this.#process.now()
    const isOver = draft.nextAt === NEVER && !draft.hasOpenRun && !(draft.paused && draft.next !== NEVER)
    const dot = this.#update(range, draft, { times: true, runs: [done], dropped: isOver })
    replication.acknowledge(range, dot, 'majority', () => {
      completion.ackedAt = this.#process.monotonic()
      completion.list = this.#process.listOf(range)
    })
    replication.flush()
  }

  // --- follow-ups

  /** Made before the completion that asks for it: whoever has that has this too. */
  #followUp(source: number, runId: string, instant: number, k: number): string {
    const id = `${runId}/${k}`
    const { records } = this.#process
    const caller = callerOf(runId)
    const input = {
      ...{ id, minted: false, ifAbsent: true, keyTtlMs: 0, name: 'x', madeAt: instant, policyText: '' },
      schedule: { kind: 'at' as const, at: instant + 50 },
      payload: JSON.stringify({ everyMs: 0, count: 1, runMs: 10, followUps: 0 }),
    }
    out.reset()
    writeDefinition(out, input, caller, k + 1)
    const bytes = out.take()
    const definition = definitionFrom(bytes)
    const known = records.requests.has(requestKey(source, definition.caller, k + 1))
    if (!known && records.get(source, id) === undefined) this.#create(source, definition, undefined)
    return id
  }

  relay({ range, id, definition: bytes }: FollowUp, done: () => void): void {
    const { records, replication } = this.#process
    const replica = replication.replica(range)
    if (replica?.isOpen !== true || this.#relaying.has(id)) return
    const definition = definitionFrom(bytes)
    const known = records.requests.get(requestKey(range, definition.caller, definition.requestNumber))
    const there = records.get(range, id)
    const dot =
      known ??
      (there === undefined
        ? this.#create(range, definition, undefined)
        : { actor: there.dotActor, n: there.dotN })
    this.#relaying.add(id)
    replication.acknowledge(range, dot, 'majority', () => {
      this.#relaying.delete(id)
      done()
    })
    replication.flush()
  }

  relayed(source: number, id: string): void {
    const { records, replication } = this.#process
    const record = records.get(source, id)
    if (record === undefined || hasEnded(record) || replication.replica(source)?.isOpen !== true) return
    const draft = records.draft(record)
    draft.next = NEVER
    this.#update(source, draft, { times: true, dropped: true })
    replication.flush()
  }

  // --- calls

  /** Undefined: it can't be taken here. */
  call(request: Request, reply: Reply): boolean {
    const { op } = request
    const { world, records, replication } = this.#process
    const range = world.rangeOf(op.id)
    const replica = replication.replica(range)
    if (replica === undefined) return false
    const takes =
      op.kind === 'create' && op.minted && !request.isRepeated ? replica.takesMinted : replica.isOpen
    if (!takes) return false
    const isKnown = world.flaws.forgetsRequests !== true
    const known = isKnown ? records.requests.get(requestKey(range, request.caller, request.n)) : undefined
    if (known !== undefined) {
      const life = records.get(range, op.id)?.life ?? Number.NaN
      if (world.flaws.trustsKnown === true) reply('done', life, this.#process.listOf(range))
      else this.#acknowledge(range, known, op, () => reply('done', life, this.#process.listOf(range)))
      return true
    }
    const record = records.get(range, op.id)
    const isThere = record !== undefined && !hasEnded(record)
    if (op.kind !== 'create' && !isThere) {
      reply('absent', Number.NaN, '')
      return true
    }
    const dot = this.#carryOut(range, replica, request, record)
    const life = records.get(range, op.id)?.life ?? Number.NaN
    this.#acknowledge(range, dot, op, () => reply('done', life, this.#process.listOf(range)))
    replication.flush()
    return true
  }

  #acknowledge(range: number, dot: Dot, op: Op, done: () => void): void {
    const { replication } = this.#process
    replication.acknowledge(range, dot, 'majority', done)
    if (op.kind === 'cancel' && Number.isNaN(op.firmAt)) {
      replication.acknowledge(range, dot, 'all', () => {
        if (Number.isNaN(op.firmAt)) op.firmAt = this.#process.monotonic()
      })
    }
  }

  #carryOut(range: number, replica: RangeReplica, request: Request, record: TaskRecord | undefined): Dot {
    const { op, caller, n } = request
    if (op.kind === 'create')
      return this.#create(range, definitionFrom(request.definition as Uint8Array), record)
    const mark = { caller, n, answer: 'done' }
    const draft = this.#process.records.draft(record as TaskRecord)
    const dot = replica.next()
    const hlc = this.#nextHlc()
    if (op.kind === 'cancel') {
      draft.cancel(hlc, dot.actor)
      draft.next = NEVER
      const open = draft.runs.filter(run => draft.isOpen(run))
      for (const run of open) Object.assign(run, { state: 'cancelled', endedAt: this.#process.now() })
      return this.#update(range, draft, { register: 'cancelled', runs: open, request: mark, dropped: true })
    }
    if (op.kind === 'trigger') {
      const run = new Run(request.madeAt, true)
      draft.addRun(run)
      return this.#update(range, draft, { times: true, runs: [run], request: mark })
    }
    draft.setPaused(op.kind === 'pause', hlc, dot.actor)
    return this.#update(range, draft, { register: 'paused', request: mark })
  }

  /** A new task, a new life of its id, or a new definition of it. */
  #create(range: number, definition: Definition, before: TaskRecord | undefined): Dot {
    const { records, replication, world } = this.#process
    const replica = replication.replica(range) as RangeReplica
    const { actor } = replica.next()
    const { everyMs } = payloadOf(definition)
    const first = definition.recurring
      ? Number(definition.schedule.kind === 'every' ? definition.schedule.anchor : 0)
      : definition.at
    if (before !== undefined && !hasEnded(before)) {
      const draft = records.draft(before)
      draft.replace(definition, first, this.#nextHlc(), actor)
      while (draft.findRun(draft.next) !== undefined || draft.next === draft.lastAt) draft.next++
      draft.lastAt = Math.min(draft.lastAt, draft.next - 1)
      return this.#write(range, bytes => writeCreated(bytes, draft))
    }
    const floor = world.flaws.forgetsLives === true ? 0 : replica.lifeMin
    const life = Math.max(definition.madeAt, floor, (before?.life ?? 0) + 1)
    const record = new TaskRecord(definition.id, range, life, before === undefined, definition)
    record.actor = actor
    record.hlc = this.#nextHlc()
    record.next = first
    if (everyMs > 0 && Number.isNaN(record.next)) record.next = definition.madeAt
    return this.#write(range, bytes => writeCreated(bytes, record))
  }

  #update(range: number, draft: TaskRecord, update: Update): Dot {
    const { world, replication } = this.#process
    const writer = { actor: replication.next(range).actor, actors: world.actors }
    let { runs } = update
    if (update.times === true) {
      draft.raiseClosed()
      const named = runs ?? []
      const unnamed = draft.runs.filter(run => run.n === 0 && !isRunEnd(run.state) && !named.includes(run))
      if (unnamed.length > 0) runs = [...unnamed, ...named].sort((a, b) => a.instant - b.instant)
    }
    const whole = runs === undefined ? update : { ...update, runs }
    return this.#write(range, bytes => writeUpdate(bytes, draft, whole, writer))
  }

  #write(range: number, write: (bytes: ByteWriter) => void): Dot {
    const dot = this.#process.replication.next(range)
    out.reset()
    write(out)
    this.#process.write(range, dot.actor, dot.n, out.take())
    return dot
  }
}

function keyOf(range: number, { id, life }: TaskRecord, instant: number, manual: boolean): string {
  return `${range} ${id} ${life} ${instant} ${manual}`
}

function findRun(record: TaskRecord, instant: number, manual: boolean): Run | undefined {
  return record.runs.find(run => run.instant === instant && run.manual === manual)
}

export function payloadOf(definition: Definition): Payload {
  return JSON.parse(Buffer.from(definition.payload).toString()) as Payload
}

export function definitionFrom(bytes: Uint8Array): Definition {
  return new Definition(new ByteReader(bytes), bytes.length)
}

/** The requestId of a follow-up is that of its run: an attempt that comes twice asks for the same. */
function callerOf(runId: string): Uint8Array {
  const bytes = new Uint8Array(8)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, hash32(runId, 5))
  view.setUint32(4, hash32(runId, 6))
  return bytes
}
