/**
 * Skews: how far the wall clocks of other nodes are from this one's. Each linked node is asked for its time now and then, which
 * is held against the middle of the question; so a skew is wrong by half the round trip at most.
 */

import type { Clock, Timer } from '../ports/clock.ts'
import type { CallAnswers } from '../wire/calls.ts'
import { parseJson } from '../wire/frame.ts'
import type { PeerLink } from './peer-link.ts'

export interface SkewsParts {
  readonly clock: Clock
  readonly links: () => Iterable<PeerLink>
}

export class Skews {
  readonly #parts: SkewsParts
  readonly #everyMs: number
  readonly #byNode = new Map<string, number>()
  #timer: Timer | undefined

  constructor(parts: SkewsParts, everyMs: number) {
    this.#parts = parts
    this.#everyMs = everyMs
    this.#arm()
  }

  /** Their clock less this one's, ms; undefined: not measured. */
  of(node: string): number | undefined {
    return this.#byNode.get(node)
  }

  opened(link: PeerLink): void {
    this.#ask(link)
  }

  stop(): void {
    this.#timer?.cancel()
  }

  #arm(): void {
    this.#timer = this.#parts.clock.setTimer(this.#everyMs, () => {
      for (const link of this.#parts.links()) this.#ask(link)
      this.#arm()
    })
  }

  #ask(link: PeerLink): void {
    if (link.isFull) return
    const { clock } = this.#parts
    const from = clock.monotonic()
    const nothing = (): void => undefined
    link.call(
      { method: 'clock' },
      {
        answered: json => {
          const { now } = parseJson(json) as Partial<CallAnswers['clock']>
          const tookMs = clock.monotonic() - from
          if (typeof now === 'number')
            this.#byNode.set(link.node, Math.round(now - (clock.now() - tookMs / 2)))
        },
        // One that does not know the question has an older version.
        refused: nothing,
        lost: nothing,
        scheduled: nothing,
      },
    )
  }
}
