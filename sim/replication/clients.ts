/** Callers: each fixes a request once, and repeats the same bytes, at whatever store, until it has an answer. */

import { ByteWriter } from '../../src/lib/bytes.ts'
import { writeDefinition } from '../../src/task/definition.ts'
import type { Reply, Request } from './engine.ts'
import type { Op, OpKind } from './history.ts'
import type { World } from './world.ts'

const HOPS_MAX = 2
const out = new ByteWriter(1024)

/** What a caller asks for. */
export interface Task {
  readonly minted: boolean
  readonly madeAt?: number
  readonly at: number
  readonly everyMs: number
  readonly count: number
  readonly followUps: number
  readonly runMs: number
}

const PLAIN = { minted: false, everyMs: 0, count: 1, followUps: 0, runMs: 5 }

export class Clients {
  /** How often an answer is lost, 0 to 1. */
  lostOf = 0.15
  retryMs = 500
  readonly #world: World
  readonly #ids: string[] = []
  #n = 0
  #minted = 0

  constructor(world: World) {
    this.#world = world
  }

  begin(stormMs: number): void {
    const { agenda, random } = this.#world
    const count = 15 + this.#world.int(30)
    for (let i = 0; i < count; i++) agenda.after(100 + random.float() * (stormMs - 100), () => this.#act())
  }

  /** One call, at a store of choice first; it is repeated elsewhere if there is no answer. */
  call(kind: OpKind, id: string, store?: string, task: Partial<Task> = {}): Op {
    if (kind === 'create') return this.#schedule(id, { ...PLAIN, at: this.#world.wall, ...task }, store)
    const op = this.#op(kind, id, [], 0, false)
    this.#send(op, undefined, store)
    return op
  }

  #act(): void {
    const { random } = this.#world
    const known = this.#world.pick(this.#ids)
    const dice = random.float()
    if (known === undefined || dice < 0.45) return this.#create(`t${this.#minted++}`, random.float() < 0.2)
    if (dice < 0.6) return this.#create(known, false)
    if (dice < 0.65) {
      // Made again as soon as it may have ended.
      const id = `c${this.#minted++}`
      this.#create(id, false, true)
      for (let i = 1; i < 4; i++)
        this.#world.agenda.after(i * (30 + 700 * random.float()), () => this.#create(id, false, true))
      return
    }
    const kind: OpKind = dice < 0.82 ? 'cancel' : dice < 0.88 ? 'pause' : dice < 0.94 ? 'resume' : 'trigger'
    this.#send(this.#op(kind, known, [], 0, false), undefined)
  }

  #op(kind: OpKind, id: string, instants: readonly number[], followUps: number, minted: boolean): Op {
    const op: Op = {
      ...{ kind, id, instants, followUps, minted, request: `${this.#n}` },
      invokedAt: this.#world.agenda.now,
      answeredAt: Number.NaN,
      outcome: undefined,
      list: '',
      life: Number.NaN,
      firmAt: Number.NaN,
    }
    this.#world.history.ops.push(op)
    return op
  }

  #create(id: string, minted: boolean, isShort = false): void {
    const { random, wall } = this.#world
    if (!this.#ids.includes(id) && !minted) this.#ids.push(id)
    // Clocks of callers differ.
    const skewMs = isShort ? 4000 : 400
    const madeAt = Math.floor(wall + (random.float() - 0.5) * skewMs)
    const isRecurring = !isShort && random.float() < 0.3
    const at = Math.floor(wall + (isShort ? 0 : random.float() * 3000))
    const count = isRecurring ? 2 + this.#world.int(3) : 1
    const everyMs = isRecurring ? 200 + this.#world.int(400) : 0
    const followUps = !isShort && random.float() < 0.25 ? 1 + this.#world.int(2) : 0
    const runMs = isShort ? 2 : 5 + this.#world.int(150)
    this.#schedule(id, { minted, madeAt, at, everyMs, count, followUps, runMs })
  }

  #schedule(id: string, task: Task, store?: string): Op {
    const { minted, at, everyMs, count, followUps, runMs } = task
    const madeAt = task.madeAt ?? Math.floor(this.#world.wall)
    const payload = JSON.stringify({ everyMs, count, runMs, followUps })
    const instants = Array.from({ length: count }, (_, i) => at + i * everyMs)
    const op = this.#op('create', id, instants, followUps, minted)
    out.reset()
    writeDefinition(
      out,
      {
        ...{ id, minted, ifAbsent: false, keyTtlMs: 0, name: 'x', madeAt, policyText: '', payload },
        schedule:
          everyMs > 0
            ? { kind: 'every', everyMs, from: 'phase', anchor: at, max: count }
            : { kind: 'at', at },
      },
      CALLER,
      this.#n,
    )
    this.#send(op, out.take(), store)
    return op
  }

  #send(op: Op, definition: Uint8Array | undefined, store?: string): void {
    const n = this.#n++
    const madeAt = Math.floor(this.#world.wall)
    this.#try({ op, caller: CALLER_TEXT, n, madeAt, definition, isRepeated: false }, store)
  }

  #try(request: Request, at?: string): void {
    const { agenda } = this.#world
    const store = at ?? this.#world.pick(this.#world.upSites())?.disk.store
    if (store !== undefined) this.#deliver(request, store, HOPS_MAX)
    agenda.after(this.retryMs, () => {
      if (Number.isNaN(request.op.answeredAt)) this.#try({ ...request, isRepeated: true })
    })
  }

  #deliver(request: Request, store: string, hops: number): void {
    const { agenda, random } = this.#world
    agenda.after(0.2 + random.float(), () => {
      const process = this.#world.process(store)
      if (process === undefined || !process.isUp) return
      const taken = process.engine.call(request, (...answer) => this.#reply(request.op, ...answer))
      if (taken || hops === 0) return
      const owner = process.replication.owner(this.#world.rangeOf(request.op.id))
      if (owner === undefined || owner === store || this.#world.network.isCut(store, owner)) return
      this.#deliver(request, owner, hops - 1)
    })
  }

  #reply(op: Op, ...[outcome, life, list]: Parameters<Reply>): void {
    const { agenda, random } = this.#world
    // The answer is lost now and then, and the request comes again.
    if (random.float() < this.lostOf) return
    if (!Number.isNaN(op.answeredAt)) return
    op.answeredAt = agenda.now
    op.outcome = outcome
    op.life = life
    op.list = list
  }
}

const CALLER = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)
const CALLER_TEXT = '0102030405060708'
