/**
 * Who is told what happens: the engine's own clients. Other engines are no clients in this sense: each has its own
 * events, and they are told nothing but the end.
 */

import type { EngineEvent } from './wire/calls.ts'
import type { Session } from './work/session.ts'

/** Most events that wait for the first client; a start after a long time away can miss instants of many tasks. */
const UNTOLD_MAX = 1000

export class Events {
  readonly #sessions: ReadonlySet<Session>
  /** What happened before the first client was there to be told. */
  #untold: EngineEvent[] | undefined = []

  constructor(sessions: ReadonlySet<Session>) {
    this.#sessions = sessions
  }

  /** A new client. */
  joined(session: Session): void {
    if (session.connection.isFar) return
    for (const event of this.#untold ?? []) session.event(event)
    this.#untold = undefined
  }

  emit(event: EngineEvent): void {
    const ofRuns = event.type === 'run' || event.type === 'retry'
    if (this.#untold !== undefined && this.#untold.length < UNTOLD_MAX && !ofRuns) this.#untold.push(event)
    for (const session of this.#sessions) {
      const { isFar, wantsEvents } = session.connection
      if (!isFar && (!ofRuns || wantsEvents)) session.event(event)
    }
  }

  /** True if somebody listens to `run` and `retry` events. */
  get runsAreWanted(): boolean {
    for (const { connection } of this.#sessions) if (!connection.isFar && connection.wantsEvents) return true
    return false
  }
}
