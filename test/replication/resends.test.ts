/**
 * What is sent to another store and not confirmed, against a pipe that loses for a while, in a range that is never quiet:
 * once nothing is lost any more, all that there was has arrived within the longest patience and what the way takes.
 */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ChangeLog, type LogEntry } from '../../src/replication/change-log.ts'
import { Context } from '../../src/replication/context.ts'
import type { Message } from '../../src/replication/messages.ts'
import { REPLICATION_DEFAULTS } from '../../src/replication/options.ts'
import { Outgoing } from '../../src/replication/outgoing.ts'
import { Peer } from '../../src/replication/peer.ts'
import type { Replica } from '../../src/replication/replica.ts'

const [OWN, OTHER] = [0, 1]
const STEP_MS = 10
const TICK_MS = 50
/** The longest patience is two seconds, and one resend may begin just before the end of the losses. */
const ARRIVES_MS = 3000

interface Line {
  /** Chance of a change of the sender, and of one of the receiver, in a step. */
  readonly own: number
  readonly others: number
  readonly loss: number
  readonly lossMs: number
  readonly delayMs: number
  readonly syncMs: number
}

/** Who acts, and pushes; the log is never trimmed. */
class Sender {
  readonly peer = new Peer()
  readonly #log = new ChangeLog(REPLICATION_DEFAULTS.log)
  readonly #outgoing: Outgoing
  applied = Context.EMPTY

  constructor(send: (message: Message) => void) {
    const site = this
    const replica = {
      range: 0,
      role: 'owner',
      others: ['b'],
      log: this.#log,
      peer: () => this.peer,
      get applied() {
        return site.applied
      },
      get synced() {
        return site.applied
      },
      parts: {
        options: REPLICATION_DEFAULTS,
        host: { send: (_: string, message: Message) => send(message) },
      },
    }
    this.#outgoing = new Outgoing(replica as unknown as Replica)
    this.peer.confirmed = Context.EMPTY
  }

  change(actor: number, n: number, now: number): void {
    this.applied = this.applied.advance(actor, n)
    this.#log.push({ actor, n, after: [], bytes: new Uint8Array(8) })
    this.#outgoing.push('b', now)
  }

  tick(now: number): void {
    this.#outgoing.tickPeers(now)
  }
}

function run(line: Line, float: () => number): number {
  let now = 0
  const due: Array<{ readonly at: number; readonly what: () => void }> = []
  const isLost = (): boolean => now < line.lossMs && float() < line.loss
  const later = (ms: number, what: () => void): void => void due.push({ at: now + ms, what })
  let has = Context.EMPTY
  const sender = new Sender(message => {
    if (message.type !== 'append' || isLost()) return
    later(line.delayMs, () => take(message.entries))
  })
  const take = (entries: readonly LogEntry[]): void => {
    for (const { actor, n } of entries) if (has.of(actor) === n - 1) has = has.advance(actor, n)
    const context = has
    later(line.syncMs, () => {
      if (!isLost())
        later(line.delayMs, () => sender.peer.confirms(context, now, REPLICATION_DEFAULTS.resendMs))
    })
  }
  const step = (): void => {
    now += STEP_MS
    for (const each of due.splice(0).toSorted((a, b) => a.at - b.at))
      if (each.at <= now) each.what()
      else due.push(each)
    if (float() < line.own) sender.change(OWN, sender.applied.of(OWN) + 1, now)
    // The receiver's own change is there at once, and the sender hears of it.
    if (float() < line.others && !isLost()) {
      const n = has.of(OTHER) + 1
      if (sender.applied.of(OTHER) === n - 1) {
        has = has.advance(OTHER, n)
        sender.change(OTHER, n, now)
        sender.peer.confirms(has, now, REPLICATION_DEFAULTS.resendMs)
      }
    }
    if (now % TICK_MS === 0) sender.tick(now)
  }
  while (now < line.lossMs) step()
  const all = sender.applied
  const healedAt = now
  while (sender.peer.confirmed?.contains(all) !== true && now < healedAt + 60_000) step()
  return now - healedAt
}

test('what was lost arrives in time, whatever is sent and confirmed meanwhile', () => {
  let [worst, isBusy] = [0, 0]
  fc.assert(
    fc.property(
      fc.record({
        own: fc.double({ min: 0.01, max: 1, noNaN: true }),
        others: fc.double({ min: 0, max: 1, noNaN: true }),
        loss: fc.constantFrom(0.3, 0.9, 1),
        lossMs: fc.integer({ min: 10, max: 3000 }),
        delayMs: fc.integer({ min: 0, max: 100 }),
        syncMs: fc.integer({ min: 0, max: 50 }),
      }),
      fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })),
      (line, chance) => {
        const tookMs = run(line, () => chance.next().value as number)
        worst = Math.max(worst, tookMs)
        if (line.own > 0.3) isBusy++
        expect(tookMs).toBeLessThanOrEqual(ARRIVES_MS)
      },
    ),
    { seed: 20_261_128, numRuns: 200 },
  )
  expect(isBusy).toBeGreaterThan(50)
  expect(worst).toBeGreaterThan(100)
})
