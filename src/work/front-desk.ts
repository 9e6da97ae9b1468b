/**
 * The front desk: takes what the clients of this engine ask, and sees that each is told. In a mesh it is sent on to whoever
 * acts for the task; what comes from another node was, and is answered here or refused.
 */

import { CarillonError, isCarillonError } from '../errors.ts'
import type { TaskStore } from '../store/task-store.ts'
import type { Definition } from '../task/definition.ts'
import type { CallRequest } from '../wire/calls.ts'
import type { Audience } from './audience.ts'
import type { Asker, Calls } from './calls.ts'
import { type Creation, type Results, type Scheduled, unsynced } from './creation.ts'
import type { LiveRun } from './live-run.ts'
import type { Ownership } from './ownership.ts'
import type { Round } from './rounds.ts'
import type { Session, SessionHost } from './session.ts'

/** Who sends calls on. */
export interface Forwarding {
  schedule(session: Session, call: number, definitions: readonly Definition[], mark: number): void
  /** False: this node has to answer it. */
  call(session: Session, call: number, request: CallRequest): boolean
  gone(session: Session): void
}

/** Who is told of a batch. */
export interface BatchAsker {
  scheduled(results: Results, copies: number): void
}

export interface FrontDeskParts {
  readonly store: TaskStore<LiveRun>
  readonly creation: Creation
  readonly calls: Calls
  readonly audience: Audience
  readonly ownership: () => Ownership
  /** Undefined: what is asked here is answered here. */
  readonly forwarding: () => Forwarding | undefined
  readonly stir: () => void
  readonly failed: (error: unknown) => void
}

export class FrontDesk implements SessionHost {
  readonly #parts: FrontDeskParts
  /** Answers that wait until the index has caught up with the journal. */
  readonly #heldBack: Array<() => void> = []

  constructor(parts: FrontDeskParts) {
    this.#parts = parts
  }

  // --- SessionHost

  schedule(session: Session, call: number, definitions: readonly Definition[], mark: number): void {
    const forwarding = this.#forwarding(session)
    if (forwarding !== undefined) forwarding.schedule(session, call, definitions, mark)
    else {
      const count = definitions.length
      const scheduled = (results: Results, copies: number): void =>
        session.scheduled(call, results, count, copies)
      this.scheduleHere(definitions, mark, { scheduled }, session.round)
    }
  }

  call(session: Session, call: number, request: CallRequest): void {
    const isOfNode = request.method === 'close' || request.method === 'drain'
    if (session.options.far === true && isOfNode) return session.refuse(call, notYours())
    if (this.#forwarding(session)?.call(session, call, request) !== true)
      this.callHere(session, call, request, session.round)
  }

  closed(session: Session): void {
    const { audience, calls, stir } = this.#parts
    audience.remove(session)
    calls.forget(session)
    this.#forwarding(session)?.gone(session)
    session.connection.closed()
    stir()
  }

  stir(): void {
    this.#parts.stir()
  }

  failed(error: unknown): void {
    this.#parts.failed(error)
  }

  // --- what is carried out at this node

  /** True: all of it is carried out, and only its answer is to come, or has. */
  scheduleHere(definitions: readonly Definition[], mark: number, asker: BatchAsker, round: Round): boolean {
    const { creation, stir, failed } = this.#parts
    const scheduled = creation.schedule(definitions, mark, round)
    if (!(scheduled instanceof Promise)) {
      this.#acknowledge(asker, scheduled, definitions.length)
      return !scheduled.results.some(result => isCarillonError(result, 'NOT_OWNER'))
    }
    scheduled.then(
      scheduled => {
        this.#acknowledge(asker, scheduled, definitions.length)
        stir()
      },
      (error: unknown) => failed(error),
    )
    return false
  }

  callHere(asker: Asker, call: number, request: CallRequest, round: Round): void {
    const refused = (error: unknown): void => this.refuse(asker, call, error)
    this.#parts.calls.answer(asker, call, request, round).catch(refused)
  }

  /** What is no refusal, or a disk that failed, is the engine's own end. */
  refuse(asker: Asker, call: number, error: unknown): void {
    if (!isCarillonError(error) || error.code === 'STORE_FAILED') this.#parts.failed(error)
    asker.refuse(call, error)
  }

  /** The end of a turn's writing. */
  tellHeldBack(): void {
    if (this.#heldBack.length > 0 && !this.#parts.store.isBehind)
      for (const tell of this.#heldBack.splice(0)) tell()
  }

  #forwarding(session: Session): Forwarding | undefined {
    return session.options.direct === true ? undefined : this.#parts.forwarding()
  }

  #acknowledge(asker: BatchAsker, { results, written }: Scheduled, count: number): void {
    const { store, ownership, stir } = this.#parts
    const refused = results.filter(result => result instanceof CarillonError).length
    // Nothing of it was kept, so there is nothing to wait for: a full disk may keep others waiting.
    if (refused === count) asker.scheduled(results, 0)
    else {
      ownership().acknowledge(written, (error, copies) => {
        const told = error === undefined ? results : unsynced(results, count, error)
        // What is only remembered has no change that could be counted: it is here.
        const tell = (): void => asker.scheduled(told, Math.max(1, copies))
        // Callers have a bounded number of calls under way: a late answer slows them down.
        if (error === undefined && store.isBehind) this.#heldBack.push(tell)
        else tell()
      })
    }
    stir()
  }
}

function notYours(): CarillonError {
  return new CarillonError('CONFLICT', 'a node is closed or drained on its own machine only')
}
