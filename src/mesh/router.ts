/**
 * Router: any node takes any call. What a client asks about a task goes to the node that acts for its range: this one, or
 * over a link another. A batch is cut by ranges, in the bytes in which it came; it is answered when all parts are.
 *
 * Rules
 * - What nobody took (NOT_OWNER), or may have taken (a link that was lost), is asked again in the same bytes, after a
 *   moment, or at once under a new view: a request that comes twice is carried out once. So until a deadline; who waits
 *   for a result waits without one.
 * - What comes from another node is not sent on (the engine sees to it): nothing goes in circles.
 * - One client's calls about one range are carried out in their order (lanes.ts), also by a node that refuses the first and
 *   begins to act before the second arrives (work/rounds.ts).
 * - Who is gone is not asked for any more: nothing of its calls is repeated, and its waits end everywhere.
 *
 * Bounded: what is not answered, in items and bytes; beyond it a call is refused with TOO_MANY, as is one for a node whose
 * link is full.
 */

import { CarillonError, isCarillonError } from '../errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { Definition } from '../task/definition.ts'
import type { Asker } from '../work/calls.ts'
import { idOf } from '../work/commands.ts'
import type { Results } from '../work/creation.ts'
import type { BatchAsker } from '../work/front-desk.ts'
import { type Round, Rounds } from '../work/rounds.ts'
import { type AgainOptions, type AskingParts, pauseMs } from './asking.ts'
import { Hints } from './hints.ts'
import { type Lane, Lanes, type Why } from './lanes.ts'
import {
  type Client,
  type ClientLanes,
  fullLink,
  inOrder,
  NOTHING,
  newStretch,
  Parcel,
  type ParcelHost,
  RoutedCall,
  type Stretch,
  type TaskRequest,
} from './routed-call.ts'
import { UnderWay, type UnderWayOptions } from './under-way.ts'
import { WaitingCalls } from './waiting-calls.ts'

export interface RouterOptions extends UnderWayOptions, AgainOptions {}

export interface RouterParts extends AskingParts {
  readonly clock: Clock
  readonly rangeOf: (id: string) => number
  /** Carries a batch out here; true: that is done with all of it, and only its answer is still to come. */
  readonly scheduleHere: (
    definitions: readonly Definition[],
    mark: number,
    asker: BatchAsker,
    round: Round,
  ) => boolean
  readonly callHere: (request: TaskRequest, asker: Asker, round: Round) => void
  /** The call of this asker is given up. */
  readonly forgetHere: (asker: Asker) => void
}

/** What of a call that is given up has no answer. */
interface Open {
  readonly part: Stretch
  readonly why: Why | undefined
}

export class Router implements ParcelHost {
  readonly #parts: RouterParts
  readonly #options: RouterOptions
  readonly #clients = new Map<Client, ClientLanes>()
  readonly #waiting: WaitingCalls
  readonly #underWay: UnderWay
  readonly #hints: Hints
  /** Of what is carried out here. */
  readonly #rounds = new Rounds()
  /** The latest. */
  #round = 0
  #seq = 0
  /** Calls that were asked again. */
  repeated = 0

  constructor(parts: RouterParts, options: RouterOptions) {
    this.#parts = parts
    this.#options = options
    this.#underWay = new UnderWay(options)
    this.#hints = new Hints(parts)
    this.#waiting = new WaitingCalls(parts.clock, {
      route: stretches => this.#route(stretches),
      canGo: lane => this.#canGo(lane),
      pauseMs: tries => pauseMs(options, tries),
      tick: now => this.#tick(now),
    })
  }

  /** Calls that have no answer yet. */
  get pending(): number {
    let pending = 0
    for (const { calls } of this.#clients.values()) pending += calls.size
    return pending
  }

  schedule(client: Client, number: number, definitions: readonly Definition[], mark: number): void {
    const lanes = this.#lanesOf(client)
    const call = new RoutedCall({ client, lanes, number, seq: ++this.#seq, batch: { definitions, mark } })
    lanes.calls.add(call)
    if (this.#isAllHere(lanes, definitions)) return this.#allHere(call, definitions, mark)
    this.#route(this.#stretchesOf(call, definitions))
  }

  call(client: Client, number: number, request: TaskRequest): void {
    const lanes = this.#lanesOf(client)
    const call = new RoutedCall({ client, lanes, number, seq: ++this.#seq, request })
    if (call.waits) {
      if (this.#underWay.isFull(call)) return call.refuse(this.#underWay.tooMany())
      this.#underWay.add(call)
      lanes.waits.set(number, call)
    }
    lanes.calls.add(call)
    this.#route([newStretch(call, this.#parts.rangeOf(idOf(request.id)))])
  }

  /** The client no longer waits for this result. */
  forget(client: Client, number: number): void {
    const lanes = this.#clients.get(client)
    const call = lanes?.waits.get(number)
    if (lanes !== undefined && call !== undefined) this.#drop(lanes, new Set([call]))
  }

  /** The client is gone. */
  gone(client: Client): void {
    const lanes = this.#clients.get(client)
    if (lanes === undefined) return
    this.#waiting.remove(lanes)
    this.#drop(lanes, new Set(lanes.calls))
    this.#clients.delete(client)
  }

  /** Others act now, or others are there: what waits is tried at once. */
  viewChanged(): void {
    this.#hints.clear()
    this.hurry()
  }

  /** Somebody can be asked who could not: this node, or one that a link was opened to. */
  hurry(): void {
    this.#waiting.hurry()
  }

  stop(): void {
    this.#waiting.stop()
  }

  #lanesOf(client: Client): ClientLanes {
    let lanes = this.#clients.get(client)
    if (lanes === undefined) {
      lanes = new Lanes()
      this.#clients.set(client, lanes)
    }
    return lanes
  }

  // --- here

  #isAllHere(lanes: ClientLanes, definitions: readonly Definition[]): boolean {
    const { rangeOf, isOpen, self } = this.#parts
    for (const { id } of definitions) {
      const range = rangeOf(id)
      if (!isOpen(range)) return false
      if (lanes.isEmpty) continue
      if (!lanes.isFree(range, self) || lanes.roundOf(range, this.#round) !== this.#round) return false
    }
    return true
  }

  #allHere(call: RoutedCall, definitions: readonly Definition[], mark: number): void {
    let parcel: Parcel | undefined
    let told: { readonly results: Results; readonly copies: number } | undefined
    const round = this.#round
    const whole = (): Parcel =>
      new Parcel(this, call, this.#parts.self, round, this.#stretchesOf(call, definitions))
    const scheduled = (results: Results, copies: number): void => {
      if (parcel !== undefined) return parcel.scheduled(inOrder(results, parcel), copies)
      told = { results, copies }
      if (results.length === 0) return this.#allCreated(call, definitions, copies)
      parcel = whole()
      parcel.scheduled(inOrder(results, parcel), copies)
    }
    const isCarriedOut = this.#parts.scheduleHere(definitions, mark, { scheduled }, this.#rounds.at(round))
    if (isCarriedOut || told !== undefined) return
    // It waits for the disk, and what comes after it must not be carried out elsewhere before it.
    parcel = whole()
    this.#begin(parcel)
  }

  #allCreated(call: RoutedCall, definitions: readonly Definition[], copies: number): void {
    for (let i = 0; i < definitions.length; i++) call.item(i, undefined)
    call.counted(copies)
    this.#tell(call)
  }

  #stretchesOf(call: RoutedCall, definitions: readonly Definition[]): Stretch[] {
    const stretches = new Map<number, Stretch & { readonly indexes: number[] }>()
    for (let i = 0; i < definitions.length; i++) {
      const range = this.#parts.rangeOf((definitions[i] as Definition).id)
      const known = stretches.get(range)
      if (known === undefined) stretches.set(range, { ...newStretch(call, range), indexes: [i] })
      else known.indexes.push(i)
    }
    return [...stretches.values()]
  }

  // --- on the way

  /** Sends what may go, and has the rest wait; all of one call. */
  #route(stretches: readonly Stretch[]): void {
    const parcels = new Map<string, Map<number, Stretch[]>>()
    for (const stretch of stretches) {
      const { range, call } = stretch
      if (call.isOver) continue
      const node = this.#hints.target(range)
      if (!stretch.isFirst && !call.lanes.isFree(range, node)) this.#wait(stretch)
      else if (node === undefined) this.#notNow(stretch, this.#hints.nobody(range))
      else {
        const round = call.lanes.roundOf(range, this.#round)
        const rounds = parcels.get(node) ?? new Map<number, Stretch[]>()
        parcels.set(node, rounds)
        const known = rounds.get(round)
        if (known === undefined) rounds.set(round, [stretch])
        else known.push(stretch)
      }
    }
    for (const [node, rounds] of parcels) for (const [round, each] of rounds) this.#send(node, round, each)
  }

  #canGo(lane: Lane<Stretch>): boolean {
    if (this.#hints.target(lane.range) !== undefined) return true
    const error = this.#hints.nobody(lane.range)
    if (error !== undefined) lane.why = { error, by: undefined }
    return false
  }

  #send(node: string, round: number, stretches: readonly Stretch[]): void {
    const { call } = stretches[0] as Stretch
    const { self, link } = this.#parts
    const parcel = new Parcel(this, call, node, round, stretches)
    if (node === self) {
      this.#begin(parcel)
      return this.#carryOutHere(parcel)
    }
    const peer = link(node)
    if (peer === undefined) {
      for (const stretch of stretches) this.#notNow(stretch, this.#hints.nobody(stretch.range))
      return
    }
    if (peer.isFull && stretches.some(({ hasWaited }) => hasWaited)) {
      // It was taken on, and may be a wait, or be carried out already: to refuse it now would be a lie.
      const full = fullLink(node)
      for (const stretch of stretches) this.#notNow(stretch, full)
      return
    }
    if (peer.isFull || this.#underWay.isFull(call)) {
      const full = peer.isFull ? fullLink(node) : this.#underWay.tooMany()
      return this.#refuse(call, stretches, full)
    }
    this.#begin(parcel)
    this.#watch(call)
    if (call.request === undefined) peer.schedule(parcel.definitions(), call.batch?.mark ?? 0, parcel, round)
    else parcel.sent(peer, peer.call(call.request, parcel, round))
  }

  #carryOutHere(parcel: Parcel): void {
    const { call } = parcel
    const { callHere, scheduleHere } = this.#parts
    const round = this.#rounds.at(parcel.round)
    if (call.request !== undefined) return callHere(call.request, parcel, round)
    const isCarriedOut = scheduleHere(parcel.definitions(), call.batch?.mark ?? 0, parcel, round)
    if (isCarriedOut) this.#release(parcel)
  }

  #begin(parcel: Parcel): void {
    parcel.call.parcels.add(parcel)
    if (!parcel.call.isChange && !parcel.stretches.some(({ isProbe }) => isProbe)) return
    parcel.isUnderWay = true
    const { call, node, round } = parcel
    for (const { range } of parcel.stretches) call.lanes.began(range, node, round)
  }

  /** What it has is carried out, or not; what waits behind it may go on. */
  #release(parcel: Parcel): void {
    if (!parcel.isUnderWay) return
    parcel.isUnderWay = false
    for (const { range } of parcel.stretches) {
      const lane = parcel.call.lanes.ended(range)
      if (lane !== undefined) this.#waiting.freed(lane)
    }
  }

  /** An answer is here. False: nobody waits for it any more. */
  #end(parcel: Parcel): boolean {
    parcel.call.parcels.delete(parcel)
    return !parcel.call.isOver
  }

  // --- answers

  scheduled(parcel: Parcel, results: Results, copies: number): void {
    if (results.some(result => isCarillonError(result, 'NOT_OWNER'))) this.#roundIsOver(parcel)
    if (!this.#end(parcel)) return this.#release(parcel)
    const { call, node } = parcel
    let at = 0
    let counts = false
    for (const stretch of parcel.stretches) {
      let again: number[] | undefined
      let why: CarillonError | undefined
      for (const index of stretch.indexes ?? NOTHING) {
        const result = results[at++]
        if (result instanceof CarillonError && this.#isTakenElsewhere(result, node)) {
          again ??= []
          again.push(index)
          why = result
          continue
        }
        call.item(index, result)
        if (!(result instanceof CarillonError)) counts = true
      }
      if (again !== undefined) this.#again({ ...stretch, indexes: again }, node, why)
    }
    if (counts) call.counted(copies)
    this.#release(parcel)
    this.#tell(call)
  }

  answered(parcel: Parcel, json: string): void {
    if (this.#end(parcel)) {
      parcel.call.answer(json)
      this.#over(parcel.call)
    }
    this.#release(parcel)
  }

  refused(parcel: Parcel, error: CarillonError): void {
    if (error.code === 'NOT_OWNER') this.#roundIsOver(parcel)
    const { call, node } = parcel
    if (this.#end(parcel)) {
      if (this.#isAskedAgain(call, error, node)) {
        for (const stretch of parcel.stretches) this.#again(stretch, node, error)
      } else {
        call.refuse(error)
        this.#over(call)
      }
    }
    this.#release(parcel)
  }

  lost(parcel: Parcel): void {
    if (this.#end(parcel)) {
      for (const stretch of parcel.stretches) this.#again(stretch, parcel.node, undefined)
    }
    this.#release(parcel)
  }

  /** What begins from here on is sent knowing of this refusal, whoever waits for its answer. */
  #roundIsOver({ round }: Parcel): void {
    this.#round = Math.max(this.#round, round + 1)
  }

  /** Nothing was done there. */
  #isTakenElsewhere(error: CarillonError, node: string): boolean {
    return error.code === 'NOT_OWNER' || (error.code === 'CLOSED' && node !== this.#parts.self)
  }

  #isAskedAgain(call: RoutedCall, error: CarillonError, node: string): boolean {
    if (this.#isTakenElsewhere(error, node)) return true
    // An end that too few have confirmed: who asks again learns what became of it.
    return call.waits && error.code === 'NOT_DURABLE'
  }

  /** `error` undefined: there was no answer. */
  #again(stretch: Stretch, node: string, error: CarillonError | undefined): void {
    // Who was sent elsewhere goes there at once, but not from one to the other and back without end.
    const isAtOnce = this.#hints.refused(stretch.range, node, error?.owner) && stretch.attempts === 0
    this.repeated++
    const again = { ...stretch, attempts: stretch.attempts + 1 }
    const tries = isAtOnce ? undefined : stretch.attempts
    if (error === undefined) this.#wait({ ...again, unanswered: node }, undefined, tries)
    else this.#wait(again, { error, by: node }, tries)
  }

  /** It can't be sent now. */
  #notNow(stretch: Stretch, error: CarillonError | undefined): void {
    this.#wait(stretch, error && { error, by: undefined }, stretch.attempts)
  }

  /** `tries`: after so many in vain it waits for the next. */
  #wait(stretch: Stretch, why?: Why | undefined, tries?: number | undefined): void {
    const { call } = stretch
    if (this.#underWay.isFull(call)) return this.#refuse(call, [stretch], this.#underWay.tooMany())
    this.#watch(call)
    this.#waiting.add(stretch, why, tries)
  }

  // --- ends

  #watch(call: RoutedCall): void {
    if (this.#underWay.watch(call, this.#now())) this.#waiting.arm(call.until)
  }

  #tick(now: number): number {
    const expired = new Set(this.#underWay.expired(now))
    const open = new Map<RoutedCall, Open[]>([...expired].map(call => [call, []]))
    for (const lanes of new Set([...expired].map(call => call.lanes)))
      for (const each of lanes.drop(expired)) open.get(each.part.call)?.push(each)
    for (const [call, waiting] of open) this.#giveUp(call, waiting)
    return this.#underWay.nextAt
  }

  /** Its time is over; `open` is what it had waiting. */
  #giveUp(call: RoutedCall, open: Open[]): void {
    const { callDeadlineMs } = this.#options
    let before: { readonly each: Open; readonly error: CarillonError } | undefined
    const errorOf = (each: Open): CarillonError => {
      if (before?.each.part.unanswered !== each.part.unanswered || before?.each.why !== each.why)
        before = undefined
      before ??= { each, error: call.givenUp(each.part, each.why, callDeadlineMs) }
      return before.error
    }
    for (const parcel of [...call.parcels]) {
      call.parcels.delete(parcel)
      for (const each of parcel.stretches)
        open.push({ part: { ...each, unanswered: parcel.node }, why: undefined })
      this.#release(parcel)
    }
    if (call.request !== undefined)
      call.refuse(errorOf(open[0] ?? { part: newStretch(call, 0), why: undefined }))
    else {
      for (const each of open) call.refuseLeft(each.part.indexes ?? NOTHING, errorOf(each))
      call.tell()
    }
    this.#over(call)
  }

  #refuse(call: RoutedCall, stretches: readonly Stretch[], error: CarillonError): void {
    if (call.request !== undefined) {
      call.refuse(error)
      return this.#over(call)
    }
    for (const { indexes } of stretches) call.refuseLeft(indexes ?? NOTHING, error)
    this.#tell(call)
  }

  #tell(call: RoutedCall): void {
    if (call.tell()) this.#over(call)
  }

  /** Nobody wants their answers. All that waits goes first: what is released must not send it. */
  #drop(lanes: ClientLanes, calls: ReadonlySet<RoutedCall>): void {
    for (const call of calls) call.isOver = true
    lanes.drop(calls)
    for (const call of calls) {
      for (const parcel of [...call.parcels]) {
        call.parcels.delete(parcel)
        if (call.waits) this.#unask(parcel)
        this.#release(parcel)
      }
      this.#over(call)
    }
    // What waited behind them is the first now.
    this.#waiting.look()
  }

  #unask(parcel: Parcel): void {
    if (parcel.node === this.#parts.self) this.#parts.forgetHere(parcel)
    else parcel.forget()
  }

  #over(call: RoutedCall): void {
    const { lanes } = call
    if (!lanes.calls.delete(call)) return
    if (call.waits && lanes.waits.get(call.number) === call) lanes.waits.delete(call.number)
    this.#underWay.forget(call)
  }

  #now(): number {
    return this.#parts.clock.monotonic()
  }
}
