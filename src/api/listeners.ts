/** Who listens to which event of a node. A listener that throws is the user's fault and shows as such, elsewhere. */

import type { EngineEvent } from '../wire/calls.ts'
import type { ClientEvents, NodeEvents } from './types.ts'

export const NODE_EVENTS: Readonly<Record<keyof NodeEvents, true>> = {
  run: true,
  retry: true,
  missed: true,
  'no-worker': true,
  'late-end': true,
  'clock-jump': true,
  member: true,
  drained: true,
  refused: true,
  'store-full': true,
  started: true,
  stopped: true,
}

const { drained: _drained, started: _started, stopped: _stopped, ...ofClients } = NODE_EVENTS
export const CLIENT_EVENTS: Readonly<Record<keyof ClientEvents, true>> = ofClients

/** Beyond, the latest are dropped, as the engine does with what comes before the first client. */
const HELD_MAX = 1000

type AnyListener = (event: EngineEvent) => void

export class Listeners {
  readonly #byType = new Map<string, Set<AnyListener>>()
  /** What nobody could listen to yet. */
  #held: EngineEvent[] | undefined

  /** Keeps what happens until `tellHeld`: who will listen has not been given the node yet. */
  hold(): void {
    this.#held = []
  }

  tellHeld(): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const event of held) this.emit(event)
  }

  /** Somebody listens to events of runs, which the engine sends on demand. */
  get wantRuns(): boolean {
    return this.#byType.has('run') || this.#byType.has('retry')
  }

  add<Type extends keyof NodeEvents>(type: Type, listener: NodeEvents[Type]): void {
    const known = this.#byType.get(type)
    if (known !== undefined) known.add(listener as AnyListener)
    else this.#byType.set(type, new Set([listener as AnyListener]))
  }

  remove<Type extends keyof NodeEvents>(type: Type, listener: NodeEvents[Type]): void {
    const known = this.#byType.get(type)
    known?.delete(listener as AnyListener)
    if (known?.size === 0) this.#byType.delete(type)
  }

  emit(event: EngineEvent): void {
    if (this.#held !== undefined) {
      if (this.#held.length < HELD_MAX) this.#held.push(event)
      return
    }
    for (const listener of this.#byType.get(event.type) ?? []) {
      try {
        listener(event)
      } catch (error) {
        queueMicrotask(() => {
          throw error
        })
      }
    }
  }
}
