import { describe, expect, test } from 'vitest'
import { offsetOf } from '../../../sim/checkers/calendar.ts'
import { meshFault } from '../../../sim/mesh/faults/index.ts'
import { ANY_MIX, MESH_MIXES, TASK_MIXES } from '../../../sim/mesh/mixes.ts'
import { GONE_AFTER_MS, type MeshPlan, planMesh } from '../../../sim/mesh/planner.ts'
import { NIGHTS } from '../../../sim/mesh/tasks/calendar-draws.ts'

const MIXES = Object.keys(MESH_MIXES)
const SEEDS = Array.from({ length: 60 }, (_, seed) => seed)

function plans(mix: string, minutes = 5): MeshPlan[] {
  return SEEDS.map(seed => planMesh({ seed, mix, minutes }))
}

test('the same seed plans the same, and another seed another', () => {
  const options = { mix: 'all', minutes: 3 }
  expect(planMesh({ ...options, seed: 4 })).toEqual(planMesh({ ...options, seed: 4 }))
  expect(new Set(plans('all').map(plan => JSON.stringify(plan))).size).toBe(SEEDS.length)
})

test('draws the size from 3 to 20 unless it is given', () => {
  const sizes = SEEDS.map(seed => planMesh({ seed, mix: 'all', minutes: 1 }).nodes.length)
  expect(Math.min(...sizes)).toBe(3)
  expect(Math.max(...sizes)).toBeGreaterThan(15)
  expect(Math.max(...sizes)).toBeLessThanOrEqual(20)
  expect(planMesh({ seed: 1, mix: 'all', minutes: 1, nodes: 33 }).nodes).toHaveLength(33)
})

test('draws how many copies there are and how far nodes are apart, and the mix where none is said', () => {
  const drawn = SEEDS.map(seed => planMesh({ seed, mix: ANY_MIX, minutes: 1 }))
  expect(new Set(drawn.map(({ replicas }) => replicas))).toEqual(new Set([2, 3, 5]))
  expect(new Set(drawn.map(({ profile }) => profile))).toEqual(new Set(['local', 'lan', 'wan']))
  const mixes = new Set(drawn.map(({ mix }) => mix))
  expect(mixes.size).toBeGreaterThan(MIXES.length / 2)
  const share = drawn.filter(({ tasks }) => tasks !== undefined).length / SEEDS.length
  expect(share > 0.5 && share < 0.9).toBe(true)
  // What it drew is what the mix of that name would have drawn.
  for (const [seed, plan] of drawn.entries())
    expect(plan).toEqual(planMesh({ seed, mix: plan.mix, minutes: 1 }))
})

test('draws no mix that so few nodes cannot have', () => {
  const drawn = SEEDS.map(seed => planMesh({ seed, mix: ANY_MIX, minutes: 1, nodes: 1 }))
  expect(drawn.some(({ mix }) => mix === 'crowd' || mix === 'mass-crash')).toBe(false)
  expect(drawn.every(({ nodes }) => nodes.some(({ isFounder, expect }) => isFounder || expect === 1))).toBe(
    true,
  )
})

test('draws some of all faults, and each of them now and then', () => {
  const drawn = plans('all').map(plan => plan.faults)
  expect(new Set(drawn.flat())).toEqual(new Set(MESH_MIXES.all?.faults))
  expect(drawn.every(faults => faults.length < 13)).toBe(true)
})

describe.each(MIXES)('of the mix %s', mix => {
  test('each strike is of one of its faults, on nodes that are there, within the time, in order', () => {
    let count = 0
    for (const { nodes, faults, strikes } of plans(mix)) {
      count += strikes.length
      expect(strikes).toEqual(strikes.toSorted((a, b) => a.atMs - b.atMs))
      for (const strike of strikes) {
        expect(faults).toContain(strike.fault)
        expect(strike.atMs >= 0 && strike.atMs < 5 * 60_000 && strike.lastsMs > 0).toBe(true)
        const struck = [...strike.nodes, ...(strike.others ?? [])]
        expect(new Set(struck).size).toBe(struck.length)
        expect(struck.every(node => node >= 0 && node < nodes.length)).toBe(true)
      }
    }
    expect(count > 0).toBe(MESH_MIXES[mix]?.faults.length !== 0)
  })

  test('a node has one trouble with its process or disk at a time', () => {
    for (const { nodes, strikes } of plans(mix)) {
      const troubles = strikes.filter(strike => meshFault(strike.fault).takesNodes)
      for (const number of nodes.keys()) {
        const own = troubles.filter(strike => strike.nodes.includes(number))
        for (const [at, strike] of own.entries()) {
          const before = own[at - 1]
          if (before !== undefined) expect(strike.atMs).toBeGreaterThan(before.atMs + before.lastsMs)
        }
      }
    }
  })

  test('most of the first stores keep their disks', () => {
    for (const { nodes, strikes } of plans(mix, 20)) {
      const renewed = strikes.filter(strike => meshFault(strike.fault).renewsStore === true)
      expect(renewed.length).toBeLessThan(nodes.length / 2)
    }
  })
})

test('in a gentle mix no node is ever cut off from a majority, itself counted', () => {
  const gentle = MIXES.filter(mix => MESH_MIXES[mix]?.isGentle === true)
  expect(gentle.length).toBeGreaterThan(2)
  let cutOff = 0
  for (const plan of gentle.flatMap(mix => plans(mix))) {
    expect(plan.isGentle).toBe(true)
    const size = plan.nodes.length
    // Nothing changes but where a strike begins or ends.
    const instants = plan.strikes.flatMap(({ atMs, lastsMs }) => [atMs, atMs + lastsMs])
    for (const at of instants) {
      const now = plan.strikes.filter(strike => strike.atMs <= at && at <= strike.atMs + strike.lastsMs)
      const losses = now.filter(strike => strike.fault === 'loss')
      expect(losses.length).toBeLessThanOrEqual(1)
      expect(losses.every(strike => (strike.amount as number) <= 0.3)).toBe(true)
      const cuts = now.filter(strike => ['one-way', 'flip-flop', 'clog'].includes(strike.fault))
      if (size < 6 && losses.length > 0) expect(cuts).toEqual([])
      for (let node = 0; node < size; node++) {
        const lost = new Set<number>()
        for (const { nodes, others = [] } of now) {
          if (nodes.includes(node)) for (const other of others) lost.add(other)
          if (others.includes(node)) for (const other of nodes) lost.add(other)
        }
        if (lost.size > 0) cutOff++
        expect(size - lost.size).toBeGreaterThan(size / 2)
      }
    }
  }
  expect(cutOff).toBeGreaterThan(100)
})

test('one store founds alone, or as many expect each other, or one more than they expect', () => {
  for (const { nodes, isCrowded } of plans('all')) {
    const founders = nodes.filter(node => node.isFounder)
    const expecting = nodes.filter(node => node.expect !== undefined)
    expect(isCrowded).toBe(false)
    if (founders.length === 1) expect(expecting).toEqual([])
    else expect(expecting.every(({ expect }) => expect === expecting.length)).toBe(true)
    expect(founders.length + expecting.length).toBeGreaterThan(0)
  }
  for (const { nodes, isCrowded } of plans('crowd')) {
    expect(isCrowded).toBe(true)
    expect(nodes.every(({ expect }) => expect === nodes.length - 1)).toBe(true)
  }
})

describe.each(Object.keys(TASK_MIXES))('with the tasks of the mix %s', mix => {
  test('there are tasks, nobody stays dead, and new nodes wait for a strike that lets them join', () => {
    for (const { nodes, tasks, leftDead, faults, strikes } of plans(mix)) {
      expect(tasks?.clients).toBeGreaterThan(0)
      expect(leftDead).toEqual([])
      const reserves = [...nodes.keys()].filter(number => nodes[number]?.isReserve === true)
      expect(reserves.length > 0).toBe(faults.includes('join'))
      const joined = strikes.filter(({ fault }) => fault === 'join').flatMap(strike => strike.nodes)
      expect(joined.every(number => reserves.includes(number))).toBe(true)
    }
  })

  /** What was acknowledged is on two stores at least, and on all of the list a while later. */
  test('no second store goes before all have what the first one had', () => {
    for (const { strikes } of plans(mix, 20)) {
      const losses = strikes.filter(({ fault }) => meshFault(fault).renewsStore === true)
      for (const [at, later] of losses.entries()) {
        if (at === 0) continue
        const before = losses[at - 1] as (typeof losses)[0]
        expect(later.atMs - (before.atMs + before.lastsMs)).toBeGreaterThanOrEqual(GONE_AFTER_MS + 15_000)
        const cuts = strikes.filter(({ fault }) => ['halves', 'isolate', 'power-cut'].includes(fault))
        for (const cut of cuts)
          if (cut.atMs < later.atMs)
            expect(later.atMs - cut.atMs - cut.lastsMs).toBeGreaterThanOrEqual(40_000)
      }
    }
  })

  test('three nodes at least are left', () => {
    for (const { nodes, strikes } of plans(mix, 20)) {
      const size = nodes.filter(({ isReserve }) => isReserve !== true).length
      const left = strikes.filter(({ fault }) => fault === 'leave').length
      expect(size - left).toBeGreaterThanOrEqual(3)
    }
  })
})

test('each fault of tasks strikes now and then, and some stores are lost one after the other', () => {
  const strikes = Object.keys(TASK_MIXES).flatMap(mix => plans(mix, 20).flatMap(plan => plan.strikes))
  const faults = new Set(strikes.map(({ fault }) => fault))
  const own = ['join', 'leave', 'replace', 'restart-all', 'worker-loss', 'slow-disk', 'failed-sync']
  const later = ['bridge', 'swizzle', 'clock-skew', 'clock-drift', 'disk-full', 'torn-write', 'bit-flip']
  const last = ['rolling-restart', 'busy-machine', 'upgrade', 'lone-wipe']
  for (const fault of [...own, ...later, ...last]) expect(faults).toContain(fault)
  const disks = plans('task-disks', 10).map(
    plan => plan.strikes.filter(({ fault }) => meshFault(fault).renewsStore === true).length,
  )
  expect(Math.max(...disks)).toBeGreaterThan(1)
})

test('machines get late by one to eight seconds, all at once or one of them', () => {
  const busy = plans('task-busy', 10).flatMap(({ nodes, strikes }) => {
    const size = nodes.filter(({ isReserve }) => isReserve !== true).length
    return strikes.filter(({ fault }) => fault === 'busy-machine').map(strike => ({ ...strike, size }))
  })
  const shares = busy.map(({ nodes, size }) => nodes.length / size)
  expect(shares.filter(share => share === 1).length).toBeGreaterThan(busy.length / 3)
  expect(shares.filter(share => share < 1).length).toBeGreaterThan(busy.length / 4)
  expect(busy.every(({ nodes, size }) => nodes.length === 1 || nodes.length === size)).toBe(true)
  const late = busy.map(({ amount = 0 }) => amount)
  expect(Math.min(...late)).toBeGreaterThanOrEqual(1000)
  expect(Math.max(...late)).toBeLessThanOrEqual(8000)
  expect(Math.max(...late)).toBeGreaterThan(6000)
})

test('several join at once, and their welcome is in many frames now and then; all restart in turn', () => {
  const moves = plans('task-moves', 10)
  const joins = moves.flatMap(({ strikes }) => strikes.filter(({ fault }) => fault === 'join'))
  expect(joins.filter(({ nodes }) => nodes.length > 2).length).toBeGreaterThan(10)
  const pages = moves.filter(({ chunkBytes }) => chunkBytes !== undefined).length
  expect(pages).toBeGreaterThan(SEEDS.length / 4)
  expect(pages).toBeLessThan(SEEDS.length)
  const rolling = moves.flatMap(({ strikes }) => strikes.filter(({ fault }) => fault === 'rolling-restart'))
  expect(new Set(rolling.map(({ amount = 0 }) => amount > 0.7)).size).toBe(2)
})

test('a night on which clocks change begins shortly before it, and it is one by the clocks themselves', () => {
  const nights = new Set(plans('task-night').map(({ tasks }) => tasks?.night))
  expect([...nights].every(night => night !== undefined && NIGHTS.includes(night))).toBe(true)
  expect(nights.size).toBe(NIGHTS.length)
  for (const { at, tz } of NIGHTS) {
    const shift = offsetOf(tz, at) - offsetOf(tz, at - 1)
    expect([60, 30]).toContain(Math.abs(shift) / 60_000)
  }
  for (const { tasks, wallMs = 0 } of plans('task-night')) {
    const before = (tasks?.night?.at ?? 0) - wallMs
    expect(before).toBeGreaterThanOrEqual(20_000)
    expect(before).toBeLessThanOrEqual(20_000 + 5 * 60_000)
  }
  expect(plans('task-calm').every(({ wallMs, tasks }) => wallMs === undefined && !tasks?.night)).toBe(true)
})

test('clocks are wrong by milliseconds, and by minutes up to ten; a bridge leaves one node that hears both sides', () => {
  const strikes = plans('task-clocks', 20).flatMap(plan => plan.strikes)
  const wrong = strikes
    .filter(({ fault }) => fault === 'clock-skew')
    .map(({ amount = 0 }) => Math.abs(amount))
  expect(Math.min(...wrong)).toBeLessThan(20)
  expect(Math.max(...wrong)).toBeGreaterThan(300_000)
  expect(Math.max(...wrong)).toBeLessThanOrEqual(600_000)
  for (const { nodes, strikes: all } of plans('task-links', 20))
    for (const { fault, nodes: one, others = [] } of all)
      if (fault === 'bridge') expect(one.length + others.length).toBe(nodes.length - 1)
})
