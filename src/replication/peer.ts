/** What is known of another store in one range: how far it has synced, and what is on its way to it. */

import type { LogEntry } from './change-log.ts'
import { Context, type Dot } from './context.ts'

export class Peer {
  /** What it has synced; undefined: it has not said. */
  confirmed: Context | undefined
  /** All that it had when it last said so; `confirmed` may be of some actors only. */
  said: Context | undefined
  /** What it has once all that was sent arrives. */
  sent: Context = Context.EMPTY
  /** It has joined a copy. Until it says otherwise a store that was in the list before is. */
  ready = true
  active = false
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

  /** It has come into the list: it is asked, and has to say that it is ready, also if that is what it said last. */
  isNew(): void {
    this.ready = false
    this.heard = 0
    this.knows = 0
  }

  has(context: Context): boolean {
    return this.confirmed?.contains(context) === true
  }

  /** It says what it has: that counts, also if it is less than was known. */
  says(context: Context): void {
    if (this.confirmed?.contains(context) !== true) this.resends = 0
    this.confirmed = context
    this.said = context
    this.sent = context
  }

  confirms(dot: Dot): void {
    const before = this.confirmed ?? Context.EMPTY
    if (before.of(dot.actor) >= dot.n) return
    this.resends = 0
    this.confirmed = before.join(Context.from([dot]))
  }

  /** The entries are on their way: they are sent again only when that has taken too long. */
  sending(entries: readonly LogEntry[]): void {
    const ns = new Map<number, number>()
    for (const { actor, n } of this.sent.dots()) ns.set(actor, n)
    for (const { actor, n } of entries) ns.set(actor, n)
    this.sent = Context.from(
      [...ns].map(([actor, n]) => ({ actor, n })),
      this.sent.holes,
    )
  }
}
