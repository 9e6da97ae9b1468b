/**
 * Departure: a store leaves the roster for ever, by its own wish (leave) or by an operator's (forget). The mark is on this
 * disk before anything else; a leaver then waits for another member that knows of it, since its own disk goes.
 */

import { CarillonError } from '../errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { Exchange } from './exchange.ts'
import type { Members } from './members.ts'
import type { StoreId } from './view.ts'

/** How long a leave waits for somebody who has heard of it. */
const LEAVE_MS_MAX = 5000
/** So many members are told at a time. */
const TOLD = 3

export interface DepartureContext {
  readonly clock: Clock
  readonly members: Members
  readonly exchange: Exchange
  readonly retryMs: number
  isRunning(): boolean
}

/** Resolves when another member has the mark, or nobody is there to ask, or the wait is over (the mark is here alone then). */
export async function leaveMesh(self: StoreId, context: DepartureContext): Promise<void> {
  const { clock, members, exchange } = context
  await new Promise<void>(resolve => {
    members.remove(self, resolve)
  })
  const until = clock.monotonic() + LEAVE_MS_MAX
  while (context.isRunning() && exchange.leaveHeard.size === 0 && clock.monotonic() < until) {
    const peers = exchange.somePeers(TOLD)
    if (peers.length === 0) return
    for (const { node } of peers)
      exchange.send(node, { type: 'state', want: true, records: [], marks: [self] })
    await new Promise<void>(resolve => clock.setTimer(context.retryMs, resolve))
  }
}

/** Resolves when the mark is on this disk; it spreads from there. */
export async function forgetStore(store: StoreId, members: Members): Promise<void> {
  if (members.roster.isRemoved(store)) return
  const record = members.roster.get(store)
  if (record === undefined) throw new CarillonError('NOT_FOUND', `no store ${store} is in the roster`)
  if (record.state === 'live') {
    throw new CarillonError('CONFLICT', `store ${store} at ${record.node} is live: let it leave`)
  }
  await new Promise<void>(resolve => {
    members.remove(store, resolve)
  })
}

export function removedLine(store: StoreId): string {
  return `store ${store} was removed from the mesh`
}
