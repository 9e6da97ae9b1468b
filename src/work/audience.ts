/**
 * The clients of an engine: what happened is told to those whom it concerns. Other nodes are no clients in this sense: each
 * has its own events, and they are told nothing but the end.
 */

import type { EngineEvent } from '../wire/calls.ts'
import type { Session } from './session.ts'

/** Most events that wait for the first client; a start after a long time away can miss instants of many tasks. */
const UNTOLD_MAX = 1000

export class Audience {
  readonly #sessions = new Set<Session>()
  /** What happened before the first client was there to be told. */
  #untold: EngineEvent[] | undefined = []

  add(session: Session): void {
    this.#sessions.add(session)
    if (session.options.far === true) return
    for (const event of this.#untold ?? []) session.event(event)
    this.#untold = undefined
  }

  remove(session: Session): void {
    this.#sessions.delete(session)
  }

  /** Of runs only those are told who asked for that. */
  emit(event: EngineEvent): void {
    const ofRuns = event.type === 'run' || event.type === 'retry'
    if (this.#untold !== undefined && this.#untold.length < UNTOLD_MAX && !ofRuns) this.#untold.push(event)
    for (const session of this.#sessions) {
      const { connection } = session
      if (!connection.isFar && (!ofRuns || connection.wantsEvents)) session.event(event)
    }
  }

  get wantsRunEvents(): boolean {
    for (const { connection } of this.#sessions) if (!connection.isFar && connection.wantsEvents) return true
    return false
  }

  /** Sends what this turn has for each. */
  flush(): void {
    for (const session of this.#sessions) session.flush()
  }

  /** A last word to all. */
  close(event: EngineEvent): void {
    for (const session of this.#sessions) {
      session.event(event)
      session.close()
    }
    this.#sessions.clear()
  }
}
