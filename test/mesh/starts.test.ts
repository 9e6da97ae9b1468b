/** Which starts of stores are over, as the views tell it. */

import { expect, test } from 'vitest'
import type { MemberState, StoreId, View } from '../../src/membership/view.ts'
import { GoneSince } from '../../src/mesh/replication-view.ts'
import { Starts } from '../../src/mesh/starts.ts'

function view(...entries: Array<readonly [store: string, startId: string, state: MemberState]>): View {
  const stores = entries.map(([store, startId, state]) => ({
    ...{ store: store as StoreId, node: store, boot: 1, startId, state },
    ...{ zone: '', weight: 1, addresses: [] },
  }))
  return { id: '', meshId: '', ranges: 16, replicas: 3, stores }
}

test('a start is over when its store is away, started anew, or has left', () => {
  const starts = new Starts('me')
  starts.update(view(['a', 'a1', 'live'], ['b', 'b1', 'live'], ['c', 'c1', 'live']))
  expect(['a1', 'b1', 'c1', 'x'].map(id => starts.isLive(id))).toEqual([true, true, true, undefined])
  starts.update(view(['a', 'a1', 'away'], ['b', 'b2', 'live']))
  expect(['a1', 'b1', 'b2', 'c1'].map(id => starts.isLive(id))).toEqual([false, false, true, false])
  starts.update(view(['a', 'a1', 'live'], ['b', 'b2', 'live']))
  expect(starts.isLive('a1')).toBe(true)
})

test('what this process began and does not know of is over', () => {
  const starts = new Starts('me')
  starts.update(view(['a', 'me', 'live']))
  expect(starts.isLive('me')).toBe(false)
})

test('a store is gone since this process first saw it so, and who was removed for ever', () => {
  const gone = new GoneSince(store => store === 'c')
  gone.update(view(['a', 'a1', 'live'], ['b', 'b1', 'gone']), 100)
  gone.update(view(['a', 'a1', 'gone'], ['b', 'b1', 'gone']), 200)
  expect([gone.of('a'), gone.of('b'), gone.of('c'), gone.of('new')]).toEqual([200, 100, 0, undefined])
  gone.update(view(['a', 'a1', 'live'], ['b', 'b1', 'gone']), 300)
  expect(gone.of('a')).toBeUndefined()
})

test('a store whose node lives with another one is gone for ever, also while that one is away again', () => {
  const gone = new GoneSince(() => false)
  const of = (old: 'live' | 'gone', other: 'live' | 'away') => {
    const { stores, ...rest } = view(['old', 'a1', old], ['other', 'a2', other])
    return { ...rest, stores: stores.map(each => ({ ...each, node: 'n' })) }
  }
  gone.update(of('gone', 'away'), 100)
  expect(gone.of('old')).toBe(100)
  gone.update(of('gone', 'live'), 200)
  gone.update(of('gone', 'away'), 300)
  expect(gone.of('old')).toBe(0)
  gone.update(of('live', 'away'), 400)
  expect(gone.of('old')).toBeUndefined()
})
