/** What costs nothing while nothing happens: digests of stores that are in step, and ticks. */

import { expect, test } from 'vitest'
import { slotAfter } from '../../src/replication/gossip.ts'
import type { Message } from '../../src/replication/messages.ts'
import { Schedule } from '../../src/replication/schedule.ts'
import { Bed } from './bed.ts'

/** Counts what is sent from here on. */
function count(bed: Bed): Map<Message['type'], number> {
  const counts = new Map<Message['type'], number>()
  bed.world.saw = (_from, _to, { type }) => counts.set(type, (counts.get(type) ?? 0) + 1)
  return counts
}

test('stores that are in step send each other no digests', () => {
  const bed = new Bed()
  bed.answered(bed.world.clients.call('create', 'task', undefined, { at: bed.inMs(60_000) }))
  bed.pass(3000)
  const counts = count(bed)
  bed.pass(4000)
  expect(counts.get('digest')).toBeUndefined()
})

test('a change is told at once, and answered until both know', () => {
  const bed = new Bed()
  const [a, b, c] = [...bed.list()] as [string, string, string]
  bed.pass(3000)
  const counts = count(bed)
  bed.answered(bed.world.clients.call('create', 'task', a, { at: bed.inMs(60_000) }))
  bed.pass(1500)
  expect(counts.get('digest')).toBeGreaterThan(0)
  counts.clear()
  bed.pass(3000)
  expect(counts.get('digest')).toBeUndefined()
  const replicas = [a, b, c].map(store => bed.site(store).process?.replication.replica(0))
  for (const replica of replicas) {
    for (const [store, peer] of replica?.peers ?? []) {
      expect(peer.said?.equals(replica?.synced ?? peer.said), store).toBe(true)
      expect(peer.active).toBe(store === a)
    }
  }
})

test('digests that are lost are sent again, whoever’s they were', () => {
  const bed = new Bed()
  const [a, b] = [...bed.list()] as [string, string]
  bed.pass(3000)
  const send = bed.world.network.send.bind(bed.world.network)
  bed.world.network.send = (from, to, message) => {
    if (message.type !== 'digest' && message.type !== 'tail') send(from, to, message)
  }
  bed.answered(bed.world.clients.call('create', 'task', a, { at: bed.inMs(60_000) }))
  bed.pass(2000)
  const said = (of: string, store: string): boolean | undefined => {
    const replica = bed.site(of).process?.replication.replica(0)
    return replica?.peers.get(store)?.said?.equals(replica.synced)
  }
  // Who acts has heard from all that they have it; of the others nobody knows.
  expect([said(a, b), said(b, a)]).toEqual([true, false])
  bed.world.network.send = send
  bed.pass(1500)
  expect([said(a, b), said(b, a)]).toEqual([true, true])
})

test('a store that comes into a list says again that it is ready, though it has said so before', () => {
  const bed = new Bed()
  const [a, b, c] = [...bed.list()] as [string, string, string]
  bed.answered(bed.world.clients.call('create', 'task', a, { at: bed.inMs(60_000) }))
  bed.pass(3000)
  for (const of of [a, c]) {
    const replica = bed.site(of).process?.replication.replica(0)
    // Its view had another store in place of b until now, while b saw the new one already, and told of itself.
    if (replica !== undefined) replica.list = replica.list.map(store => (store === b ? 'another' : store))
    replica?.viewChanged(bed.world.agenda.now)
    expect(replica?.isReadyAt(b)).toBe(false)
    bed.pass(2500)
    expect(replica?.isReadyAt(b)).toBe(true)
  }
})

test('one word for all ranges goes to each that is in step, and who hears another sum twice tells each range by itself', () => {
  const bed = new Bed({ ranges: 4 }, { digestIdleMs: 1000 })
  const [a, b] = [...bed.list()] as [string, string]
  bed.answered(bed.world.clients.call('create', 'task', undefined, { at: bed.inMs(600_000) }))
  bed.pass(3000)
  const counts = count(bed)
  bed.pass(10_000)
  expect(counts.get('digest')).toBeUndefined()
  expect(counts.get('in-step')).toBeGreaterThanOrEqual(6 * 9)
  expect(counts.get('in-step')).toBeLessThanOrEqual(6 * 11)
  // No protocol does this: one takes the other for what it is not, and holds it for in step.
  const peer = bed.site(a).process?.replication.replica(0)?.peers.get(b)
  const heard = peer?.heard as number
  if (peer !== undefined) peer.heard = heard ^ 1
  bed.pass(4000)
  expect(counts.get('digest')).toBeGreaterThan(0)
  expect(peer?.heard).toBe(heard)
  counts.clear()
  bed.pass(4000)
  expect(counts.get('digest')).toBeUndefined()
})

test('the instants of many ranges are spread over the period', () => {
  const slots = Array.from({ length: 1000 }, (_, range) => slotAfter(5000, 10_000, range))
  for (const at of slots) {
    expect(at).toBeGreaterThan(5000)
    expect(at).toBeLessThanOrEqual(15_000)
  }
  for (let tenth = 0; tenth < 10; tenth++) {
    const from = 5000 + tenth * 1000
    expect(slots.filter(at => at > from && at <= from + 1000).length).toBeGreaterThan(80)
  }
  expect(slotAfter(slotAfter(0, 700, 3), 700, 3) - slotAfter(0, 700, 3)).toBeCloseTo(700)
})

test('a tick looks at what is awake, and at the rest when its time has come', () => {
  const schedule = new Schedule<string>()
  const looked: string[] = []
  const tick = (now: number, at: number): string[] => {
    looked.length = 0
    schedule.tick(now, each => {
      looked.push(each)
      return at
    })
    return [...looked]
  }
  schedule.wake('a')
  expect(tick(0, Number.NEGATIVE_INFINITY)).toEqual(['a'])
  expect(tick(100, 1000)).toEqual(['a'])
  expect(tick(500, 0)).toEqual([])
  schedule.wake('a')
  expect(tick(600, 90_000)).toEqual(['a'])
  // Its time was an earlier one before: it is looked at for nothing.
  expect(tick(1000, 90_000)).toEqual(['a'])
  expect(tick(89_000, 0)).toEqual([])
  // After a sleep of an hour.
  expect(tick(3_600_000, Number.POSITIVE_INFINITY)).toEqual(['a'])
  expect(tick(7_200_000, 0)).toEqual([])
})
