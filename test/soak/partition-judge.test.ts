import { expect, test } from 'vitest'
import type { MeshView } from '../../src/task/views.ts'
import type { ListedTask, StoreListing } from '../support/store-listing.ts'
import {
  attemptsOf,
  broken,
  duplicatesOf,
  early,
  latenessOf,
  missing,
  type Trouble,
  unarmed,
  unequal,
} from './partition-judge.ts'

const STORY = `S a@10 a 0 10 10
S a@10 a 1 5000 10
E a@10 a 0 20 10
E a@10 a 1 5010 10
S b@30 b 2 30 30
`
const TWICE = 'a@10 completed on 0 from 10 to 20, 1 from 5000 to 5010'
const CUT: Trouble = {
  from: 100,
  to: 4000,
  stopped: [],
  restarted: [],
  losses: [{ from: 1, to: 0, percent: 100 }],
}

test('a run that was acknowledged has to be completed, not only started', () => {
  const attempts = attemptsOf(STORY)
  const acknowledged = [
    { id: 'a', calledAt: 0, at: 0, instants: [10], armedFor: undefined },
    { id: 'b', calledAt: 0, at: 0, instants: [30, 40], armedFor: undefined },
  ]
  expect(missing(acknowledged, attempts).map(each => each.split(',')[0])).toEqual(['b@30', 'b@40'])
})

test('a recurring task that was called for late need not have run before', () => {
  const late = [{ id: 'b', calledAt: 30, at: 30, instants: [30, 40], armedFor: undefined }]
  expect(missing(late, attemptsOf(STORY)).map(each => each.split(',')[0])).toEqual(['b@40'])
})

test('nothing starts early', () => {
  expect(early(attemptsOf(STORY))).toEqual([])
  expect(early(attemptsOf('S a@10 a 0 9 10'))).toEqual(['a@10 started 1 ms early'])
})

test('lateness counts from when a task was both due and acknowledged', () => {
  const attempts = attemptsOf(STORY)
  const acknowledged = (at: number) => [{ id: 'b', calledAt: 0, at, instants: [30], armedFor: undefined }]
  expect(latenessOf(acknowledged(10), attemptsOf('S b@30 b 2 35 30'))).toEqual([5])
  expect(latenessOf(acknowledged(33), attemptsOf('S b@30 b 2 35 30'))).toEqual([2])
  expect(latenessOf(acknowledged(50), attempts)).toEqual([0])
  expect(latenessOf(acknowledged(10), attempts, 31)).toEqual([])
})

test('what was completed twice has its reason in a cut between those who did it', () => {
  const attempts = attemptsOf(STORY)
  expect(duplicatesOf(attempts, [CUT])).toMatchObject({
    runs: 1,
    completions: 1,
    acrossCut: 1,
    unexplained: [],
  })
  const elsewhere = { ...CUT, losses: [{ from: 2, to: 0, percent: 100 }] }
  expect(duplicatesOf(attempts, [elsewhere])).toMatchObject({ runs: 1, acrossCut: 0, inTrouble: [TWICE] })
  expect(duplicatesOf(attempts, [{ ...CUT, losses: [], stopped: [1] }])).toMatchObject({ acrossCut: 1 })
})

test('what was completed twice in a calm has no reason', () => {
  const attempts = attemptsOf(STORY)
  expect(duplicatesOf(attempts, []).unexplained).toEqual([
    'a@10 completed on 0 from 10 to 20, 1 from 5000 to 5010',
  ])
  expect(duplicatesOf(attempts, [{ ...CUT, from: 6000, to: 7000 }]).unexplained).toHaveLength(1)
  expect(duplicatesOf(attempts, [{ ...CUT, from: -20_000, to: -15_000 }]).unexplained).toHaveLength(1)
  const same = attemptsOf('S a@10 a 0 10 10\nE a@10 a 0 20 10\nS a@10 a 0 5000 10\nE a@10 a 0 5010 10')
  expect(duplicatesOf(same, [CUT])).toMatchObject({ acrossCut: 0, unexplained: [] })
  expect(duplicatesOf(same, []).unexplained).toHaveLength(1)
})

test('disks are compared where the view lists them, and nowhere else', () => {
  const names = ['a', 'b', 'c'].map(letter => letter.repeat(32))
  const view = viewOf(names)
  const here = (record: string) => new Map([[0, new Map([['x', { dueAt: 5, record }]])]])
  const listings = names.map(store => listing(store, here('same')))
  expect(unequal(listings, view)).toEqual([])
  expect(unequal([...listings, listing('d'.repeat(32), here('other'))], view)).toEqual([])
  const other = [...listings.slice(0, 2), listing(names[2] as string, here('other'))]
  expect(unequal(other, view)).toHaveLength(1)
  const nothing = [...listings.slice(0, 2), listing(names[2] as string, new Map())]
  expect(unequal(nothing, view)[0]).toMatch(/^range 0, x: .*not there/)
})

test('a task of later is armed for its instant on every disk', () => {
  const records = new Map([[0, new Map([['x', { dueAt: 5, record: '' }]])]])
  const listings = ['a', 'b', 'c'].map(store => listing(store, records))
  const later = (armedFor: number) => [{ id: 'x', calledAt: 0, at: 0, instants: [], armedFor }]
  expect(unarmed(later(5), listings, 3)).toEqual([])
  expect(unarmed(later(6), listings, 3)).toEqual(['x for 6 is on 0 disks'])
  expect(unarmed(later(5), listings.slice(1), 3)).toEqual(['x for 5 is on 2 disks'])
})

test('a mesh is whole when all see all, alike, and each range has one who acts without doubt', () => {
  const whole = [viewOf(['a', 'b'], { owned: 1 }), viewOf(['a', 'b'], { owned: 0 })]
  expect(broken(whole)).toEqual([])
  expect(broken([whole[0], undefined])).toEqual(['node 1 does not answer'])
  expect(broken([whole[1], whole[1]])).toEqual(['0 of 1 ranges are acted for'])
  expect(broken([whole[0], whole[0]])).toEqual(['2 of 1 ranges are acted for'])
  expect(broken([viewOf(['a', 'b'], { owned: 1, unsure: 1 }), whole[1]])).toEqual([
    'node 0 acts unsure for 1 ranges',
  ])
  expect(broken([whole[0], { ...viewOf(['a'], { owned: 0 }), view: 'other' }])).toEqual([
    'node 1 sees 1 of 2',
    'node 1 has another view than node 0',
  ])
})

function listing(store: string, ranges: ReadonlyMap<number, ReadonlyMap<string, ListedTask>>): StoreListing {
  return { store, ranges }
}

function viewOf(stores: readonly string[], ranges: { owned?: number; unsure?: number } = {}): MeshView {
  return {
    id: null,
    admitted: true,
    draining: null,
    view: 'view',
    quorum: 2,
    ranges: { owned: 0, unsure: 0, kept: 1, of: 1, belowReplicas: 0, belowQuorum: 0, copying: 0, ...ranges },
    stores: stores.map(store => ({
      store,
      node: store,
      boot: 1,
      state: 'live',
      suspect: false,
      zone: '',
      weight: 1,
      addresses: [],
      skewMs: null,
    })),
    refusals: [],
  }
}
