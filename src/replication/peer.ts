/** What is known of another store in one range: how far it has synced, and what is on its way to it. */

import type { LogEntry } from './change-log.ts'
import { Context, type Dot } from './context.ts'

/** A peer that has been silent for so long is sent all again, however slow it was. */
const PATIENCE_MS_MAX = 2000

export class Peer {
  /** What it has synced; undefined: it has not said. */
  confirmed: Context | undefined
  /** All that it had when it last said so. */
  said: Context | undefined
  /** What it has once all that was sent arrives. */
  sent: Context = Context.EMPTY
  /** It has joined a copy. Until it says otherwise a store that was in the list before is. */
  ready = true
  /** It acts, as it said last; undefined: it has not said. */
  active: boolean | undefined
  /** What it has outlives it. */
  durable = true
  /** Of its last digest: its hash, a number for all of it (0: none came), and the number that it had heard from here. */
  hash = ''
  heard = 0
  knows = 0
  /** How often the same was sent again for nothing. */
  resends = 0
  resendAt = Number.NEGATIVE_INFINITY
  askedAt = Number.NEGATIVE_INFINITY
  offeredAt = Number.NEGATIVE_INFINITY
  digestAt = Number.NEGATIVE_INFINITY
  /** When changes came from there last. */
  appendedAt = Number.NEGATIVE_INFINITY
  /** One that was sent, by which the time to a confirmation is taken. */
  #probe: (Dot & { readonly at: number }) | undefined
  /** How long confirmations have taken lately. */
  #latencyMs = 0

  /**
   * It has come into the list: it is asked, and has to say what it has, and that it is ready, also if that is what it said
   * last. It may have let go of all since.
   */
  isNew(): void {
    this.ready = false
    this.confirmed = undefined
    this.said = undefined
    this.sent = Context.EMPTY
    this.heard = 0
    this.knows = 0
  }

  has(context: Context): boolean {
    return this.confirmed?.contains(context) === true
  }

  /**
   * It says what it has: that counts, also if it is less than was known. What was sent a moment ago may be on its way still,
   * and is not sent again for that: it would be with every word of a peer that cannot keep up.
   */
  says(context: Context, now: number): void {
    if (this.confirmed?.contains(context) !== true) this.resends = 0
    this.confirmed = context
    this.said = context
    this.sent = now < this.resendAt ? this.sent.join(context) : context
    this.#looksBack(now)
  }

  /** It has synced more: what else is on its way is waited for anew, as it comes in order. */
  confirms(context: Context, now: number, resendMs: number): void {
    this.said = context
    if (this.confirmed?.contains(context) === true) return
    this.resends = 0
    this.confirmed = this.confirmed?.join(context) ?? context
    this.#looksBack(now)
    this.resendAt = Math.max(this.resendAt, now + this.patienceMs(resendMs))
  }

  /** How long it has to confirm: one that is busy takes as long as it took before, and is not sent more for that. */
  patienceMs(resendMs: number): number {
    return Math.min(PATIENCE_MS_MAX, Math.max(resendMs, this.#latencyMs * 2))
  }

  /** It did not confirm in time: what was sent is sent again. */
  lags(): void {
    this.#probe = undefined
    this.#latencyMs = Math.min(this.#latencyMs * 2, PATIENCE_MS_MAX)
    this.sent = this.confirmed ?? Context.EMPTY
  }

  #looksBack(now: number): void {
    const probe = this.#probe
    if (probe === undefined || (this.confirmed?.of(probe.actor) ?? 0) < probe.n) return
    this.#probe = undefined
    this.#latencyMs = Math.max(now - probe.at, this.#latencyMs * 0.75)
  }

  /** The entries are on their way: they are sent again only when that has taken too long. */
  sending(entries: readonly LogEntry[], now: number): void {
    const last = entries.at(-1)
    if (last !== undefined) this.#probe ??= { actor: last.actor, n: last.n, at: now }
    const { actors, ns, holes } = this.sent
    const reached = ns.slice()
    let more: Map<number, number> | undefined
    for (const { actor, n } of entries) {
      const i = actors.indexOf(actor)
      if (i >= 0) reached[i] = n
      else {
        more ??= new Map()
        more.set(actor, n)
      }
    }
    const sent = new Context(actors, reached, holes, Number.NEGATIVE_INFINITY)
    this.sent = more === undefined ? sent : sent.join(Context.from(dotsOf(more)))
  }
}

function dotsOf(ns: ReadonlyMap<number, number>): Dot[] {
  return [...ns].map(([actor, n]) => ({ actor, n }))
}
