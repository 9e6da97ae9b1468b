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
  /** All that was sent at some time, and is not confirmed yet: what was sent behind it waits until it is. */
  #probe: { readonly upTo: Context; readonly at: number } | undefined
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
    this.#probe = undefined
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
    this.#looksBack(now)
    if (now < this.resendAt) this.sent = this.sent.join(context)
    else {
      this.#probe = undefined
      this.sent = context
    }
  }

  /**
   * It has synced more. If that is a part of what is waited for, the rest has its time anew; if it is all, what was sent
   * since. Anything else is no reason to wait: what others write comes through also where this was lost (trace 65).
   */
  confirms(context: Context, now: number, resendMs: number): void {
    this.said = context
    const before = this.confirmed
    if (before?.contains(context) === true) return
    const confirmed = before?.join(context) ?? context
    this.confirmed = confirmed
    const upTo = this.#probe?.upTo
    if (!this.#looksBack(now)) {
      const isPart = upTo?.actors.some(actor => {
        const had = before?.of(actor) ?? 0
        return had < upTo.of(actor) && confirmed.of(actor) > had
      })
      if (isPart) this.resendAt = Math.max(this.resendAt, now + this.patienceMs(resendMs))
      return
    }
    this.resends = 0
    if (!confirmed.contains(this.sent)) this.#waits(now, resendMs)
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

  /** False: something is waited for that is not there yet. */
  #looksBack(now: number): boolean {
    const probe = this.#probe
    if (probe === undefined) return true
    if (!this.has(probe.upTo)) return false
    this.#probe = undefined
    this.#latencyMs = Math.max(now - probe.at, this.#latencyMs * 0.75)
    return true
  }

  #waits(now: number, resendMs: number): void {
    this.#probe = { upTo: this.sent, at: now }
    this.resendAt = now + this.patienceMs(resendMs)
  }

  /**
   * The entries are on their way: they are sent again only when that has taken too long. It begins to when nothing else is
   * on its way: if each change began it anew, what was lost of a busy range would not be sent again at all (trace 65).
   */
  sending(entries: readonly LogEntry[], now: number, resendMs: number): void {
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
    if (this.#probe === undefined) this.#waits(now, resendMs)
  }
}

function dotsOf(ns: ReadonlyMap<number, number>): Dot[] {
  return [...ns].map(([actor, n]) => ({ actor, n }))
}
