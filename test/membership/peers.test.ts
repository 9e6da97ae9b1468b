/** Who dials whom, and when. */

import { describe, expect, test } from 'vitest'
import { type DialWish, Peers } from '../../src/membership/peers.ts'
import { recordOf } from '../support/membership.ts'

const FALLBACK_MS = 3000

function bed(self: string) {
  const dialled = new Set<string>()
  const peers = new Peers({
    self,
    connect: address => dialled.add(address),
    forget: address => dialled.delete(address),
  })
  const wish: DialWish = {
    seeds: [],
    own: [],
    members: [recordOf(2)],
    fallbackMs: FALLBACK_MS,
    crashWaits: () => false,
  }
  const isDialled = (now: number): boolean => {
    peers.dial(wish, now)
    return dialled.has('n2:7400')
  }
  return { peers, isDialled }
}

describe('a member that is not connected', () => {
  test('is dialled by the lower node id at once, and by the higher one after a while', () => {
    expect(bed('n1').isDialled(0)).toBe(true)
    const { peers, isDialled } = bed('n3')
    peers.connected('n2', undefined, 0)
    peers.disconnected('n2', 10_000)
    expect(isDialled(10_000)).toBe(false)
    expect(isDialled(10_000 + FALLBACK_MS)).toBe(true)
    peers.connected('n2', undefined, 14_000)
    expect(isDialled(14_000)).toBe(false)
  })

  test('is dialled at once by who cut the connection for a new one, and that once', () => {
    const { peers, isDialled } = bed('n3')
    peers.connected('n2', undefined, 0)
    peers.renew('n2')
    peers.disconnected('n2', 10_000)
    expect(isDialled(10_000)).toBe(true)
    peers.connected('n2', undefined, 10_100)
    peers.disconnected('n2', 20_000)
    expect(isDialled(20_000)).toBe(false)
  })

  test('is so also after thousands of clients, which are not remembered', () => {
    const { peers, isDialled } = bed('n3')
    for (let i = 0; i < 5000; i++) {
      peers.connected(`client ${i}`, undefined, 0)
      peers.disconnected(`client ${i}`, 1)
    }
    peers.connected('n2', undefined, 0)
    peers.renew('n2')
    peers.disconnected('n2', 10_000)
    expect(isDialled(10_000)).toBe(true)
  })
})
