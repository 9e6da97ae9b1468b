/**
 * A call on its way: what a client of this node asked, and how far it has come. A batch of tasks is cut into stretches, one
 * for each range; stretches for one node go there together, as a parcel. Each item is answered once, and the client when
 * all are.
 */

import { CarillonError, isCarillonError } from '../errors.ts'
import type { Definition } from '../task/definition.ts'
import type { CallRequest } from '../wire/calls.ts'
import type { Asker } from '../work/calls.ts'
import type { Results, ScheduleResult } from '../work/creation.ts'
import type { Lanes, Why } from './lanes.ts'
import type { LinkAsker, PeerLink } from './peer-link.ts'

/** Who is told what became of a call: a session. */
export interface Client {
  scheduled(
    call: number,
    results: ReadonlyArray<ScheduleResult | undefined>,
    count: number,
    copies: number,
  ): void
  answerText(call: number, json: string): void
  refuse(call: number, error: unknown): void
}

/** A call about one task, which whoever acts for it answers. */
export type TaskRequest = Extract<CallRequest, { readonly id: string }>

const CHANGES: ReadonlySet<string> = new Set(['cancel', 'pause', 'resume', 'trigger', 'retry'])

/** What one call has of one range, in order. */
export interface Stretch {
  readonly call: RoutedCall
  readonly range: number
  /** Of its definitions; undefined: the call is no batch. */
  readonly indexes: readonly number[] | undefined
  /** How often it was sent in vain. */
  attempts: number
  /** It has waited: it was taken on, and is not refused for want of room any more. */
  hasWaited: boolean
  /** It goes on ahead of what waits in its lane; as a probe, which has an answer before that goes on. */
  isFirst: boolean
  isProbe: boolean
  /** The last node that had it and did not answer: it may have been carried out. */
  unanswered: string | undefined
}

/** What one client has under way. */
export type ClientLanes = Lanes<RoutedCall, Stretch>

export interface RoutedCallInit {
  readonly client: Client
  readonly lanes: ClientLanes
  readonly number: number
  /** Calls of one router in the order in which they came. */
  readonly seq: number
  readonly batch?: { readonly definitions: readonly Definition[]; readonly mark: number } | undefined
  readonly request?: TaskRequest | undefined
}

export class RoutedCall {
  readonly client: Client
  readonly lanes: ClientLanes
  readonly number: number
  readonly seq: number
  readonly batch: { readonly definitions: readonly Definition[]; readonly mark: number } | undefined
  readonly request: TaskRequest | undefined
  /** Changes keep their order; questions only wait for changes before them. */
  readonly isChange: boolean
  /** Waits for what may take for ever. */
  readonly waits: boolean
  /** Given up then; of who waits, never. */
  until = Number.POSITIVE_INFINITY
  isOver = false
  /** Under way, without an answer. */
  readonly parcels = new Set<Parcel>()
  /** What it counts for while it has a deadline. */
  counts = 0
  bytes = 0
  #results: Array<ScheduleResult | undefined> | undefined
  #left: number
  #copies = Number.POSITIVE_INFINITY

  constructor({ client, lanes, number, seq, batch, request }: RoutedCallInit) {
    this.client = client
    this.lanes = lanes
    this.number = number
    this.seq = seq
    this.batch = batch
    this.request = request
    this.isChange = request === undefined || CHANGES.has(request.method)
    this.waits = request?.method === 'result'
    this.#left = batch?.definitions.length ?? 1
  }

  /** Items without an answer. */
  get left(): number {
    return this.#left
  }

  item(index: number, result: ScheduleResult | undefined): void {
    this.#left--
    if (result === undefined) return
    this.#results ??= new Array<ScheduleResult | undefined>(this.batch?.definitions.length ?? 0)
    this.#results[index] = result
  }

  /** So many copies has what was just answered. */
  counted(copies: number): void {
    this.#copies = Math.min(this.#copies, copies)
  }

  /** Tells the client, if all is answered. True: it is over. */
  tell(): boolean {
    if (this.isOver || this.#left > 0) return this.isOver
    this.isOver = true
    const count = this.batch?.definitions.length ?? 0
    const copies = Number.isFinite(this.#copies) ? this.#copies : 0
    this.client.scheduled(this.number, this.#results ?? ALL_CREATED, count, copies)
    return true
  }

  answer(json: string): void {
    if (this.isOver) return
    this.isOver = true
    this.client.answerText(this.number, json)
  }

  refuse(error: CarillonError): void {
    if (this.isOver) return
    this.isOver = true
    this.client.refuse(this.number, error)
  }

  /** The whole batch, or what is left of it, for one reason. */
  refuseLeft(indexes: readonly number[], error: CarillonError): void {
    for (const index of indexes) this.item(index, error)
  }

  /** An end of trying: what the caller has to know, and can do. */
  givenUp({ unanswered }: Stretch, why: Why | undefined, afterMs: number): CarillonError {
    const what = this.request === undefined ? 'the task' : `"${this.request.id}"`
    if (unanswered !== undefined && this.isChange) {
      return new CarillonError(
        'NOT_DURABLE',
        `it was sent to node ${unanswered}, which acts for ${what} and has not answered in ${afterMs} ms: it may have been carried out or not; repeat the call with the same id or key to know`,
      )
    }
    if (unanswered !== undefined) {
      return new CarillonError(
        'UNREACHABLE',
        `node ${unanswered}, which acts for ${what}, has not answered in ${afterMs} ms: ask again, or at another node`,
      )
    }
    if (why === undefined) {
      return new CarillonError(
        'NOT_OWNER',
        `no node that acts for ${what} was found in ${afterMs} ms: nothing was done; call again once more nodes are there`,
      )
    }
    const who = why.by === undefined ? '' : `; node ${why.by} was asked last and said`
    return new CarillonError(
      'NOT_OWNER',
      `for ${afterMs} ms no node took the call about ${what}${who}: ${why.error.message}`,
    )
  }
}

const ALL_CREATED: ReadonlyArray<ScheduleResult | undefined> = Object.freeze([])

/** Who is told what became of a parcel. */
export interface ParcelHost {
  scheduled(parcel: Parcel, results: Results, copies: number): void
  answered(parcel: Parcel, json: string): void
  refused(parcel: Parcel, error: CarillonError): void
  lost(parcel: Parcel): void
}

/** What went to one node together. It is told by whoever carries it out, here or over a link. */
export class Parcel implements LinkAsker, Asker {
  readonly #host: ParcelHost
  readonly call: RoutedCall
  readonly node: string
  readonly round: number
  readonly stretches: readonly Stretch[]
  /** What comes after it waits for it, if that would go elsewhere. */
  isUnderWay = false
  #sent: { readonly link: PeerLink; readonly number: number } | undefined

  constructor(
    host: ParcelHost,
    call: RoutedCall,
    node: string,
    round: number,
    stretches: readonly Stretch[],
  ) {
    this.#host = host
    this.call = call
    this.node = node
    this.round = round
    this.stretches = stretches
  }

  definitions(): Definition[] {
    const all = this.call.batch?.definitions ?? NOTHING
    const list: Definition[] = []
    for (const { indexes } of this.stretches)
      for (const index of indexes ?? NOTHING) list.push(all[index] as Definition)
    return list
  }

  sent(link: PeerLink, number: number): void {
    this.#sent = { link, number }
  }

  forget(): void {
    this.#sent?.link.forget(this.#sent.number)
  }

  scheduled(results: Results, copies: number): void {
    this.#host.scheduled(this, results, copies)
  }

  answered(json: string): void {
    this.#host.answered(this, json)
  }

  answer(_: number, answer: object): void {
    this.#host.answered(this, JSON.stringify(answer))
  }

  refused(error: CarillonError): void {
    this.#host.refused(this, error)
  }

  refuse(_: number, error: unknown): void {
    this.#host.refused(
      this,
      isCarillonError(error) ? error : new CarillonError('ENGINE_STOPPED', String(error)),
    )
  }

  lost(): void {
    this.#host.lost(this)
  }
}

export const NOTHING: readonly never[] = Object.freeze([])

export function newStretch(call: RoutedCall, range: number): Stretch {
  return {
    call,
    range,
    indexes: undefined,
    attempts: 0,
    hasWaited: false,
    isFirst: false,
    isProbe: false,
    unanswered: undefined,
  }
}

/** Results of a whole batch, in the order of its stretches. */
export function inOrder(results: Results, { stretches }: Parcel): Results {
  if (results.length === 0) return results
  const list: Array<ScheduleResult | undefined> = []
  for (const { indexes } of stretches) for (const index of indexes ?? NOTHING) list.push(results[index])
  return list
}

export function bytesOf({ batch }: RoutedCall): number {
  let bytes = 0
  for (const { start, end } of batch?.definitions ?? []) bytes += end - start
  return bytes
}

export function fullLink(node: string): CarillonError {
  return new CarillonError(
    'TOO_MANY',
    `node ${node}, which acts for it, has too many calls of this node unanswered: await earlier ones first`,
  )
}

export function notConnected(node: string): CarillonError {
  return new CarillonError('NOT_OWNER', `node ${node} acts for it, and is not connected to this one`)
}
