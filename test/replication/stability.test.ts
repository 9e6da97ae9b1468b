/** What all have of a busy range, by the word of who acts (docs/protocols.md, rule 9). */

import { expect, test } from 'vitest'
import { ChangeLog } from '../../src/replication/change-log.ts'
import { Context } from '../../src/replication/context.ts'
import { FormerLists } from '../../src/replication/lists.ts'
import type { Message, Stable } from '../../src/replication/messages.ts'
import { REPLICATION_DEFAULTS } from '../../src/replication/options.ts'
import { Peer } from '../../src/replication/peer.ts'
import type { Replica, Role } from '../../src/replication/replica.ts'
import { Stability } from '../../src/replication/stability.ts'

const [A, B, C] = ['a', 'b', 'c'] as const
/** By the numbers of their actors. */
const context = (...ns: readonly number[]): Context =>
  Context.from(ns.map((n, actor) => ({ actor, n })).filter(({ n }) => n > 0))

/** One range at a store of three, of which everything is set by hand. */
class Site {
  readonly told: Context[] = []
  readonly sent: Array<readonly [to: string, Message]> = []
  readonly peers = new Map<string, Peer>()
  readonly stability: Stability
  viewId = 'v1'
  role: Role
  synced = Context.EMPTY
  lists = FormerLists.NONE

  constructor(self: string, role: Role) {
    this.role = role
    const site = this
    const replica = {
      range: 0,
      list: [A, B, C],
      others: [A, B, C].filter(each => each !== self),
      log: new ChangeLog(REPLICATION_DEFAULTS.log),
      peers: this.peers,
      confirmed: () => Context.EMPTY,
      get role() {
        return site.role
      },
      get synced() {
        return site.synced
      },
      get lists() {
        return site.lists
      },
      parts: {
        self,
        options: REPLICATION_DEFAULTS,
        view: () => ({ id: site.viewId, isLive: () => true }),
        host: {
          stable: (_: number, stable: Context) => void site.told.push(stable),
          send: (to: string, message: Message) => void site.sent.push([to, message]),
        },
      },
    }
    this.stability = new Stability(replica as unknown as Replica)
  }

  says(store: string, has: Context): void {
    const peer = new Peer()
    peer.says(has, 0)
    this.peers.set(store, peer)
  }

  has(synced: Context): void {
    this.synced = synced
    this.check()
  }

  check(): void {
    this.stability.news()
    this.stability.check()
  }
}

const word = (all: Context, upTo: Context, viewId = 'v1'): Stable => ({
  ...{ type: 'stable', range: 0, viewId, context: all, upTo },
})

test('trace 60: that all have an end counts only with all that who says so has', () => {
  const site = new Site(C, 'replica')
  site.has(context(5, 0))
  // B's change 1 is on its way here.
  site.stability.heard(A, word(context(5, 0), context(5, 1)))
  site.check()
  expect(site.told).toEqual([])
  site.has(context(5, 1))
  expect(site.told).toEqual([context(5)])
})

test('in a busy range the next word comes before the last one counts, and neither is lost', () => {
  const site = new Site(C, 'replica')
  site.has(context(5))
  for (let n = 6; n < 9; n++) site.stability.heard(A, word(context(n - 2), context(n)))
  site.has(context(6))
  expect(site.told).toEqual([context(4)])
  site.has(context(8))
  expect(site.told).toEqual([context(4), context(6)])
})

test('a word counts for its own view, from the list, and while no former list is open', () => {
  const site = new Site(C, 'replica')
  site.has(context(5))
  site.stability.heard(A, word(context(5), context(5), 'v0'))
  site.stability.heard('d', word(context(5), context(5)))
  site.check()
  site.lists = FormerLists.NONE.add([A, 'd'], 2, 0)
  site.stability.heard(A, word(context(5), context(5)))
  site.check()
  site.lists = FormerLists.NONE
  site.stability.heard(A, word(context(4), context(9)))
  site.viewId = 'v2'
  site.stability.viewChanged()
  site.has(context(9))
  expect(site.told).toEqual([])
})

test('who acts tells what all have, when it is new, and not too often', () => {
  const site = new Site(A, 'owner')
  site.has(context(7, 2))
  site.says(B, context(5, 2))
  site.says(C, context(6, 1))
  site.check()
  site.stability.tick(1000)
  const first = word(context(5, 1), context(7, 2))
  expect(site.sent).toEqual([B, C].map(to => [to, first]))
  site.says(B, context(7, 2))
  site.check()
  site.stability.tick(1100)
  expect(site.sent).toHaveLength(2)
  site.stability.tick(1000 + REPLICATION_DEFAULTS.stableMs)
  // B is at the same context, and knows by itself.
  expect(site.sent.slice(2)).toEqual([[C, word(context(6, 1), context(7, 2))]])
  site.role = 'replica'
  site.says(C, context(7, 1))
  site.check()
  site.stability.tick(9000)
  expect(site.sent).toHaveLength(3)
})
