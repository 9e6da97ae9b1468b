import { describe, expect, test } from 'vitest'
import type { MemberState, StoreId, View, ViewStore } from '../../src/membership/view.ts'
import { storesToForget } from '../../src/mesh/forgetting.ts'
import { type KnownRange, ringView, shortages } from '../../src/mesh/ring-view.ts'
import { Placement } from '../../src/ring/placement.ts'

const RANGES = 64

/** `a`: store aaaa... of node a; `a2`: a second store of it. */
function viewOf(states: Readonly<Record<string, MemberState>>, replicas = 3): View {
  const stores = Object.entries(states).map(
    ([name, state]): ViewStore => ({
      store: name.padEnd(32, '0') as StoreId,
      node: `node-of-${name[0]}`,
      boot: 1,
      startId: '0'.repeat(16),
      state,
      zone: '',
      weight: 1,
      addresses: [],
    }),
  )
  return { id: '1'.repeat(16), meshId: '0'.repeat(32), ranges: RANGES, replicas, stores }
}

function partsOf(view: View, unready: readonly string[] = [], knows = true) {
  const placement = new Placement(view.stores, {
    ranges: RANGES,
    replicas: view.replicas,
    ownership: 'spread',
  })
  const isReadyAt = (store: string): boolean => !unready.includes(store)
  const known = (range: number): KnownRange | undefined => {
    const list = placement.list(range)
    return knows
      ? {
          list: list.map(({ store }) => store),
          owner: () => placement.owner(range, ({ store }) => isReadyAt(store))?.store,
          isReadyAt,
        }
      : undefined
  }
  return { view, placement, known }
}

const id = (name: string): string => name.padEnd(32, '0')

describe('the ring', () => {
  test('tells of each node what it acts for and keeps, all its stores together', () => {
    const parts = partsOf(viewOf({ a: 'live', a2: 'gone', b: 'live', c: 'live', d: 'away' }))
    const ring = ringView(parts)
    expect(ring.nodes.map(({ node, stores }) => [node, stores.length])).toEqual([
      ['node-of-a', 2],
      ['node-of-b', 1],
      ['node-of-c', 1],
      ['node-of-d', 1],
    ])
    const kept = [...Array(RANGES).keys()].flatMap(range =>
      parts.placement.list(range).map(({ node }) => node),
    )
    for (const { node, owned, share, kept: count } of ring.nodes) {
      expect(count).toBe(kept.filter(each => each === node).length)
      expect(share).toBe(owned / RANGES)
    }
    expect(ring.nodes.reduce((sum, { owned }) => sum + owned, 0)).toBe(RANGES)
    expect(ring.nodes[3]?.owned).toBe(0)
    expect([ring.unowned, ring.range]).toEqual([0, null])
  })

  test('counts ranges for which nobody acts', () => {
    const { nodes, unowned } = ringView(partsOf(viewOf({ a: 'away', b: 'away' })))
    expect([nodes.map(({ owned }) => owned), unowned]).toEqual([[0, 0], RANGES])
  })

  test('of an id tells who keeps its range, who is ready, and who acts', () => {
    const view = viewOf({ a: 'live', b: 'live', c: 'live' })
    const range = ringView(partsOf(view, [id('a')]), { id: 'x', range: 5 }).range
    expect(range?.list.map(({ store }) => store).toSorted()).toEqual([id('a'), id('b'), id('c')])
    expect(range?.list.find(({ store }) => store === id('a'))).toMatchObject({ ready: false, acts: false })
    expect(range?.list.filter(({ acts }) => acts)).toMatchObject([{ ready: true }])
    const elsewhere = ringView(partsOf(view, [], false), { id: 'x', range: 5 }).range
    expect(elsewhere?.list.map(({ ready }) => ready)).toEqual([null, null, null])
    expect(elsewhere?.list[0]?.acts).toBe(true)
  })
})

test.each<[string, Readonly<Record<string, MemberState>>, number, number]>([
  ['all are there', { a: 'live', b: 'live', c: 'live' }, 0, 0],
  ['one of three is away', { a: 'live', b: 'live', c: 'away' }, RANGES, 0],
  ['one of three is gone', { a: 'live', b: 'live', c: 'gone' }, RANGES, 0],
  ['a fourth is gone', { a: 'live', b: 'live', c: 'live', d: 'gone' }, 0, 0],
  ['two of three are away', { a: 'live', b: 'away', c: 'away' }, RANGES, RANGES],
  ['one of a pair is away, where one copy counts', { a: 'live', b: 'away' }, RANGES, 0],
  ['there is only one', { a: 'live' }, 0, 0],
  ['there is none yet', {}, 0, RANGES],
])('copies are missing, and changes not acknowledged: %s', (_, states, belowReplicas, belowQuorum) => {
  expect(shortages(partsOf(viewOf(states)))).toEqual({ belowReplicas, belowQuorum })
})

test('a copy under way is none yet, but its store can acknowledge', () => {
  const parts = partsOf(viewOf({ a: 'live', b: 'live', c: 'live' }), [id('c')])
  expect(shortages(parts)).toEqual({ belowReplicas: RANGES, belowQuorum: 0 })
})

describe('who is forgotten', () => {
  const { stores } = viewOf({ a1111111: 'live', a2222222: 'away', b1111111: 'live', c1111111: 'gone' })
  const named = (who: string): string[] => storesToForget(stores, who).map(({ store }) => store)

  test.each([
    [id('c1111111'), ['c1111111']],
    ['c11111', ['c1111111']],
    ['node-of-c', ['c1111111']],
    ['de-of-c', ['c1111111']],
    ['node-of-a', ['a2222222']],
  ])('%s means %j', (who, names) => {
    expect(named(who)).toEqual(names.map(id))
  })

  test.each([
    ['c1111', 'NOT_FOUND'],
    ['of-c', 'NOT_FOUND'],
    ['x'.repeat(32), 'NOT_FOUND'],
    ['node-of-b', 'CONFLICT'],
    [id('a1111111'), 'CONFLICT'],
  ])('%s is refused: %s', (who, code) => {
    expect(() => named(who)).toThrow(expect.objectContaining({ code }))
  })

  test('a piece that is of two nodes is refused', () => {
    const twins = stores.map(each => ({ ...each, node: `${each.store.slice(0, 2)}-same-end` }))
    expect(() => storesToForget(twins, 'same-end')).toThrow('more than one node')
  })
})
