/** Who listens to which event of a node. A listener that throws is the user's fault and shows as such, elsewhere. */

import type { EngineEvent } from '../wire/calls.ts'
import type { NodeEvents } from './types.ts'

type AnyListener = (event: EngineEvent) => void

export class Listeners {
  readonly #byType = new Map<string, Set<AnyListener>>()

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
