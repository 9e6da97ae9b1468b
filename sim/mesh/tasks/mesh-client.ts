/**
 * MeshClient: one logical user of a mesh. Each call goes to an engine, mostly to the one that acts for the id by some
 * engine's view, and waits there with a patience; refused for now, unsure, or without an answer it goes elsewhere in the
 * same bytes, until it has an answer that counts. Some acknowledged calls are sent once more later, as by a network that
 * keeps what it should have dropped.
 */

import type { Random } from '../../../src/ports/random.ts'
import type { CallRequest } from '../../../src/wire/calls.ts'
import { CallFailed, callBytes, definitionBytes, scheduleBytes } from '../../frames.ts'
import type { Op, Spec } from '../../history.ts'
import { SimulatedProcess } from '../../process.ts'
import type { Trace } from '../../trace.ts'
import type { VirtualClock } from '../../virtual-clock.ts'
import type { MeshHistory } from '../history.ts'
import { EngineLink, type Reply, type TaskNode } from './engine-link.ts'
import type { MeshOp, MeshStory } from './task-history.ts'

export interface ClientPorts {
  readonly clock: VirtualClock
  readonly random: Random
  readonly trace: Trace
  readonly history: MeshHistory
  /** All that there are. */
  readonly nodes: readonly TaskNode[]
}

/** Answers after which nothing is known, or nothing was done: the same bytes go elsewhere. */
const ASKED_AGAIN = new Set([
  'NOT_OWNER',
  'NOT_DURABLE',
  'CLOSED',
  'ENGINE_STOPPED',
  'STORE_FULL',
  'STORE_FAILED',
  'TOO_MANY',
])
/** After these the call may have been carried out. */
const UNSURE = new Set(['NOT_DURABLE', 'CLOSED', 'ENGINE_STOPPED', 'STORE_FAILED', 'silence', 'lost'])
/** Share of calls that go to the node that acts for them, if one is known. */
const OWNER_SHARE = 0.8
/** Longer than an engine waits for copies before it says NOT_DURABLE, mostly; some users have less, ms. */
const PATIENCE_MS = [1500, 7000] as const

interface Item {
  readonly op: MeshOp
  readonly definition: Uint8Array | undefined
  isDone: boolean
}

interface Request {
  readonly items: readonly Item[]
  readonly call: CallRequest | undefined
  /** Was acknowledged, and comes again. */
  readonly isRepeat: boolean
  sending: number
}

export class MeshClient {
  readonly number: number
  readonly caller: string
  readonly #ports: ClientPorts
  readonly #callerBytes: Uint8Array
  readonly #process: SimulatedProcess
  readonly #links = new Map<number, EngineLink>()
  readonly #open = new Set<Request>()
  readonly #repeatShare: number
  /** Its nodes send its calls on; of the others it has to find the one that acts. */
  readonly #isRouted: boolean
  #nextNumber = 0
  /** Nothing is repeated any more: the run is over. */
  isOver = false

  constructor(number: number, ports: ClientPorts, repeatShare: number) {
    this.number = number
    this.#ports = ports
    this.#repeatShare = repeatShare
    this.#isRouted = number % 2 === 1
    this.#callerBytes = ports.random.bytes(8)
    this.caller = Buffer.from(this.#callerBytes).toString('hex')
    this.#process = new SimulatedProcess(ports.clock, ports.trace)
  }

  /** Calls without an answer that counts. */
  get openCount(): number {
    let count = 0
    for (const request of this.#open) if (!request.isRepeat) count++
    return count
  }

  /** One call with these tasks, answered one by one. */
  schedule(tasks: ReadonlyArray<{ readonly story: MeshStory; readonly spec: Spec }>): void {
    const items = tasks.map(({ story, spec }) => {
      const op = this.#op('schedule', story, spec, spec.madeAtWall)
      return { op, definition: definitionBytes(story.id, spec, this.#callerBytes, op.n), isDone: false }
    })
    this.#begin({ items, call: undefined, isRepeat: false, sending: 0 })
  }

  change(method: Exclude<Op['method'], 'schedule'>, story: MeshStory): void {
    const op = this.#op(method, story, undefined, this.#ports.clock.now())
    const call: CallRequest = { method, id: story.id, caller: this.caller, n: op.n, madeAt: op.madeAtWall }
    const items = [{ op, definition: undefined, isDone: false }]
    this.#begin({ items, call, isRepeat: false, sending: 0 })
  }

  #op(method: Op['method'], story: MeshStory, spec: Spec | undefined, madeAtWall: number): MeshOp {
    const op: MeshOp = {
      method,
      isRouted: this.#isRouted,
      story,
      caller: this.caller,
      n: this.#nextNumber++,
      target: story.id,
      spec,
      sentAt: this.#ports.clock.monotonic(),
      madeAtWall,
      sendCount: 0,
      ackAt: undefined,
      outcome: undefined,
      answer: undefined,
      unknown: false,
      sends: [],
      answers: [],
    }
    story.ops.push(op)
    this.#ports.history.count(`calls ${method}`)
    return op
  }

  #begin(request: Request): void {
    this.#open.add(request)
    this.#send(request)
  }

  #send(request: Request): void {
    if (this.isOver) return
    const items = request.items.filter(item => !item.isDone)
    // An answer may have come late, when it was to be sent again.
    if (items[0] === undefined) return
    const link = this.#linkFor(items[0].op.target)
    if (link === undefined) return this.#later(request, 300)
    const sending = ++request.sending
    const { clock, random } = this.#ports
    for (const { op } of items) {
      op.sendCount++
      op.sends.push({ at: clock.monotonic(), node: link.node.number })
    }
    let isLate = false
    const patience = clock.setTimer(
      PATIENCE_MS[0] + random.float() * (PATIENCE_MS[1] - PATIENCE_MS[0]),
      () => {
        isLate = true
        link.abandon()
        this.#unanswered(request, items, link, 'silence', sending)
      },
    )
    link.send(call => this.#bytes(request, items, call), {
      answered: reply => {
        patience.cancel()
        this.#answered(request, items, link, reply, isLate ? -1 : sending)
      },
      lost: () => {
        patience.cancel()
        if (!isLate) this.#unanswered(request, items, link, 'lost', sending)
      },
    })
  }

  #bytes({ call: change }: Request, items: readonly Item[], call: number): Uint8Array {
    if (change !== undefined) return callBytes(call, change)
    return scheduleBytes(
      items.map(item => item.definition as Uint8Array),
      call,
      this.#mark(),
    )
  }

  /** All numbers below it have an answer that counts. */
  #mark(): number {
    let mark = this.#nextNumber
    for (const { items } of this.#open)
      for (const { op, isDone } of items) if (!isDone) mark = Math.min(mark, op.n)
    return mark
  }

  /** Elsewhere than where the last one was abandoned, if there is anywhere else. */
  #linkFor(id: string): EngineLink | undefined {
    const { nodes, random, history } = this.#ports
    const live = nodes.filter(node => node.life !== undefined)
    const any = live[Math.floor(random.float() * live.length)]
    if (any === undefined) return undefined
    const owner = random.float() < OWNER_SHARE ? any.ownerOf(id) : undefined
    const node = live.find(({ number }) => number === owner) ?? any
    const known = this.#links.get(node.number)
    if (known?.isOpen) return known
    const channel = node.attach(this.#process, !this.#isRouted)
    if (channel === undefined) return undefined
    const link = new EngineLink(node, channel, text => history.fault(text))
    this.#links.set(node.number, link)
    return link
  }

  #answered(request: Request, items: readonly Item[], link: EngineLink, reply: Reply, sending: number): void {
    const { history, random } = this.#ports
    if (reply.results.length !== items.length) {
      return history.fault(`${reply.results.length} answers to ${items.length} items`)
    }
    let again: string | undefined
    for (const [i, item] of items.entries()) {
      const result = reply.results[i] as string | CallFailed
      const code = result instanceof CallFailed ? result.code : result
      this.#note(item.op, link, code)
      if (item.isDone) continue
      if (ASKED_AGAIN.has(code)) again = code
      else this.#settled(request, item, code, reply.answer)
    }
    if (request.items.every(item => item.isDone)) return this.#finished(request)
    // An answer that came too late has another sending behind it.
    if (sending !== request.sending || again === undefined) return
    this.#later(request, again === 'NOT_OWNER' ? 30 + 300 * random.float() : 200 + 800 * random.float())
  }

  #unanswered(
    request: Request,
    items: readonly Item[],
    link: EngineLink,
    code: string,
    sending: number,
  ): void {
    for (const { op, isDone } of items) if (!isDone) this.#note(op, link, code)
    if (sending === request.sending && !request.items.every(item => item.isDone)) this.#later(request, 50)
  }

  #settled(request: Request, item: Item, code: string, answer: Record<string, unknown> | undefined): void {
    const { clock, history, trace } = this.#ports
    const { op } = item
    item.isDone = true
    if (request.isRepeat) {
      if (code !== op.outcome) history.count('repeated, and answered otherwise')
      return
    }
    op.ackAt = clock.monotonic()
    op.outcome = code
    op.answer = answer
    op.unknown = code === 'TOO_OLD' && op.answers.some(each => UNSURE.has(each.code))
    history.count('acknowledged calls')
    trace.note(`ack ${op.method} ${op.target} n=${op.n}: ${code}`)
  }

  #finished(request: Request): void {
    const { clock, random, history } = this.#ports
    if (!this.#open.delete(request)) return
    if (request.isRepeat || random.float() >= this.#repeatShare) return
    history.count('calls sent once more')
    const items = request.items.map(({ op, definition }) => ({ op, definition, isDone: false }))
    const repeat: Request = { items, call: request.call, isRepeat: true, sending: 0 }
    this.#open.add(repeat)
    clock.setTimer(20_000 * random.float() ** 2, () => this.#send(repeat))
  }

  #later(request: Request, ms: number): void {
    this.#ports.clock.setTimer(ms * (0.5 + this.#ports.random.float()), () => this.#send(request))
  }

  #note(op: MeshOp, { node }: EngineLink, code: string): void {
    const { clock, history } = this.#ports
    op.answers.push({ at: clock.monotonic(), node: node.number, code })
    if (ASKED_AGAIN.has(code) || UNSURE.has(code)) history.count(`answered ${code}`)
  }
}
