/** The commands that are about a mesh, over a node that is none. */

import { expect, test } from 'vitest'
import type { DrainView, MeshView, RingView } from '../../src/task/views.ts'
import { carillon, FakeNode, NOW } from './fake-node.ts'

const store = { boot: 1, suspect: false, zone: '', weight: 1, skewMs: 0 }
const mesh: MeshView = {
  id: 'f'.repeat(32),
  admitted: true,
  view: '0'.repeat(16),
  quorum: 2,
  ranges: { owned: 130, unsure: 2, kept: 256, of: 256, belowReplicas: 0, belowQuorum: 0, copying: 0 },
  stores: [
    { ...store, store: 'a'.repeat(32), node: 'n1-abcdefgh', state: 'live', addresses: ['10.0.0.1:7400'] },
    { ...store, store: 'b'.repeat(32), node: 'n2-ijklmnop', state: 'away', addresses: [], suspect: true },
  ],
  draining: null,
  refusals: [{ code: 'SECRET_DIFFERS', line: '10.0.0.9 knows another secret' }],
}

test('peers lists its nodes, what this one acts for, and who was not let in', async () => {
  const node = new FakeNode()
  node.mesh = mesh
  const { out, code } = await carillon(['peers'], { node })
  expect(code).toBe(0)
  expect(out).toMatch(/^abcdefgh +live +10\.0\.0\.1:7400/m)
  expect(out).toMatch(/^ijklmnop +away\?/m)
  expect(out).toContain('acts for 130 of 256 ranges (2 of them unsure), and keeps 256')
  expect(out).toContain('SECRET_DIFFERS: 10.0.0.9 knows another secret')
  expect(JSON.parse((await carillon(['peers', '--json'], { node })).out)).toEqual(mesh)
})

test('peers of a node that is alone says so', async () => {
  const { err, code } = await carillon(['peers'])
  expect([err, code]).toEqual(['carillon: this node is alone: it was started without --listen\n', 1])
})

test('token prints the token alone, or as JSON', async () => {
  expect((await carillon(['token'])).out).toBe('crl1.10m\n')
  expect((await carillon(['token', '--ttl', '1h', '--json'])).out).toBe('{"token":"crl1.1h"}\n')
})

function nodeOf(more: Partial<MeshView> = {}): FakeNode {
  const node = new FakeNode()
  node.mesh = { ...mesh, ...more }
  return node
}

test('status tells of the mesh: stores, ranges, copies, and when writes count', async () => {
  const three: MeshView['stores'] = [
    ...mesh.stores,
    { ...mesh.stores[0], state: 'gone', store: 'c'.repeat(32) } as never,
  ]
  const ranges = { ...mesh.ranges, belowReplicas: 12, copying: 5 }
  const { out } = await carillon(['status'], { node: nodeOf({ stores: three, ranges }) })
  expect(out).toMatch(/^mesh +stores: 1 live, 1 away, 1 gone; view 0{16}$/m)
  expect(out).toMatch(/^ranges +acts for 130 of 256 \(2 unsure\), keeps 256$/m)
  expect(out).toMatch(/^copies +12 of 256 ranges lack some; 5 under way here$/m)
  expect(out).toMatch(/^writes +count with 2 copies$/m)
  expect(out).toContain('if for good: carillon forget cccccccc')
  expect(out).not.toContain('two stores')
})

test('status says so where nothing is acknowledged, and that a pair counts one copy', async () => {
  const ranges = { ...mesh.ranges, belowQuorum: 256 }
  const { out } = await carillon(['status'], { node: nodeOf({ ranges }) })
  expect(out).toMatch(/^writes +count with one copy$/m)
  expect(out).toContain('two stores: what is acknowledged while one is away is lost with the other')
  expect(out).toContain('no change of 256 ranges is acknowledged')
  const none = await carillon(['status'], { node: nodeOf({ quorum: null, admitted: false, stores: [] }) })
  expect(none.out).toMatch(/^mesh +none yet/m)
})

const drain = (step: DrainView['step'], more: Partial<DrainView> = {}): DrainView => ({
  step,
  acting: 0,
  running: 0,
  holding: 0,
  ...more,
})

test('drain tells how far it is, each news once, until the node has left', async () => {
  const node = new FakeNode()
  node.drains = [
    drain('ranges', { acting: 80, running: 1 }),
    drain('runs', { running: 1 }),
    drain('runs', { running: 1 }),
    drain('copies', { holding: 256 }),
    drain('left'),
  ]
  const { out, code } = await carillon(['drain'], { node })
  expect(code).toBe(0)
  expect(out.split('\n')).toEqual([
    'handing over: it acts for 80 ranges still',
    'waiting for 1 run to end',
    'waiting for others to copy 256 ranges',
    'left: the others have all that it had',
    '',
  ])
})

test('drain that was not seen to end is a failure: by time, or as nobody answers', async () => {
  const node = new FakeNode()
  node.drains = Array.from({ length: 9 }, () => drain('copies', { holding: 3 }))
  let now = NOW
  const sleep = async (ms: number): Promise<void> => {
    now += ms
  }
  const late = await carillon(['drain', '--timeout', '1s'], { node, sleep, now: () => now })
  expect(late.code).toBe(1)
  expect(late.err).toContain('not drained within 1s: waiting for others to copy 3 ranges; the node goes on')
  node.drains = [drain('copies', { holding: 3 })]
  const dead = await carillon(['drain', '--json'], { node })
  expect(dead.code).not.toBe(0)
  expect(JSON.parse(dead.out)).toEqual(drain('copies', { holding: 3 }))
  expect(JSON.parse(dead.err).error.code).toBe('UNREACHABLE')
})

test('forget names what it forgot, or why not', async () => {
  const { out } = await carillon(['forget', 'abcdefgh'])
  expect(out).toBe(`forgot store ${'b'.repeat(32)} of node abcdefgh\n`)
  const { err, code } = await carillon(['forget', 'live'])
  expect([err, code]).toEqual(['carillon: live is live\n', 1])
})

const RING: RingView = {
  view: '0'.repeat(16),
  ranges: 256,
  replicas: 3,
  nodes: [
    {
      node: 'n1-abcdefgh',
      stores: [{ store: 'a'.repeat(32), state: 'live' }],
      weight: 1,
      owned: 96,
      kept: 256,
      share: 0.375,
    },
    {
      node: 'n2-ijklmnop',
      stores: [{ store: 'b'.repeat(32), state: 'live' }],
      weight: 1,
      owned: 160,
      kept: 256,
      share: 0.625,
    },
  ],
  unowned: 0,
  range: {
    id: 'nightly',
    range: 17,
    list: [
      { store: 'a'.repeat(32), node: 'n1-abcdefgh', state: 'live', acts: false, ready: false },
      { store: 'b'.repeat(32), node: 'n2-ijklmnop', state: 'live', acts: true, ready: true },
    ],
  },
}

test('ring shows what each node acts for and keeps, and how even that is', async () => {
  const node = new FakeNode()
  node.ringView = RING
  const { out } = await carillon(['ring'], { node })
  expect(out).toMatch(/^abcdefgh +aaaaaaaa live +1 +96 +37\.5 % +256$/m)
  expect(out).toContain(
    '256 ranges, each kept by 3 where there are as many; the busiest node acts for 1.25 times',
  )
  expect(JSON.parse((await carillon(['ring', '--json'], { node })).out)).toEqual({ ...RING, range: null })
})

test('ring of an id shows its range, who keeps it, and who acts', async () => {
  const node = new FakeNode()
  node.ringView = RING
  const { out } = await carillon(['ring', 'nightly'], { node })
  expect(out.split('\n').map(line => line.split(/ {2,}/))).toEqual([
    ['nightly is in range 17 of 256'],
    [''],
    ['node', 'state', 'copy'],
    ['abcdefgh', 'live', 'being copied'],
    ['ijklmnop', 'live', 'ready', 'acts'],
    [''],
  ])
})

test('status compares the clocks, and tells of one that is far off', async () => {
  const node = new FakeNode()
  const [first, second] = mesh.stores as [MeshView['stores'][number], MeshView['stores'][number]]
  const live = { ...second, state: 'live', suspect: false } as const
  node.mesh = { ...mesh, stores: [first, { ...live, skewMs: -12_000 }] }
  const { out } = await carillon(['status'], { node })
  expect(out).toMatch(/clocks +12s apart at most/)
  expect(out).toContain("the clock of node ijklmnop is 12s behind this node's")
  node.mesh = { ...mesh, stores: [first, { ...live, skewMs: 3 }] }
  const well = await carillon(['status'], { node })
  expect(well.out).toMatch(/clocks +3ms apart at most/)
  expect(well.out).not.toContain('the clock of node')
})
